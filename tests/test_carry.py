"""Networks carried to other fields, through the real command line."""

from __future__ import annotations

import json
import sys
from subprocess import run as run_process

import pytest
from test_train import only_run, train

from crossbar import fields_of
from experiments.carry import carry
from experiments.runs.store import StoreError
from experiments.training.loop import accuracy
from experiments.training.stored import stored_network

pytestmark = pytest.mark.usefixtures("fashion_mnist")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network trained at 0 G for one short epoch."""
    store = tmp_path_factory.mktemp("store")
    assert train(store, "experiment=crossbar", "threads=1").returncode == 0
    return only_run(store)


def carried(*words):
    return run_process(
        [sys.executable, "-m", "experiments.carry", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_stored_network_is_the_one_that_was_trained(run):
    network = stored_network(run)
    assert set(fields_of(network.model).values()) == {0.0}
    first = accuracy(network.model, network.test)
    # The checkpoint was taken behind the test of its epoch: reads draw other noise now.
    assert first == pytest.approx(run.result()["test_accuracy"], abs=0.03)
    network.restore()
    assert accuracy(network.model, network.test) == first


def test_fields_in_any_order_give_the_same_accuracies(run, tmp_path):
    out = tmp_path / "carried.json"
    done = carried(run.folder, "--fields", 0, 200, 75, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "scale kept [%]" in done.stdout
    (first,) = json.loads(out.read_text())["runs"]
    again = carry(run, [75.0, 0.0, 200.0])
    for scale in ("kept", "anew"):
        assert again[scale] == [first[scale][i] for i in (2, 0, 1)]
    assert first["kept"][0] == first["anew"][0]
    assert first["kept"] != first["anew"]
    assert carried(run.folder, "--fields", 0, "--out", out).returncode == 1
    assert json.loads(out.read_text())["runs"] == [first]


def test_runs_that_cannot_be_carried_are_one_line(run, tmp_path):
    for words, told in (
        ((run.folder, "--fields", 900), "is known from 0 to 500 G, asked at field_G=900"),
        ((run.folder, "--fields", "nan"), "expected a finite number, got 'nan'"),
        ((tmp_path / "none",), "none/config.yaml: No such file or directory"),
    ):
        done = carried(*words)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert told in done.stderr


def test_another_card_or_a_missing_checkpoint_is_refused(run, tmp_path):
    result = run.folder / "result.json"
    text = result.read_text()
    result.write_text(text.replace(json.loads(text)["card_sha256"], "0" * 64))
    with pytest.raises(StoreError, match="another card than lsmo_pvdf_co is now"):
        stored_network(run)
    result.write_text(text)
    run.last.rename(tmp_path / "last.pt")
    try:
        with pytest.raises(StoreError, match="no checkpoint"):
            stored_network(run)
    finally:
        (tmp_path / "last.pt").rename(run.last)


def test_a_digital_network_is_refused_by_name(tmp_path):
    assert train(tmp_path, "threads=1").returncode == 0
    done = carried(only_run(tmp_path).folder)
    assert done.returncode == 1
    assert "its weights are not on memristor tiles" in done.stderr
