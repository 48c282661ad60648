"""What is read of a state at a magnetic field: the field acts here, never on the state.

A state is a place in the device's own range at the reference field, 0 to 1, and there the reading
is the state. At another field H the card mixes its parts, G = (1 - share) G_k + share G_{k+1}, and
the place read is the same mixture of tables over the state (`crossbar.arrays.part_tables`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from crossbar.arrays.part_tables import part_tables
from crossbar.arrays.travel import N_TABLE
from crossbar.kernels import has_cpu_kernels
from device_models import DeviceCard
from device_models.errors import InputError

LAST = float(N_TABLE - 1)


class Reading(nn.Module):
    """Places [1] that are read of states [1] at a field: one for all devices, or a map.

    `field_G` [G]: a number, or an array that broadcasts to out x in. Reading the same states at
    the same field gives the same bits, on the way there and back.
    """

    table: Tensor | None
    part: Tensor | None
    share: Tensor | None

    def __init__(self, card: DeviceCard, reference_G: float, size: tuple[int, int]):
        super().__init__()
        self.card, self.reference_G, self.size = card, reference_G, size
        self._parts: np.ndarray | None = None
        for name in ("table", "part", "share"):
            self.register_buffer(name, None, persistent=False)
        self.field_G: float | np.ndarray = reference_G

    @property
    def is_state(self) -> bool:
        """Whether the place read is the state itself, as at the reference field."""
        return self.table is None

    @property
    def is_map(self) -> bool:
        """Whether devices stand in fields of their own."""
        return self.part is not None

    def set_field(self, field_G: ArrayLike, device: torch.device) -> None:
        """Read at `field_G` [G] from now on, a number or an array that broadcasts to out x in.

        Raises InputError, and changes nothing, for a field outside the card's range or an array
        that does not fit.
        """
        field = checked_field(field_G, self.size)
        part, share = self._placed(field)
        if isinstance(field, float) and field == self.reference_G:
            self.table = self.part = self.share = None
        elif isinstance(field, float):
            self.table = _nodes(self._mixed(int(part), float(share))[None], device)
            self.part = self.share = None
        else:
            self.table = _nodes(self._tables(), device)
            parts, shares = np.broadcast_to(part, self.size), np.broadcast_to(share, self.size)
            self.part = torch.tensor(parts.copy(), dtype=torch.int32, device=device)
            self.share = torch.tensor(shares.copy(), dtype=torch.float32, device=device)
        self.field_G = field

    def forward(self, state: Tensor) -> Tensor:
        """Places [1] read of the states of all devices, out x in."""
        if self.table is None:
            return state
        if has_cpu_kernels(state):
            from crossbar.arrays.reading_cpu import places

            return places(state, self.table, self.part, self.share)
        return self.plain(state)

    def plain(self, state: Tensor) -> Tensor:
        """The same in torch's own operations, for any device; rounded as the compiled form is."""
        if self.table is None:
            return state
        first = _interpolated(self.table, state, 0 if self.part is None else self.part)
        if self.part is None or self.share is None:
            return first
        second = _interpolated(self.table, state, self._next_part())
        return first + (second - first) * self.share

    def state_of(self, place: Tensor) -> Tensor:
        """State [1] of which `place` (out x in) is read; beyond what can be read, the end.

        The inverse of reading: the table's nodes rise along the states.
        """
        if self.table is None:
            return place.clamp(0, 1)
        low = self._node_below(place)
        start, end = self._at_nodes(low), self._at_nodes(low + 1)
        way = (place - start) / (end - start).clamp(min=torch.finfo(place.dtype).tiny)
        return (low + way.clamp_(0, 1)).div_(LAST).clamp_(0, 1)

    def _node_below(self, place: Tensor) -> Tensor:
        """Last table node that reads as `place` or less, but for the very last, out x in."""
        assert self.table is not None
        if self.part is None:
            nodes = self.table[0, :, 0].contiguous()
            above = torch.searchsorted(nodes, place.contiguous(), right=True)
            return (above - 1).clamp_(0, N_TABLE - 2)
        low = torch.zeros(place.shape, dtype=torch.int64, device=place.device)
        high = torch.full_like(low, N_TABLE - 1)
        for _ in range(int(np.ceil(np.log2(N_TABLE)))):
            middle = (low + high) // 2
            below = self._at_nodes(middle) <= place
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return low.clamp_(max=N_TABLE - 2)

    def mean_place(self, state: float) -> float:
        """Place [1] that devices at `state` [1] show on average."""
        if self.table is None:
            return state
        fields = np.atleast_1d(np.asarray(self.field_G))
        part, share = self.card.field_model.place(fields)
        states, tables = np.linspace(0, 1, N_TABLE), self._tables()
        at_state = np.array([np.interp(state, states, table) for table in tables])
        after = np.minimum(part + 1, len(tables) - 1)
        return float(np.mean((1 - share) * at_state[part] + share * at_state[after]))

    def _placed(self, field: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.card.field_model.range_G
        outside = np.extract(~((np.asarray(field) >= low) & (np.asarray(field) <= high)), field)
        if outside.size:
            raise self.card.not_known_at(float(outside[0]))
        return self.card.field_model.place(field)

    def _at_nodes(self, node: Tensor) -> Tensor:
        """Place read of the states that are table nodes, out x in."""
        table = self.table
        assert table is not None
        if self.part is None or self.share is None:
            return table[0, :, 0][node]
        first, second = table[self.part.long(), node, 0], table[self._next_part().long(), node, 0]
        return first + (second - first) * self.share

    def _next_part(self) -> Tensor:
        assert self.part is not None
        assert self.table is not None
        return (self.part + 1).clamp(max=len(self.table) - 1)

    def _mixed(self, part: int, share: float) -> np.ndarray:
        tables = self._tables()
        return (1 - share) * tables[part] + share * tables[min(part + 1, len(tables) - 1)]

    def _tables(self) -> np.ndarray:
        if self._parts is None:
            self._parts = part_tables(self.card, self.reference_G)
        return self._parts


def checked_field(field_G: ArrayLike, size: tuple[int, int]) -> float | np.ndarray:
    """A field [G] as a float, or as an array that broadcasts to `size`; ValueError for others."""
    is_text = isinstance(field_G, str | bytes | bool)
    try:
        if is_text:
            raise ValueError
        field = np.asarray(field_G, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"a field must be a number or an array [G], got {field_G!r:.40}") from None
    if not np.isfinite(field).all():
        raise InputError("a field must be finite [G]")
    if field.ndim == 0:
        return float(field)
    try:
        np.broadcast_to(field, size)
    except ValueError:
        rows, columns = size
        raise InputError(
            f"fields of the shape {field.shape} do not fit {rows} x {columns} devices: give a "
            f"number, ({rows}, 1), (1, {columns}) or ({rows}, {columns})"
        ) from None
    return field.copy()


def _nodes(tables: np.ndarray, device: torch.device) -> Tensor:
    """Place at each node and the way to the next one, parts x states x 2."""
    values = torch.tensor(tables, dtype=torch.float32)
    ways = torch.diff(values, dim=1, append=values[:, -1:])
    return torch.stack([values, ways], dim=2).to(device)


def _interpolated(table: Tensor, state: Tensor, part: Tensor | int) -> Tensor:
    position = (state * LAST).clamp_(0, LAST)
    node = position.nan_to_num().to(torch.long)
    way = position - node
    values = table.view(-1, 2).index_select(0, (node + part * N_TABLE).flatten())
    # Two roundings, not a fused one: the compiled form does the same.
    return values[:, 0].view_as(state) + values[:, 1].view_as(state) * way
