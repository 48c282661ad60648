"""Any way through fields leaves no trace, whatever is read besides the states."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossbar import pulsed_device
from crossbar.nonideality import StuckCells
from crossbar.simulator import MemristorSimulatorTile
from crossbar.tile import CELLS, MemristorRPUConfig
from device_models import load_card

SIZE = OUT, IN = 5, 6
SHAPES = {"number": (), "rows": (OUT, 1), "columns": (1, IN), "map": SIZE}
FIELDS = st.sampled_from(sorted(SHAPES)).flatmap(
    lambda kind: st.lists(
        st.floats(0, 350), min_size=int(np.prod(SHAPES[kind])), max_size=int(np.prod(SHAPES[kind]))
    ).map(lambda values: np.array(values).reshape(SHAPES[kind]))
)
WAYS = st.lists(st.tuples(FIELDS, st.booleans()), min_size=1, max_size=4)
"""Fields one after the other, each with the scale kept or chosen anew."""


@contextmanager
def kernels(compiled: bool):
    """The compiled forms of pulses and readings, or torch's own."""
    with ExitStack() as stack:
        for module in ("array", "reading"):
            name = f"crossbar.arrays.{module}.has_cpu_kernels"
            if not compiled:
                stack.enter_context(patch(name, lambda *_: False))
        yield


def tile(cells: str, made_at_G: float = 0.0) -> MemristorSimulatorTile:
    """Devices of their own ranges and steps, with write noise and stuck cells, somewhere."""
    spread = {"range_d2d": 0.1, "step_d2d": 0.1, "write_noise": 0.03, "step_c2c": 0.2}
    device = pulsed_device(load_card("lsmo_pvdf_co").with_spread(**spread), made_at_G)
    config = MemristorRPUConfig(device=device, cells=cells, nonidealities=(StuckCells(0.2),))
    made = MemristorSimulatorTile(IN, OUT, config, 3)
    made.set_weights_uniform_random(-0.5, 0.5)
    return made


def pulses(seed: int) -> torch.Tensor:
    return torch.randint(-2, 3, SIZE, generator=torch.Generator().manual_seed(seed)).float()


def states(made: MemristorSimulatorTile) -> list[torch.Tensor]:
    arrays = [made.array] if hasattr(made.array, "reading") else [made.array.plus, made.array.minus]
    return [array.state.clone() for array in arrays]


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize("cells", CELLS)
@settings(deadline=None, max_examples=25)
@given(way=WAYS, made_at_G=st.sampled_from([0.0, 150.0]))
def test_any_way_and_back_is_bit_identical(cells, compiled, way, made_at_G):
    with kernels(compiled):
        made = tile(cells, made_at_G)
        before, stood = made.get_weights(), states(made)
        seen = []
        for field_G, rescale in way:
            made.set_field(field_G, rescale)
            seen.append(made.get_weights())
        made.set_field(made_at_G, rescale=True)
        assert torch.equal(made.get_weights(), before)
        for a, b in zip(states(made), stood, strict=True):
            assert torch.equal(a, b)
        # The same way once more reads the same, too.
        for (field_G, rescale), first in zip(way, seen, strict=True):
            made.set_field(field_G, rescale)
            assert torch.equal(made.get_weights(), first)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize("cells", CELLS)
@settings(deadline=None, max_examples=25)
@given(way=WAYS, seed=st.integers(0, 1000))
def test_pulses_at_any_field_are_those_at_the_reference_field(cells, compiled, way, seed):
    """States, write noise and stream: bit for bit what the same pulses do where nothing moved."""
    with kernels(compiled):
        moved, stayed = tile(cells), tile(cells)
        for i, (field_G, rescale) in enumerate(way):
            moved.set_field(field_G, rescale)
            for made in (moved, stayed):
                made.array.fire(pulses(seed + i))
        moved.set_field(0.0, rescale=True)
        for a, b in zip(states(moved), states(stayed), strict=True):
            assert torch.equal(a, b)
        assert not torch.equal(states(stayed)[0], states(tile(cells))[0])
        assert torch.equal(moved.get_weights(), stayed.get_weights())
        assert torch.equal(moved.stream.normal(pulses(0)), stayed.stream.normal(pulses(0)))
