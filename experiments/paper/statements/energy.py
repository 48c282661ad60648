"""Rows N1 to N5: the field line that writes the magnets, and its energy."""

from __future__ import annotations

from device_models.junction import joule_energy_J, strip_field_G, thin_wire_field_G
from experiments.paper.measurements import Measurements
from experiments.paper.statements.rows import Outcome, Rows, judged

ROWS = Rows()

LINE_WIDTH_M, LINE_THICKNESS_M, LINE_DISTANCE_M = 1e-6, 100e-9, 20e-9
LINE_OHM = 100.0
"""The gold line of N1."""


@ROWS.row("N1", "T", "1 mA in a 1 µm wide line 20 nm away: about 100 G", "100 ± 5 G")
def _n1(m: Measurements) -> Outcome:
    wire = thin_wire_field_G(1e-3, LINE_DISTANCE_M)
    strip = strip_field_G(1e-3, LINE_WIDTH_M, LINE_DISTANCE_M + LINE_THICKNESS_M / 2)
    return Outcome(
        "contradiction" if abs(wire - 100) < 5 and strip < 50 else "fail",
        f"thin wire {wire:.1f} G, strip {strip:.1f} G",
        "100 G is the field of a thin wire; the stated strip gives 17 times less (C15)",
    )


@ROWS.row("N2", "T", "1 µs per update: 0.1 nJ", "I²Rt = 0.1 nJ")
def _n2(m: Measurements) -> Outcome:
    return _energy(1e-3, 1e-6, 0.1e-9)


@ROWS.row("N3", "D", "switching in < 1 ns makes 0.1 pJ possible", "I²Rt = 0.1 pJ")
def _n3(m: Measurements) -> Outcome:
    return _energy(1e-3, 1e-9, 0.1e-12)


@ROWS.row("N4", "T", "SOT, 10 mA, 1 ns: 0.01 nJ", "I²Rt = 0.01 nJ")
def _n4(m: Measurements) -> Outcome:
    return _energy(10e-3, 1e-9, 0.01e-9)


ROWS.untestable("N5", "T", "permanent-magnet gradient costs no energy", "no number to check")


def _energy(current_A: float, time_s: float, stated_J: float) -> Outcome:
    energy_J = joule_energy_J(current_A, LINE_OHM, time_s)
    return judged(abs(energy_J / stated_J - 1) < 1e-9, f"{energy_J:.3g} J")
