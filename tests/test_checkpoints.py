"""Checkpoints: a damaged one is never taken for good, and a good one is always there."""

from __future__ import annotations

import io
import os
import random
import zipfile

import pytest
import torch
from torch import nn

from device_models.files import TEMPORARY
from experiments.runs.checkpoints import decode, encode
from experiments.runs.store import Run, StoreError, open_run


def state(epochs: int = 1) -> dict:
    """A small network and its optimizer after `epochs`."""
    torch.manual_seed(epochs)
    model = nn.Linear(6, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 6)).sum().backward()
    optimizer.step()
    return {
        "model": dict(model.state_dict()),
        "optimizer": optimizer.state_dict(),
        "random_state": torch.get_rng_state(),
        "history": [{"epoch": i + 1, "test_accuracy": 0.5} for i in range(epochs)],
    }


def flipped(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def epochs_of(run: Run) -> int:
    return len(run.newest_checkpoint()["history"])


@pytest.fixture
def run(tmp_path) -> Run:
    """A run of three epochs, all of them kept as the training does."""
    run = Run(tmp_path)
    for epochs in (1, 2, 3):
        run.save_last(state(epochs))
    return run


def test_what_is_read_is_what_was_written():
    written = state()
    assert encode(decode(encode(written))) == encode(written)


def decoded(data: bytes) -> bytes | None:
    """What is read of a checkpoint file, None where it is refused."""
    try:
        return encode(decode(data))
    except ValueError:
        return None


def test_any_flipped_bit_is_found_or_changes_nothing():
    """Over the whole file: headers, checksums, weights, the directory at the end, padding."""
    data = encode(state())
    chance = random.Random(0)
    read = [decoded(flipped(data, i, chance.randrange(8))) for i in range(0, len(data), 5)]
    assert set(read) == {None, decoded(data)}
    assert read.count(None) > 0.5 * len(read)


def test_a_flipped_bit_in_any_weight_is_found():
    """What torch itself loads without a word."""
    written = state()
    data = encode(written)
    weights = written["model"]["weight"].numpy().tobytes()
    start = data.index(weights)
    for position in range(start, start + len(weights)):
        damaged = flipped(data, position, 0)
        assert torch.load(io.BytesIO(damaged), weights_only=True)
        with pytest.raises(ValueError, match=r"checksum|CRC"):
            decode(damaged)


@pytest.mark.parametrize("cut", [0, 1, 30, 500, -1])
def test_a_cut_off_file_is_found(cut):
    with pytest.raises(ValueError, match="zip"):
        decode(encode(state())[:cut])


def compressed() -> bytes:
    """The members of a checkpoint, packed: torch writes none such, a bomb would be one."""
    data = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(encode(state()))) as whole,
        zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no state of a run"),
        ({**state(), "model": [1]}, "holds no model"),
        ({k: v for k, v in state().items() if k != "optimizer"}, "holds no optimizer"),
        ({**state(), "random_state": 3}, "holds no random_state"),
        ({**state(), "history": [{"epoch": 2}]}, "no epoch 1"),
        ({**state(), "history": [[]]}, "no epoch 1"),
        ({**state(), "history": []}, "no epoch 1"),
        ({**state(), "history": [{"epoch": 1, "loss": float("nan")}]}, "history.0.loss is not"),
        ({**state(), "model": {"w": torch.tensor([1.0, torch.inf])}}, "model.w is not finite"),
        ({**state(), "model": {"w": torch.zeros(1).expand(10**12)}}, "larger than the file"),
    ],
)
def test_wrong_content_is_named(content, message):
    data = io.BytesIO()
    torch.save(content, data)
    with pytest.raises(ValueError, match=message):
        decode(data.getvalue())


def test_a_packed_archive_is_refused():
    with pytest.raises(ValueError, match="a compressed member"):
        decode(compressed())


class Mischief:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    run = Run(tmp_path)
    torch.save({**state(), "model": Mischief(tmp_path / "harm")}, run.last)
    with pytest.raises(StoreError, match=r"last\.pt: not a checkpoint") as caught:
        run.load_checkpoint(run.last)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_the_one_before_the_last_is_kept(run):
    assert len(run.load_checkpoint(run.previous)["history"]) == 2
    assert epochs_of(run) == 3
    assert sorted(p.name for p in run.folder.iterdir()) == ["last.pt", "previous.pt"]


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_last_checkpoint_goes_back_one(run, capsys, damage):
    data = run.last.read_bytes()
    run.last.write_bytes(flipped(data, len(data) // 2, 3) if damage is None else damage)
    assert epochs_of(run) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {run.last}: not a checkpoint of this program (")
    assert line.endswith("going back to epoch 2 in previous.pt")


def test_two_damaged_checkpoints_are_both_named(run):
    run.last.write_bytes(b"")
    run.previous.write_bytes(b"x")
    with pytest.raises(StoreError, match=r"last\.pt.*previous\.pt.*overwrite=true") as caught:
        run.newest_checkpoint()
    assert "\n" not in str(caught.value)


def test_a_fifo_in_place_of_a_checkpoint_never_waits(run):
    run.last.unlink()
    os.mkfifo(run.last)
    assert epochs_of(run) == 2


def test_a_new_run_has_no_checkpoint(tmp_path):
    assert Run(tmp_path).newest_checkpoint() is None


def test_a_good_checkpoint_is_there_wherever_the_process_ends(run, monkeypatch):
    """Each call of the file system on the way to epoch 4 is the last one once."""

    class Killed(BaseException):
        pass

    def dies_at(calls):
        """Let so many renames through and die at the next."""
        left = [calls]
        replace = type(run.last).replace

        def step(path, target):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return replace(path, target)

        monkeypatch.setattr("pathlib.Path.replace", step)

    reached = []
    for calls in range(3):
        for epochs in (1, 2, 3):
            monkeypatch.undo()
            run.save_last(state(epochs))
        dies_at(calls)
        with pytest.raises(Killed):
            run.save_last(state(4))
        reached.append(epochs_of(run))
    assert reached == [3, 3, 3]


def test_a_full_disk_keeps_both_checkpoints(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        run.save_last(state(4))
    assert epochs_of(run) == 3
    assert len(run.load_checkpoint(run.previous)["history"]) == 2


def test_what_a_killed_process_left_is_swept_when_the_run_is_opened(tmp_path):
    folder = tmp_path / "run"
    with open_run(folder, {"name": "set2"}) as run:
        run.save_last(state())
    for name in ("last.pt", "abc"):
        (folder / f"{TEMPORARY}{name}").write_bytes(b"half")
    with open_run(folder, {"name": "set2"}, resume=True):
        left = {path.name for path in folder.iterdir()}
    assert left == {".lock", "config.yaml", "last.pt"}
