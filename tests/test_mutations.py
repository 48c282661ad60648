"""Damaged and hostile files: fine or one line that names the file, and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from mutations import BYTEWISE, STRUCTURAL, check_mutations, mutated
from test_settings import AIHWKIT, EM

from device_models import CardError, PulseDataError, fit_card, load_card, read_pulses
from device_models.card import BRANCHES
from device_models.curves import LAWS
from device_models.pulses import PulseData, Segment
from experiments.training.settings import SettingsError, read_settings


def use_card(path: Path) -> None:
    """Read a card and ask it what its users ask."""
    card = load_card(path)
    assert len(card.sha256) == 64
    middle = (card.fields_G[0] + card.fields_G[-1]) / 2
    for field_G in (card.fields_G[0], middle):
        low, high = card.conductance_range(field_G)
        assert low < high
        for branch in BRANCHES:
            law = card.law(branch, field_G)
            assert np.isfinite(law(np.linspace(0, card.n_pulses, 20))).all()
    if card.uncertainty is not None:
        assert card.uncertainty.standard_errors().shape == (len(card.parameters),)


@pytest.fixture(scope="module")
def fitted() -> dict[str, bytes]:
    """Small cards of every law, with covariances."""
    n = np.arange(30.0)
    noise = 0.02 * np.random.default_rng(0).standard_normal((2, 30))
    rise, fall = 2 - np.exp(-n / 8) + noise[0], 1 + np.exp(-n / 6) + noise[1]
    segments = (Segment("LTP", n, rise), Segment("LTD", n, fall))
    data = PulseData("conductance", "1", segments, "synthetic", "")
    laws = (
        *("exponential_mixture_2", "power_law", "log_step", "logistic", "stretched_exponential"),
        *("monotone_spline_8", "geometric_exponential", "geometric_logistic", "geometric_spline_4"),
    )
    cards = [fit_card(data, law=law, bootstrap=0).card for law in laws]
    assert {curve.law.name for card in cards for curve in card.curves} == set(LAWS)
    return {law: card.to_json() for law, card in zip(laws, cards, strict=True)}


def test_mutated_cards(card, fitted, tmp_path):
    seeds = [card.to_json(), *fitted.values()]
    files = (mutated(seeds[k % 5], k, (*STRUCTURAL, *BYTEWISE)) for k in range(260))
    outcomes = check_mutations(files, tmp_path, "card.json", use_card, (CardError,))
    assert outcomes["refused"] > 100
    assert outcomes["fine"] > 10


def use_settings(path: Path) -> None:
    """The configuration of a run as a launcher or a hand-edited file gives it."""
    try:
        read_settings(json.loads(path.read_bytes()))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def test_mutated_settings(tmp_path):
    """Only those that are no JSON any more are left out: they never become a configuration."""
    seeds = [json.dumps(whole, indent=1).encode() for whole in (EM, AIHWKIT)]
    files = (mutated(seeds[k % 2], k, STRUCTURAL) for k in range(400))
    readable = [content for content in files if is_json(content)]
    outcomes = check_mutations(readable, tmp_path, "config", use_settings, (SettingsError,))
    assert outcomes["refused"] > 200
    assert outcomes["fine"] > 10


def is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


def text_files() -> dict[str, bytes]:
    """A measurement in the ways laboratories write it."""
    n = np.arange(25)
    rise, fall = 10 - 8 * np.exp(-n / 8), 2 + 8 * np.exp(-n / 6)
    rows = [(b, i, v) for b, y in zip(BRANCHES, (rise, fall), strict=True) for i, v in enumerate(y)]
    lines = "\n".join(f"{b},{i},{v:.4f},150" for b, i, v in rows)
    wide = "\n".join(f"{a:.4f}\t{b:.4f}" for a, b in zip(rise, fall, strict=True))
    trace = "\n".join(f"{v:.5e}" for v in 1e5 / np.concatenate([rise, fall[1:]] * 3))
    german = "\n".join(f"{b};{i};{v:.4f}" for b, i, v in rows).replace(".", ",")
    return {
        "long": f"branch,pulse,G (uS),field (G)\n{lines}\n".encode(),
        "wide": f"LTP (uS)\tLTD (uS)\n{wide}\n".encode(),
        "trace": f"# Keithley 2636B, V_read = 0.1 V\nR (Ohm)\n{trace}\n".encode(),
        "german": f"Zweig;Puls;G (µS)\n{german}\n".replace("Zweig", "branch").encode("cp1252"),
    }


def test_mutated_text_files(tmp_path):
    seeds = list(text_files().values())
    files = (mutated(seeds[k % 4], k, BYTEWISE) for k in range(120))
    outcomes = check_mutations(files, tmp_path, "data.csv", read_pulses, (PulseDataError,))
    assert outcomes["refused"] > 20
    assert outcomes["fine"] > 20


def workbooks() -> Iterator[bytes]:
    """Workbooks broken as files, and in one of their parts behind the checksums."""
    book = openpyxl.Workbook()
    for line in text_files()["long"].decode().splitlines():
        book.active.append([float(c) if c[0].isdigit() else c for c in line.split(",")])
    stored = io.BytesIO()
    book.save(stored)
    parts = zipfile.ZipFile(stored).namelist()
    for k in range(40):
        if k % 2:
            yield mutated(stored.getvalue(), k, BYTEWISE)
        else:
            yield with_part(stored.getvalue(), parts[k // 2 % len(parts)], k)


def with_part(book: bytes, name: str, seed: int) -> bytes:
    """The workbook with one part mutated and every checksum right."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(written, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            new.writestr(part, mutated(content, seed, BYTEWISE) if part == name else content)
    return written.getvalue()


def test_mutated_workbooks(tmp_path):
    outcomes = check_mutations(workbooks(), tmp_path, "data.xlsx", read_pulses, (PulseDataError,))
    assert outcomes["refused"] > 10
