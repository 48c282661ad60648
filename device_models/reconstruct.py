"""Make the card `lsmo_pvdf_co` from the compact model, bit for bit the same each time.

The paper prints no numeric curve. What is made here is the response that the compact model gives
for the paper's Fig. 3 protocol, with exponential mixtures fitted to it: a reconstruction.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from device_models.card import (
    ALIGNMENTS,
    BRANCHES,
    Conditions,
    Curve,
    DeviceCard,
    Spread,
    TwoLayers,
)
from device_models.curves import ExponentialMixture
from device_models.fit.laws import CANDIDATES, fit_law
from device_models.fit.mixture import project_exponential_mixture
from device_models.fit.points import Points
from device_models.junction.conduction import aligned_resistance_ohm, resistance_ohm
from device_models.junction.magnetics import CO, INIT_FIELD_G, LSMO
from device_models.junction.memristor import SOURCES, Memristor, MemristorParameters

FIELDS_G = (0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0)
"""Eight fields from 0 to 350 G (M8); the even step is derived (ledger section 6)."""

RANGE_G = (0.0, 500.0)
"""Fields the card is known at: p_AP is that of the model at any, and ends in parallel again."""

LTP_V, LTD_V = -1.3, 2.0
"""Pulse pair of Fig. 3 (E9)."""

PULSE_WIDTH_S = 0.010
N_PULSES = 64
"""64 pulses a branch: stated for Fig. 2 (E8), assumed for Fig. 3."""

MIXTURE = "exponential_mixture_3"
TAU_DIGITS, AMPLITUDE_DIGITS = 4, 7

CAVEAT = (
    "Reconstructed, not measured: the paper prints no absolute resistance and no numeric curve. "
    "The curves are a compact model constrained by the text (ledger section 6); the text does not "
    "identify its parameters. Use them for the shape of the device, not as data."
)


def reconstruct_states(
    parameters: MemristorParameters | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Share of fluorine in CoO [1] after 0 to 64 pulses of each branch, (65,) each.

    Protocol of Fig. 3c and 3d: the limit cycle of 64 x -1.3 V / 64 x +2 V (10 ms).
    """
    device = Memristor(parameters)
    device.settle(LTP_V, LTD_V, PULSE_WIDTH_S, N_PULSES)
    return {
        "LTP": device.pulse_train(LTP_V, PULSE_WIDTH_S, N_PULSES),
        "LTD": device.pulse_train(LTD_V, PULSE_WIDTH_S, N_PULSES),
    }


def reconstruct_responses(
    parameters: MemristorParameters | None = None,
) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Resistance [ohm] after 0 to 64 pulses for each (branch, field [G]), Fig. 3c and 3d.

    Protocol: as `reconstruct_states`, magnetic initialisation -2 kG.
    """
    states = reconstruct_states(parameters)
    return {
        (branch, field_G): resistance_ohm(state, field_G, parameters)
        for field_G in FIELDS_G
        for branch, state in states.items()
    }


def reconstruct_card(parameters: MemristorParameters | None = None) -> DeviceCard:
    """The card `lsmo_pvdf_co`: both branches in parallel and antiparallel alignment, four curves.

    With the two layers that mix them at a field, and the parameters with their ledger rows.
    """
    parameters = parameters or MemristorParameters()
    responses = reconstruct_responses(parameters)
    states = reconstruct_states(parameters)
    curves = tuple(
        _curve(branch, alignment, aligned_resistance_ohm(states[branch], share, parameters))
        for share, alignment in enumerate(ALIGNMENTS)
        for branch in BRANCHES
    )
    return DeviceCard(
        name="lsmo_pvdf_co",
        title="LSMO/PVDF/Co organic spintronic memristor, +2 V / -1.3 V, 10 ms, 10 K",
        kind="reconstructed",
        caveat=CAVEAT,
        quantity="resistance",
        unit="ohm",
        n_pulses=N_PULSES,
        curves=curves,
        layers=_layers(),
        spread=Spread(note="The paper states no device-to-device or cycle-to-cycle spread (E19)."),
        conditions=Conditions(
            ltp_amplitude_V=LTP_V,
            ltd_amplitude_V=LTD_V,
            ltp_pulse_width_s=PULSE_WIDTH_S,
            ltd_pulse_width_s=PULSE_WIDTH_S,
            read_voltage_V=0.010,
            temperature_K=10.0,
            magnetic_init_G=INIT_FIELD_G,
            area_m2=1e-10,
        ),
        source={
            "reference": "Chen et al., arXiv:2510.23542, Fig. 3c and 3d",
            "generator": "device_models.reconstruct.reconstruct_card",
            "data_sha256": hashlib.sha256(responses_csv(responses).encode()).hexdigest(),
            "parameters": {
                key: {"value": value, "ledger": SOURCES[key]}
                for key, value in asdict(parameters).items()
            }
            | {
                "field_grid_G": {"value": list(FIELDS_G), "ledger": "M8; even step derived"},
                "n_pulses": {"value": N_PULSES, "ledger": "E8 (Fig. 2); assumed for Fig. 3"},
                "pulse_pair_V": {"value": [LTP_V, LTD_V], "ledger": "E9"},
                "coercivity_lsmo_G": {"value": LSMO.coercivity_G, "ledger": "stated (M2)"},
                "coercivity_co_G": {"value": CO.coercivity_G, "ledger": "assumed (M3)"},
                "width_lsmo_G": {"value": LSMO.width_G, "ledger": "assumed; meets M1"},
                "width_co_G": {"value": CO.width_G, "ledger": "assumed; meets M1"},
            },
        },
    )


def responses_csv(responses: dict[tuple[str, float], NDArray[np.float64]]) -> str:
    """The reconstructed points as a long CSV: field_G, branch, pulse, resistance_ohm."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["field_G", "branch", "pulse", "resistance_ohm"])
    for (branch, field_G), response in responses.items():
        for pulse, value in enumerate(response):
            writer.writerow([f"{field_G:g}", branch, pulse, f"{value:.6e}"])
    return text.getvalue()


def _layers() -> TwoLayers:
    """LSMO and Co as the layers of the card."""
    return TwoLayers(
        coercivity_soft_G=float(LSMO.coercivity_G),
        coercivity_hard_G=float(CO.coercivity_G),
        width_soft_G=float(LSMO.width_G),
        width_hard_G=float(CO.width_G),
        range_G=RANGE_G,
        fields_G=FIELDS_G,
    )


def _curve(branch: str, alignment: str, response: NDArray[np.float64]) -> Curve:
    """Exponential mixture through a response [ohm] of one branch in one alignment."""
    pulses = np.arange(N_PULSES + 1.0)
    # Relative weights: the same curve must be right as resistance and as conductance.
    points = Points(pulses, response, response**-2)
    best = fit_law(CANDIDATES[MIXTURE], points, 1.0 if branch == "LTD" else -1.0).law
    assert isinstance(best, ExponentialMixture)
    law = _reproducible(best, pulses, response)
    error = law(pulses) / response - 1
    fit = {
        "n_points": len(pulses),
        "max_relative_error": _digits(np.abs(error).max(), 3),
        "rms_relative_error": _digits(np.sqrt(np.mean(error**2)), 3),
    }
    return Curve(branch, None, law, fit, alignment=alignment)


def _reproducible(
    law: ExponentialMixture, pulses: NDArray[np.float64], response: NDArray[np.float64]
) -> ExponentialMixture:
    """`law` with rounded time constants and the amplitudes that fit them, then rounded as well.

    Optimisers end at 1e-7 from each other under different libraries; amplitudes for given time
    constants do not, so that these digits are the same everywhere.
    """
    tau = [_digits(t, TAU_DIGITS) for t in sorted(law.tau_pulses)]
    fitted = project_exponential_mixture(pulses, response, tau)
    amplitudes = tuple(_digits(a, AMPLITUDE_DIGITS) for a in fitted.amplitudes)
    return ExponentialMixture(_digits(fitted.offset, AMPLITUDE_DIGITS), amplitudes, tuple(tau))


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")
