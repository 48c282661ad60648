"""A fit of 400 pulses with intervals against aihwkit's `fit_measurements` without them."""

from __future__ import annotations

import numpy as np
from aihwkit.simulator.configs.devices import SoftBoundsDevice

from device_models import ExponentialMixture, fit_card
from device_models.fit import CANDIDATES
from device_models.pulses import PulseData, Segment
from experiments.benchmarks.timing import Timing, compare

N_PULSES = 200


def bench_fit(repeats: int = 5) -> list[Timing]:
    """200 LTP and 200 LTD pulses of a soft-bounds device with 1 % noise.

    Ours: one law with covariance, then the choice among all laws. aihwkit: three parameters of
    `SoftBoundsDevice` by its default method, no intervals.
    """
    from aihwkit.utils.fitting import fit_measurements  # needs lmfit, which nothing else does

    rng = np.random.default_rng(0)
    n = np.arange(N_PULSES + 1.0)
    up = ExponentialMixture(1.0, (-1.9,), (50.0,))
    down = ExponentialMixture(-1.0, (1.9,), (50.0,))
    values = [law(n) + 0.02 * rng.standard_normal(len(n)) for law in (up, down)]
    segments = tuple(Segment(b, n, v) for b, v in zip(("LTP", "LTD"), values, strict=True))
    data = PulseData("conductance", "1", segments, "benchmark", "")
    # aihwkit takes one pulse a response; the last one is not applied.
    pulses = np.concatenate([np.ones(N_PULSES), -np.ones(N_PULSES)])
    responses = np.concatenate([values[0][:-1], values[1][:-1]])
    parameters = {
        "dw_min": (0.02, 0.001, 0.5),
        "up_down": (0.0, -0.9, 0.9),
        "w_max": (1.0, 0.5, 2.0),
    }
    return compare(
        {
            "aihwkit fit_measurements": lambda: fit_measurements(
                parameters, pulses, responses, device_config=SoftBoundsDevice(w_min=-1.0)
            ),
            "fit_card, one law": lambda: fit_card(data, law="exponential_mixture_1"),
            "fit_card, all laws": lambda: fit_card(data),
        },
        repeats,
        notes={
            "aihwkit fit_measurements": "3 parameters, no intervals",
            "fit_card, one law": "6 parameters, covariance, noise",
            "fit_card, all laws": f"{len(CANDIDATES)} forms, choice, covariance, noise",
        },
    )
