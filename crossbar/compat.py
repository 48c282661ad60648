"""Start-up check: aihwkit's C++ module fits one torch, and pip cannot see when it does not.

aihwkit 1.1.0 with torch 2.13.0 imports, then fails at the first `set_weights` with a misleading
message. The check builds one small tile and names the pair to install when that fails.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

PAIRS = {
    (3, 11): ("1.1.0", "2.10.0"),
    (3, 12): ("1.2.0", "2.14.1"),
    (3, 13): ("1.2.0", "2.14.1"),
}
"""Pairs of aihwkit and torch that were tried together, by Python version."""


class InstallError(ImportError):
    """aihwkit and torch do not fit each other; the message names the pair to install."""


def check_install() -> None:
    """Build and write one small analog tile. Raises InstallError, one line, when that fails."""
    try:
        _write_small_tile()
    except Exception as error:  # whatever the mismatch raises: ImportError, RuntimeError, ...
        raise InstallError(_advice(error)) from None


def _write_small_tile() -> None:
    import torch
    from aihwkit.simulator.configs import SingleRPUConfig
    from aihwkit.simulator.tiles.analog import AnalogTile

    tile = AnalogTile(2, 3, SingleRPUConfig())
    tile.set_weights(torch.zeros(2, 3))


def _advice(error: Exception) -> str:
    found = ", ".join(f"{name} {_installed(name)}" for name in ("aihwkit", "torch"))
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    pair = PAIRS.get(sys.version_info[:2])
    if pair is None:
        known = ", ".join(f"{major}.{minor}" for major, minor in PAIRS)
        return f"{found} do not work on {python}: use one of Python {known}"
    return (
        f"{found} do not fit each other on {python} ({str(error).splitlines()[0][:80]}): "
        f"pip install aihwkit=={pair[0]} torch=={pair[1]}"
    )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"
