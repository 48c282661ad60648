"""A card as the source of an aihwkit preset, for scripts that know nothing of this project."""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossbar.device import CardDevice, pulsed_device
from device_models import DeviceCard, load_card
from device_models.errors import InputError
from device_models.plain_text import one_line

MAX_NAME = 60
"""Longest part of a class name that a card's name gives."""

STANDS_STILL = 1e-9
"""Steps below this share of the granularity move nothing."""

PARAMETERS = (
    ("w_min", "w_max", "dw_min"),
    ("dw_min_std", "write_noise_std"),
    ("dw_min_dtod", "up_down_dtod", "w_min_dtod", "w_max_dtod"),
)
STEPS = ("piecewise_up", "piecewise_down")

_TEMPLATE = """\
{module_doc}

# Keep `from __future__ import annotations` out of this file: aihwkit reads the field types.

from dataclasses import dataclass, field

from aihwkit.simulator.configs.devices import PiecewiseStepDevice


@dataclass
class {name}(PiecewiseStepDevice):
{class_doc}

{body}
"""


def class_name(card: DeviceCard, field_G: float) -> str:
    """Name of the preset's class, `LsmoPvdfCo150GPresetDevice`: an identifier for any card."""
    ascii_name = unicodedata.normalize("NFKD", card.name).encode("ascii", "ignore").decode()
    words = re.findall("[A-Za-z0-9]+", ascii_name)
    name = "".join(word[0].upper() + word[1:] for word in words)[:MAX_NAME]
    if not name or name[0].isdigit():
        name = f"Card{name}"
    field = f"{field_G:g}".replace("-", "Minus").replace("+", "").replace(".", "p")
    return f"{name}{field}GPresetDevice"


def preset_source(
    card: str | Path | DeviceCard, field_G: float = 0.0, zero: str = "symmetry_point"
) -> str:
    """Text of a Python file with one device class, equal to `pulsed_device(card, field_G)`.

    The file imports aihwkit and dataclasses only; the card's texts appear in docstrings alone and
    cannot leave them. `zero` as in `crossbar.scale.weight_scale`. Raises InputError for a field
    outside the card's range, and where a pulse at the weight 0 moves nothing, CardError for a bad
    card.
    """
    card = load_card(card)
    device = pulsed_device(card, field_G, zero=zero)
    _check_finite(card, device)
    name = class_name(card, field_G)
    return _TEMPLATE.format(
        name=name,
        module_doc=_docstring([f"{name}: an aihwkit device made from a device card."], ""),
        class_doc=_docstring(_paragraphs(card, device), "    "),
        body="\n\n".join(
            [
                *(_scalars(device, group) for group in PARAMETERS),
                *(_steps(device, s) for s in STEPS),
            ]
        ),
    )


def _paragraphs(card: DeviceCard, device: CardDevice) -> list[str]:
    """What the docstring says, title first."""
    scale, unit = device.scale, card.conductance_unit
    unit = f" {unit}" if unit != "1" else " (arbitrary units)"
    return [
        one_line(card.title) or one_line(card.name) or "Device without a title.",
        f"Kind: {card.kind}. {one_line(card.caveat)}".strip(),
        f"Magnetic field: {device.field_G:g} G. The weight 0 is the conductance "
        f"{scale.zero:.6g}{unit}, the weight 1 is {scale.half_range:.6g}{unit} above it.",
        f"Pulses: {card.conditions.words() or 'not stated'}.",
        f"Card {one_line(card.name)}, sha256 {card.sha256}.",
    ]


def _docstring(paragraphs: Sequence[str], indent: str) -> str:
    """Paragraphs as the literal of a docstring; backslashes and quotes are escaped."""
    wrapped = (
        textwrap.fill(
            p,
            92,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for p in paragraphs
    )
    text = "\n\n".join(wrapped).replace("\\", "\\\\").replace('"', '\\"')
    end = "\n" + indent if len(paragraphs) > 1 else ""
    return f'{indent}"""{text.removeprefix(indent)}{end}"""'


def _scalars(device: CardDevice, names: Sequence[str]) -> str:
    return "\n".join(f"    {name}: float = {float(getattr(device, name))!r}" for name in names)


def _steps(device: CardDevice, name: str) -> str:
    """A list of steps as a dataclass field, four a line."""
    numbers = [f"{float(value)!r}," for value in getattr(device, name)]
    rows = (" ".join(numbers[i : i + 4]) for i in range(0, len(numbers), 4))
    lines = "\n".join(f"            {row}" for row in rows)
    return (
        f"    {name}: list[float] = field(\n        default_factory=lambda: [\n"
        f"{lines}\n        ]\n    )"
    )


def _check_finite(card: DeviceCard, device: CardDevice) -> None:
    numbers = [float(getattr(device, name)) for group in PARAMETERS for name in group]
    numbers += [v for name in STEPS for v in getattr(device, name)]
    if not all(map(math.isfinite, numbers)) or _moved_at_zero(device) <= STANDS_STILL:
        raise InputError(
            f"card {card.name!r:.80}: at {device.field_G:g} G pulses do not move the weight 0 "
            f"(zero={device.zero!r}); choose another zero"
        )


def _moved_at_zero(device: CardDevice) -> float:
    """What an up and a down pulse move the weight 0, in units of `dw_min`."""
    nodes = np.linspace(device.w_min, device.w_max, len(device.piecewise_up))
    return float(sum(np.interp(0, nodes, getattr(device, name)) for name in STEPS))
