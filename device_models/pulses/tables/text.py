"""Text files as tables: encodings, delimiters, decimal commas, comments, instrument preambles."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence

from device_models.pulses.columns.headings import is_known
from device_models.pulses.table import (
    MAX_CELLS,
    NUMBER,
    RawRows,
    Source,
    Table,
    is_missing,
    is_number,
    place,
)
from device_models.pulses.tables.assembly import make_table
from device_models.pulses.types import PulseDataError, show

DELIMITERS = {
    **{"tab": "\t", "semicolon": ";", "comma": ",", "blank": " ", "whitespace": " "},
    **{"\t": "\t", ";": ";", ",": ",", " ": " "},
}
"""Delimiters by name and by themselves."""

# Order decides between readings of a file that fit equally well.
DIALECTS = (
    *(("\t", "."), (";", "."), (",", "."), (" ", ".")),
    *(("\t", ","), (";", ","), (" ", ",")),
)
BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# A lone # before a delimiter is a heading ("#,R") and not a comment.
COMMENT = re.compile(r"\s*(?:#(?!\s*[,;\t])|%|//)")
MAX_LINE = 2**20
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
COMMA_PAIR = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)

Where = Callable[[int], str]


def read_text_table(
    path: str,
    data: bytes,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    layout: str | None = None,
) -> Table:
    """Table from the bytes of a text file; what is not given is found out.

    `delimiter` is one of DELIMITERS, `layout` "rows" where each line is a trace. Raises
    PulseDataError where the file is no table or can be read in two ways.
    """
    text = _decode(path, data, encoding)

    def at(line: int) -> str:
        return place(path, line)

    lines = _lines(text, at)
    content = [(i, s) for i, s in enumerate(lines, 1) if s.strip() and not COMMENT.match(s)]
    comments = [(i, s) for i, s in enumerate(lines, 1) if COMMENT.match(s)]
    if not content:
        raise PulseDataError(f"{at(1)}: no readings, only blank lines and comments")
    sign = DELIMITERS[delimiter] if delimiter else None
    dialect = _find_dialect(content, comments, sign, decimal, at)
    rows, numbers = _split(content, dialect[0], at)
    keep = [i for i, row in enumerate(rows) if any(row)]
    bare = [(i, COMMENT.sub("", s, count=1).lstrip("#%/ ").rstrip(" ,;\t")) for i, s in comments]
    return make_table(
        Source(path, dialect[1]),
        RawRows(rows, numbers).take(keep),
        [(i, _fields(s, dialect[0]), s) for i, s in bare],
        layout,
        dialect[0],
    )


def _lines(text: str, at: Where) -> list[str]:
    """Lines of a file of limited size; limits come before anything that costs memory."""
    if text.count("\n") + max(text.count(d) for d in "\t;,") > MAX_CELLS:
        raise PulseDataError(f"{at(1)}: more than {MAX_CELLS} cells; split the file")
    lines = text.split("\n")
    longest = max(range(len(lines)), key=lambda i: len(lines[i]))
    if len(lines[longest]) > MAX_LINE:
        raise PulseDataError(f"{at(longest + 1)}: longer than {MAX_LINE} characters")
    return lines


def _decode(path: str, data: bytes, encoding: str | None) -> str:
    """Text with \\n at line ends; UTF-8, else by byte-order mark, else Windows Latin."""
    encoding = encoding or _guess_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PulseDataError(
            f"{place(path, line)}: not {encoding} text (byte {error.start + 1}); give encoding"
        ) from None
    except LookupError:
        raise PulseDataError(f"{path}: unknown encoding {show(encoding)}") from None
    except ValueError:  # some codecs do not say where they fail
        raise PulseDataError(f"{path}: not text in encoding {show(encoding)}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x00\x1a").lstrip("\ufeff")
    bad = CONTROL.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        raise PulseDataError(
            f"{place(path, line)}, character {column}: control character {bad[0]!r}; "
            f"expected text or an .xlsx workbook"
        )
    return text


def _guess_encoding(data: bytes) -> str:
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    head = data[:2000]
    zeros = [head[k::2].count(0) * 4 for k in (0, 1)]
    if max(zeros) > len(head) and min(zeros) == 0:
        return "utf-16-le" if zeros[1] else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _western(data)
    return "utf-8"


def _western(data: bytes) -> str:
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _find_dialect(
    content: Sequence[tuple[int, str]],
    comments: Sequence[tuple[int, str]],
    delimiter: str | None,
    decimal: str | None,
    at: Where,
) -> tuple[str, str]:
    """Delimiter and decimal sign that make the most lines rows of numbers."""
    choices = [
        (d, p)
        for d, p in (*DIALECTS, (",", ","))
        if delimiter in (None, d) and decimal in (None, p)
    ]
    if delimiter is None and (",", ",") in choices:
        choices.remove((",", ","))
    tail = content[len(content) // 2 :]
    sample = [text for _, text in tail[:: max(1, len(tail) // 60)]]
    scores = [_score(sample, *choice) for choice in choices]
    if max(scores) == 0:
        # No rows of numbers: the error is clearer when the words are split as they are meant.
        scores = [sum(text.count(d) for text in sample if d != " ") for d, _ in choices]
    best = choices[max(range(len(choices)), key=lambda i: (scores[i], -i))]
    clean = [text for text in sample if _is_clean(text, *best)]
    if best == (",", ".") and clean and all(_is_comma_pair(text) for text in clean):
        if delimiter is None and decimal is None:
            best = _comma_means(content, comments, at)
    elif best[1] == "," and decimal is None:
        _refuse_thousands(content, best[0], at)
    return best


def _score(sample: Sequence[str], delimiter: str, decimal: str) -> int:
    """Lines that are rows of numbers; blanks separate fields only if they always do."""
    clean = [text for text in sample if _is_clean(text, delimiter, decimal)]
    if delimiter == " " and clean:
        return max(Counter(len(_fields(text, " ")) for text in clean).values())
    return len(clean)


def _is_clean(line: str, delimiter: str, decimal: str) -> bool:
    """Every field is a number, no reading, or a word, and at least one is a number."""
    numbers = 0
    if "= [" in line or "=[" in line:
        line = line.replace("[", "").rstrip("]; ")
    for cell in _fields(line, delimiter)[:64]:
        if is_number(cell, decimal):
            numbers += 1
        elif not is_missing(cell) and _hides_fields(cell):
            return False
    return numbers > 0


def _hides_fields(cell: str) -> bool:
    """The cell looks like several: "1;2", "0,LTP", "1.5 2.5"; times, dates and "(2,3)" do not."""
    if re.fullmatch(r"[(\[][^()\[\]]*[)\]]", cell):
        return False
    if any(sign in cell for sign in "\t;"):
        return True
    if "," in cell and re.search(r"\d\s*,|,\s*[\d+-]", cell):
        return True
    return ":" not in cell and bool(re.search(r"(?:^|\s)[+-]?[\d.]\S*\s", cell))


def _is_comma_pair(line: str) -> bool:
    return COMMA_PAIR.fullmatch(line.strip().rstrip(", ")) is not None


def _comma_means(
    content: Sequence[tuple[int, str]], comments: Sequence[tuple[int, str]], at: Where
) -> tuple[str, str]:
    """Delimiter or decimal sign, for lines such as "12,34": the header decides, else nothing."""
    first = next((k for k, (_, s) in enumerate(content) if _is_comma_pair(s)), 0)
    above = [text for _, text in content[:first]]
    above += [COMMENT.sub("", s, count=1) for i, s in comments if i < content[first][0]]
    if above and "," in above[-1]:
        return ",", "."
    if above and is_known(above[-1].strip(" #%/")) and not any("," in text for text in above):
        return ";", ","
    raise PulseDataError(
        f"{at(content[first][0])}, column 1: {show(content[first][1].strip())} can be one number "
        f"or two; give delimiter=',' or decimal=','"
    )


def _refuse_thousands(content: Sequence[tuple[int, str]], delimiter: str, at: Where) -> None:
    """Numbers that are all like 1,234 can be decimals or thousands: an error, not a guess."""
    first = None
    for line, text in content:
        for column, cell in enumerate(_fields(text, delimiter)):
            if "," in cell and NUMBER[","].fullmatch(cell):
                if not re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", cell):
                    return
                first = first or (line, column, cell)
    if first is not None:
        raise PulseDataError(
            f"{at(first[0])}, column {first[1] + 1}: {show(first[2])} can be a decimal comma or a "
            f"thousands separator; give decimal=',' or write numbers without separators"
        )


def _fields(line: str, delimiter: str) -> list[str]:
    """Fields of one line, stripped; a quote that never closes stays in its field."""
    if delimiter == " ":
        return line.split() if '"' not in line else [f.strip('"') for f in line.split()]
    if '"' not in line:
        return [field.strip() for field in line.split(delimiter)]
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [line.strip()]


def _split(
    content: Sequence[tuple[int, str]], delimiter: str, at: Where
) -> tuple[list[list[str]], list[int]]:
    """Rows of stripped fields and the line each starts in."""
    if delimiter == " ":
        return _split_whitespace(content, at)
    reader = csv.reader(
        (text for _, text in content), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    rows, starts, done = [], [], 0
    try:
        for row in reader:
            rows.append([field.strip() for field in row])
            starts.append(content[done][0])
            done = reader.line_num
    except csv.Error as error:
        line = content[min(done, len(content) - 1)][0]
        raise PulseDataError(f"{at(line)}, column 1: bad quoting: {error}") from None
    return rows, starts


def _split_whitespace(
    content: Sequence[tuple[int, str]], at: Where
) -> tuple[list[list[str]], list[int]]:
    """Rows split at blanks; lines of text above may use wider gaps between names of two words."""
    rows, n_cells = [], 0
    for line, text in content:
        rows.append(_fields(text, " "))
        n_cells += len(rows[-1])
        if n_cells > MAX_CELLS:
            raise PulseDataError(f"{at(line)}: more than {MAX_CELLS} cells; split the file")
    width = Counter(len(row) for row in rows[len(rows) // 2 :]).most_common(1)[0][0]
    for k, (_, text) in enumerate(content[:60]):
        if len(rows[k]) != width and not is_number(rows[k][0]):
            loose = re.split(r"\t+|\s{2,}", text.strip())
            joined = re.sub(r"\s+(?=[(\[/])", "_", text.strip()).split()
            rows[k] = next((r for r in (loose, joined) if len(r) == width), rows[k])
            if width == 1:
                rows[k] = [text.strip()]
    return rows, [line for line, _ in content]
