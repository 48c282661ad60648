"""What stored runs of the first version call otherwise, so that they are found and compared."""

from __future__ import annotations

DATA = "fashion_mnist"
"""The images: there were no others, and no name."""

MEMRISTOR = "tile"
"""Name of `crossbar=memristor`."""

UPDATE = {
    "granularity": 0.0,
    "desired_bl": 31,
    "chunks": 8,
    "momentum": 0.0,
    "fast_pulses": 10.0,
    "fast_lr": 1.0,
    "transfer_every": 1,
    "reads_per_transfer": 0,
    "transfer_lr": 0.2,
    "buffer_momentum": 0.1,
    "chop_probability": 0.1,
}
"""Settings of all recipes: each run was stored with all of them, at these values mostly."""
