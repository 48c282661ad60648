"""Exponential mixtures in torch: all terms of all curves summed as one matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossbar.curves.laws import hold
from device_models import ExponentialMixture


def stays_positive(law: ExponentialMixture) -> bool:
    """Terms of one sign above a level above 0: positive and monotone for every pulse number."""
    rising = max(law.amplitudes) <= 0
    lowest = law.offset + (sum(law.amplitudes) if rising else 0.0)
    return lowest > 0 and (rising or min(law.amplitudes) >= 0) and any(law.amplitudes)


class MixtureCurves(nn.Module):
    """Mixtures for which `stays_positive` holds, and holds whatever they learn.

        y(n) = lowest + sum_k size_k exp(-n / tau_k)          falling
        y(n) = lowest + sum_k size_k (1 - exp(-n / tau_k))    rising

    `log_lowest` a curve, `log_size` and `log_tau` a term; `owner` (n_curves x n_terms) has a 1
    where a term is that of a falling curve, a -1 where it is that of a rising one.
    """

    log_lowest: Tensor
    log_size: Tensor
    log_tau: Tensor
    owner: Tensor

    def __init__(self, laws: Sequence[ExponentialMixture], unit: float, trainable: bool):
        super().__init__()
        owner, amplitudes, tau = _terms(laws)
        owner = owner * amplitudes.sign()
        rising = owner.sum(1) < 0
        offset = torch.tensor([law.offset for law in laws], dtype=torch.float64)
        lowest = torch.where(rising, offset + owner.abs() @ amplitudes, offset)
        self.register_buffer("owner", owner.to(torch.get_default_dtype()))
        hold(self, "log_lowest", (lowest / unit).log(), trainable)
        hold(self, "log_size", (amplitudes.abs() / unit).log(), trainable)
        hold(self, "log_tau", tau.log(), trainable)

    def forward(self, pulses: Tensor) -> Tensor:
        """Responses over the unit [1], shape of `pulses` x n_curves."""
        dtype = pulses.dtype
        amplitudes = self.owner.to(dtype) * self.log_size.to(dtype).exp()
        offset = self.log_lowest.to(dtype).exp() - amplitudes.clamp(max=0).sum(1)
        return functional.linear(_decays(pulses, self.log_tau), amplitudes, offset)


class FreeMixtureCurves(nn.Module):
    """Mixtures of any sign: `offset` a curve, `amplitudes` and `log_tau` a term; `owner`
    (n_curves x n_terms) has a 1 where a term is a curve's own.
    """

    offset: Tensor
    amplitudes: Tensor
    log_tau: Tensor
    owner: Tensor

    def __init__(self, laws: Sequence[ExponentialMixture], unit: float, trainable: bool):
        super().__init__()
        owner, amplitudes, tau = _terms(laws)
        offset = torch.tensor([law.offset for law in laws], dtype=torch.float64)
        self.register_buffer("owner", owner.to(torch.get_default_dtype()))
        hold(self, "offset", offset / unit, trainable)
        hold(self, "amplitudes", amplitudes / unit, trainable)
        hold(self, "log_tau", tau.log(), trainable)

    def forward(self, pulses: Tensor) -> Tensor:
        """Responses over the unit [1], shape of `pulses` x n_curves."""
        dtype = pulses.dtype
        amplitudes = (self.amplitudes * self.owner).to(dtype)
        return functional.linear(_decays(pulses, self.log_tau), amplitudes, self.offset.to(dtype))


def _decays(pulses: Tensor, log_tau: Tensor) -> Tensor:
    """exp(-n / tau), shape of `pulses` x n_terms."""
    return torch.exp(-pulses.unsqueeze(-1) / log_tau.to(pulses.dtype).exp())


def _terms(laws: Sequence[ExponentialMixture]) -> tuple[Tensor, Tensor, Tensor]:
    """Owners (n_curves x n_terms, a 1 each), amplitudes and tau (n_terms,), without empty terms."""
    terms = [
        (curve, amplitude, tau)
        for curve, law in enumerate(laws)
        for amplitude, tau in zip(law.amplitudes, law.tau_pulses, strict=True)
        if amplitude != 0
    ]
    curves, amplitudes, tau = torch.tensor(terms, dtype=torch.float64).reshape(-1, 3).unbind(1)
    owner = functional.one_hot(curves.long(), len(laws)).T.double()
    return owner.contiguous(), amplitudes, tau
