"""Field-tunable memristor cards on analog crossbars: aihwkit devices, EM activation, networks."""

from crossbar.compat import check_install

check_install()  # before anything that needs aihwkit, so that a wrong torch is named as such

from crossbar.activation import EMActivation, replace_activations
from crossbar.conversion import crossbar_layers, to_crossbar
from crossbar.device import CardDevice, LSMOPVDFCoPresetDevice, pulsed_device
from crossbar.field_map import fields_of, set_draw, set_field, set_nonidealities
from crossbar.finite import NonFiniteError
from crossbar.nodes.follow import Follow, followed
from crossbar.nonideality import Nonideality, StuckCells, WriteNoise
from crossbar.rpu import rpu_config
from crossbar.scale import weight_scale
from crossbar.tile import MemristorRPUConfig, MemristorTile
from crossbar.zero import ZeroChoice, recommended_zero, zero_of_weight
from device_models import __version__

__all__ = [
    "CardDevice",
    "EMActivation",
    "Follow",
    "LSMOPVDFCoPresetDevice",
    "MemristorRPUConfig",
    "MemristorTile",
    "NonFiniteError",
    "Nonideality",
    "StuckCells",
    "WriteNoise",
    "ZeroChoice",
    "__version__",
    "crossbar_layers",
    "fields_of",
    "followed",
    "pulsed_device",
    "recommended_zero",
    "replace_activations",
    "rpu_config",
    "set_draw",
    "set_field",
    "set_nonidealities",
    "to_crossbar",
    "weight_scale",
    "zero_of_weight",
]
