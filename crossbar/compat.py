"""Start-up check: aihwkit's C++ module fits one torch, and pip cannot see when it does not.

aihwkit 1.1.0 with torch 2.13.0 imports, then fails at the first `set_weights` with a misleading
message. The check builds one small tile and names the pair to install when that fails, or the
user's own file that another module was looked for under. It runs before the first thing that needs
aihwkit, and at once where the installed pair is none that was tried.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from traceback import walk_tb

PAIRS = {
    (3, 11): ("1.1.0", "2.10.0"),
    (3, 12): ("1.2.0", "2.14.1"),
    (3, 13): ("1.2.0", "2.14.1"),
}
"""Pairs of aihwkit and torch that were tried together, by Python version."""

NEEDED = ("torch", "numpy", "aihwkit")
"""Packages of others that a file of the user may hide."""


class InstallError(ImportError):
    """aihwkit and torch cannot be used; the message names the file or the pair that mends it."""


def check_versions() -> None:
    """Try out the installed aihwkit and torch unless they are a tried pair. Raises InstallError."""
    installed = tuple(_installed(name).split("+")[0] for name in ("aihwkit", "torch"))
    if installed != PAIRS.get(sys.version_info[:2]):
        check_install()


def check_install() -> None:
    """Build and write one small analog tile. Raises InstallError, one line, when that fails."""
    try:
        _write_small_tile()
    except Exception as error:  # whatever the mismatch raises: ImportError, RuntimeError, ...
        raise InstallError(_hidden_module(error) or _advice(error)) from None


@contextmanager
def naming_hidden_modules() -> Iterator[None]:
    """An import that fails over a file of the user's becomes an InstallError that names it."""
    try:
        yield
    except Exception as error:
        if hidden := _hidden_module(error):
            raise InstallError(hidden) from None
        raise


def _write_small_tile() -> None:
    import torch
    from aihwkit.simulator.configs import SingleRPUConfig
    from aihwkit.simulator.tiles.analog import AnalogTile

    tile = AnalogTile(2, 3, SingleRPUConfig())
    tile.set_weights(torch.zeros(2, 3))


def _hidden_module(error: BaseException) -> str:
    """What to say where a file beside the user's script has the name of a module it hides."""
    folders = {Path(folder).resolve() for folder in sys.path}
    folders -= {Path(folder).resolve() for folder in sysconfig.get_paths().values()}
    for path in map(Path, _files_of(error)):
        standard = path.stem in sys.stdlib_module_names
        named_alike = path.suffix == ".py" and (standard or path.stem in NEEDED)
        if named_alike and path.resolve().parent in folders:
            owner = "Python's own module" if standard else "the package"
            return f"{path} of yours hides {owner} {path.stem!r}: rename it"
    return ""


def _files_of(error: BaseException) -> Iterator[str]:
    """Files an error went through, then those of the loaded modules that may be hidden."""
    cause: BaseException | None = error
    while cause is not None:
        yield from (frame.f_code.co_filename for frame, _ in walk_tb(cause.__traceback__))
        yield getattr(cause, "path", None) or ""
        cause = cause.__cause__ or cause.__context__
    for name in (*sys.stdlib_module_names, *NEEDED):
        yield getattr(sys.modules.get(name), "__file__", None) or ""


def _advice(error: Exception) -> str:
    found = ", ".join(f"{name} {_installed(name)}" for name in ("aihwkit", "torch"))
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    pair = PAIRS.get(sys.version_info[:2])
    if pair is None:
        known = ", ".join(f"{major}.{minor}" for major, minor in PAIRS)
        return f"{found} do not work on {python}: use one of Python {known}"
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"{found} do not fit each other on {python} ({reason[:80]}): "
        f"pip install aihwkit=={pair[0]} torch=={pair[1]}"
    )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"
