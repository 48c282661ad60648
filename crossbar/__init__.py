"""Field-tunable memristor cards on analog crossbars: aihwkit devices, EM activation, networks."""

from crossbar.device import CardDevice, LSMOPVDFCoPresetDevice, pulsed_device, weight_scale

__all__ = ["CardDevice", "LSMOPVDFCoPresetDevice", "pulsed_device", "weight_scale"]
