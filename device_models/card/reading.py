"""From the JSON object of a card to the card: strict, whoever wrote it."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any, get_type_hints

import numpy as np

from device_models.card.checks import check_complete, check_shape
from device_models.card.conditions import conditions_of_schema_1, conditions_of_schema_2
from device_models.card.curve import ALIGNMENTS, BRANCHES, Curve
from device_models.card.errors import CardError
from device_models.card.field import HISTORY, LAYER_KEYS, FieldTable, TwoLayers
from device_models.card.lookup import Lookup
from device_models.card.model import KINDS, SCHEMA, SCHEMA_VERSION, UNITS, DeviceCard
from device_models.card.spread import COVARIANCES, MAX_SPREAD, MAY_BE_UNKNOWN, Spread, Uncertainty
from device_models.card.writing import key_of
from device_models.curves import LAWS, Law

MAX_CARD_BYTES = 8 * 2**20
MAX_CURVES = 1024
FIELD_MODELS = (TwoLayers.kind, FieldTable.kind)


def card_from_dict(content: Any, path: str = "") -> DeviceCard:
    """Checked card from its JSON object; CardError names the key and what was expected."""
    top = Lookup(content, "card")
    if top.text("schema") != SCHEMA:
        raise CardError(f"schema must be {SCHEMA!r}, got {top.text('schema')!r}")
    version = top.integer("schema_version", 1)
    if version > SCHEMA_VERSION:
        raise CardError(f"schema_version {version} is newer than this program ({SCHEMA_VERSION})")
    quantity = top.choice("quantity", tuple(UNITS))
    unit = top.choice("unit", UNITS[quantity])
    n_pulses = top.integer("n_pulses", 2, 10_000_000)
    layers = _layers(top) if version > 1 else None
    curves = tuple(
        _curve(Lookup(c, f"curves[{i}]"), unit, n_pulses, aligned=layers is not None)
        for i, c in enumerate(_curve_list(top))
    )
    stated = top.mapping("conditions")
    card = DeviceCard(
        name=top.text("name"),
        title=top.text("title"),
        kind=top.choice("kind", KINDS),
        caveat=top.text("caveat"),
        quantity=quantity,
        unit=unit,
        n_pulses=n_pulses,
        curves=curves,
        spread=_spread(Lookup(top.value("spread"), "spread")),
        conditions=(conditions_of_schema_2 if version > 1 else conditions_of_schema_1)(stated),
        source=top.mapping("source"),
        path=path,
        layers=layers,
        schema_version=version,
    )
    check_complete(card)
    check_shape(card)
    if "uncertainty" in top:
        card = replace(card, uncertainty=_uncertainty(top, card.parameters))
    return card


def _layers(top: Lookup) -> TwoLayers | None:
    """The magnetic layers, None for a table of fields."""
    reader = Lookup(top.value("field_model"), "field_model")
    if reader.choice("kind", FIELD_MODELS) == FieldTable.kind:
        return None
    reader.choice("history", (HISTORY,))
    low, high = reader.numbers("range_G", 2, 2)
    errors = None
    if "standard_errors_G" in reader:
        stated = Lookup(reader.value("standard_errors_G"), "field_model.standard_errors_G")
        errors = tuple(stated.number(key, 0.0) for key in LAYER_KEYS)
    return TwoLayers(
        **{key: reader.number(key) for key in LAYER_KEYS},
        range_G=(low, high),
        fields_G=reader.numbers("fields_G", 1, MAX_CURVES // 2),
        standard_errors_G=errors,
    )


def _spread(reader: Lookup) -> Spread:
    return Spread(
        step_c2c=reader.number("step_c2c", 0.0, MAX_SPREAD),
        write_noise=reader.number("write_noise", 0.0, MAX_SPREAD, default=0.0),
        step_d2d=reader.number("step_d2d", 0.0, MAX_SPREAD),
        range_d2d=reader.number("range_d2d", 0.0, MAX_SPREAD),
        note=reader.text("note"),
        **{name: reader.number(name) for name in MAY_BE_UNKNOWN if name in reader},
    )


def _curve_list(top: Lookup) -> list[Any]:
    curves = top.value("curves")
    if not isinstance(curves, list) or not 2 <= len(curves) <= MAX_CURVES:
        raise CardError(f"curves must be a list of 2 to {MAX_CURVES} curves")
    return curves


def _curve(reader: Lookup, unit: str, n_pulses: int, *, aligned: bool) -> Curve:
    form = LAWS[reader.choice("law", tuple(LAWS))]
    return Curve(
        branch=reader.choice("branch", BRANCHES),
        field_G=None if aligned else reader.number("field_G"),
        law=_law(reader, form, unit),
        fit=reader.mapping("fit"),
        n_pulses=reader.number("n_pulses", 1, n_pulses) if "n_pulses" in reader else None,
        alignment=reader.choice("alignment", ALIGNMENTS) if aligned else None,
    )


def _law(reader: Lookup, form: type[Law], unit: str) -> Law:
    parameters = {}
    for name, is_number in _parameters(form):
        key = key_of(form, name, unit)
        parameters[name] = reader.number(key) if is_number else reader.numbers(key)
    try:
        return form(**parameters)
    except ValueError as error:
        raise CardError(f"{reader.where}: {error}") from None


@cache
def _parameters(form: type[Law]) -> tuple[tuple[str, bool], ...]:
    """Names of the parameters of a law, and whether each is one number or a list."""
    hints = get_type_hints(form)
    return tuple((f.name, hints[f.name] is float) for f in fields(form))  # type: ignore[arg-type]


def _uncertainty(top: Lookup, parameters: tuple[str, ...]) -> Uncertainty:
    """Covariances checked against the names of the card's own coordinates."""
    reader = Lookup(top.value("uncertainty"), "uncertainty")
    if reader.value("parameters") != list(parameters):
        raise CardError(
            f"uncertainty.parameters must name the {len(parameters)} coordinates of the card, "
            f"from {parameters[0]!r} to {parameters[-1]!r}"
        )
    matrices = {}
    for name in COVARIANCES:
        key = f"{name}_covariance"
        if key in reader:
            matrix = reader.matrix(key, len(parameters))
            scale = np.sqrt(np.clip(np.diag(matrix), 0, None))
            # An eigenvalue below 0 by rounding is a zero; one by more is no covariance.
            unit = matrix / np.outer(scale, scale).clip(np.finfo(float).tiny)
            if np.linalg.eigvalsh(unit)[0] < -1e-6 * len(parameters):
                raise CardError(f"uncertainty.{key} must be a covariance: no negative eigenvalue")
            matrices[name] = tuple(tuple(float(v) for v in row) for row in matrix)
    return Uncertainty(parameters, matrices.get("fit"), matrices.get("d2d"))
