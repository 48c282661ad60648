"""Golden runs through the real command line, on real images."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir

from device_models import load_card
from experiments.data.published import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from experiments.report import write_report
from experiments.runs.store import Run, list_runs
from experiments.train import _job, main
from experiments.training.loop import train_epoch

pytestmark = pytest.mark.usefixtures("fashion_mnist")

ROOT = Path(__file__).parents[1]
TINY = ("trainer=smoke", "trainer.train_images=200", "trainer.test_images=100", "threads=1")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def train(store: Path, *overrides: str) -> Done:
    """The command line with its own store, in this process (starting torch takes seconds)."""
    stdout, stderr = io.StringIO(), io.StringIO()
    argv = ["experiments.train", f"store={store}", *TINY, *overrides]
    with (
        mock.patch.object(sys, "argv", argv),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    return Done(code, stdout.getvalue(), stderr.getvalue())


def start(store: Path, *overrides: str) -> subprocess.Popen:
    """The same in a process of its own, to be killed; returns after its first epoch."""
    command = [sys.executable, "-m", "experiments.train", f"store={store}", *TINY, *overrides]
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # heard, also in a background
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, usual)
    while not list(store.glob("*/*/history.csv")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def write_images(folder: Path, seed: int) -> None:
    """Random images in the files and shapes of the real ones."""
    generator = np.random.default_rng(seed)
    for n, images, labels in ((300, TRAIN_IMAGES, TRAIN_LABELS), (200, TEST_IMAGES, TEST_LABELS)):
        for name, shape, high in ((images, (n, 28, 28), 256), (labels, (n,), 10)):
            header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            values = generator.integers(0, high, shape, dtype=np.uint8)
            (folder / name).write_bytes(header + values.tobytes())


def only_run(store: Path) -> Run:
    (run,) = list_runs(store)
    return run


def same_state(first, second) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_state(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same_state, first, second))
    return first == second


def test_sweep_gives_one_run_each(tmp_path):
    """The issue's command: three experiments x two seeds, six runs in the store, and a page."""
    done = train(tmp_path, "-m", "experiment=baseline,set1,set2", "seed=0,1")
    assert done.returncode == 0, done.stderr
    runs = list_runs(tmp_path)
    assert len(runs) == 6
    results = [run.result() for run in runs]
    assert {(r["name"], r["seed"]) for r in results} == {
        (name, seed) for name in ("baseline", "set1", "set2") for seed in (0, 1)
    }
    for run, result in zip(runs, results, strict=True):
        assert result["status"] == "finished"
        assert result["epochs"] == 1
        assert 0 <= result["test_accuracy"] <= 1
        assert result["crossbar_weights"] == 0
        assert result["provenance"]["packages"]["torch"] == torch.__version__.split("+")[0]
        row = run.history()[0]
        assert row["train_loss"] == result["train_loss"]
        assert row["seconds"] > 0
        assert {p.name for p in run.folder.iterdir()} >= {"last.pt", "best.pt", "config.yaml"}
    page = write_report(tmp_path, tmp_path / "report").read_text()
    assert "set2" in page
    assert "reconstructed" in page
    assert (tmp_path / "report" / "training.png").read_bytes().startswith(b"\x89PNG")


def test_same_seed_same_run_and_other_seed_another(tmp_path):
    for store, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert train(tmp_path / store, "experiment=set2", f"seed={seed}").returncode == 0
    a, b, c = (torch.load(only_run(tmp_path / s).last, weights_only=True) for s in "abc")
    assert same_state(a["model"], b["model"])
    assert not same_state(a["model"], c["model"])


@pytest.mark.parametrize(
    "experiment", [["baseline"], ["set2"], ["set2_crossbar", "crossbar=memristor"]], ids="-".join
)
def test_killed_run_resumes_to_the_identical_result(tmp_path, experiment):
    """Kill -9 after the first epoch, resume, compare with the run that was left alone."""
    name, *others = experiment
    arguments = [f"experiment={name}", *others, "trainer.epochs=3", "trainer.train_images=2000"]
    assert train(tmp_path / "whole", *arguments).returncode == 0
    process = start(tmp_path / "cut", *arguments)
    process.kill()
    process.communicate()
    assert not list_runs(tmp_path / "cut")
    refused = train(tmp_path / "cut", *arguments)
    assert refused.returncode == 1
    assert "resume=true" in refused.stderr
    assert train(tmp_path / "cut", *arguments, "resume=true").returncode == 0
    whole, cut = only_run(tmp_path / "whole"), only_run(tmp_path / "cut")
    states = [torch.load(run.last, weights_only=True) for run in (whole, cut)]
    assert same_state(states[0]["model"], states[1]["model"])
    assert same_state(states[0]["optimizer"], states[1]["optimizer"])
    keys = ("epoch", "train_loss", "test_accuracy", "test_accuracy_batch_statistics")
    histories = [[[row[k] for k in keys] for row in run.history()] for run in (whole, cut)]
    assert histories[0] == histories[1]


def test_ctrl_c_ends_cleanly_with_what_was_reached(tmp_path):
    process = start(tmp_path, "trainer.epochs=500")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert "resume=true" in stderr
    result = only_run(tmp_path).result()
    assert result["status"] == "interrupted"
    assert 1 <= result["epochs"] < 500


def test_divergence_keeps_the_last_good_checkpoint(tmp_path):
    done = train(
        tmp_path, "experiment=baseline", "optimizer=sgd", "optimizer.lr=1e30", "trainer.epochs=3"
    )
    assert done.returncode == 1
    assert "the training loss became" in done.stderr
    assert "Traceback" not in done.stderr
    assert only_run(tmp_path).result()["status"] == "diverged"


@pytest.mark.parametrize("experiment", ["set1_crossbar", "set2_crossbar", "field_programmed"])
def test_crossbar_experiments_run_and_resume(tmp_path, experiment):
    arguments = [f"experiment={experiment}", "trainer.train_images=64", "trainer.epochs=1"]
    assert train(tmp_path, *arguments).returncode == 0
    run = only_run(tmp_path)
    assert run.result()["crossbar_weights"] == 44_490
    assert run.result()["card_kind"] == "reconstructed"
    again = train(tmp_path, *arguments, "resume=true")
    assert again.returncode == 0, again.stderr
    assert "finished" in again.stdout


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["experiment=set3"], "Could not find 'experiment/set3'"),
        (["trainer.epoch=3"], "Could not override 'trainer.epoch'"),
        (["device.card=nothing"], "no card named 'nothing'"),
        (["data.folder=/nowhere"], "/nowhere"),
        (["field=eight", "activation=em", "field.activation_G=[900]"], "0 to 500 G"),
        (["model.kernel_size=13"], "do not fit a 28 x 28 image"),
        (["model.kernel_size=40"], "do not fit a 28 x 28 image"),
        (["optimizer.decay=linear"], "cosine, constant"),
        (["optimizer.name=lion"], "adam, sgd"),
        (["activation.name=tanh"], "relu, em"),
        (["experiment=field_programmed", "field.weights_G=[0,50]"], "fields"),
        (["trainer.train_images=70000"], "70000"),
        (["accelerator=tpu"], "auto, cpu, cuda"),
        (["trainer.epochs=many"], "trainer.epochs must be a whole number, got 'many'"),
        (["trainer.batch_size=1"], "trainer.batch_size must be at least 2, got 1"),
        (["seed=-1"], "seed must be at least 0, got -1"),
        (
            ["optimizer=adam", "optimizer.momentum=0.9"],
            "Key 'momentum' is not in struct; optimizer holds name, lr, crossbar_lr",
        ),
        (["optimizer.lr=fast"], "optimizer.lr must be a number, got 'fast'"),
        (["optimizer.crossbar_lr=0"], "optimizer.crossbar_lr must be above 0, got 0"),
        (
            ["crossbar=memristor", "crossbar.update.chunk=3"],
            "Could not override 'crossbar.update.chunk'",
        ),
        (
            ["experiment=crossbar", "crossbar.update.momentum=0.9"],
            "Key 'momentum' is not in struct; crossbar.update holds granularity\n",
        ),
        (
            ["experiment=crossbar", "crossbar/recipe=sgd", "crossbar.update.transfer_lr=1"],
            "crossbar.update holds granularity, desired_bl, chunks, momentum\n",
        ),
        (
            ["crossbar=memristor", "+crossbar.update.momentum=0.9"],
            "momentum is not read by mixed_precision; it reads granularity",
        ),
        (["crossbar=memristor", "+crossbar.update.chunk=3"], "crossbar.update.chunk is no setting"),
        (
            ["experiment=crossbar_tiki_taka", "crossbar.update.chunks=0"],
            "chunks must be a whole number from 1",
        ),
        (
            ["experiment=crossbar_tiki_taka", "crossbar.update.fast_pulses=few"],
            "crossbar.update.fast_pulses must be a number",
        ),
        (
            ["crossbar=memristor", "crossbar.update=3"],
            "crossbar.update must be a group of settings, got 3",
        ),
        (["crossbar=memristor", "crossbar/recipe=adam"], "Could not find 'crossbar/recipe/adam'"),
        (["crossbar=digital", "crossbar/recipe=sgd"], "Could not override 'crossbar/recipe'"),
        (
            ["crossbar=aihwkit", "+crossbar.update.chunks=4"],
            "chunks is not read by crossbar",
        ),
        (["crossbar=tile"], "error: crossbar=tile is called crossbar=memristor now\n"),
        (["+model.depth=3"], "model.depth is no setting"),
        (["store=/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_wrong_settings_end_in_one_line_and_leave_nothing(tmp_path, overrides, message):
    done = train(tmp_path / "store", *overrides)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if done.stderr.startswith("error:"):
        assert done.stderr.count("\n") == 1
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_sweep_of_make_run(tmp_path):
    """`sweep=paper` needs no -m and runs the four variants; again with resume it trains none."""
    arguments = ("sweep=paper", "resume=true", "trainer.train_images=64")
    assert train(tmp_path, *arguments).returncode == 0
    names = [run.result()["name"] for run in list_runs(tmp_path)]
    assert names == ["baseline", "set1", "set2", "set2_crossbar"]
    again = train(tmp_path, *arguments)
    assert again.returncode == 0
    assert again.stdout.count("finished with") == 4
    assert "epoch 1/1" not in again.stdout


def test_the_same_images_from_another_folder_are_the_same_run(tmp_path):
    assert train(tmp_path).returncode == 0
    assert "resume=true" in train(tmp_path, "data.download=false").stderr


def test_a_card_fitted_again_under_its_old_name_is_another_run(tmp_path, card):
    """Neither the old device's result is shown nor its run continued; the path does not matter."""
    path, elsewhere = tmp_path / "my.json", tmp_path / "elsewhere.json"
    card.save(path)
    card.save(elsewhere)
    arguments = ("experiment=crossbar", "trainer.train_images=64", "resume=true")
    store = tmp_path / "store"
    assert train(store, *arguments, f"device.card={path}").returncode == 0
    shown = train(store, *arguments, f"device.card={elsewhere}")
    assert "epoch 1/1" not in shown.stdout
    first = only_run(store)
    replace(card, n_pulses=card.n_pulses // 2).save(path, overwrite=True)
    trained = train(store, *arguments, f"device.card={path}")
    assert "epoch 1/1" in trained.stdout
    hashes = {run.result()["card_sha256"] for run in list_runs(store)}
    assert hashes == {card.sha256, load_card(path).sha256}
    assert len(list_runs(store)) == 2
    assert first.result()["card_sha256"] == card.sha256


def test_other_images_count_by_their_content(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    write_images(folder, seed=0)
    arguments = ("trainer.train_images=64", f"data.folder={folder}", "data.verify=false")
    store = tmp_path / "store"
    assert train(store, *arguments).returncode == 0
    assert "resume=true" in train(store, *arguments).stderr
    write_images(folder, seed=1)
    assert train(store, *arguments).returncode == 0
    assert len(list_runs(store)) == 2


@pytest.mark.parametrize("word", ["no", "off", "'False'", "maybe", "0"])
def test_only_true_overwrites_a_finished_run(tmp_path, word):
    assert train(tmp_path).returncode == 0
    before = {p: p.read_bytes() for p in only_run(tmp_path).folder.iterdir()}
    refused = train(tmp_path, f"overwrite={word}")
    assert refused.returncode == 1
    assert "overwrite must be true or false" in refused.stderr
    assert {p: p.read_bytes() for p in only_run(tmp_path).folder.iterdir()} == before


def test_weights_that_are_no_numbers_any_more_end_the_run(tmp_path, monkeypatch):
    """The loss is finite: the last step of the last epoch has spoilt a weight nobody sees."""

    def spoil(model, *arguments):
        reached = train_epoch(model, *arguments)
        with torch.no_grad():
            model.classifier[-1].weight[3, 5] = float("nan")
        return reached

    monkeypatch.setattr("experiments.train.train_epoch", spoil)
    done = train(tmp_path)
    assert done.returncode == 1
    assert "1 of 840 numbers of classifier.7.weight are not finite" in done.stderr
    assert only_run(tmp_path).result()["status"] == "diverged"
    assert not only_run(tmp_path).last.exists()


def test_the_run_keeps_its_own_command_and_gives_an_optimiser_the_held_out_accuracy(tmp_path):
    returned = []

    def job(config):
        returned.append(_job(config))

    with mock.patch("experiments.train._job", job):
        train(tmp_path, "-m", "seed=0,1", "data.held_out=100")
        train(tmp_path, "seed=2")
    results = sorted((run.result() for run in list_runs(tmp_path)), key=lambda r: r["seed"])
    for result in results:
        seeds = [word for word in result["provenance"]["command"] if word.startswith("seed=")]
        assert seeds == [f"seed={result['seed']}"]
    assert [r["test_is_held_out"] for r in results] == [True, True, False]
    assert returned == [results[0]["test_accuracy"], results[1]["test_accuracy"], None]


def test_an_accuracy_with_unsettled_statistics_says_so(tmp_path):
    """A tiny run ends before the running statistics of BatchNorm mean anything."""
    line = train(tmp_path, "experiment=set2", "trainer.train_images=1000").stdout.splitlines()[-1]
    result = only_run(tmp_path).result()
    own = result["test_accuracy_batch_statistics"]
    assert own - result["test_accuracy"] > 0.05
    assert f"({own:.2%} with the statistics of each batch" in line


def test_a_torch_that_does_not_fit_ends_in_one_line(tmp_path):
    """A stand-in for aihwkit whose C++ module does not load."""
    package = tmp_path / "path" / "aihwkit"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('undefined symbol: _ZN3c10')")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", f"store={tmp_path / 'store'}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "path")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: aihwkit")
    assert "pip install aihwkit==" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_a_failed_job_does_not_stop_the_sweep(tmp_path):
    done = train(tmp_path, "-m", "experiment=baseline", "activation.name=tanh,relu")
    assert done.returncode == 1
    assert "relu, em" in done.stderr
    assert only_run(tmp_path).result()["activation"] == "relu"


def test_parallel_launcher_runs_and_reports_failures(tmp_path):
    words = ("-m", "launcher=parallel", "activation.name=relu,tanh", f"store={tmp_path}", *TINY)
    command = [sys.executable, "-m", "experiments.train", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "relu, em" in done.stderr
    assert only_run(tmp_path).result()["status"] == "finished"


def test_finished_run_is_never_replaced_unasked(tmp_path):
    assert train(tmp_path).returncode == 0
    run = only_run(tmp_path)
    before = (run.folder / "result.json").read_bytes()
    refused = train(tmp_path)
    assert refused.returncode == 1
    assert "overwrite=true" in refused.stderr
    assert (run.folder / "result.json").read_bytes() == before
    assert train(tmp_path, "overwrite=true").returncode == 0
    assert only_run(tmp_path).folder == run.folder


def test_damaged_checkpoint_is_named_and_kept(tmp_path):
    assert train(tmp_path).returncode == 0
    run = only_run(tmp_path)
    (run.folder / "result.json").unlink()
    run.last.write_bytes(b"not a checkpoint")
    done = train(tmp_path, "resume=true")
    assert done.returncode == 1
    assert "last.pt: not a checkpoint" in done.stderr
    assert run.last.read_bytes() == b"not a checkpoint"
    assert not (run.folder / "result.json").exists()


def test_showing_a_finished_run_changes_nothing(tmp_path):
    assert train(tmp_path).returncode == 0
    run = only_run(tmp_path)
    before = {p.name: p.read_bytes() for p in run.folder.iterdir()}
    again = train(tmp_path, "resume=true")
    assert "finished with" in again.stdout
    assert {p.name: p.read_bytes() for p in run.folder.iterdir()} == before


def test_help_lists_the_groups():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert done.returncode == 0
    for group in ("device", "field", "activation", "crossbar", "experiment", "sweep", "launcher"):
        assert f"{group}:" in done.stdout


def test_parallel_jobs_have_one_thread_each():
    """A group's choice stands above the defaults of config.yaml."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert compose("config", ["launcher=parallel"]).threads == 1
        assert compose("config", ["launcher=parallel", "threads=2"]).threads == 2


def test_every_experiment_says_how_to_run_it():
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        assert f"python -m experiments.train experiment={path.stem}" in path.read_text()
        assert yaml.safe_load(path.read_text())
