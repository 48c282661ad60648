"""A card's curves as torch tensors: parts, mixed in conductance as the field says.

    G(n, H) = sum_k share_k(H) G_k(n)

with the conductance G_k of part k after n pulses and shares that add up to 1: parallel and
antiparallel for a card of two magnetic layers, neighbouring fields for a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from crossbar.choices import check_choice
from crossbar.curves.field import part_shares
from crossbar.curves.laws import FORMULAS, LawCurves
from crossbar.curves.mixtures import FreeMixtureCurves, MixtureCurves, stays_positive
from device_models import DeviceCard, ExponentialMixture, load_card
from device_models.card import BRANCHES
from device_models.curves import Inverse, Law
from device_models.errors import InputError
from device_models.fit.mixture import as_mixture

QUANTITIES = ("resistance", "conductance")

FREE, FOLLOWED = "free_mixture", "followed"
"""Names of mixtures that may be of any sign, and of those that stand in for another law."""


class CardCurves(nn.Module):
    """Responses of `branches` at fields [G], branch after branch at each field.

    card: name, path or `DeviceCard`. fields_G: the fields, of which only the parts that they read
    are kept; None to keep every part and give fields with each call. quantity: `resistance` [ohm]
    or `conductance` [S, or 1 for a card in arbitrary units].
    trainable: whether the parameters of the curves learn or stay as they are, the default.
    A mixture that is positive and monotone stays so while it learns.

    Exponential mixtures, power laws, logarithmic steps, logistics and the laws of the logarithm
    are exact. Splines and stretched exponentials are replaced by a mixture that follows them
    within 1 % of their range; ValueError where none does.

    State: `shares` (n_fields n_branches x n_parts n_branches), and for every law `parts.<law>`
    with its parameters over `unit`, the value in the card's unit that 1 stands for.
    Raises InputError for a field outside of the card's, and where a conductance of 0 or below has
    no resistance.
    """

    shares: Tensor | None

    def __init__(
        self,
        card: str | Path | DeviceCard,
        fields_G: Sequence[float] | None = None,
        *,
        branches: Sequence[str] = BRANCHES[::-1],
        quantity: str = "resistance",
        trainable: bool = False,
    ):
        super().__init__()
        check_choice("quantity", quantity, QUANTITIES)
        for branch in branches:
            check_choice("branch", branch, BRANCHES)
        if len(branches) == 0 or (fields_G is not None and len(fields_G) == 0):
            raise InputError("branches and fields_G must name at least one each")
        card = load_card(card)
        self.card_name, self.n_pulses = card.name, card.n_pulses
        self.branches, self.quantity = tuple(branches), quantity
        self.field_model = card.field_model
        self.n_parts = len(card.part_conductance(BRANCHES[0], 0.0))
        kept = self._set_fields(fields_G)
        self._set_parts(card, [(b, k) for k in kept for b in self.branches], trainable)

    def forward(self, pulses: Tensor, field_G: Tensor | None = None) -> Tensor:
        """Responses [ohm, S or 1] at `pulses` of any shape [1], shape of `pulses` x n_curves.

        field_G: fields (n,) [G] in place of those of the module, n_curves = n x n_branches.
        Gradients reach all three: pulses, parameters and fields.
        """
        return self.relative(pulses, field_G) * self.unit

    def relative(self, pulses: Tensor, field_G: Tensor | None = None) -> Tensor:
        """The same over `unit`: numbers of about 1, fit for optimisers and half precision."""
        shares = self.shares if field_G is None else self._shares_at(field_G)
        if shares is None:
            raise InputError("these curves were made without fields_G: give field_G with the call")
        dtype = torch.promote_types(pulses.dtype, shares.dtype)
        mixed = functional.linear(self._part_conductances(pulses.to(dtype)), shares.to(dtype))
        return mixed.reciprocal() if self.quantity == "resistance" else mixed

    def extra_repr(self) -> str:
        return f"card={self.card_name}, branches={self.branches}, quantity={self.quantity}"

    def _part_conductances(self, pulses: Tensor) -> Tensor:
        """Conductances of the parts over their unit [1], shape of `pulses` x n_part_curves."""
        columns = []
        for part, quantity in zip(self.parts.values(), self._part_quantities, strict=True):
            values = part(pulses)
            columns.append(values.reciprocal() if quantity == "resistance" else values)
        if len(columns) == 1:
            return columns[0]
        return torch.cat(columns, -1)[..., self._order]

    def _shares_at(self, field_G: Tensor) -> Tensor:
        if not self._has_all_parts:
            raise InputError(
                f"these curves of card {self.card_name!r} hold the parts of their own fields only: "
                f"make CardCurves without fields_G to read at others"
            )
        return self._spread_over_branches(self._part_shares(field_G))

    def _part_shares(self, field_G: Tensor) -> Tensor:
        try:
            return part_shares(self.field_model, field_G, self.n_parts)
        except ValueError as error:
            raise InputError(f"card {self.card_name!r}: {error}") from None

    def _spread_over_branches(self, shares: Tensor) -> Tensor:
        """Shares of parts as shares of part curves: every branch has the same."""
        n = len(self.branches)
        return torch.kron(shares, torch.eye(n, dtype=shares.dtype, device=shares.device))

    def _set_fields(self, fields_G: Sequence[float] | None) -> list[int]:
        """Shares of the module's own fields; the parts that are kept, rising."""
        self.register_buffer("shares", None)
        kept = list(range(self.n_parts))
        if fields_G is not None:
            fields = torch.tensor([float(f) for f in fields_G], dtype=torch.float64)
            shares = self._part_shares(fields)
            kept = [k for k in kept if bool(shares[:, k].any())]
            spread = self._spread_over_branches(shares[:, kept])
            self.shares = spread.to(torch.get_default_dtype())
        self._has_all_parts = len(kept) == self.n_parts
        return kept

    def _set_parts(self, card: DeviceCard, curves: list[tuple[str, int]], trainable: bool) -> None:
        """Curves (branch, part) grouped by law: one module a law, in the order of `curves`."""
        laws = [card.part_law(branch, part) for branch, part in curves]
        self._check_sign(card, laws)
        # Ohms are scaled to about 1 so that float32 and the optimiser see ordinary numbers.
        unit = max(abs(float(v)) for law in laws for v in law([0, card.n_pulses]))
        self.unit = unit if self.quantity == card.quantity else 1 / unit
        groups: dict[str, list[int]] = {}
        for column, law in enumerate(laws):
            groups.setdefault(_group(law), []).append(column)
        self._order = np.argsort([c for columns in groups.values() for c in columns]).tolist()
        self._part_quantities: list[str] = []
        self.parts = nn.ModuleDict()
        for name, columns in groups.items():
            own = [laws[column] for column in columns]
            if name == FOLLOWED:
                self.parts[name] = self._followed(card, own, trainable)
            else:
                self.parts[name] = MAKERS.get(name, LawCurves)(own, unit, trainable)
            self._part_quantities.append(self.quantity if name == FOLLOWED else card.quantity)

    def _followed(self, card: DeviceCard, laws: list[Law], trainable: bool) -> FreeMixtureCurves:
        """Mixtures in place of `laws`, in the quantity asked for: within 1 % of that one."""
        asked = laws if self.quantity == card.quantity else [Inverse(law) for law in laws]
        mixtures = [as_mixture(law, card.n_pulses) for law in asked]
        return FreeMixtureCurves(mixtures, self.unit, trainable)

    def _check_sign(self, card: DeviceCard, laws: list[Law]) -> None:
        """A conductance through 0 has no resistance, a resistance through 0 no conductance."""
        if self.quantity == card.quantity:
            return
        pulses = np.linspace(0, card.n_pulses, 513)
        if min(float(law(pulses).min()) for law in laws) <= 0:
            raise InputError(
                f"card {card.name!r} has a {card.quantity} of 0 or below, which has no "
                f"{self.quantity}: use quantity={card.quantity!r}"
            )


MAKERS: dict[str, Callable[..., nn.Module]] = {
    ExponentialMixture.name: MixtureCurves,
    FREE: FreeMixtureCurves,
}


def _group(law: Law) -> str:
    """Curves of one name are evaluated together."""
    if isinstance(law, ExponentialMixture):
        return law.name if stays_positive(law) else FREE
    return law.name if type(law) in FORMULAS else FOLLOWED
