"""The paper's device measurements, carried out on the compact model; numbers only, no drawing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from device_models.curves import FloatArray
from device_models.junction import (
    READ_BIAS_V,
    Conduction,
    Memristor,
    Spike,
    single_spike_change,
    spike_pair,
    stdp_curve,
    tmr,
)
from device_models.reconstruct import FIELDS_G, LTD_V, LTP_V, N_PULSES, PULSE_WIDTH_S
from experiments.paper.reading import FIG2_PAIRS, LAYERS, Reading

LOOP_LIMIT_V = 3.0
SATURATION_G = 2000.0
FIG1F_V = (-0.8, -1.2, -1.3)
FIG2_PULSES = (0, 8, 16, 32, 64)

# Amplitude pairs (LTP, LTD) [V].
S3_PAIRS = ((-1.5, 1.5), (-1.0, 1.5), (-0.8, 1.5))
S4_PAIRS = ((-1.0, 1.5), (-1.3, 1.5), (-1.3, 2.0))
FIG3_PAIR = (LTP_V, LTD_V)


@dataclass(frozen=True)
class FieldSweep:
    """R(H) [ohm] at `field_G` [G], rising: on the way down from +2 kG and on the way up again."""

    field_G: FloatArray
    down_ohm: FloatArray
    up_ohm: FloatArray

    @property
    def tmr(self) -> float:
        """(R_AP - R_P) / R_AP of the curve: its extremum against its value at saturation."""
        parallel = self.up_ohm[-1]
        extremum = self.up_ohm[np.argmax(np.abs(self.up_ohm - parallel))]
        return float((extremum - parallel) / extremum)


@dataclass(frozen=True)
class Loop:
    """States after 0 to 64 LTP pulses, then after 0 to 64 LTD pulses, shape (65,) each."""

    ltp: FloatArray
    ltd: FloatArray

    @property
    def branches(self) -> dict[str, FloatArray]:
        """The states by the name of the branch."""
        return {"LTP": self.ltp, "LTD": self.ltd}


class Measurements:
    """Every device measurement of the paper, made when first asked for."""

    def __init__(self, reading: Reading | None = None):
        self.reading = reading or Reading()

    # -- Figure 1 ----------------------------------------------------------------------------

    def device(self, fluorine: float = 0.0, conduction: Conduction | None = None) -> Memristor:
        """A fresh junction with the reading's electrodes."""
        lsmo, co = LAYERS[self.reading.layers]
        return Memristor(fluorine=fluorine, lsmo=lsmo, co=co, conduction=conduction)

    def polarised(self, *voltages_V: float, fluorine: float = 0.0) -> Memristor:
        """A junction after successive 1 s pulses [V]."""
        device = self.device(fluorine)
        for voltage in voltages_V:
            self._polarise(device, voltage)
        return device

    def _polarise(self, device: Memristor, voltage_V: float) -> None:
        """One pulse of 1 s, with the reading's ramps."""
        device.pulse(voltage_V, 1.0, ramp_V_per_s=self.reading.ramp_V_per_s)

    @cached_property
    def iv_bias_V(self) -> FloatArray:
        """Bias of the I-V curves [V]; the paper's range is not in its text (E19)."""
        return np.linspace(-0.3, 0.3, 61)

    @cached_property
    def iv(self) -> dict[str, FloatArray]:
        """Fig. 1c: current [A] unpolarised and after +2 V and -2 V of 1 s, parallel at 0 G."""
        states = {"unpolarised": (), "+2 V": (2.0,), "-2 V": (-2.0,)}
        start = self.reading.unpolarised
        return {
            name: self.polarised(*pulses, fluorine=start).current_A(self.iv_bias_V)
            for name, pulses in states.items()
        }

    @cached_property
    def loop_1d(self) -> tuple[FloatArray, FloatArray]:
        """Fig. 1d: amplitudes +3 V to -3 V to +3 V [V] and resistance [ohm] after each 1 s pulse.

        The second of two loops, so that it starts where loops end.
        """
        down = np.round(np.arange(LOOP_LIMIT_V, -LOOP_LIMIT_V - 0.05, -0.1), 10)
        amplitudes = np.concatenate([down, down[::-1][1:]])
        device = self.device()
        resistance = []
        for voltage in np.concatenate([amplitudes, amplitudes]):
            self._polarise(device, voltage)
            resistance.append(float(device.resistance_ohm(SATURATION_G)))
        return amplitudes, np.array(resistance[len(amplitudes) :])

    def sweep(self, device: Memristor, step_G: float = 5.0) -> FieldSweep:
        """R(H): +2 kG to -2 kG and back, with the electrodes' history."""
        field = np.arange(-SATURATION_G, SATURATION_G + step_G / 2, step_G)
        device.apply_field(SATURATION_G)
        down = device.sweep_field(field[::-1])[::-1]
        return FieldSweep(field, down, device.sweep_field(field))

    @cached_property
    def sweep_1e(self) -> FieldSweep:
        """Fig. 1e: after -2.4 V of 1 s."""
        return self.sweep(self.polarised(-2.4))

    @cached_property
    def _devices_1f(self) -> dict[float, Memristor]:
        """After each pulse of Fig. 1f, one after the other from high resistance."""
        return {v: self.polarised(*FIG1F_V[: i + 1]) for i, v in enumerate(FIG1F_V)}

    @cached_property
    def sweeps_1f(self) -> dict[float, FieldSweep]:
        """Fig. 1f: after -0.8, -1.2 and -1.3 V of 1 s, one after the other from high resistance."""
        return {v: self.sweep(device.copy()) for v, device in self._devices_1f.items()}

    @cached_property
    def states_1f(self) -> dict[float, float]:
        """Fluorine state after each polarisation of Fig. 1f."""
        return {v: float(device.state) for v, device in self._devices_1f.items()}

    # -- Figures 2 and 3 ---------------------------------------------------------------------

    def fig2_device(self) -> Memristor:
        """The device before the 64 initialising pulses of Fig. 2."""
        if self.reading.fig2_start == "cycle":
            return self.settled(FIG2_PAIRS[self.reading.fig2_pair])
        return self.polarised(*((-2.4,) if self.reading.fig2_start == "lrs" else FIG1F_V))

    @cached_property
    def fig2_devices(self) -> tuple[list[Memristor], list[Memristor]]:
        """Fig. 2b and 2c: the device after 0 to 64 LTP pulses, and after 0 to 64 LTD pulses.

        Each is initialised with 64 pulses of the other sign (E8), 2c after 2b.
        """
        ltp_V, ltd_V = FIG2_PAIRS[self.reading.fig2_pair]
        device = self.fig2_device()
        device.pulse(ltd_V, PULSE_WIDTH_S, count=N_PULSES)
        return _stages(device, ltp_V), _stages(device, ltd_V)

    @cached_property
    def loop_2a(self) -> Loop:
        """Fig. 2a: LTP from the initialised state, then LTD."""
        ltp, ltd = self.fig2_devices
        return Loop(np.array([d.state for d in ltp]), np.array([d.state for d in ltd]))

    @cached_property
    def sweeps_2bc(self) -> tuple[dict[int, FieldSweep], dict[int, FieldSweep]]:
        """R(H) after some pulse numbers of LTP (2b) and LTD (2c)."""
        ltp, ltd = (
            {n: self.sweep(devices[n].copy()) for n in FIG2_PULSES} for devices in self.fig2_devices
        )
        return ltp, ltd

    def settled(self, pair_V: tuple[float, float]) -> Memristor:
        """A junction in the limit cycle of 64 LTP and 64 LTD pulses of 10 ms, at its LTD end."""
        device = self.device()
        device.settle(*pair_V, PULSE_WIDTH_S, N_PULSES)
        return device

    def cycle(self, pair_V: tuple[float, float]) -> Loop:
        """The limit cycle of 64 LTP and 64 LTD pulses of 10 ms."""
        device = self.settled(pair_V)
        return Loop(*(device.pulse_train(v, PULSE_WIDTH_S, N_PULSES) for v in pair_V))

    @cached_property
    def cycles(self) -> dict[tuple[float, float], Loop]:
        """Limit cycles of every amplitude pair of Figs. S3, S4 and 3."""
        return {pair: self.cycle(pair) for pair in dict.fromkeys(S3_PAIRS + S4_PAIRS)}

    @cached_property
    def sweeps_3a(self) -> tuple[FieldSweep, FieldSweep]:
        """Fig. 3a: R(H) after 64 pulses of +2 V, and after 64 pulses of -1.3 V (10 ms)."""
        device = self.settled(FIG3_PAIR)
        after_ltp = device.copy()
        after_ltp.pulse(LTP_V, PULSE_WIDTH_S, count=N_PULSES)
        return self.sweep(device), self.sweep(after_ltp)

    @cached_property
    def repeated_3b(self) -> FloatArray:
        """Fig. 3b: resistance [ohm] along five loops from the limit cycle, shape (5, 128)."""
        return self.loops_ohm(FIG3_PAIR, 5)

    @cached_property
    def repeated_from_lrs(self) -> FloatArray:
        """The same five loops from full low resistance, initialised with 64 pulses of +2 V."""
        device = self.polarised(-2.4)
        device.pulse(LTD_V, PULSE_WIDTH_S, count=N_PULSES)
        return self._loops(device, FIG3_PAIR, 5)

    def loops_ohm(self, pair_V: tuple[float, float], count: int = 2) -> FloatArray:
        """R [ohm] along `count` loops from the pair's limit cycle, shape (count, 128)."""
        return self._loops(self.settled(pair_V), pair_V, count)

    def _loops(self, device: Memristor, pair_V: tuple[float, float], count: int) -> FloatArray:
        trains = [device.pulse_train(v, PULSE_WIDTH_S, N_PULSES)[1:] for v in pair_V * count]
        return self.resistance(np.array(trains).reshape(count, 2 * N_PULSES))

    def resistance(self, state: FloatArray, field_G: float = 0.0) -> FloatArray:
        """R [ohm] of given states at a field [G] reached straight from -2 kG; shape of `state`."""
        lsmo, co = LAYERS[self.reading.layers]
        device = Memristor(fluorine=state.ravel(), shape=state.size, n_sites=1, lsmo=lsmo, co=co)
        return device.resistance_ohm(field_G).reshape(state.shape)

    @cached_property
    def field_curves(self) -> dict[str, FloatArray]:
        """Fig. 3c, d: R [ohm] of both branches, shape (8 fields, 65 pulse numbers)."""
        return {
            branch: np.array([self.resistance(states, field_G) for field_G in FIELDS_G])
            for branch, states in self.cycles[FIG3_PAIR].branches.items()
        }

    # -- Figure 4, S5 ------------------------------------------------------------------------

    @cached_property
    def spikes(self) -> tuple[Spike, Spike]:
        """Pre- and post-synaptic spike."""
        return spike_pair(self.reading.spikes, self.reading.rect_s)

    @cached_property
    def delays_s(self) -> FloatArray:
        """Delays of Fig. 4b [s]: every 2.5 ms from -60 to 60 ms."""
        return np.linspace(-0.060, 0.060, 49)

    @cached_property
    def stdp(self) -> FloatArray:
        """Fig. 4b: dG/G [1], shape (2, n): parallel, antiparallel."""
        return stdp_curve(self.delays_s, *self.spikes)

    @cached_property
    def single_spikes(self) -> tuple[float, float]:
        """dG/G [1] of a pre-synaptic spike alone and of an (inverted) post-synaptic one, P."""
        pre, post = self.spikes
        return float(single_spike_change(pre)[0]), float(single_spike_change(post.inverted)[0])

    @cached_property
    def endurance_ohm(self) -> FloatArray:
        """Fig. S5a: resistance [ohm] after +1.8 V and after -2.0 V (1 s), shape (100 cycles, 2)."""
        device = self.polarised(-2.0)
        readings = []
        for _ in range(100):
            pair = []
            for voltage in (1.8, -2.0):
                self._polarise(device, voltage)
                pair.append(float(device.resistance_ohm()))
            readings.append(pair)
        return np.array(readings)

    @cached_property
    def retention_ohm(self) -> FloatArray:
        """Fig. S5c: resistance [ohm] each minute for 100 minutes at 10 mV, shape (101, 2).

        After one pulse of +1.9 V, and after one of -1.9 V (1 s), each from the other state.
        """
        return np.column_stack([self._kept(-1.9, 1.9), self._kept(1.9, -1.9)])

    def _kept(self, *voltages_V: float) -> FloatArray:
        device = self.polarised(*voltages_V)
        readings = [float(device.resistance_ohm())]
        for _ in range(100):
            device.pulse(READ_BIAS_V, 60.0)
            readings.append(float(device.resistance_ohm()))
        return np.array(readings)


def _stages(device: Memristor, amplitude_V: float) -> list[Memristor]:
    """Copies of the device after 0 to 64 pulses of 10 ms; the device itself is moved on."""
    stages = [device.copy()]
    for _ in range(N_PULSES):
        device.pulse(amplitude_V, PULSE_WIDTH_S)
        stages.append(device.copy())
    return stages


def states_tmr(loop: Loop) -> FloatArray:
    """TMR [1] at every state of a loop, shape (130,)."""
    return tmr(np.concatenate([loop.ltp, loop.ltd]))
