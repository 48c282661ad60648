"""State of a network, aihwkit tiles included, as plain tensors that load without pickle's code.

aihwkit puts whole configuration objects into `state_dict`, so `torch.load(weights_only=True)`
refuses its checkpoints. A network that is restored already has its configuration: only tensors,
numbers and names are kept, and the rest is taken from the network that receives the state.
"""

from __future__ import annotations

from typing import Any

from aihwkit.simulator.tiles.analog import AnalogTile
from aihwkit.simulator.tiles.base import SimulatorTileWrapper
from torch import Tensor, nn

from crossbar.context import check_one_tile
from crossbar.tile import MemristorTile

CONTEXT = "analog_ctx"
PLAIN = (Tensor, int, float, bool, str, type(None))


def plain_state(model: nn.Module) -> dict[str, Any]:
    """`state_dict` of `model` reduced to tensors, numbers, text and containers of these."""
    return {
        key: _plain(value) if isinstance(value, dict) else value.detach().clone()
        for key, value in _stateful(model).items()
    }


def load_plain_state(model: nn.Module, state: dict[str, Any]) -> None:
    """Restore a state made by `plain_state` into an equally built `model`, exactly.

    One thing aihwkit's own tiles do not take back is the digital accumulator (chi) of mixed
    precision: it starts from zero, which loses less than one pulse per weight. Memristor tiles
    take back everything, their random numbers included.

    Raises KeyError or RuntimeError when the state belongs to another network, and InputError,
    which names the layer, for a state of an older form.
    """
    for name, module in model.named_modules():
        if isinstance(module, MemristorTile):
            check_one_tile(name, state)
    own = _stateful(model)
    missing = sorted(set(own) ^ set(state))
    if missing:
        raise KeyError(f"the checkpoint belongs to another network: {missing[0]!r} does not match")
    full = {}
    for key, value in own.items():
        full[key] = state[key] if isinstance(value, Tensor) else {**value, **state[key]}
    contexts = {m: m.analog_ctx for m in model.modules() if isinstance(m, SimulatorTileWrapper)}
    # Not strict: the contexts are left out.
    model.load_state_dict(full, strict=False)
    # aihwkit gives a loaded tile a new context; an optimizer would go on updating the old one.
    for tile, context in contexts.items():
        context.reset(tile)
    _restore_hidden_weights(model, state)


def _restore_hidden_weights(model: nn.Module, state: dict[str, Any]) -> None:
    """Set the hidden parameters once more.

    aihwkit restores them before the weights, and setting the weights clears what the first
    Tiki-Taka device has gathered.
    """
    for name, module in model.named_modules():
        if isinstance(module, AnalogTile):
            hidden = state[f"{name}.analog_tile_state"]["analog_tile_hidden_parameters"]
            module.tile.set_hidden_parameters(hidden)


def _stateful(model: nn.Module) -> dict[str, Any]:
    """`state_dict` without aihwkit's contexts, which hold no state, only uninitialised memory."""
    return {k: v for k, v in model.state_dict().items() if not k.endswith(CONTEXT)}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) for k, v in value.items() if k != CONTEXT and _is_plain(v)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(v) for v in value.values())
    if isinstance(value, list | tuple):
        return all(_is_plain(v) for v in value)
    return isinstance(value, PLAIN)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(v) for v in value]
    return value
