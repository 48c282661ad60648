"""Stored runs as records for tables and figures: read once, checked, or left out with a reason.

The only place that decides what becomes of a damaged run. What comes out of it can be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_models.plain_text import message
from experiments.runs.first_version import DATA, MEMRISTOR, UPDATE
from experiments.runs.result import Result, check_history, check_result
from experiments.runs.store import Run, StoreError, list_runs

NOT_COMPARED = ("store", "resume", "overwrite", "seed")
"""Settings that two seeds of one thing may differ in."""

WHERE_IMAGES_ARE = tuple(f"data.{key}" for key in ("folder", "file", "cache", "download", "verify"))
"""What does not matter where the content of the images is known."""


@dataclass(frozen=True)
class StoredRun:
    """One run: its result, what it was computed with but for the seed, and its epochs."""

    folder: Path
    result: Result
    settings: dict[str, str]
    card_path: str | None
    history: list[dict[str, float]]
    content: dict[str, Any]


def read_runs(store: Path) -> tuple[list[StoredRun], list[str]]:
    """Runs of the store that have trained an epoch, and a line for each one that is left out."""
    runs: dict[tuple[Any, ...], StoredRun] = {}
    left_out: list[str] = []
    for run in list_runs(store):
        try:
            stored = _read(run)
            if stored is not None:
                twin = runs.setdefault(_identity(stored), stored)
                if twin is not stored:
                    raise StoreError(f"the same run as {twin.folder}")
        except StoreError as error:
            reason = str(error).removeprefix(f"{run.folder}/")
            left_out.append(message(f"{run.folder}: {reason}", limit=500))
    return list(runs.values()), left_out


def _read(run: Run) -> StoredRun | None:
    """The record of `run`, None where it has no epoch yet. Raises StoreError."""
    content = run.result() or {}
    if content.get("epochs") == 0 and content["epochs"] is not False:
        return None
    try:
        result = check_result(content)
    except ValueError as error:
        raise StoreError(f"result.json: {error}") from None
    config = run.config()
    device = config.get("device")
    card_path = device.get("card") if isinstance(device, dict) else None
    return StoredRun(
        run.folder,
        result,
        _settings(config, result),
        card_path if isinstance(card_path, str) else None,
        _history(run, result.epochs),
        content,
    )


def _history(run: Run, epochs: int) -> list[dict[str, float]]:
    """The first `epochs` rows: a run stopped between two files may have one more."""
    rows = run.history()[:epochs]
    if len(rows) < epochs:
        raise StoreError(f"history.csv: {len(rows)} epochs, result.json has {epochs}")
    try:
        check_history(rows)
    except ValueError as error:
        raise StoreError(f"history.csv: {error}") from None
    return rows


def _settings(config: Mapping[str, Any], result: Result) -> dict[str, str]:
    """What the run was computed with, as texts by dotted key; the card counts by its content."""
    settings = dict(_flat(config, ""))
    for key in NOT_COMPARED:
        settings.pop(key, None)
    if settings.get("data.verify") == "true":  # the published images, wherever they were found
        _drop(settings, WHERE_IMAGES_ARE)
    elif result.images_sha256:
        _drop(settings, WHERE_IMAGES_ARE)
        settings["data.images"] = result.images_sha256[:8]
    if result.source_sha256:  # a network of the user's own counts by its file
        settings["model.source"] = result.source_sha256[:8]
    _name_as_today(settings)
    settings.pop("device.card", None)
    if result.uses_card:
        settings["device.card"] = f"{result.card}@{result.card_sha256[:8]}"
    if result.provenance.threads:
        settings["threads"] = str(result.provenance.threads)
    if settings.get("accelerator") == "auto":
        settings["accelerator"] = "cuda" if result.provenance.cuda else "cpu"
    return settings


def _name_as_today(settings: dict[str, str]) -> None:
    """Names of today, without what was never read and recipes' settings that always stood so."""
    settings.setdefault("data.name", DATA)
    if settings.get("optimizer.name") == "adam":
        settings.pop("optimizer.momentum", None)
    if settings.get("crossbar.name") == MEMRISTOR:
        settings["crossbar.name"] = "memristor"
    for key, value in UPDATE.items():
        if settings.get(f"crossbar.update.{key}") == _text(value):
            del settings[f"crossbar.update.{key}"]


def _drop(settings: dict[str, str], keys: Iterable[str]) -> None:
    for key in keys:
        settings.pop(key, None)


def _flat(value: Mapping[Any, Any], place: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = f"{place}.{key}" if place else str(key)
        if isinstance(item, Mapping) and item:
            yield from _flat(item, name)
        else:
            yield name, _text(item)


def _text(value: Any) -> str:
    """A value as it is written on the command line, equal for equal values."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(_text(item) for item in value)}]"
    if isinstance(value, float):
        return repr(value).removesuffix(".0").replace("e-0", "e-").replace("e+0", "e+")
    return str(value)


def _identity(run: StoredRun) -> tuple[Any, ...]:
    """Two runs that agree in this are one run, copied."""
    result = run.result
    return result.name, result.schedule, result.seed, *sorted(run.settings.items())
