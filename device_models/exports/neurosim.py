"""Device cards as parameters of NeuroSim's analog synapse (`neurosim_curve` has its form)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from device_models.card import BRANCHES, DeviceCard
from device_models.exports.neurosim_curve import (
    NeuroSimBranch,
    a_of_label,
    fit_branch,
    label_per_log_a,
    normalised_curve,
)
from device_models.plain_text import one_line

FloatArray = NDArray[np.float64]

SCHEMA = "fieldcrossbar.neurosim"
SCHEMA_VERSION = 2
MAX_PULSES = 1024
"""Longer branches are compared at this many pulses, evenly spread, and at pulse 0."""

POOR_FIT = 0.05
"""Largest error over the conductance range from which the output calls the form unfit."""


@dataclass(frozen=True)
class NeuroSimParameters:
    """What NeuroSim asks of a device; None for what the card cannot say.

    Conductances [S]; `on_off_ratio` [1]; `sigma_c2c`: std that one pulse adds,
    over the conductance range [1]; `sigma_d2d`: std of the labels over the devices [1];
    voltages: magnitudes [V]; widths of write pulses [s].
    """

    ltp: NeuroSimBranch
    ltd: NeuroSimBranch
    sigma_c2c: float
    sigma_d2d: float
    max_conductance_S: float | None = None
    min_conductance_S: float | None = None
    on_off_ratio: float | None = None
    read_voltage_V: float | None = None
    write_voltage_ltp_V: float | None = None
    write_voltage_ltd_V: float | None = None
    write_pulse_width_ltp_s: float | None = None
    write_pulse_width_ltd_s: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_levels(self) -> int:
        """The larger number of pulses of both branches, for a program that takes one [1]."""
        return max(self.ltp.n_levels, self.ltd.n_levels)

    def share(self, branch: str, pulses: ArrayLike) -> FloatArray:
        """Share of the conductance range [1] after `pulses` pulses of `branch`, same shape."""
        fitted = {"LTP": self.ltp, "LTD": self.ltd}[branch]
        return normalised_curve(
            a_of_label(fitted.label), _position(branch, np.asarray(pulses), fitted.n_levels)
        )


def neurosim_parameters(card: DeviceCard, field_G: float = 0.0) -> NeuroSimParameters:
    """Parameters of `card` at `field_G` [G] for NeuroSim.

    `sigma_c2c` gives a walk through both branches the variance that the card's `step_c2c` gives.
    `sigma_d2d` takes `step_d2d` as devices that are k times as fast, which divides A by k.
    Raises InputError for a field outside the card's range.
    """
    low, high = card.conductance_range(field_G)
    branches, steps = {}, []
    for branch in BRANCHES:
        last = math.ceil(card.measured_pulses(branch, field_G))
        pulses = np.unique(np.linspace(0, last, min(last, MAX_PULSES) + 1).round())
        share = (card.conductance(branch, pulses, field_G) - low) / (high - low)
        fitted = fit_branch(_position(branch, pulses, last), share)
        branches[branch] = replace(fitted, n_levels=last)
        after = (card.conductance(branch, pulses[:-1] + 1, field_G) - low) / (high - low)
        steps.append(after - share[:-1])
    ratio = high / low if low > 0 else math.inf
    conditions = card.conditions
    in_siemens = card.conductance_unit == "S"
    return NeuroSimParameters(
        ltp=branches["LTP"],
        ltd=branches["LTD"],
        sigma_c2c=card.spread.step_c2c * float(np.sqrt(np.mean(np.square(np.concatenate(steps))))),
        sigma_d2d=card.spread.step_d2d
        * math.sqrt(sum(label_per_log_a(b.label) ** 2 for b in branches.values()) / 2),
        max_conductance_S=high if in_siemens else None,
        min_conductance_S=low if in_siemens else None,
        on_off_ratio=ratio if 0 < ratio < math.inf else None,
        read_voltage_V=_magnitude(conditions.read_voltage_V),
        write_voltage_ltp_V=_magnitude(conditions.ltp_amplitude_V),
        write_voltage_ltd_V=_magnitude(conditions.ltd_amplitude_V),
        write_pulse_width_ltp_s=conditions.ltp_pulse_width_s,
        write_pulse_width_ltd_s=conditions.ltd_pulse_width_s,
        notes=tuple(_notes(card, branches, low)),
    )


def neurosim_json(card: DeviceCard, field_G: float = 0.0) -> str:
    """The parameters with their origin as JSON, and as lines to paste into NeuroSim's source."""
    p = neurosim_parameters(card, field_G)
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "card": {
            "name": one_line(card.name),
            "title": one_line(card.title),
            "kind": card.kind,
            "caveat": one_line(card.caveat),
            "sha256": card.sha256,
        },
        "field_G": field_G,
        "conditions": one_line(card.conditions.words()) or None,
        "max_conductance_S": p.max_conductance_S,
        "min_conductance_S": p.min_conductance_S,
        "on_off_ratio": p.on_off_ratio,
        "n_levels_ltp": p.ltp.n_levels,
        "n_levels_ltd": p.ltd.n_levels,
        "nl_ltp": p.ltp.label,
        "nl_ltd": p.ltd.label,
        "normalised_a_ltp": a_of_label(p.ltp.label),
        "normalised_a_ltd": a_of_label(p.ltd.label),
        "rms_error_ltp": p.ltp.rms_error,
        "rms_error_ltd": p.ltd.rms_error,
        "max_error_ltp": p.ltp.max_error,
        "max_error_ltd": p.ltd.max_error,
        "sigma_c2c": p.sigma_c2c,
        "sigma_d2d": p.sigma_d2d,
        "read_voltage_V": p.read_voltage_V,
        "write_voltage_ltp_V": p.write_voltage_ltp_V,
        "write_voltage_ltd_V": p.write_voltage_ltd_V,
        "write_pulse_width_ltp_s": p.write_pulse_width_ltp_s,
        "write_pulse_width_ltd_s": p.write_pulse_width_ltd_s,
    }
    content = {key: value for key, value in content.items() if value is not None}
    content["notes"] = list(p.notes)
    content["mlp_neurosim_cell_cpp"] = mlp_lines(card, field_G, p)
    content["dnn_neurosim_train_py"] = dnn_lines(card, field_G, p)
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def mlp_lines(card: DeviceCard, field_G: float, parameters: NeuroSimParameters) -> list[str]:
    """Lines for the constructor of RealDevice in `Cell.cpp` of MLP+NeuroSim, C++."""
    p = parameters
    values = (
        ("maxConductance", p.max_conductance_S, "S"),
        ("minConductance", p.min_conductance_S, "S"),
        ("maxNumLevelLTP", p.ltp.n_levels, "pulses"),
        ("maxNumLevelLTD", p.ltd.n_levels, "pulses"),
        ("NL_LTP", p.ltp.label, f"RMS error {p.ltp.rms_error:.2%} of the range"),
        ("NL_LTD", p.ltd.label, f"RMS error {p.ltd.rms_error:.2%} of the range"),
        ("sigmaDtoD", p.sigma_d2d, "std of the labels"),
        ("readVoltage", p.read_voltage_V, "V"),
        ("writeVoltageLTP", p.write_voltage_ltp_V, "V"),
        ("writeVoltageLTD", p.write_voltage_ltd_V, "V"),
        ("writePulseWidthLTP", p.write_pulse_width_ltp_s, "s"),
        ("writePulseWidthLTD", p.write_pulse_width_ltd_s, "s"),
    )
    lines = [f"// {_origin(card, field_G)}"]
    lines += [
        f"{name} = {value:.10g};  // {what}" for name, value, what in values if value is not None
    ]
    lines.append(f"sigmaCtoC = {p.sigma_c2c:.10g} * (maxConductance - minConductance);")
    return lines


def dnn_lines(card: DeviceCard, field_G: float, parameters: NeuroSimParameters) -> list[str]:
    """Lines for the arguments in `train.py` of DNN+NeuroSim V2.1, Python."""
    p = parameters
    values = (
        ("onoffratio", p.on_off_ratio),
        ("max_level", p.n_levels),
        ("nonlinearityLTP", p.ltp.label),
        ("nonlinearityLTD", p.ltd.label),
        ("c2cVari", p.sigma_c2c),
        ("d2dVari", p.sigma_d2d),
    )
    return [f"# {_origin(card, field_G)}"] + [
        f"args.{name} = {value:.10g}" for name, value in values if value is not None
    ]


def _notes(card: DeviceCard, branches: Mapping[str, NeuroSimBranch], low: float) -> list[str]:
    """What a reader has to know about these parameters, one sentence or two each."""
    notes = [
        f"{branch}: one exponential is within {b.max_error:.1%} of the card's curve, "
        f"RMS {b.rms_error:.1%}, over the conductance range."
        + (" It does not describe this branch well." if b.max_error > POOR_FIT else "")
        for branch, b in branches.items()
    ]
    if card.conductance_unit != "S":
        notes.append(
            "The card is in arbitrary units: there are no absolute conductances to give, and the "
            "on/off ratio is as good as the zero of that unit."
        )
    if low <= 0:
        notes.append("The lower end of the range is not above zero: there is no on/off ratio.")
    spread = card.spread
    if spread.write_noise:
        notes.append(
            f"NeuroSim has no noise that is drawn anew with every pulse without adding up: the "
            f"card's write noise, {spread.write_noise:g} of half the range, is left out."
        )
    if spread.range_d2d:
        notes.append(
            f"sigma_d2d varies the labels alone; the card's spread of the ends of the range, "
            f"{spread.range_d2d:g} of half the range, is left out (maxConductanceVar and "
            f"minConductanceVar in MLP+NeuroSim)."
        )
    return notes


def _origin(card: DeviceCard, field_G: float) -> str:
    """One line that says where numbers come from, safe behind // and #."""
    name = one_line(card.name).replace("\\", "/")
    return f"card {name} ({card.kind}), {field_G:g} G, sha256 {card.sha256[:16]}"


def _position(branch: str, pulses: FloatArray, n_pulses: int) -> FloatArray:
    """P / P_max after `pulses` pulses from the branch's own start."""
    return pulses / n_pulses if branch == "LTP" else 1 - pulses / n_pulses


def _magnitude(value: float | None) -> float | None:
    """Size of a condition; None where the card does not state it, or states 0."""
    return abs(value) if value else None
