"""Damaged stores: a run that cannot be read is one line, and nothing else is lost."""

from __future__ import annotations

import json
import os
import random
import shutil

import pytest
from stored_runs import files_below, store_run

from experiments.report import markdown_table, table_rows
from experiments.runs.first_version import without_unread
from experiments.runs.groups import group_runs
from experiments.runs.records import read_runs

RESULT, CONFIG, HISTORY = "result.json", "config.yaml", "history.csv"
ODD = ("", "high", "nan", None, True, [], {}, -1, 1.5, 1e300, 10**400, float("nan"), float("inf"))

SETTINGS = {
    "optimizer": {"lr": 1e-3, "name": "adam"},
    "data": {"verify": True, "folder": None, "cache": None, "download": True, "held_out": 0},
    "accelerator": "auto",
}
INSERTED = (b"\0", b"\xff", b"[", b"{", b"&a ", b"*a", b"\x1b", b",")


@pytest.fixture
def damaged(tmp_path):
    """Two runs; the first one is to be damaged."""
    store_run(tmp_path, "set1", folder="good")
    return store_run(tmp_path, "set2", folder="bad")


def left_out(bad) -> str:
    """The one line about the damaged run, after seeing that the other one is there."""
    store = bad.parents[1]
    before = files_below(store)
    runs, lines = read_runs(store)
    assert [run.folder.name for run in runs] == ["good"]
    (line,) = lines
    assert line.startswith(f"{bad}: ")
    assert line.isprintable()
    assert files_below(store) == before
    return line


def change_result(bad, **changes):
    path = bad / RESULT
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", [RESULT, CONFIG, HISTORY])
@pytest.mark.parametrize("kind", ["fifo", "loop", "dangling", "endless", "folder", "huge"])
def test_what_is_no_readable_file_is_left_out_at_once(damaged, name, kind):
    path = damaged / name
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(10**9)
    else:
        path.symlink_to({"loop": name, "dangling": "nowhere", "endless": "/dev/zero"}[kind])
    store = damaged.parents[1]
    runs, (line,) = read_runs(store)
    assert [run.folder.name for run in runs] == ["good"]
    assert line.startswith(f"{damaged}: {name}: ")


@pytest.mark.parametrize("name", [CONFIG, HISTORY])
def test_a_missing_file_is_named(damaged, name):
    (damaged / name).unlink()
    assert left_out(damaged) == f"{damaged}: {name}: No such file or directory"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (RESULT, "", "not JSON"),
        (RESULT, "[" * 100_000, "not JSON"),
        (RESULT, "[]", "no result"),
        (RESULT, "{}", "status: Field required"),
        (RESULT, b"\xff\xfe", "not UTF-8 text"),
        (CONFIG, "- a\n- list", "no settings"),
        (CONFIG, "", "no settings"),
        (CONFIG, "a: [", "not YAML"),
        (CONFIG, "[" * 60_000, "not YAML: nested too deeply"),
        (CONFIG, "- " * 30_000, "not YAML: nested too deeply"),
        (CONFIG, "!!python/object/apply:os.mkdir [harm]", "not YAML"),
        (CONFIG, "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "an alias"),
        (CONFIG, "a: " + "9" * 5000, "not YAML"),
        (CONFIG, "a: 2001-99-99", "not YAML"),
        (HISTORY, "", "0 epochs, result.json has 2"),
        (HISTORY, "epoch,train_loss\n1,1\n2,0.5\n", "epoch 1: test_accuracy: Field required"),
        (HISTORY, "epoch,train_loss\n1\n", "line 2 is no row of numbers"),
        (HISTORY, "epoch\n1,1\n", "line 2 is no row of numbers"),
        (HISTORY, "epoch\none\n", "line 2 is no row of numbers"),
        (HISTORY, "epoch\n" + "1" * 200_000, "no row of numbers"),
        (HISTORY, 'epoch\n"1', "no row of numbers"),
    ],
)
def test_wrong_content_is_named(damaged, name, content, reason):
    (damaged / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert f"{damaged}: {name}: " in left_out(damaged)
    assert reason in left_out(damaged)


def test_a_history_one_row_short_is_left_out_and_one_row_long_is_cut(damaged):
    path = damaged / HISTORY
    rows = path.read_text()
    path.write_text("".join(rows.splitlines(True)[:-1]))
    assert "history.csv: 1 epochs, result.json has 2" in left_out(damaged)
    path.write_text(rows + "3,0.1,0.9,0.9\n")
    runs, lines = read_runs(damaged.parents[1])
    assert [len(run.history) for run in runs] == [2, 2]
    assert lines == []


@pytest.mark.parametrize("row", ["1,1,0.5,0.5", "2,nan,0.5,0.5", "2,1,1.5,0.5", "2,1e200,0.5,0.5"])
def test_odd_numbers_in_a_history_are_named(damaged, row):
    lines = (damaged / HISTORY).read_text().splitlines()
    (damaged / HISTORY).write_text("\n".join([*lines[:2], row]))
    assert "history.csv: epoch 2: " in left_out(damaged)


def test_settings_that_are_not_whole_are_no_fault(damaged):
    """Runs of other versions have other settings."""
    (damaged / CONFIG).write_text("data: {verify: true}\n1: 2\ndevice: 3\n")
    runs, lines = read_runs(damaged.parents[1])
    assert runs[1].settings == {
        "1": "2",
        "device": "3",
        "device.card": "lsmo_pvdf_co@other",
        "data.name": "fashion_mnist",
    }
    assert lines == []


def test_a_run_without_an_epoch_is_no_bad_run(damaged):
    (damaged / RESULT).write_text('{"status": "diverged", "epochs": 0}')
    runs, lines = read_runs(damaged.parents[1])
    assert len(runs) == 1
    assert lines == []


def test_only_two_levels_of_folders_are_looked_at(damaged):
    store = damaged.parents[1]
    shutil.copytree(damaged, damaged / "deeper" / "still")
    shutil.copytree(damaged, store / "report")
    (store / "a file").write_text("x")
    (store / "loop").symlink_to("loop")
    runs, lines = read_runs(store)
    assert len(runs) == 2
    assert lines == []


def mutate(folder, chance: random.Random) -> None:
    """One fault of a kind that was met: bytes flipped, cut or doubled, keys gone or odd."""
    path = folder / chance.choice((RESULT, CONFIG, HISTORY))
    data = bytearray(path.read_bytes())
    kind = chance.choice(("flip", "cut", "insert", "double", "key", "odd", "odd"))
    if kind in ("key", "odd"):
        content = json.loads((folder / RESULT).read_text())
        key = chance.choice(sorted(content))
        content.pop(key) if kind == "key" else content.update({key: chance.choice(ODD)})
        (folder / RESULT).write_text(json.dumps(content))
        return
    place = chance.randrange(len(data))
    if kind == "flip":
        data[place] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del data[place:]
    elif kind == "insert":
        data[place:place] = chance.choice(INSERTED)
    else:
        data *= 2
    path.write_bytes(bytes(data))


def test_random_damage_is_one_line_or_harmless(tmp_path):
    """300 damaged runs beside a good one: the good one is always shown, no other word is said."""
    chance = random.Random(1)
    store_run(tmp_path, "set1", folder="good")
    harmless = 0
    for _ in range(300):
        bad = store_run(tmp_path, "set2", folder="bad", **SETTINGS)
        mutate(bad, chance)
        before = files_below(tmp_path)
        runs, lines = read_runs(tmp_path)
        assert "good" in [run.folder.name for run in runs]
        assert len(runs) + len(lines) in (1, 2)
        assert all(line.startswith(f"{bad}: ") and line.isprintable() for line in lines)
        assert markdown_table(table_rows(group_runs(runs))).count("\n") == 2 + len(runs)
        assert files_below(tmp_path) == before
        harmless += len(runs) == 2
        shutil.rmtree(bad)
    assert 10 < harmless < 200


UPDATE_OF_FIRST_VERSION = {
    "granularity": 0.0,
    "desired_bl": 31,
    "chunks": 8,
    "momentum": 0.0,
    "fast_pulses": 10.0,
    "fast_lr": 1.0,
    "transfer_every": 1,
    "reads_per_transfer": 0,
    "transfer_lr": 0.2,
    "buffer_momentum": 0.1,
    "chop_probability": 0.1,
}


def test_runs_of_the_first_version_stand_beside_those_of_today(tmp_path):
    """One variant, two seeds: `tile` with every recipe's settings, `memristor` with its own."""
    old = {"name": "tile", "recipe": "mixed_precision", "update": UPDATE_OF_FIRST_VERSION}
    new = {"name": "memristor", "recipe": "mixed_precision", "update": {"granularity": 0.0}}
    data = SETTINGS["data"]
    store_run(tmp_path, seed=0, crossbar=old, data=data)
    store_run(tmp_path, seed=1, crossbar=new, data=data | {"name": "fashion_mnist"})
    (group,) = group_runs(read_runs(tmp_path)[0])
    assert len(group.runs) == 2
    finer = new | {"update": {"granularity": 0.5}}
    store_run(tmp_path, seed=2, crossbar=finer, data=data)
    assert len(group_runs(read_runs(tmp_path)[0])) == 2


def test_images_and_networks_of_a_users_own_count_by_their_content(tmp_path):
    """Two files with one content are one data set, one file with two contents are two."""
    for seed, (file, images) in enumerate([("a.npz", "x"), ("b.npz", "x"), ("b.npz", "y")]):
        store_run(
            tmp_path,
            seed=seed,
            data={"name": "arrays", "file": file, "test_share": 0.2, "held_out": 0},
            model={"name": "custom", "target": "mynets.Net", "arguments": None},
            result={"images_sha256": images * 64, "source_sha256": "s" * 64},
        )
    groups = group_runs(read_runs(tmp_path)[0])
    assert sorted(len(group.runs) for group in groups) == [1, 2]
    assert {group.difference for group in groups} == {
        "data.images=xxxxxxxx",
        "data.images=yyyyyyyy",
    }
    store_run(
        tmp_path,
        seed=0,
        data={"name": "arrays", "file": "a.npz", "test_share": 0.2, "held_out": 0},
        model={"name": "custom", "target": "mynets.Net", "arguments": None},
        result={"images_sha256": "x" * 64, "source_sha256": "t" * 64},
    )
    runs, left_out = read_runs(tmp_path)
    assert len(runs) == 4
    assert left_out == []


def test_mnist_is_told_apart_from_fashion_mnist(tmp_path):
    for name in ("mnist", "fashion_mnist"):
        store_run(tmp_path, data=SETTINGS["data"] | {"name": name})
    groups = group_runs(read_runs(tmp_path)[0])
    assert {group.difference for group in groups} == {"data.name=mnist", "data.name=fashion_mnist"}


def test_a_momentum_that_adam_never_read_tells_no_runs_apart(tmp_path):
    """Runs stored before it went stand beside those of today; the momentum of SGD counts."""
    unread, today = ({"name": "adam", "lr": 0.1, **more} for more in ({"momentum": 0.9}, {}))
    for seed, optimizer in enumerate((unread, today)):
        store_run(tmp_path, seed=seed, optimizer=optimizer, data=SETTINGS["data"])
    assert len(group_runs(read_runs(tmp_path)[0])) == 1
    for seed, momentum in enumerate((0.9, 0.0)):
        sgd = {"name": "sgd", "lr": 0.1, "momentum": momentum}
        store_run(tmp_path, seed=seed, optimizer=sgd, data=SETTINGS["data"])
    assert len(group_runs(read_runs(tmp_path)[0])) == 3


def test_a_stored_configuration_is_read_without_what_adam_never_read():
    stored = {"seed": 1, "optimizer": {"name": "adam", "lr": 0.1, "momentum": 0.9}}
    assert without_unread(stored) == {"seed": 1, "optimizer": {"name": "adam", "lr": 0.1}}
    assert stored["optimizer"]["momentum"] == 0.9
    for other in ({"optimizer": {"name": "sgd", "momentum": 0.9}}, {"optimizer": None}, {}):
        assert without_unread(other) == other
