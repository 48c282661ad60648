"""Compact model of the LSMO/PVDF/Co memristor (ledger section 6): fluorine state to resistance.

The state is the share of mobile fluorine in the CoO layer of each of K barrier sites. A pulse of
voltage V and width t moves every site with its own rate (`kinetics`); the mean over the sites, `s`,
sets the resistance (`conduction`), and a magnetic field scales it through the TMR without moving
the state (`magnetics`).

The paper gives no absolute resistance and no raw curve, so whatever comes out of this model is a
reconstruction.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from device_models.errors import InputError
from device_models.junction.ageing import Ageing
from device_models.junction.checks import FloatArray, checked_fluorine, checked_pulse
from device_models.junction.conduction import Conduction, resistance_ohm, tmr, tunnel_resistance_ohm
from device_models.junction.kinetics import Kinetics, equivalent_pulses
from device_models.junction.magnetics import CO, LSMO, Electrodes, Layer, antiparallel_fraction
from device_models.junction.parameters import SOURCES, MemristorParameters
from device_models.junction.variability import Variability

__all__ = [
    "SOURCES",
    "Memristor",
    "MemristorParameters",
    "fluorine_in_coo",
    "resistance_ohm",
    "tmr",
]


class Memristor:
    """LSMO/PVDF/Co junctions: one (`shape` ()) or any number of independent ones.

    `sites` holds the share of fluorine in CoO, shape `(K, *shape)`; it is changed in place.
    Sites are fixed quantiles, so without `Variability` the model has no random part.
    """

    def __init__(
        self,
        parameters: MemristorParameters | None = None,
        fluorine: ArrayLike = 0.0,
        *,
        shape: int | tuple[int, ...] = (),
        n_sites: int | None = None,
        variability: Variability | None = None,
        conduction: Conduction | None = None,
        ageing: Ageing | None = None,
        lsmo: Layer = LSMO,
        co: Layer = CO,
        seed: int | None = 0,
        dtype: DTypeLike = np.float64,
    ):
        """`fluorine`: share in CoO at the start, 0 (high resistance) to 1 (low resistance).

        It may be one value or one per device. `n_sites`: sites of a low-discrepancy rule instead
        of the card's grid of `sites_per_axis` squared; 16 give the states of every protocol of the
        paper within 0.01, 32 within 0.007. `seed` fixes all draws; None draws afresh.
        `dtype` float32 halves the time and loses steps of a site below 6e-8.
        """
        self.parameters = parameters or MemristorParameters()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.variability = variability or Variability()
        self.conduction = conduction or Conduction()
        self.ageing = ageing or Ageing()
        device_stream, cycle_stream = np.random.SeedSequence(seed).spawn(2)
        self._rng = np.random.default_rng(cycle_stream)
        draws = self.variability.draw_devices(self.shape, np.random.default_rng(device_stream))
        p = self.parameters
        self._r_low_ohm = p.r_low_ohm * np.exp(draws["r_low"])
        self._resistance_ratio = p.resistance_ratio * np.exp(draws["r_high"] - draws["r_low"])
        self.electrodes = Electrodes(
            lsmo.scaled(np.exp(draws["coercivity_lsmo"])), co.scaled(np.exp(draws["coercivity_co"]))
        )
        self.kinetics = Kinetics(
            p,
            self.shape,
            n_sites,
            ltp_shift_V=draws["v_ltp_V"],
            ltd_shift_V=draws["v_ltd_V"],
            dtype=dtype,
        )
        start = checked_fluorine(fluorine, self.shape)
        self.sites = np.broadcast_to(start, (self.kinetics.n_sites, *self.shape)).astype(dtype)
        self.cycles = np.zeros(self.shape)

    @property
    def state(self) -> FloatArray:
        """Mean share of mobile fluorine in the CoO layer, 0 to 1, of shape `shape`."""
        result: FloatArray = self.sites.mean(axis=0)
        return result

    def copy(self) -> Memristor:
        """The same devices in the same state; from here on the two know nothing of each other."""
        return copy.deepcopy(self)

    # -- pulses ------------------------------------------------------------------------------

    def pulse(
        self,
        amplitude_V: ArrayLike,
        width_s: ArrayLike,
        count: int = 1,
        ramp_V_per_s: float | None = None,
    ) -> None:
        """Apply `count` pulses of `amplitude_V` [V] and `width_s` [s], the same or one per device.

        Rectangular, or with `ramp_V_per_s` [V/s] the trapezoid of a source that ramps before and
        after `width_s` (E6). The step is exact for any width.
        """
        if not isinstance(count, int | np.integer) or count < 0:
            raise InputError(f"count must be a whole number from 0 up, got {count!r}")
        amplitude, width = checked_pulse(amplitude_V, width_s, self.shape)
        if ramp_V_per_s is not None:
            width = width + self.kinetics.ramp_time_s(amplitude, ramp_V_per_s)
        before = self.state if self.ageing.counts_cycles else None
        if self.variability.rate_c2c == 0 and amplitude.ndim == width.ndim == 0:
            self.kinetics.switch_alike(self.sites, float(amplitude), float(width) * count)
        else:
            factor = self.variability.draw_pulses(count, self.shape, self._rng)
            self.kinetics.switch_each(self.sites, amplitude, width * factor)
        if before is not None:
            self.cycles = self.cycles + np.abs(self.state - before) / 2

    def pulse_train(
        self,
        amplitude_V: ArrayLike,
        width_s: ArrayLike,
        count: int,
        ramp_V_per_s: float | None = None,
    ) -> FloatArray:
        """Apply pulses one by one; states before and after each, shape `(count + 1, *shape)`."""
        states = [self.state]
        for _ in range(count):
            self.pulse(amplitude_V, width_s, ramp_V_per_s=ramp_V_per_s)
            states.append(self.state)
        return np.array(states)

    def apply_waveform(self, time_s: ArrayLike, voltage_V: ArrayLike) -> None:
        """Apply a voltage given at `time_s` [s] and straight in between; both shape `(n,)`.

        Exact for straight pieces and jumps (two points at one time). Sampling a curved waveform
        with step h makes a relative error of the rates of at most h^2 |V''| / (8 v_slope).
        """
        for amplitude_V, width_s in equivalent_pulses(time_s, voltage_V, self.parameters):
            self.pulse(amplitude_V, width_s)

    def settle(self, ltp_V: float, ltd_V: float, width_s: float, count: int) -> None:
        """Go to the limit cycle of `count` LTP then `count` LTD pulses, at its LTD end.

        Cycle-to-cycle noise is left out.
        """
        self.sites = self.kinetics.limit_cycle(self.sites, ltp_V, ltd_V, width_s * count)

    def wait(self, time_s: float) -> None:
        """Let `time_s` [s] pass without voltage: nothing moves unless `Ageing` says so (E17)."""
        if not time_s >= 0:
            raise InputError(f"time_s must not be negative, got {time_s!r}")
        self.sites = self.ageing.relaxed(self.sites, time_s)

    # -- field and reading -------------------------------------------------------------------

    def apply_field(self, field_G: ArrayLike) -> None:
        """Take the field to `field_G` [G], one value or one per device; history is kept."""
        self.electrodes.apply(field_G)

    def sweep_field(self, fields_G: ArrayLike) -> FloatArray:
        """Apply fields [G] one after the other; resistance [ohm] at each, `(n, *shape)`."""
        readings = []
        for field_G in np.asarray(fields_G, dtype=float):
            self.apply_field(field_G)
            readings.append(self.read_ohm())
        return np.array(readings)

    def read_ohm(self) -> FloatArray:
        """Resistance [ohm] at 10 mV, the present field and its history, shape `shape`."""
        return self.aligned_ohm(self.electrodes.antiparallel_fraction)

    def resistance_ohm(self, field_G: ArrayLike = 0.0, direction: int = +1) -> FloatArray:
        """Resistance [ohm] at 10 mV on a major branch: at `field_G` [G] straight from -2 kG.

        `field_G` broadcasts against `shape` (write `fields[:, None]` to read N devices at each of
        several fields). `direction` -1 comes from +2 kG. The history is neither used nor moved.
        """
        lsmo, co = self.electrodes.lsmo.layer, self.electrodes.co.layer
        return self.aligned_ohm(antiparallel_fraction(field_G, direction, lsmo, co))

    def aligned_ohm(self, antiparallel: ArrayLike) -> FloatArray:
        """Resistance [ohm] at 10 mV and an antiparallel fraction 0 (P) to 1 (AP), broadcast."""
        r_low, ratio = self.ageing.narrowed(self._r_low_ohm, self._resistance_ratio, self.cycles)
        return tunnel_resistance_ohm(self.state, antiparallel, self.parameters, r_low, ratio)

    def conductance_S(self, field_G: ArrayLike = 0.0, direction: int = +1) -> FloatArray:
        """Conductance [S], the inverse of `resistance_ohm`."""
        return 1 / self.resistance_ohm(field_G, direction)

    def current_A(self, bias_V: ArrayLike) -> FloatArray:
        """Current [A] at `bias_V` [V] (broadcasts against `shape`), present field and history.

        Low bias only: a bias beyond the dead zone would also move the state, which this does not.
        """
        bias = np.asarray(bias_V, dtype=float)
        opposed = self.conduction.tmr_share(bias) * self.electrodes.antiparallel_fraction
        return bias * self.conduction.shape(bias) / self.aligned_ohm(opposed)


def fluorine_in_coo(state: ArrayLike, immobile: float = 0.0) -> FloatArray:
    """Share of ALL fluorine that sits in CoO, the rest at LSMO; `immobile` of it stays at LSMO.

    STEM-EELS found 75 % in CoO after negative polarisation (G8), as with `immobile` = 0.25, where
    the two plateaus suggest that all of it moves (C13). Resistances count the mobile part only.
    """
    if not 0 <= immobile < 1:
        raise InputError(f"immobile must be at least 0 and less than 1, got {immobile:g}")
    return (1 - immobile) * np.asarray(state, dtype=float)
