"""The headline of a fit in words, a line for each number a device is judged by."""

from __future__ import annotations

import numpy as np

from experiments.command.quantities import percent, si, span
from experiments.fitting.headline import LEAST_NOISE, Drift, Follows, Headline

POOR_LABEL = 0.05
"""Largest error over the range from which NeuroSim's form is said not to fit."""


def headline_lines(headline: Headline) -> list[tuple[str, str]]:
    """Name and value of each line of the block."""
    h = headline
    lines = [
        ("range", _range_text(h)),
        ("levels", _levels_text(h)),
        ("nonlinearity", _labels_text(h)),
        (
            "asymmetry",
            f"{h.asymmetry:.2f} (0: a pulse up and one down are equally large everywhere, 1: one "
            f"of them does nothing)",
        ),
        ("weight 0", _zero_text(h)),
        ("noise", _noise_text(h)),
        ("between cycles", _band_text(h.cycle_std, h.tile_cycle_std, h.n_cycles, "cycle")),
        ("between devices", _band_text(h.device_std, h.tile_device_std, h.n_devices, "device")),
    ]
    if h.follows:
        lines.append(("tiles", _follows_text(h.follows)))
    return lines + ([("drift", drift_text(h.drift))] if h.drift else [])


def drift_text(drift: Drift) -> str:
    """A drift in words."""
    verb = "rises" if drift.r > 0 else "falls"
    return (
        f"the level of {drift.branch} {verb} by {percent(abs(drift.share))} of the range over "
        f"{drift.cycles} cycles (r = {drift.r:.2f})"
    )


def _range_text(h: Headline) -> str:
    ratio = "no on/off ratio: it does not stay above 0" if h.on_off is None else ""
    ratio = ratio or f"on/off {h.on_off:.3g}"
    unit = " (arbitrary units)" if h.unit == "1" else ""
    return f"{span(h.low, h.high, h.unit)}{unit}, {ratio}, at {h.field_G:g} G"


def _levels_text(h: Headline) -> str:
    pulses = f"{h.pulses[0]} LTP and {h.pulses[1]} LTD pulses"
    if np.isnan(h.state_noise):
        return f"{pulses}; how many can be told apart is not known, as the noise is not"
    if h.levels is None:
        return f"{pulses}; noise sets no limit to what can be told apart"
    return f"about {h.levels:,} told apart at 95 %, {pulses}"


def _labels_text(h: Headline) -> str:
    if not np.isfinite(h.label_error):
        return "none: the curves have no NeuroSim form"
    poor = f", a poor fit: up to {percent(h.label_error)} of the range off"
    return (
        f"LTP {h.labels[0]:+.2f}, LTD {h.labels[1]:+.2f} (NeuroSim's labels"
        f"{poor if h.label_error > POOR_LABEL else ''})"
    )


def _zero_text(h: Headline) -> str:
    z = h.zero
    low, high = (round(w, 2) + 0.0 for w in (-2 * z.share, 2 - 2 * z.share))
    return (
        f"{z.name} at {si(z.conductance, h.unit)}, {percent(z.share)} up the range: weights "
        f"{low:.2f} to {high:.2f}; {z.why}"
    )


def _noise_text(h: Headline) -> str:
    if np.isnan(h.state_noise):
        return "of single pulses not measured"
    if h.state_noise <= LEAST_NOISE:
        return "none seen"
    return (
        f"a state scatters by {percent(h.state_noise)} of the range, a step by {h.step_noise:.2g} "
        f"of the mean step"
    )


def _band_text(data: float, tile: float, n: int, what: str) -> str:
    if not np.isfinite(data):
        return f"one {what} measured" if n < 2 else f"{n} {what}s, scatter not known"
    shown = f"; on the tile {percent(tile)}" if np.isfinite(tile) else ""
    return f"ends scatter by {percent(data)} of the range over {n} {what}s{shown}"


def _follows_text(follows: Follows) -> str:
    return (
        f"aihwkit's device leaves the card's curves by up to {percent(follows.aihwkit)} of the "
        f"range, the memristor tile by up to {percent(follows.memristor)}"
    )
