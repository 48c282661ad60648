"""What the code cites from the paper ships with the card: every id, followed to its row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.paper.statements import STATEMENTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "device_models" / "cards" / "lsmo_pvdf_co.md"

ROOMS = ("device_models", "crossbar", "experiments", "conf", "tests", "README.md", "CHANGELOG.md")
SUFFIXES = {".py", ".md", ".yaml", ".json"}

NOT_CITING = (
    *("device_models/pulses/", "experiments/results/", "tests/cases/", "tests/test_ledger.py"),
    *(f"tests/test_{name}.py" for name in ("pulses", "roles", "cuts", "spoken", "bands")),
    "tests/test_rows_as_traces.py",
)
"""Starts of paths where such words are headings of measurements, not rows of the ledger."""

ID = re.compile(r"(?<![\w.#/-])(?:[GEMNCQX][0-9]{1,2}|S[0-9]{1,2}[a-c]?|B[01]|N8[ab])\b(?!')")
ROW_OF_SECTION = re.compile(r"\bsection (\d), row (\d)")
SECTION = re.compile(r"\b(?:[Ll]edger(?: sections?)?|section) (\d(?:\.\d|[a-f])?)")
SECOND = re.compile(r"\b[Ll]edger \d\S* (?:to|and) (\d(?:\.\d|[a-f])?)")
LINE_OF_THE_TEXT = re.compile(r"(?<![\w.])L[0-9]{2,3}\b(?!\()")

TAGS = {"T": "stated", "D": "derived", "A": "assumed"}


def cited(text: str) -> set[str]:
    """Ids of rows and sections that `text` cites."""
    sections = {*SECTION.findall(text), *SECOND.findall(text)}
    return {*ID.findall(text), *sections, *map(".".join, ROW_OF_SECTION.findall(text))}


def rows() -> Iterator[tuple[str, str]]:
    """(id, status) of every row of the page; the ids of a shared row are apart by dots."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| ") and len(cells) > 2:
            yield from ((name.strip(), cells[-1]) for name in cells[0].split(" · "))


def on_the_page() -> set[str]:
    """Everything that may be cited: ids, figures, sections and rows of sections."""
    names = {name for name, _ in rows()}
    words = {word for name in names for word in re.findall(r"[A-Z]\d+[a-c]?|\d\.\d", name)}
    headings = re.findall(r"^#+ (\d[a-f]?) ", PAGE.read_text(), re.MULTILINE)
    return names | words | set(headings)


def citing_files() -> list[Path]:
    """Files of the repository that may cite the ledger."""
    paths = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*")) or [ROOT / room]]
    wanted = [p for p in paths if p.suffix in SUFFIXES and p.is_file() and p != PAGE]
    return [p for p in wanted if not str(p.relative_to(ROOT)).startswith(NOT_CITING)]


def test_every_id_that_is_cited_is_a_row_of_the_page():
    known, files = on_the_page(), citing_files()
    assert len(files) > 200
    missing = {
        str(path.relative_to(ROOT)): sorted(unknown)
        for path in files
        if (unknown := cited(path.read_text()) - known)
    }
    assert not missing, f"not on {PAGE.name}: {missing}"


@pytest.mark.parametrize(("text", "ids"), [
    ("as stated (E99, Fig. 1d) and M3: ledger 9.4", {"E99", "M3", "9.4"}),
    ("ledger 6.3 to 6.5; ledger 1f and 3.2", {"6.3", "6.5", "1f", "3.2"}),
    ("of ledger section 6, row 5; see section 7, row 1", {"6", "6.5", "7", "7.1"}),
    ("ledger rows S1 to S5; runs B0, N8a", {"S1", "S5", "B0", "N8a"}),
    ("GEMM1 x.E5 -M3 #N1 E5' MM2 fig_S3 1E5", set()),
])  # fmt: skip
def test_citations_are_found(text, ids):
    assert cited(text) == ids


def test_a_citation_says_where_the_ledger_is():
    """In the file itself, or in the face of a folder above it."""
    for path in citing_files():
        text = path.read_text()
        if "edger" not in text and not ID.search(text):
            continue
        faces = [f / name for f in path.parents for name in ("__init__.py", "conftest.py")
                 if f.is_relative_to(ROOT) and f != ROOT]  # fmt: skip
        places = [path, path.with_suffix(".md"), *faces]
        pointed = any(PAGE.name in place.read_text() for place in places if place.exists())
        assert pointed, f"{path.relative_to(ROOT)} cites the ledger, and nothing says where it is"


def test_no_line_of_a_text_that_nobody_has_is_cited():
    for path in citing_files():
        found = LINE_OF_THE_TEXT.findall(path.read_text())
        assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_rows_have_one_status_each_and_statements_agree_with_it():
    status = dict(rows())
    counts = [name for name, _ in rows() if re.fullmatch(r"[A-Z]\d+[a-z]?", name)]
    assert sorted(counts) == sorted(set(counts))
    for name in counts:
        assert any(word in status[name] for word in TAGS.values()), name
    for statement in STATEMENTS:
        own = statement.id.split(" (")[0]
        found = next(v for k, v in status.items() if k.split(" (")[0] == own)
        assert TAGS[statement.tag] in found, f"{statement.id}: {statement.tag} against {found}"
