"""Ratios that are aimed at, row over row of one benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Aim:
    """A ratio that is aimed at: `row` over `base` of one benchmark; `speed` turns it round."""

    text: str
    benchmark: str
    row: str
    base: str
    target: float
    speed: bool = False


AIMS = (
    Aim("EM activation, 16 curves, to ReLU", "activation", "EM, 16 curves", "ReLU", 3.0),
    Aim(
        "the plain torch formula to it",
        "activation",
        "EM, 16 curves, exact form",
        "EM, 16 curves",
        50.0,
        speed=True,
    ),
    Aim("32 curves to 2 curves", "activation", "EM, 32 curves", "EM, 2 curves", 1.05),
    Aim("training step of SET2 to Baseline", "epoch", "SET2, 16 curves", "Baseline (ReLU)", 1.15),
    Aim(
        "aihwkit's C++ tile to the memristor tile",
        "crossbar",
        "aihwkit tile, ReLU",
        "memristor tile, ReLU",
        4.0,
        speed=True,
    ),
    Aim(
        "memristor tile to digital weights",
        "crossbar",
        "memristor tile, ReLU",
        "digital, ReLU",
        2.0,
    ),
    Aim(
        "the same with SET2's activation",
        "crossbar",
        "memristor tile, SET2",
        "digital, SET2",
        2.0,
    ),
    Aim(
        "plain DataLoader loop to ours, batch 16",
        "loop",
        "plain DataLoader loop",
        "our loop",
        3.0,
        speed=True,
    ),
    Aim(
        "MLP of 1024 x 1024 layers on memristor tiles to digital, one thread",
        "mlp",
        "memristor tile",
        "digital",
        1.8,
    ),
    Aim(
        "the same on pairs to single devices", "mlp", "memristor tile, pairs", "memristor tile", 1.5
    ),
    Aim("aihwkit's C++ tile to it", "mlp", "aihwkit tile", "memristor tile", 2.0, speed=True),
    Aim(
        "ResNet-18 on memristor tiles to digital, one thread",
        "resnet18",
        "memristor tile",
        "digital",
        2.0,
    ),
    Aim(
        "paper CNN carried to 150 G to the field of its devices",
        "field",
        "memristor tile carried to 150 G",
        "memristor tile",
        1.1,
    ),
    Aim("paper CNN on pairs to it", "field", "memristor tile, pairs", "memristor tile", 1.5),
    Aim(
        "aihwkit's fit to ours with intervals",
        "fit",
        "aihwkit fit_measurements",
        "fit_card, all laws",
        1.0,
        speed=True,
    ),
)
