"""What a weight costs: bytes of all tensors that a network on crossbars holds."""

from __future__ import annotations

import warnings

import pytest
import torch
from aihwkit.optim import AnalogSGD
from torch import Tensor, nn

from crossbar import to_crossbar
from crossbar.conversion import count_crossbar_weights
from device_models import load_card
from device_models.errors import InputError

CARD = "lsmo_pvdf_co"
READS = {"single": 16, "pair": 36}
"""Bytes a weight of tiles that read only: of each device the state, its reading and the two ends
of its range, and of a pair the difference. Four bytes more for steps of the device's own."""

LAYERS = {
    "linear": (lambda n: nn.Linear(8 * n, 32), (2, 8)),
    "conv": (lambda n: nn.Conv2d(n, 8, 3), (2, 1, 5, 5)),
    # More inputs than a tile has: several tiles, read as one.
    "large": (lambda n: nn.Linear(200 * n, 16), (2, 200)),
}


def held_bytes(model: nn.Module) -> int:
    """Bytes of every tensor that a part of `model` holds, shared memory once."""
    held = {}
    for module in model.modules():
        own = [vars(module), module._parameters, module._buffers]
        for value in (value for names in own for value in names.values()):
            if isinstance(value, Tensor):
                memory = value.untyped_storage()
                held[memory.data_ptr()] = memory.nbytes()
    return sum(held.values())


def bytes_a_weight(kind: str, card=CARD, read: bool = False, **settings) -> float:
    """From networks of two sizes, so that what does not grow with the weights falls out."""
    make, shape = LAYERS[kind]
    found = []
    for n in (4, 12):
        model = to_crossbar(nn.Sequential(make(n)), card, **settings)
        if read:
            inputs = torch.rand(shape[0], shape[1] * n, *shape[2:])
            model(inputs)
        found.append((held_bytes(model), count_crossbar_weights(model)))
    (small, few), (large, many) = found
    return (large - small) / (many - few)


@pytest.mark.parametrize("cells", READS)
@pytest.mark.parametrize("kind", LAYERS)
def test_tiles_that_read_only_hold_their_devices_and_no_accumulator(kind, cells):
    """Also after a read: what is read is not held twice."""
    for read in (False, True):
        found = bytes_a_weight(kind, recipe=None, cells=cells, read=read)
        assert found == pytest.approx(READS[cells], abs=0.05)


@pytest.mark.parametrize("cells", READS)
def test_training_adds_one_number_a_weight_and_tiki_taka_a_second_array(cells):
    for recipe in ("mixed_precision", "sgd"):
        found = bytes_a_weight("linear", recipe=recipe, cells=cells)
        assert found == pytest.approx(READS[cells] + 4, abs=0.05)
    found = bytes_a_weight("linear", recipe="tiki_taka_v2", cells=cells)
    chopper = 4 / 32  # a sign for every column of 32 devices
    assert found == pytest.approx(2 * (READS[cells] + 4) + chopper, abs=0.05)


def test_steps_of_the_devices_own_are_one_number_more():
    card = load_card(CARD).with_spread(step_d2d=0.1)
    assert bytes_a_weight("linear", card, recipe=None) == pytest.approx(READS["single"] + 4)


@pytest.mark.parametrize("cells", READS)
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 5, 5)),
        (lambda: nn.Conv2d(4, 6, 3), (2, 4, 5, 5)),
        (lambda: nn.Linear(600, 3), (2, 600)),
        (lambda: nn.LSTM(5, 4), (3, 2, 5)),
    ],
    ids=["grouped", "conv", "large", "LSTM"],
)
def test_an_optimizer_of_tiles_that_read_only_says_so_in_one_line(make, shape, cells):
    with warnings.catch_warnings(action="error"):
        model = to_crossbar(nn.Sequential(make()), CARD, recipe=None, cells=cells)
    optimizer = AnalogSGD(model.parameters(), lr=0.1)
    out = model(torch.rand(shape))
    (out[0] if isinstance(out, tuple) else out).sum().backward()
    with pytest.raises(InputError, match="without a recipe reads only and takes no up") as caught:
        optimizer.step()
    assert "\n" not in str(caught.value)
