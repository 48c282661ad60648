"""From a card to its JSON, in the schema the card has."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from device_models.card.field import HISTORY, LAYER_KEYS, TwoLayers
from device_models.card.spread import COVARIANCES, Uncertainty
from device_models.curves import Law

if TYPE_CHECKING:
    from device_models.card.curve import Curve
    from device_models.card.model import DeviceCard

SCHEMA = "fieldcrossbar.device_card"
NUMBERS = re.compile(r"\[\n\s*(-?\d[-\d.eE+,\s]*)\]")
"""A list of numbers over several lines; texts hold no line end in JSON and stay as they are."""


def card_to_dict(card: DeviceCard) -> dict[str, Any]:
    """The card as the JSON object that is stored; one of schema 1 as it was read."""
    old = card.schema_version == 1
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": card.schema_version,
        "name": card.name,
        "title": card.title,
        "kind": card.kind,
        "caveat": card.caveat,
        "source": dict(card.source),
        "conditions": card.conditions.to_schema_1() if old else card.conditions.to_dict(),
        "quantity": card.quantity,
        "unit": card.unit,
        "n_pulses": card.n_pulses,
        "spread": card.spread.to_dict(),
    }
    if not old:
        content["field_model"] = _layers(card.layers) if card.layers else _table(card)
    content["curves"] = [_curve(c, card.unit) for c in card.curves]
    if card.uncertainty is not None:
        content["uncertainty"] = _uncertainty(card.uncertainty)
    return content


def to_json(content: dict[str, Any]) -> bytes:
    """Content of a card's file, UTF-8."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Halves of surrogate pairs, as in names of files, have no UTF-8 but an escape in JSON.
    return NUMBERS.sub(_on_one_line, text).encode("utf-8", "backslashreplace")


def key_of(form: type[Law], name: str, unit: str) -> str:
    """Key of a law's parameter in a card: the unit stands at its end, `offset_ohm`, `offset_S`."""
    return f"{name}_{unit}" if name in form.in_unit and unit != "1" else name


def _layers(layers: TwoLayers) -> dict[str, Any]:
    content = {
        "kind": layers.kind,
        "history": HISTORY,
        **{key: getattr(layers, key) for key in LAYER_KEYS},
        "range_G": list(layers.range_G),
        "fields_G": list(layers.fields_G),
    }
    if layers.standard_errors_G is not None:
        errors = zip(LAYER_KEYS, layers.standard_errors_G, strict=True)
        content["standard_errors_G"] = dict(errors)
    return content


def _table(card: DeviceCard) -> dict[str, Any]:
    error = card.interpolation_error
    return {
        "kind": card.field_model.kind,
        "interpolation": "linear in conductance",
        "interpolation_error_over_range": None if error is None else float(f"{error:.4g}"),
    }


def _curve(curve: Curve, unit: str) -> dict[str, Any]:
    of = {"field_G": curve.field_G} if curve.alignment is None else {"alignment": curve.alignment}
    last = {} if curve.n_pulses is None else {"n_pulses": curve.n_pulses}
    law = {"law": curve.law.name, **_law(curve.law, unit)}
    return {"branch": curve.branch, **of, **law, **last, "fit": dict(curve.fit)}


def _law(law: Law, unit: str) -> dict[str, Any]:
    values = {f.name: getattr(law, f.name) for f in fields(law)}  # type: ignore[arg-type]
    return {
        key_of(type(law), name, unit): list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _uncertainty(uncertainty: Uncertainty) -> dict[str, Any]:
    """Names, and lower triangles: the matrices are symmetric, and large for many fields."""
    return {
        "parameters": list(uncertainty.parameters),
        **{
            f"{name}_covariance": [list(row[: i + 1]) for i, row in enumerate(matrix)]
            for name in COVARIANCES
            if (matrix := getattr(uncertainty, name)) is not None
        },
    }


def _on_one_line(numbers: re.Match[str]) -> str:
    """A JSON list of numbers that was spread over many lines."""
    return f"[{', '.join(numbers[1].replace(',', ' ').split())}]"
