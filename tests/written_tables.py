"""Made-up readings written as files, read back, and what is asserted about them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from device_models.pulses import PulseData, PulseDataError, Segment, read_pulses


def relax(n: int, start: float, end: float, tau: float) -> list[float]:
    """Readings that relax from `start` to `end`, rounded as files have them."""
    share = (1 - np.exp(-np.arange(n) / tau)) / (1 - np.exp(-(n - 1) / tau))
    return [float(f"{x:.4g}") for x in start + (end - start) * share]


UP = relax(12, 1.0, 9.0, 5.0)
DOWN = relax(12, 9.0, 1.0, 4.0)
TRACE = [*UP, *DOWN[1:]]


def text_of(*rows: list, delimiter: str = ",") -> str:
    return "".join(delimiter.join(map(str, row)) + "\n" for row in rows)


def numbered(values: list[float], first: int = 0) -> list[list]:
    return [[first + i, value] for i, value in enumerate(values)]


def read(folder: Path, content: str | bytes, **options) -> PulseData:
    """Data of a file in which numpy and scipy have nothing to warn about."""
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_pulses(path, **options)


def refusal(folder: Path, content: str, **options) -> str:
    with pytest.raises(PulseDataError) as caught:
        read(folder, content, **options)
    said = str(caught.value)
    assert said.startswith(str(folder))
    return said.removeprefix(f"{folder / 'data.csv'}: ")


def one(data: PulseData, branch: str, **which) -> Segment:
    (segment,) = data.select(branch, **which)
    return segment


def assert_trace(segment: Segment, values: list[float], first: float = 0, scale: float = 1) -> None:
    np.testing.assert_allclose(segment.values, np.array(values) * scale, rtol=1e-12)
    np.testing.assert_array_equal(segment.pulses, first + np.arange(len(values)))


def workbook(**sheets: list[list]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([None if cell == "" else cell for cell in row])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def data_lines(tag: str = "") -> str:
    """Lines of a pulse number and a reading, with a tag in front of each."""
    return "".join(f"{tag}{i}, {x}\n" for i, x in enumerate(TRACE))


EXPORT = (
    "SetupTitle, Pulsed list\nPrimitiveTest, List\nTestParameter, Channel.Unit, SMU1:HR, SMU2:MP\n"
    "TestParameter, Vread, 0.5\nAnalysisSetup, Analysis.Setup.Title,\nDimension1, 23, 23\n"
    "Dimension2, 1, 1\n"
)
LVM = (
    "LabVIEW Measurement\t\nWriter_Version\t2\nReader_Version\t2\nSeparator\tTab\n"
    "Decimal_Separator\t.\nMulti_Headings\tNo\nX_Columns\tNo\nTime_Pref\tRelative\n"
    "Date\t2021/03/04\nTime\t12:03:04.5\n***End_of_Header***\t\n\t\nChannels\t1\t\t\n"
    "Samples\t23\t\t\nY_Unit_Label\tSiemens\t\t\nX_Dimension\tTime\t\t\nX0\t0.0E+0\t\t\n"
    "Delta_X\t1.0\t\t\n***End_of_Header***\t\t\nX_Value\tConductance\tComment\n"
)
ROWS = text_of(*[[i, x, 2 * x] for i, x in enumerate(TRACE)])


def wide_sheet(scale: float = 1.0, head: bool = True) -> list[list]:
    """Rows of a sheet with a column for each branch."""
    rows: list[list] = [["LTP (uS)", "LTD (uS)"]] if head else []
    return rows + [[scale * up, scale * down] for up, down in zip(UP, DOWN, strict=True)]
