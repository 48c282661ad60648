"""The compact model of the LSMO/PVDF/Co junction: a reconstruction from the paper's text.

`memristor` the device; `kinetics` how pulses move its state, `conduction` what is read of it,
`magnetics` what the field does, `parameters` its numbers and their sources, `variability` and
`ageing` what the paper does not state, `stdp` pairs of spikes, `energy` of lines that write the
magnets. Rows of the ledger (M1, E9, 6.3) are on the page of its card,
`device_models/cards/lsmo_pvdf_co.md`. The field model of every card needs `magnetics`, so that
nothing else is loaded with it.
"""

from typing import TYPE_CHECKING

from device_models.on_first_use import names_on_first_use as _names_on_first_use

if TYPE_CHECKING:
    from device_models.junction.ageing import Ageing
    from device_models.junction.conduction import (
        READ_BIAS_V,
        Conduction,
        aligned_resistance_ohm,
        parallel_resistance_ohm,
        resistance_ohm,
        tmr,
        tmr_over_parallel,
        tunnel_resistance_ohm,
    )
    from device_models.junction.energy import joule_energy_J, strip_field_G, thin_wire_field_G
    from device_models.junction.kinetics import Kinetics, equivalent_pulses, site_thresholds
    from device_models.junction.magnetics import (
        CO,
        INIT_FIELD_G,
        LSMO,
        Electrodes,
        Hysteresis,
        Layer,
        antiparallel_fraction,
        sweep_magnetization,
    )
    from device_models.junction.memristor import Memristor, fluorine_in_coo
    from device_models.junction.parameters import SOURCES, MemristorParameters
    from device_models.junction.stdp import (
        READINGS,
        Spike,
        alone,
        conductance_change,
        single_spike_change,
        spike_pair,
        stdp_curve,
        stdp_start,
        superpose,
    )
    from device_models.junction.variability import Variability

__all__ = [
    "CO",
    "INIT_FIELD_G",
    "LSMO",
    "READINGS",
    "READ_BIAS_V",
    "SOURCES",
    "Ageing",
    "Conduction",
    "Electrodes",
    "Hysteresis",
    "Kinetics",
    "Layer",
    "Memristor",
    "MemristorParameters",
    "Spike",
    "Variability",
    "aligned_resistance_ohm",
    "alone",
    "antiparallel_fraction",
    "conductance_change",
    "equivalent_pulses",
    "fluorine_in_coo",
    "joule_energy_J",
    "parallel_resistance_ohm",
    "resistance_ohm",
    "single_spike_change",
    "site_thresholds",
    "spike_pair",
    "stdp_curve",
    "stdp_start",
    "strip_field_G",
    "superpose",
    "sweep_magnetization",
    "thin_wire_field_G",
    "tmr",
    "tmr_over_parallel",
    "tunnel_resistance_ohm",
]

_LAZY = {
    "ageing": ("Ageing",),
    "conduction": (
        "READ_BIAS_V",
        "Conduction",
        "aligned_resistance_ohm",
        "parallel_resistance_ohm",
        "resistance_ohm",
        "tmr",
        "tmr_over_parallel",
        "tunnel_resistance_ohm",
    ),
    "energy": ("joule_energy_J", "strip_field_G", "thin_wire_field_G"),
    "kinetics": ("Kinetics", "equivalent_pulses", "site_thresholds"),
    "magnetics": (
        "CO",
        "INIT_FIELD_G",
        "LSMO",
        "Electrodes",
        "Hysteresis",
        "Layer",
        "antiparallel_fraction",
        "sweep_magnetization",
    ),
    "memristor": ("Memristor", "fluorine_in_coo"),
    "parameters": ("SOURCES", "MemristorParameters"),
    "stdp": (
        "READINGS",
        "Spike",
        "alone",
        "conductance_change",
        "single_spike_change",
        "spike_pair",
        "stdp_curve",
        "stdp_start",
        "superpose",
    ),
    "variability": ("Variability",),
}
"""Files, and the names in each: loaded when they are first asked for."""

__getattr__, __dir__ = _names_on_first_use(__name__, _LAZY)
