"""Curve laws in torch: the formulas of `device_models.curves`, curves of one law side by side.

Parameters are vectors with one value a curve. What must be positive is held as its logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields

import torch
from torch import Tensor, nn

from device_models.curves import (
    GeometricExponential,
    GeometricLogistic,
    Law,
    Logistic,
    LogStep,
    PowerLaw,
)


def power_law(
    n: Tensor, start: Tensor, first_step: Tensor, n0_pulses: Tensor, exponent: Tensor
) -> Tensor:
    """Step that follows a power of the way left, `device_models.curves.PowerLaw`."""
    log_time = torch.log1p(n / n0_pulses)
    power = exponent * log_time
    small = power.abs() < 1e-5
    safe = torch.where(small, 1.0, power)
    ratio = torch.where(small, 1 + power / 2 + power**2 / 6, torch.expm1(safe) / safe)
    return start + first_step * n0_pulses * log_time * ratio


def log_step(n: Tensor, start: Tensor, first_step: Tensor, n0_pulses: Tensor) -> Tensor:
    """Step that falls exponentially with the way gone, `device_models.curves.LogStep`."""
    return start + first_step * n0_pulses * torch.log1p(n / n0_pulses)


def logistic(
    n: Tensor, start: Tensor, size: Tensor, centre_pulses: Tensor, width_pulses: Tensor
) -> Tensor:
    """S-shape, symmetric around its centre, `device_models.curves.Logistic`."""
    first = torch.sigmoid(-centre_pulses / width_pulses)
    return start + size * (torch.sigmoid((n - centre_pulses) / width_pulses) - first)


def geometric_exponential(n: Tensor, start: Tensor, decades: Tensor, tau_pulses: Tensor) -> Tensor:
    """Logarithm that relaxes, `device_models.curves.GeometricExponential`."""
    return start * torch.exp(-math.log(10) * decades * torch.expm1(-n / tau_pulses))


def geometric_logistic(
    n: Tensor, start: Tensor, decades: Tensor, centre_pulses: Tensor, width_pulses: Tensor
) -> Tensor:
    """Logarithm of an S-shape, `device_models.curves.GeometricLogistic`."""
    gone = logistic(n, torch.zeros_like(decades), decades, centre_pulses, width_pulses)
    return start * torch.exp(math.log(10) * gone)


FORMULAS: dict[type[Law], Callable[..., Tensor]] = {
    PowerLaw: power_law,
    LogStep: log_step,
    Logistic: logistic,
    GeometricExponential: geometric_exponential,
    GeometricLogistic: geometric_logistic,
}
"""Laws that are smooth from pulse 0 on. Splines and stretched exponentials are not: no polynomial
follows them, so the table of the EM activation could not hold them."""


class LawCurves(nn.Module):
    """Curves of one law of `FORMULAS`: parameters of its name, positive ones as `log_<name>`."""

    def __init__(self, laws: Sequence[Law], unit: float, trainable: bool):
        super().__init__()
        form = type(laws[0])
        self.law_name, self._formula = form.name, FORMULAS[form]
        self._names = tuple(item.name for item in fields(form))  # type: ignore[arg-type]
        for name in self._names:
            value = torch.tensor([getattr(law, name) for law in laws], dtype=torch.float64)
            if name in form.in_unit:
                value = value / unit
            if _is_positive(name):
                name, value = f"log_{name}", value.log()
            hold(self, name, value, trainable)

    def forward(self, pulses: Tensor) -> Tensor:
        """Responses over the unit [1], shape of `pulses` x n_curves."""
        values = [self._value(name).to(pulses.dtype) for name in self._names]
        return self._formula(pulses.unsqueeze(-1), *values)

    def _value(self, name: str) -> Tensor:
        value: Tensor = getattr(self, f"log_{name}" if _is_positive(name) else name)
        return value.exp() if _is_positive(name) else value


def hold(module: nn.Module, name: str, value: Tensor, trainable: bool) -> None:
    """`value` as a parameter of `module`, or as a buffer, in torch's default dtype."""
    value = value.to(torch.get_default_dtype())
    if trainable:
        module.register_parameter(name, nn.Parameter(value))
    else:
        module.register_buffer(name, value)


def _is_positive(name: str) -> bool:
    return name.endswith("_pulses")
