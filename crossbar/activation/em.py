"""EM activation: the electrical-magnetic activation layer of the paper (Fig. 5b).

Each scalar x becomes a pulse number, the pulse number becomes the vector of responses of
2 x n_fields LTP and LTD curves, and a small network shared over all positions brings the vector
back to one value. This file holds that formula; its fast form lives in `kernels/`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from crossbar.activation.grid import Encoding, PulseGrid, choose_grid
from crossbar.activation.interpolation import interpolate
from crossbar.activation.interpolation_torch import grid_matrix
from crossbar.choices import check_choice
from device_models import DeviceCard, ExponentialMixture, load_card
from device_models.card import BRANCHES
from device_models.curves import Inverse, Response
from device_models.fit.mixture import as_mixture

ENCODINGS = ("clip", "sigmoid", "raw")
NORMALISATIONS = ("zscore", "common")
QUANTITIES = ("resistance", "conductance")
FORMS = ("table", "exact")

TRUNCATION = 1e-5
"""Share of the steepest slope that the table may miss; of the values it misses far less."""

NO_TABLE = "the curves are too steep for a table: the EM activation takes the slower exact form"


class EMActivation(nn.Module):
    """Drop-in for `nn.ReLU`: any shape in, the same shape out.

    card: name, path or `DeviceCard`. fields_G: fields [G] whose LTP and LTD curves are used.

    encoding: how x becomes a pulse number n in [0, N] (the paper only says the input is
        "converted into the pulse number"):
        `clip`     n = clip(N/2 + N/4 x, 0, N), the default;
        `sigmoid`  n = N sigmoid(x);
        `raw`      n = x, not bounded: for strongly negative x exponentials overflow and a
                   resistance may cross zero.
    normalisation: scale of the curves, unspecified in the paper and decisive for training:
        `zscore`   each curve has mean 0 and std 1 over n = 0..N, the default;
        `common`   all curves share one scale, 0 to 1 over n = 0..N.
    quantity: `resistance` ("pulse vs. resistance curve"), the default, or `conductance`.
    hidden: 0 for one linear map n_curves -> 1 (the paper calls linear layers "MLP layer"), or
        the width of one hidden ReLU layer.
    trainable: whether the curve parameters learn ("multiple trainable coefficients") or
        stay as fitted ("fitted via experiment results"), the default. The normalisation
        keeps the constants of the card.
    form: how the same function is evaluated.
        `table`    the default: the curves are tabulated once per call and a polynomial through
                   the table is evaluated per element, within 1e-5 of the formula. An element
                   costs the same for any number of curves (a hidden layer multiplies it by its
                   width). Output in the dtype of x. No second derivatives.
        `exact`    the formula element by element, by torch. Always taken for `raw`, which has no
                   bounds to tabulate between, for whole numbers, inside `torch.compile`, and for
                   curves that no small table holds (then with a warning).

    Curves that are no exponential mixtures are replaced by one that follows them within 1 % of
    their range; ValueError where none does.
    """

    offset: Tensor
    amplitudes: Tensor
    log_tau: Tensor
    centre: Tensor
    scale: Tensor
    _owner: Tensor
    _grid: PulseGrid | None
    _kept: _Kept | None

    def __init__(
        self,
        card: str | Path | DeviceCard = "lsmo_pvdf_co",
        fields_G: Sequence[float] = (0.0,),
        *,
        encoding: str = "clip",
        normalisation: str = "zscore",
        quantity: str = "resistance",
        hidden: int = 0,
        trainable: bool = False,
        form: str = "table",
    ):
        super().__init__()
        check_choice("encoding", encoding, ENCODINGS)
        check_choice("normalisation", normalisation, NORMALISATIONS)
        check_choice("quantity", quantity, QUANTITIES)
        check_choice("form", form, FORMS)
        if hidden < 0:
            raise ValueError(f"hidden must be 0 or a width, got {hidden}")
        if len(fields_G) == 0:
            raise ValueError("fields_G must name at least one field")
        card = load_card(card)
        self.card_name, self.fields_G = card.name, tuple(float(f) for f in fields_G)
        self.encoding, self.normalisation, self.quantity = encoding, normalisation, quantity
        self.form, self.n_pulses = form, card.n_pulses
        laws = self._laws(card)
        self._set_curves(laws, trainable)
        self._set_normalisation()
        self._set_reduction(len(laws), hidden)
        self._set_grid(trainable)

    @property
    def n_curves(self) -> int:
        """Number of curves the input is expanded into."""
        return 2 * len(self.fields_G)

    def forward(self, x: Tensor) -> Tensor:
        tabulated = self.form == "table" and x.is_floating_point()
        basis = self._basis() if tabulated and not torch.compiler.is_compiling() else None
        if basis is None:
            return self.reduce(self.responses(self.pulse_number(x)))
        if x.dtype in (torch.float32, torch.float64):
            return self._interpolated(x, basis)
        return self._interpolated(x.float(), basis).to(x.dtype)

    def pulse_number(self, x: Tensor) -> Tensor:
        """Pulse number [1] that encodes each element of `x`, same shape."""
        if self.encoding == "clip":
            pulses = self.n_pulses / 2 + self.n_pulses / 4 * x
            # Not `clamp`: its slope on the bounds themselves is not the same in every torch.
            pulses = torch.where(pulses < 0, 0.0, pulses)
            return torch.where(pulses > self.n_pulses, float(self.n_pulses), pulses)
        if self.encoding == "sigmoid":
            return self.n_pulses * torch.sigmoid(x)
        return x

    def responses(self, pulses: Tensor) -> Tensor:
        """Normalised responses of all curves, shape of `pulses` x n_curves."""
        dtype = torch.promote_types(pulses.dtype, self.centre.dtype)
        raw = self._raw_responses(pulses.to(dtype))
        return (raw - self.centre.to(dtype)) / self.scale.to(dtype)

    def reduce(self, responses: Tensor) -> Tensor:
        """The small network: ... x n_curves -> ..."""
        if self.hidden_weight is not None:
            responses = functional.linear(responses, self.hidden_weight, self.hidden_bias).relu()
        return functional.linear(responses, self.weight, self.bias).squeeze(-1)

    def extra_repr(self) -> str:
        fields = ", ".join(f"{f:g}" for f in self.fields_G)
        return (
            f"card={self.card_name}, fields_G=({fields}), encoding={self.encoding}, "
            f"normalisation={self.normalisation}, quantity={self.quantity}, form={self.form}"
        )

    def _interpolated(self, x: Tensor, basis: Tensor) -> Tensor:
        """The same function as the formula, from the table; float32 or float64."""
        grid = self._grid
        assert grid is not None
        if self.encoding == "sigmoid":
            x = torch.sigmoid(x)
        if self.hidden_weight is None or self.hidden_bias is None:
            return interpolate(x, basis, self.weight, self.bias, grid)
        # The kinks lie where a hidden unit crosses 0: its curve is smooth, the table holds it.
        units = [
            interpolate(x, basis, weight, bias, grid)
            for weight, bias in zip(self.hidden_weight, self.hidden_bias, strict=True)
        ]
        hidden = torch.stack(units, -1).relu()
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return functional.linear(hidden, weight, bias).squeeze(-1).to(x.dtype)

    def _basis(self) -> Tensor | None:
        """Curves as coefficients on the grid, float64 n_nodes x n_curves; None: no table.

        Learning curves are tabulated anew at each call; frozen ones when one of their constants
        was replaced or written to.
        """
        if self._grid is None:
            return None
        if self._trainable:
            return self._tabulated(self._grid)
        if self._kept is None or not self._kept.is_current(self._buffers):
            with torch.inference_mode(False), torch.no_grad():  # what is kept must serve training
                self._kept = _Kept(self._tabulated(self._grid), self._buffers)
        return self._kept.basis

    def _tabulated(self, grid: PulseGrid) -> Tensor | None:
        device = self.offset.device
        values = self.responses(grid_matrix(grid, "pulses", device))
        if grid.truncation(values.detach().cpu().numpy()) <= TRUNCATION:
            return grid_matrix(grid, "coefficients_from_values", device) @ values
        warnings.warn(NO_TABLE, stacklevel=4)
        return None

    def _raw_responses(self, pulses: Tensor) -> Tensor:
        """Responses in the card's unit over the unit scale, shape of `pulses` x n_curves."""
        dtype = pulses.dtype
        decays = torch.exp(-pulses.unsqueeze(-1) / self.log_tau.to(dtype).exp())
        amplitudes = (self.amplitudes * self._owner).to(dtype)
        response = functional.linear(decays, amplitudes, self.offset.to(dtype))
        return 1 / response if self._inverted else response

    def _laws(self, card: DeviceCard) -> list[ExponentialMixture]:
        """Curves of the card, LTD before LTP at each field as the paper names the pair."""
        laws: list[Response] = [
            card.law(branch, field) for field in self.fields_G for branch in BRANCHES[::-1]
        ]
        other_quantity = card.quantity != self.quantity
        pulses = np.linspace(0, card.n_pulses, 513)
        if other_quantity and min(float(law(pulses).min()) for law in laws) <= 0:
            raise ValueError(
                f"card {card.name!r} has a {card.quantity} of 0 or below, which has no "
                f"{self.quantity}: use quantity={card.quantity!r}"
            )
        # Mixtures are turned over exactly, after they are summed; other laws before they are
        # replaced, so that what is followed within 1 % is the quantity that is asked for.
        self._inverted = other_quantity and all(isinstance(x, ExponentialMixture) for x in laws)
        if other_quantity and not self._inverted:
            laws = [Inverse(law) for law in laws]
        return [as_mixture(law, card.n_pulses) for law in laws]

    def _set_curves(self, laws: list[ExponentialMixture], trainable: bool) -> None:
        """One column per exponential; `_owner` says which curve it belongs to."""
        # Ohms are scaled to about 1 so that float32 and the optimiser see ordinary numbers.
        unit = max(abs(float(v)) for law in laws for v in law([0, self.n_pulses]))
        tau = torch.tensor([t for law in laws for t in law.tau_pulses], dtype=torch.float64)
        owner = torch.zeros(len(laws), len(tau))
        amplitudes = torch.zeros(len(laws), len(tau), dtype=torch.float64)
        start = 0
        for row, law in enumerate(laws):
            stop = start + len(law.tau_pulses)
            owner[row, start:stop] = 1
            amplitudes[row, start:stop] = torch.tensor(law.amplitudes, dtype=torch.float64) / unit
            start = stop
        offset = torch.tensor([law.offset for law in laws], dtype=torch.float64) / unit
        self.register_buffer("_owner", owner.to(torch.get_default_dtype()))
        for name, value in (("offset", offset), ("amplitudes", amplitudes), ("log_tau", tau.log())):
            value = value.to(torch.get_default_dtype())
            if trainable:
                setattr(self, name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    @torch.no_grad()
    def _set_normalisation(self) -> None:
        raw = self._raw_responses(torch.arange(self.n_pulses + 1, dtype=self.offset.dtype))
        if self.normalisation == "zscore":
            centre, scale = raw.mean(0), raw.std(0, correction=0)
        else:
            centre, scale = raw.min(), raw.max() - raw.min()
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)

    def _set_reduction(self, n_curves: int, hidden: int) -> None:
        """Weights as plain parameters, not `nn.Linear`: they stay digital under aihwkit."""
        first = nn.Linear(n_curves, hidden) if hidden else None
        last = nn.Linear(hidden or n_curves, 1)
        self.hidden_weight = nn.Parameter(first.weight.detach()) if first else None
        self.hidden_bias = nn.Parameter(first.bias.detach()) if first else None
        self.weight = nn.Parameter(last.weight.detach())
        self.bias = nn.Parameter(last.bias.detach())

    @torch.no_grad()
    def _set_grid(self, trainable: bool) -> None:
        """Grid that holds the curves, with room to learn; None for the exact form."""
        self._trainable = trainable
        self._grid = self._kept = None
        if self.form == "exact" or self.encoding == "raw":
            return
        bounds = (0.0, 1.0) if self.encoding == "sigmoid" else (-2.0, 2.0)
        self._grid = choose_grid(
            lambda pulses: self.responses(torch.from_numpy(pulses)).numpy(),
            Encoding(self.n_pulses, *bounds),
            TRUNCATION / (1000 if trainable else 1),
        )
        if self._grid is None:
            warnings.warn(NO_TABLE, stacklevel=3)


class _Kept:
    """A tabulated basis and the state of the buffers it was made from.

    torch counts every write to a tensor but those through `tensor.data`.
    """

    def __init__(self, basis: Tensor | None, buffers: Mapping[str, Tensor | None]):
        self.basis = basis
        # Tensors of inference mode do not count how often they were written to.
        self._versions = [
            (name, buffer, -1 if buffer.is_inference() else buffer._version)
            for name, buffer in buffers.items()
            if buffer is not None
        ]

    def is_current(self, buffers: Mapping[str, Tensor | None]) -> bool:
        """Whether `buffers` are the same tensors, not written to since."""
        for name, buffer, version in self._versions:
            if version < 0 or buffers[name] is not buffer or buffer._version != version:
                return False
        return True


def replace_activations(
    model: nn.Module,
    make: Callable[[], nn.Module],
    kinds: tuple[type[nn.Module], ...] = (nn.ReLU,),
) -> nn.Module:
    """Replace each activation of `kinds` in `model` by a fresh `make()`, in place.

    Returns the model (the new activation itself when the model is one of `kinds`). Raises
    ValueError when there is nothing to replace.
    """
    if isinstance(model, kinds):
        return make()
    replaced = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, kinds):
                setattr(module, name, make())
                replaced += 1
    if replaced == 0:
        raise ValueError(f"no {', '.join(k.__name__ for k in kinds)} found in the model")
    return model
