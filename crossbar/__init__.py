"""Field-tunable memristor cards on analog crossbars: aihwkit devices, EM activation, networks.

Rows of the ledger (M1, C10, 3.2) are on the page `device_models/cards/lsmo_pvdf_co.md`.
"""

from crossbar.compat import check_install

check_install()  # before anything that needs aihwkit, so that a wrong torch is named as such

from crossbar.activation import EMActivation, replace_activations
from crossbar.conversion import crossbar_layers, to_crossbar
from crossbar.device import CardDevice, LSMOPVDFCoPresetDevice, pulsed_device
from crossbar.finite import NonFiniteError
from crossbar.nodes.follow import Follow, followed
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
    "ZeroChoice",
    "__version__",
    "crossbar_layers",
    "followed",
    "pulsed_device",
    "recommended_zero",
    "replace_activations",
    "rpu_config",
    "to_crossbar",
    "weight_scale",
    "zero_of_weight",
]
