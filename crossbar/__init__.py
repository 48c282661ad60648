"""Field-tunable memristor cards on analog crossbars: aihwkit devices, EM activation, networks.

Names are imported when they are first used: a card or an EM activation needs no aihwkit. Rows of
the ledger (M1, C10, 3.2) are on the page `device_models/cards/lsmo_pvdf_co.md`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import crossbar.compat as _compat

if TYPE_CHECKING:
    from crossbar.activation import EMActivation, replace_activations
    from crossbar.checkpoint import load_plain_state, plain_state
    from crossbar.compat import InstallError
    from crossbar.conversion import count_crossbar_weights, crossbar_layers, to_crossbar
    from crossbar.curves import CardCurves
    from crossbar.device import CardDevice, LSMOPVDFCoPresetDevice, pulsed_device
    from crossbar.effects import set_draw, set_nonidealities
    from crossbar.field_map import fields_of, set_field
    from crossbar.finite import NonFiniteError
    from crossbar.memristor_layers import memristor_layers
    from crossbar.nodes import Follow, followed
    from crossbar.nonideality import Nonideality, StuckCells, WriteNoise
    from crossbar.reads import periphery
    from crossbar.recipes import recipe_settings
    from crossbar.rpu import TILES, rpu_config
    from crossbar.scale import ZEROS, WeightScale, symmetry_point, weight_scale
    from crossbar.tile import MemristorRPUConfig, MemristorTile
    from crossbar.zero import ZeroChoice, recommended_zero, zero_of_weight
    from device_models import __version__

_compat.check_versions()  # a pair that was never tried is tried out before anything needs it

__all__ = [
    "TILES",
    "ZEROS",
    "CardCurves",
    "CardDevice",
    "EMActivation",
    "Follow",
    "InstallError",
    "LSMOPVDFCoPresetDevice",
    "MemristorRPUConfig",
    "MemristorTile",
    "NonFiniteError",
    "Nonideality",
    "StuckCells",
    "WeightScale",
    "WriteNoise",
    "ZeroChoice",
    "__version__",
    "count_crossbar_weights",
    "crossbar_layers",
    "fields_of",
    "followed",
    "load_plain_state",
    "memristor_layers",
    "periphery",
    "plain_state",
    "pulsed_device",
    "recipe_settings",
    "recommended_zero",
    "replace_activations",
    "rpu_config",
    "set_draw",
    "set_field",
    "set_nonidealities",
    "symmetry_point",
    "to_crossbar",
    "weight_scale",
    "zero_of_weight",
]

_WITHOUT_AIHWKIT = {
    "crossbar.activation": ("EMActivation", "replace_activations"),
    "crossbar.compat": ("InstallError",),
    "crossbar.curves": ("CardCurves",),
    "crossbar.finite": ("NonFiniteError",),
    "crossbar.nodes": ("Follow", "followed"),
    "crossbar.nonideality": ("Nonideality", "StuckCells", "WriteNoise"),
    "crossbar.scale": ("ZEROS", "WeightScale", "symmetry_point", "weight_scale"),
    "crossbar.zero": ("ZeroChoice", "recommended_zero", "zero_of_weight"),
    "device_models": ("__version__",),
}
_ON_AIHWKIT = {
    "crossbar.checkpoint": ("load_plain_state", "plain_state"),
    "crossbar.conversion": ("count_crossbar_weights", "crossbar_layers", "to_crossbar"),
    "crossbar.device": ("CardDevice", "LSMOPVDFCoPresetDevice", "pulsed_device"),
    "crossbar.effects": ("set_draw", "set_nonidealities"),
    "crossbar.field_map": ("fields_of", "set_field"),
    "crossbar.memristor_layers": ("memristor_layers",),
    "crossbar.reads": ("periphery",),
    "crossbar.recipes": ("recipe_settings",),
    "crossbar.rpu": ("TILES", "rpu_config"),
    "crossbar.tile": ("MemristorRPUConfig", "MemristorTile"),
}
_HOMES = {
    name: module
    for homes in (_WITHOUT_AIHWKIT, _ON_AIHWKIT)
    for module, names in homes.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use. Raises InstallError where its module cannot be."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name] in _ON_AIHWKIT:
        _compat.check_install()  # so that a wrong torch is named as such
    with _compat.naming_hidden_modules():
        value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
