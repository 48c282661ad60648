"""What an optimizer knows of a tile, with the manners of a torch parameter.

aihwkit's optimizers find a tile by its `AnalogContext`, a parameter without a number of its own
that gathers inputs and gradients until `step` makes pulses of them. torch's `requires_grad`,
`zero_grad` and `load_state_dict` do not reach what it gathers; here they do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from aihwkit.optim.context import AnalogContext
from aihwkit.simulator.tiles.module import TileModule
from torch import Tensor
from torch.nn import Parameter, functional

from crossbar.device import CardDevice
from device_models import load_card
from device_models.errors import InputError

PATIENCE = 2
"""Minibatches dropped without a pulse before it is said that no device moves."""

NO_PULSES = (
    "gradients of weights on crossbars were dropped and no device moved: a torch optimizer trains "
    "digital scales and biases only; use aihwkit.optim.AnalogSGD or AnalogAdam"
)
NO_DECAY = (
    "weight_decay acts on digital scales and biases only: the weights on crossbars do not decay; "
    "give the tiles a parameter group of their own with weight_decay=0"
)

OLD_ARRAY = (
    "the stored state is of an older form, in which a layer larger than a tile was several of "
    "them; it is one now: make the network again and train or program it with this version"
)


class Gathered(list[Tensor]):
    """Inputs, or gradients, of the calls of a tile in one minibatch; their rows can be joined.

    Batches of images (n x channels x rows x columns) of different sizes get zeros at their lower
    and right edges: there the gradients are zero, and nothing is added. Vectors (... x in) of
    different leading shapes become rows.
    """

    def __init__(self, tile: Any):
        super().__init__()
        self.tile = tile

    def append(self, tensor: Tensor) -> None:
        super().append(tensor if tensor.dim() > 1 else tensor[None])
        if self[-1].shape[1:] != self[0].shape[1:]:
            images = tensor.dim() == 4 and getattr(self.tile, "window", None) is not None
            self[:] = _padded(self) if images else [t.reshape(-1, t.shape[-1]) for t in self]


class PulseContext(AnalogContext):
    """AnalogContext that a torch parameter's manners hold for.

    - With `requires_grad` False nothing is gathered: no pulse is fired, while reads and gradients
      at the inputs go on.
    - `zero_grad()` drops what was gathered (with `set_to_none=False` it stays).
    - A layer may be called several times before a step, with inputs of any sizes.
    - What would go unheard is said once: an optimizer that fires no pulses, a weight decay.
    """

    def __init__(self, analog_tile: Any, parameter: Parameter | None = None):
        self._stepped, self._dropped = False, 0
        super().__init__(analog_tile, parameter)

    @property
    def analog_input(self) -> list[Tensor]:
        """Inputs of the calls since the last step; a list of nobody's where the tile is frozen."""
        return self._input if self.requires_grad else []

    @analog_input.setter
    def analog_input(self, _: list[Tensor]) -> None:
        self._input = Gathered(self.analog_tile)

    @property
    def analog_grad_output(self) -> list[Tensor]:
        """Gradients at the outputs of the same calls."""
        return self._gradients if self.requires_grad else []

    @analog_grad_output.setter
    def analog_grad_output(self, _: list[Tensor]) -> None:
        self._gradients = Gathered(self.analog_tile)

    @property
    def grad(self) -> Tensor | None:
        """A zero where something was gathered: `zero_grad` sets only what is there to None."""
        return torch.zeros_like(self.data) if self.has_gradient() else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            return
        if self.has_gradient() and not self._stepped:
            self._dropped += 1
            if self._dropped == PATIENCE:
                warnings.warn(NO_PULSES, stacklevel=2)
        super().reset()

    def reset(self, analog_tile: Any = None) -> None:
        """Forget what was gathered: an optimizer made pulses of it, or `analog_tile` is new."""
        if analog_tile is None:
            # The number of a context is 1 and has no gradient: only weight decay changes it.
            if not self._stepped and self.data.item() != 1:
                warnings.warn(NO_DECAY, stacklevel=2)
            self._stepped = True
        super().reset(analog_tile)

    def __deepcopy__(self, memo: Any) -> Parameter:
        """The tile that is copied makes a context of its own; only `requires_grad` is handed on."""
        return Parameter(self.data.clone(), self.requires_grad)


class KeepsContext(TileModule):
    """Mixin of tiles with a `PulseContext` that stays through `load_state_dict`.

    A state of another card or field is refused, an optimizer made before goes on.
    """

    def __init__(self, *arguments: Any, **named_arguments: Any):
        super().__init__(*arguments, **named_arguments)
        self.analog_ctx = PulseContext(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        living = self.__dict__.get("_parameters", {}).get("analog_ctx")
        copied = state.get("_parameters", {}).get("analog_ctx")
        super().__setstate__(state)
        context = PulseContext(self) if living is None else living
        context.data = torch.ones_like(self.analog_ctx.data)
        context.reset(self)
        if living is None and copied is not None:
            context.requires_grad_(copied.requires_grad)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        stored = state_dict.get(self.get_analog_state_name(prefix), {}).get("rpu_config")
        if stored is not None:
            _check_same_device(prefix.rstrip("."), stored, self.rpu_config)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self.analog_ctx.data.fill_(1.0)

    def read_weights(
        self, apply_weight_scaling: bool = True, **settings: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Weights (out x in) and bias as reads of the crossbar show them, scales included.

        aihwkit leaves the scales out by default, `get_weights` does not.
        """
        return super().read_weights(apply_weight_scaling, **settings)


def check_one_tile(name: str, keys: Iterable[str]) -> None:
    """Raise InputError where the `keys` of a stored state are of several tiles of layer `name`."""
    start = f"{name}.array." if name else "array."
    if any(key.startswith(start) for key in keys):
        raise InputError(f"{name or 'the tile'}: {OLD_ARRAY}")


def _card_device(rpu_config: Any) -> CardDevice | None:
    """The device made of a card in a configuration; None where there is none."""
    device = getattr(rpu_config, "device", None)
    device = getattr(device, "device", device)
    device = next(iter(getattr(device, "unit_cell_devices", [device])), None)
    return device if isinstance(device, CardDevice) else None


def _check_same_device(name: str, stored: Any, own: Any) -> None:
    stored_device, own_device = _card_device(stored), _card_device(own)
    if stored_device is None or own_device is None:
        return
    theirs, ours = _description(stored_device), _description(own_device)
    if theirs != ours:
        raise InputError(f"{name}: the state is of {theirs}, the tile of {ours}")


def _description(device: CardDevice) -> str:
    card = load_card(device.card)
    return f"card {card.name} ({card.sha256[:8]}) at {device.field_G:g} G with zero={device.zero}"


def _padded(images: list[Tensor]) -> list[Tensor]:
    rows, columns = (max(i.shape[axis] for i in images) for axis in (2, 3))
    return [functional.pad(i, (0, columns - i.shape[3], 0, rows - i.shape[2])) for i in images]
