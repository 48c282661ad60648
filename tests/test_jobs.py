"""Jobs of a command: noted, started again, and never left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from omegaconf import OmegaConf
from test_train import ROOT, TINY

from experiments.runs.store import list_runs
from experiments.training import jobs
from experiments.training.jobs import JOBS_FOLDER, SteadyLauncher, run_command, run_job


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Folder of a command, which is this process."""
    monkeypatch.setenv(JOBS_FOLDER, str(tmp_path))
    monkeypatch.setattr(jobs, "_number", lambda: 0)
    (tmp_path / jobs.LOCK).write_text(str(os.getpid()))
    return tmp_path


def config(**changes):
    settings = {"name": "set2", "seed": 0, "resume": False, "overwrite": False}
    return OmegaConf.create(settings | changes)


def never(_):
    raise AssertionError("this job has ended before")


def cut_off(_):
    raise KeyboardInterrupt


def test_a_job_that_ended_is_not_run_again(folder):
    assert run_job(lambda _: 0.75, config(), ()) == 0.75
    assert run_job(never, config(), ()) == 0.75


def test_a_job_that_failed_is_told_once_in_one_line(folder, capsys):
    def fails(_):
        raise ValueError("wrong\n  [in] \x1b two lines")

    assert run_job(fails, config(), (ValueError,)) is None
    assert run_job(never, config(), (ValueError,)) is None
    line = "set2 seed 0: wrong [in] \\x1b two lines\n"
    assert capsys.readouterr().err == f"error: {line}"
    assert (folder / "failures").read_text() == line


def test_a_fault_of_ours_shows_its_traceback_and_a_sweep_goes_on(folder, capsys):
    assert run_job(never, config(), (ValueError,)) is None
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):")
    assert "in never\n" in told
    last = "set2 seed 0: a fault of fieldcrossbar: AssertionError('this job has ended before')\n"
    assert told.endswith(f"error: {last}")
    assert (folder / "failures").read_text() == last


def test_all_errors_are_raised_where_tracebacks_are_wished(folder):
    with pytest.raises(AssertionError, match="ended before"):
        run_job(never, config(), ())


def test_a_configuration_that_cannot_be_resolved_is_one_line(folder, capsys):
    assert run_job(never, config(name="${nothing}"), (ValueError,)) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: run: ")
    assert "nothing" in line


@pytest.mark.parametrize(("overwrite", "resumes"), [(False, True), (True, False)])
def test_a_job_that_was_cut_off_resumes(folder, overwrite, resumes):
    """With overwrite=true it might find the old run instead of its own, and begins again."""
    with pytest.raises(KeyboardInterrupt):
        run_job(cut_off, config(overwrite=overwrite), ())
    assert run_job(lambda c: c["resume"], config(overwrite=overwrite), ()) is resumes


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def ctrl_c(request):
    """What ctrl-C does; a shell lets its background jobs ignore it."""
    usual = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, usual)


def test_ctrl_c_waits_for_the_end_of_a_block(ctrl_c):
    done = []

    def work():
        with jobs.interrupts_later():
            signal.raise_signal(signal.SIGINT)
            done.append("the rest")

    if ctrl_c is signal.SIG_IGN:
        work()
    else:
        with pytest.raises(KeyboardInterrupt):
            work()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is ctrl_c


class Killed(TerminatedWorkerError):
    """What joblib raises when a worker is gone."""


def launcher(monkeypatch, launches):
    """Our launcher on a stand-in for joblib's that runs one of `launches` each time."""
    calls = iter(launches)
    # Its base as it was imported: hydra's search for plugins executes their modules once more.
    monkeypatch.setattr(SteadyLauncher.__base__, "launch", lambda *_: next(calls)())
    return SteadyLauncher()


def killed_with(*numbers):
    """A launch that dies after it has started the jobs with `numbers`."""

    def launch():
        for number in numbers:
            jobs._Note(number).start()
        raise Killed

    return launch


def test_a_sweep_goes_on_after_a_kill(folder, monkeypatch, capsys):
    steady = launcher(monkeypatch, [killed_with(0, 1), lambda: ["returned"]])
    assert steady.launch([["seed=0"], ["seed=1"]], 0) == ["returned"]
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / "failures").exists()


def test_a_job_that_is_killed_twice_has_failed_and_the_rest_goes_on(folder, monkeypatch, capsys):
    steady = launcher(monkeypatch, [killed_with(0), killed_with(0), killed_with(1), lambda: []])
    assert steady.launch([["seed=0", "x=1"], ["seed=1"]], 0) == []
    assert (folder / "failures").read_text() == "seed=0 x=1: its process was killed 2 times\n"
    assert jobs._Note(0).value() is None
    assert not jobs._Note(1).ended()


def test_processes_that_never_start_a_job_are_not_launched_for_ever(folder, monkeypatch):
    steady = launcher(monkeypatch, [killed_with()] * 9)
    with pytest.raises(SystemExit):
        steady.launch([["seed=0"]], 0)
    assert "before they started a job" in (folder / "failures").read_text()


def test_folders_of_killed_commands_are_swept(tmp_path, monkeypatch):
    """Not those of commands at work, young ones, or what a link leads to."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv(JOBS_FOLDER, raising=False)
    long_ago = time.time() - 7200
    names = ("killed", "at work", "young")
    killed, at_work, young = (tmp_path / f"{jobs.PREFIX}{name}" for name in names)
    (tmp_path / "precious").mkdir()
    link = tmp_path / f"{jobs.PREFIX}link"
    link.symlink_to("precious")
    for folder in (killed, at_work, young):
        folder.mkdir()
        (folder / jobs.LOCK).touch()
    for path in (killed, at_work, link):
        os.utime(path, (long_ago, long_ago), follow_symlinks=False)
    with (at_work / jobs.LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_command(lambda: None)
    assert set(tmp_path.iterdir()) == {at_work, young, link, tmp_path / "precious"}
    assert not list((tmp_path / "precious").iterdir())


# --- real processes, really killed ------------------------------------------------------------


def parent_of(process: int) -> int | None:
    """Process that started this one; None where it is gone or only its entry is left."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def workers_of(process: subprocess.Popen) -> list[int]:
    """Processes of a sweep that train, not those that keep house for them."""
    numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    children = [number for number in numbers if parent_of(number) == process.pid]
    return [n for n in children if "LokyProcess" in Path(f"/proc/{n}/cmdline").read_text()]


def sweep(store: Path, *overrides: str) -> subprocess.Popen:
    words = ("-m", "launcher=parallel", "hydra.launcher.n_jobs=2", f"store={store}", *TINY)
    command = [sys.executable, "-m", "experiments.train", *words, *overrides]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(store.parent)}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition, process: subprocess.Popen) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def epochs(store: Path) -> dict[str, int]:
    """Epochs that each run of the store has in its history."""
    histories = store.glob("*/*/history.csv")
    return {path.parent.name: path.read_text().count("\n") - 1 for path in histories}


def all_longer(store: Path, before: dict[str, int], ended: str) -> bool:
    now = epochs(store)
    return all(now[name] > before[name] for name in before if name != ended)


@pytest.mark.usefixtures("fashion_mnist")
def test_kills_lose_no_job_and_leave_no_process(tmp_path):
    """A worker is killed when one of three jobs has ended, then the command itself."""
    store = tmp_path / "store"
    process = sweep(store, "trainer.epochs=6,5000,5001")
    wait_until(lambda: list_runs(store) and len(epochs(store)) == 3, process)
    (ended,) = list_runs(store)
    os.kill(workers_of(process)[0], 9)
    before = epochs(store)
    wait_until(lambda: all_longer(store, before, ended.folder.name), process)
    workers = workers_of(process)
    process.kill()
    stdout, stderr = process.communicate()
    deadline = time.time() + 10
    while (left := [w for w in workers if parent_of(w) is not None]) and time.time() < deadline:
        time.sleep(0.1)
    assert len(workers) == 2
    assert left == []
    assert not list(tmp_path.glob(f"{jobs.PREFIX}*"))
    assert stderr.count("warning: a process of the sweep was killed") == 1
    assert "Traceback" not in stderr
    assert ended.result()["epochs"] == 6
    assert stdout.count("epoch 6/6 ") == stdout.count("epoch 1/6 ") == 1
    assert stdout.count("epoch 1/5000 ") == stdout.count("epoch 1/5001 ") == 1
