"""Runs that are seeds of one thing, and what that thing is called in tables and figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from device_models.plain_text import visible
from experiments.command.shown import shortened
from experiments.runs.records import StoredRun

ORDER = (
    *("baseline", "set1", "set2"),
    *("crossbar", "crossbar_tiki_taka", "crossbar_sgd"),
    *("set1_crossbar", "set2_crossbar", "field_programmed"),
)

SHOWN_KEYS, SHOWN_CHARACTERS = 4, 28
"""Of the settings that vary, as many are shown, and of each key and value so much."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed only.

    `difference`: the settings that tell it from the other groups of its variant and schedule, empty
    where there is none. `label`: the shortest name that tells it from all others.
    """

    variant: str
    schedule: str
    difference: str
    label: str
    runs: list[StoredRun]

    @property
    def finished(self) -> bool:
        return all(run.result.status == "finished" for run in self.runs)


def group_runs(runs: list[StoredRun]) -> list[Group]:
    """Groups in the order in which they are shown."""
    by_variant: dict[str, dict[str, list[list[StoredRun]]]] = {}
    for seeds in _same_but_seed(runs):
        result = seeds[0].result
        by_variant.setdefault(result.name, {}).setdefault(result.schedule, []).append(seeds)
    groups: list[Group] = []
    for variant in sorted(by_variant, key=_rank):
        groups += _groups_of(variant, by_variant[variant])
    labels = _numbered([group.label for group in groups])
    return [replace(group, label=label) for group, label in zip(groups, labels, strict=True)]


def _groups_of(variant: str, by_schedule: dict[str, list[list[StoredRun]]]) -> Iterator[Group]:
    """The groups of one variant, each called by no more than tells it from the others."""
    for schedule, members in sorted(by_schedule.items()):
        for difference, seeds in zip(_differences(members), members, strict=True):
            alone = len(by_schedule) == 1 and not difference
            label = variant if alone else f"{variant} {schedule}"
            label += f", {difference}" if difference else ""
            yield Group(visible(variant), visible(schedule), difference, visible(label), seeds)


def _same_but_seed(runs: list[StoredRun]) -> list[list[StoredRun]]:
    """Runs joined by everything but the seed, ordered by it."""
    joined: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[StoredRun]] = {}
    for run in runs:
        settings = tuple(sorted(run.settings.items()))
        joined.setdefault((run.result.name, run.result.schedule, settings), []).append(run)
    return [joined[key] for key in sorted(joined)]


def _differences(members: list[list[StoredRun]]) -> list[str]:
    """For each of `members` the settings in which they differ."""
    settings = [seeds[0].settings for seeds in members]
    keys = list(dict.fromkeys(key for each in settings for key in each))
    varying = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    return _numbered([_shown(each, varying) for each in settings])


def _numbered(texts: list[str]) -> list[str]:
    """`texts`, those that are equal told apart by a number."""
    return [
        text if texts.count(text) == 1 else f"{text} (#{texts[:i].count(text) + 1})"
        for i, text in enumerate(texts)
    ]


def _shown(settings: dict[str, str], keys: list[str]) -> str:
    shown = [_setting(key, settings.get(key, "unset")) for key in keys[:SHOWN_KEYS]]
    if len(keys) > SHOWN_KEYS:
        shown.append(f"… {len(keys) - SHOWN_KEYS} more")
    return ", ".join(shown)


def _setting(key: str, value: str) -> str:
    key, value = visible(key), visible(value)
    return f"{shortened(key, SHOWN_CHARACTERS)}={shortened(value, SHOWN_CHARACTERS)}"


def _rank(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER)), name
