"""Warnings about how segments fit together: order, drift over cycles, spacing of the readings."""

from __future__ import annotations

import numpy as np
import pytest
from traces import joined, read, relax, table


def told(data) -> str:
    return "\n".join(data.warnings)


def long(*branches: tuple[int, str, np.ndarray], step: int = 1) -> str:
    rows = [
        f"{cycle},{branch},{step * i},{value:.8g}"
        for cycle, branch, values in branches
        for i, value in enumerate(values)
    ]
    return "\n".join(["cycle,branch,pulse,G (uS)", *rows]) + "\n"


def test_ltd_that_comes_first_is_not_compared_with_the_ltp_after_it(tmp_path):
    """LTD over two decades, then an LTP that gets back a tenth of it."""
    trace = joined(50 * np.geomspace(1, 0.01, 15), np.linspace(0.5, 6.0, 15))
    data = read(tmp_path, table("G (uS)", trace))
    assert [s.branch for s in data.segments] == ["LTD", "LTP"]
    assert "starts" not in told(data)


def test_ltp_that_starts_far_from_the_ltd_before_it_is_named(tmp_path):
    text = long((1, "LTD", relax(15, 9, 1, 6)), (1, "LTP", relax(15, 4, 9, 6)))
    assert "LTP of device 1, cycle 1: starts 57% of its range from where its LTD ends" in told(
        read(tmp_path, text)
    )


def drifting(share: float, cycles: int = 12, scatter: float = 0.01, grows: float = 0.0) -> str:
    """Cycles whose level falls by a share of the range from the first to the last."""
    rng = np.random.default_rng(0)
    branches = []
    for cycle in range(cycles):
        level = 5 - 4 * share * cycle / (cycles - 1) + 4 * scatter * rng.normal()
        size = 1 + grows * cycle / (cycles - 1)
        for branch, (a, b) in (("LTP", (0, 4)), ("LTD", (4, 0))):
            branches.append((cycle + 1, branch, level + size * relax(12, a, b, 4.0)))
    return long(*branches)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_level_that_falls_with_the_cycles_is_named_with_its_size(tmp_path, share):
    said = told(read(tmp_path, drifting(share)))
    for branch in ("LTP", "LTD"):
        start = f"{branch} of device 1: its level falls with the cycle number (r = -"
        assert start in said
    sizes = [
        float(part.split("%")[0]) for part in said.split(", ") if "% of its range over" in part
    ]
    assert sizes == pytest.approx([100 * share] * 2, abs=2.5)
    assert said.count("over 12 cycles") == 2


def test_a_range_that_grows_with_the_cycles_is_named(tmp_path):
    said = told(read(tmp_path, drifting(0.0, scatter=0.002, grows=0.3)))
    assert "LTP of device 1: its range rises with the cycle number (r = " in said


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_scatter_of_cycles_is_no_drift(tmp_path, share):
    assert "with the cycle number" not in told(read(tmp_path, drifting(share, scatter=0.02)))


@pytest.mark.parametrize("step", [1, 5])
def test_readings_several_pulses_apart_are_named(tmp_path, step):
    text = long((1, "LTP", relax(20, 1, 5, 8)), (1, "LTD", relax(20, 5, 1, 8)), step=step)
    said = told(read(tmp_path, text))
    expected = (
        "2 segments have readings more than one pulse apart, first LTP of device 1, cycle 1 "
        "(5 pulses): the noise of single pulses cannot be known"
    )
    assert (expected in said) == (step == 5)
