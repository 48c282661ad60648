"""Jobs of one command: what failed, what has ended, and what happens when a process is killed.

The command and its workers meet in a folder that is there as long as the command: the jobs leave
notes in it, and the command holds its lock, of which the kernel lets go when the command ends,
however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra_plugins.hydra_joblib_launcher.joblib_launcher import JoblibLauncher
from joblib.externals.loky.process_executor import TerminatedWorkerError
from omegaconf import DictConfig, OmegaConf

from device_models.files import open_lock
from device_models.plain_text import message
from experiments.command.shown import warn

JOBS_FOLDER = "FIELDCROSSBAR_JOBS"
"""Environment variable naming the folder of the command; `conf/config.yaml` reads it."""

PREFIX = "fieldcrossbar-jobs-"
LOCK = "lock"
HOUR_S = 3600.0
STARTS = 2
"""Times that a job is started: once more when the process it was in was killed."""


def run_command(run_jobs: Callable[[], Any]) -> None:
    """`run_jobs()` as a command: exit code 1 when any job failed, 130 after ctrl-C."""
    _register_launcher()
    _remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, open_lock(Path(name, LOCK)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()).encode())
        os.environ[JOBS_FOLDER] = name
        try:
            run_jobs()
        except KeyboardInterrupt:
            print("stopped; resume=true continues after the last whole epoch", file=sys.stderr)
            sys.exit(130)
        if Path(name, "failures").exists():
            sys.exit(1)


def run_job(
    work: Callable[[dict[str, Any]], Any],
    config: DictConfig,
    known_errors: tuple[type[Exception], ...],
) -> Any:
    """`work` on the resolved `config`; None for a job that failed with one of `known_errors`.

    A failure is told in one line and noted, so that a sweep goes on. Any other exception is a fault
    of ours and shown with its traceback; with no `known_errors` everything is raised. A job that
    ended before its sweep was started again is not run again, and one that was cut off resumes.
    """
    _end_with_command(os.environ[JOBS_FOLDER])
    note = _Note(_number())
    if note.ended():
        return note.value()
    again = note.starts() > 0
    note.start()
    value, label = None, "run"
    try:
        settings = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
        label = f"{settings.get('name')} seed {settings.get('seed')}"
        if again and not settings.get("overwrite"):
            settings["resume"] = True
        value = work(settings)
    except known_errors as error:
        note_failure(message(f"{label}: {error}", limit=1000))
    except Exception as fault:
        if not known_errors:
            raise
        traceback.print_exc()
        note_failure(message(f"{label}: a fault of fieldcrossbar: {fault!r}", limit=1000))
    note.end(value)
    return value


def note_failure(line: str) -> None:
    """Tell a failure in one line; the command ends with exit code 1."""
    print(f"error: {line}", file=sys.stderr)
    with Path(os.environ[JOBS_FOLDER], "failures").open("a") as file:
        file.write(f"{line}\n")


@contextlib.contextmanager
def interrupts_later() -> Iterator[None]:
    """Let ctrl-C wait for the end of the block, of which the half would be worse than nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    usual = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if asked:
        signal.raise_signal(signal.SIGINT)  # to whom it would have gone: it may be ignored


class SteadyLauncher(JoblibLauncher):
    """Joblib's launcher, going on after a worker was killed.

    Joblib ends all workers with the one that was killed, so every job that was running is lost.
    """

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        notes = [_Note(initial_job_idx + i) for i in range(len(job_overrides))]
        known_starts = -1
        while (starts := sum(note.starts() for note in notes)) > known_starts:
            known_starts = starts
            try:
                return super().launch(job_overrides, initial_job_idx)
            except TerminatedWorkerError:
                warn("a process of the sweep was killed; its jobs are started once more")
            for note, overrides in zip(notes, job_overrides, strict=True):
                note.give_up(" ".join(overrides))
        note_failure("the processes of the sweep were killed before they started a job")
        sys.exit(1)


class _Note:
    """What is known in this command of the job with this number."""

    def __init__(self, number: int):
        folder = Path(os.environ[JOBS_FOLDER])
        self._starts, self._end = folder / f"job-{number}.starts", folder / f"job-{number}.end"

    def starts(self) -> int:
        return self._starts.stat().st_size if self._starts.exists() else 0

    def start(self) -> None:
        with self._starts.open("a") as file:
            file.write(".")

    def ended(self) -> bool:
        return self._end.exists()

    def value(self) -> Any:
        return json.loads(self._end.read_text())

    def end(self, value: Any) -> None:
        self._end.write_text(json.dumps(value))

    def give_up(self, overrides: str) -> None:
        """Count the job as failed where it was cut off as often as it may be started."""
        if not self.ended() and self.starts() >= STARTS:
            note_failure(f"{overrides}: its process was killed {STARTS} times")
            self.end(None)


def _number() -> int:
    """Number of this job in its sweep, 0 without one."""
    job = HydraConfig.get().job
    return 0 if OmegaConf.is_missing(job, "num") else job.num


def _register_launcher() -> None:
    """Let `launcher=parallel` find the launcher of this file under the name of joblib's."""
    name = f"{JoblibLauncher.__module__}.{JoblibLauncher.__name__}"
    Plugins.instance().class_name_to_class[name] = SteadyLauncher


@cache
def _end_with_command(folder: str) -> None:
    """End this process when the command in `folder` ends, unless it is the command itself."""
    lock = Path(folder, LOCK)
    if lock.read_text() != str(os.getpid()):
        threading.Thread(target=_wait_and_end, args=(lock,), daemon=True).start()


def _wait_and_end(lock: Path) -> None:
    # The folder is gone after a command that came to its end.
    with contextlib.suppress(FileNotFoundError), open_lock(lock) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        shutil.rmtree(lock.parent, ignore_errors=True)
    os._exit(1)


def _remove_leftovers() -> None:
    """Remove the folders of commands that were killed; a young one may not be locked yet."""
    for folder in _own_folders():
        with contextlib.suppress(OSError), open_lock(folder / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _own_folders() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()  # a link leads elsewhere
            old = time.time() - state.st_mtime > HOUR_S
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and old:
                yield folder
