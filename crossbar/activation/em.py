"""EM activation: the electrical-magnetic activation layer of the paper (Fig. 5b).

Each scalar x becomes a pulse number, the pulse number becomes the vector of responses of
2 x n_fields LTP and LTD curves, and a small network shared over all positions brings the vector
back to one value. This file holds that formula; its fast form lives in `interpolation`, the
curves in `crossbar.curves`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossbar.activation.encodings import ENCODERS, ENCODINGS, table_range
from crossbar.activation.grid import PulseGrid, choose_grid
from crossbar.activation.interpolation import interpolate
from crossbar.activation.interpolation_torch import grid_matrix
from crossbar.activation.kept import Kept
from crossbar.choices import check_choice
from crossbar.curves import CardCurves
from device_models import DeviceCard
from device_models.errors import InputError

NORMALISATIONS = ("zscore", "common")
FORMS = ("table", "exact")

TRUNCATION = 4e-5
"""Share of the steepest slope that the last coefficients of the table may have: slopes are then
within 1e-4 of the formula, values within 1e-6."""

ROOM = 100
"""How much smaller it is at first where curves learn: they may grow steeper."""

OLD_STATE = (
    "{name}: this state is of fieldcrossbar 0.1, whose curves belong to fields, not to the parts "
    "of a card: load it with that version, or train anew"
)

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
        stay as fitted ("fitted via experiment results"), the default. Fields share the
        curves they are mixed from, which stay positive and monotone. The normalisation keeps
        the constants of the card.
    form: how the same function is evaluated.
        `table`    the default: the curves are tabulated once per call and a polynomial through
                   the table is evaluated per element: values within 1e-6 of their range, slopes
                   within 1e-4 of the steepest. An element costs the same for any number of curves
                   (a hidden layer multiplies it by its width). Output in the dtype of x. No
                   second derivatives.
        `exact`    the formula element by element, by torch. Always taken for `raw`, which has no
                   bounds to tabulate between, for whole numbers, inside `torch.compile`, and for
                   curves that no small table holds (then with a warning).

    Curves are exact at every field of the card, as `CardCurves` says; those it replaces it
    follows within 1 % of their range.

    State: `curves.*` (see `CardCurves`), `centre` and `scale` of the normalisation, `weight`,
    `bias` and with a hidden layer `hidden_weight`, `hidden_bias`; no table.
    """

    centre: Tensor
    scale: Tensor
    _grid: PulseGrid | None
    _kept: Kept | None

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
        check_choice("form", form, FORMS)
        if hidden < 0:
            raise InputError(f"hidden must be 0 or a width, got {hidden}")
        self.curves = CardCurves(card, fields_G, quantity=quantity, trainable=trainable)
        self.card_name, self.fields_G = self.curves.card_name, tuple(float(f) for f in fields_G)
        self.encoding, self.normalisation, self.quantity = encoding, normalisation, quantity
        self.form, self.n_pulses = form, self.curves.n_pulses
        self._set_normalisation()
        self._set_reduction(hidden)
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
        return ENCODERS[self.encoding](x, self.n_pulses)

    def responses(self, pulses: Tensor) -> Tensor:
        """Normalised responses of all curves, shape of `pulses` x n_curves."""
        dtype = torch.promote_types(pulses.dtype, self.centre.dtype)
        raw = self.curves.relative(pulses.to(dtype))
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
        if self._kept is None or not self._kept.is_current():
            with torch.inference_mode(False), torch.no_grad():  # what is kept must serve training
                self._kept = Kept(self._tabulated(self._grid), *self.modules())
        return self._kept.basis

    def _tabulated(self, grid: PulseGrid) -> Tensor | None:
        device = self.centre.device
        values = self.responses(grid_matrix(grid, "pulses", device))
        if grid.truncation(values.detach().cpu().numpy()) <= TRUNCATION:
            return grid_matrix(grid, "coefficients_from_values", device) @ values
        warnings.warn(NO_TABLE, stacklevel=4)
        return None

    @torch.no_grad()
    def _set_normalisation(self) -> None:
        raw = self.curves.relative(torch.arange(self.n_pulses + 1.0))
        if self.normalisation == "zscore":
            centre, scale = raw.mean(0), raw.std(0, correction=0)
        else:
            centre, scale = raw.min(), raw.max() - raw.min()
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)

    def _set_reduction(self, hidden: int) -> None:
        """Weights as plain parameters, not `nn.Linear`: they stay digital under aihwkit."""
        first = nn.Linear(self.n_curves, hidden) if hidden else None
        last = nn.Linear(hidden or self.n_curves, 1)
        self.hidden_weight = nn.Parameter(first.weight.detach()) if first else None
        self.hidden_bias = nn.Parameter(first.bias.detach()) if first else None
        self.weight = nn.Parameter(last.weight.detach())
        self.bias = nn.Parameter(last.bias.detach())

    @torch.no_grad()
    def _set_grid(self, trainable: bool) -> None:
        """Grid that holds the curves, with room to learn; None for the exact form."""
        self._trainable = trainable
        self._grid = self._kept = None
        encoding = table_range(self.encoding, self.n_pulses)
        if self.form == "exact" or encoding is None:
            return
        self._grid = choose_grid(
            lambda pulses: self.responses(torch.from_numpy(pulses)).numpy(),
            encoding,
            TRUNCATION / (ROOM if trainable else 1),
        )
        if self._grid is None:
            warnings.warn(NO_TABLE, stacklevel=3)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        if f"{prefix}_owner" in state_dict:
            raise RuntimeError(OLD_STATE.format(name=prefix.rstrip(".") or "EMActivation"))
        super()._load_from_state_dict(state_dict, prefix, *rest)
