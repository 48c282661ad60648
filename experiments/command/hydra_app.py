"""Hydra's side of a command: where the configuration lies, and complaints of one line."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from device_models.errors import FieldCrossbarError
from device_models.plain_text import message
from experiments.command.shown import warn
from experiments.command.spoken import spoken

CONF = Path(__file__).parents[2] / "conf"
"""The configuration, by its path: a folder `conf` of the user's own does not get in its way."""

FULL_ERROR = "HYDRA_FULL_ERROR"
TRACEBACK = "FIELDCROSSBAR_TRACEBACK"
"""Environment variables: the user's wish for tracebacks, and the same for the jobs."""

JOB_ERRORS = (FieldCrossbarError, OSError, HydraException, OmegaConfBaseException)
"""What a user can mend once a job runs; all else there is a fault of ours (see `run_job`)."""

CONFIGURATION_ERRORS = (*JOB_ERRORS, ValueError, TypeError)
"""What words on the command line that make no configuration end in, hydra's own slips included."""

RENAMED = {"'crossbar/tile'": "crossbar=tile is called crossbar=memristor now"}
"""What hydra cannot find because it has another name: what is said instead."""

_UNKNOWN = re.compile(r"Could not override '([\w.]+)'")
_NEEDLESS = ("Config search path", "Set the environment variable", "To append to", "See http")


def run_app(job: Callable[[Any], Any], config_name: str = "config") -> None:
    """Run `job` on the configuration that the command line describes, or on each of a sweep.

    Words that make no configuration end the process with one line and exit code 1, wrong flags
    with 2; HYDRA_FULL_ERROR=1 shows where the complaint comes from.
    """
    # argparse stops reading overrides at a flag between them: `experiment=set2 -m seed=0,1`.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    _check_flags()
    wished = os.environ.get(FULL_ERROR)
    os.environ[TRACEBACK] = "1" if wished == "1" else "0"
    os.environ[FULL_ERROR] = "1"  # hydra then raises what it would print over many lines
    try:
        with own_warnings_told():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)()
    except CONFIGURATION_ERRORS as error:
        if shows_tracebacks():
            raise
        _end(complaint(error) + _beside(error, config_name), 1)
    finally:
        if wished is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = wished


@contextmanager
def own_warnings_told() -> Iterator[None]:
    """Warnings of this project as one line each on stderr, in options of the command line."""
    others = warnings.showwarning

    def show(message: Any, category: type[Warning], filename: str, *more: Any) -> None:
        if issubclass(category, UserWarning) and Path(filename).is_relative_to(CONF.parent):
            warn(spoken(str(message)))
        else:
            others(message, category, filename, *more)

    warnings.showwarning = show  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.showwarning = others


def shows_tracebacks() -> bool:
    """Whether errors that a user can mend are shown with their traceback all the same."""
    return os.environ.get(TRACEBACK) == "1"


def complaint(error: BaseException) -> str:
    """What is wrong, and hydra's reason for it, on one line, without its advice about itself."""
    text = _told(str(error) or type(error).__name__)
    for name, now in RENAMED.items():
        if name in text:
            return now
    if isinstance(error, HydraException) and error.__cause__ is not None:
        text = f"{text} {_told(str(error.__cause__).split(chr(10))[0])}".strip()
    return message(text)


def _beside(error: BaseException, config_name: str) -> str:
    """What stands where a setting was given that there is not; nothing for other errors."""
    found = _UNKNOWN.match(str(error))
    if not found:
        return ""
    key, (place, _, _) = found[1], found[1].rpartition(".")
    words = [w for w in sys.argv[1:] if "=" in w and not w.lstrip("+~").startswith(key)]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            group: Any = OmegaConf.select(compose(config_name, words), place) if place else None
    except CONFIGURATION_ERRORS:  # a sweep, or another slip
        return ""
    return f"; {place} holds {', '.join(map(str, group))}" if OmegaConf.is_dict(group) else ""


def _told(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(_NEEDLESS[0]):
            break
        if not line.startswith(_NEEDLESS):
            lines.append(line)
    return " ".join(" ".join(lines).split())


def _check_flags() -> None:
    """End with one line where there is a flag that hydra does not know."""

    def refuse(message: str) -> NoReturn:
        _end(f"{message}; --help lists what there is", 2)

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    parser.parse_args()


def _end(line: str, code: int) -> NoReturn:
    print(f"error: {line}", file=sys.stderr)
    sys.exit(code)
