"""The Makefile: one line without a network, and nothing installed twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOWHERE = "http://127.0.0.1:9/simple"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """make as from a shell, also where the tests themselves were started by make."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        env=outer | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_network_set_up_ends_soon_in_one_line(tmp_path):
    start = time.monotonic()
    done = make(
        "setup",
        f"VENV={tmp_path / 'venv'}",
        PIP_INDEX_URL=NOWHERE,
        PIP_EXTRA_INDEX_URL="",
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_CACHE_DIR="1",
        UV_DEFAULT_INDEX=NOWHERE,
    )
    assert done.returncode != 0
    (line,) = [x for x in done.stderr.splitlines() if not x.startswith("make")]
    assert line.startswith("error: the packages could not be fetched; is there a network?")
    assert (tmp_path / "venv" / "install.log").exists()
    assert not list(tmp_path.glob("venv/.ready-*"))
    assert time.monotonic() - start < 60


def test_a_newer_time_stamp_alone_installs_nothing(tmp_path):
    """Another content does: the file that says "installed" is named after it."""
    planned = make("setup", "--dry-run", f"VENV={tmp_path}").stdout
    ready = Path(planned.splitlines()[-1].split()[-1])
    assert ready.parent == tmp_path
    ready.touch()
    os.utime(ready, (0, 0))
    again = make("setup", "--dry-run", f"VENV={tmp_path}").stdout
    assert "install" not in again
    ready.rename(tmp_path / ".ready-0")
    assert "install" in make("setup", "--dry-run", f"VENV={tmp_path}").stdout


def test_the_pinned_set_names_versions_and_no_addresses():
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    assert len(lines) > 60
    for line in lines:
        assert "://" not in line
        assert "==" in line.split(";")[0]
