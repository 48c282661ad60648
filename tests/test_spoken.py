"""Messages at the command's boundary speak the command line, and their flags mean what they say."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import device_models
from crossbar import pulsed_device
from device_models import DeviceCard, ExponentialMixture, PulseDataError, read_pulses
from device_models.card import Curve
from experiments.command.hydra_app import own_warnings_told
from experiments.command.spoken import FLAGS, flags, spoken
from experiments.fitting.fit_options import READER, fit_parser, reader_options

ROOT = Path(device_models.__file__).parent
OPTION = re.compile(rf"(?<![\w./\\-])({'|'.join(FLAGS)})=")


def parsed(words: str) -> dict[str, object]:
    """Options for the reader that the real parser makes of flags as a shell splits them."""
    return reader_options(
        fit_parser().parse_args(["data.csv", "--out", "c.json", *shlex.split(words)])
    )


@pytest.mark.parametrize(
    ("python", "flag"),
    [
        ("give read_voltage_V=0.1.", "give --read-voltage 0.1."),
        ("give read_voltage_V=-0.2, or", "give --read-voltage=-0.2, or"),
        ("columns={2: None} leaves it out", "--column 2= leaves it out"),
        ("columns={1: 'pulse', 'a b': 'LTP'}", "--column 1=pulse --column 'a b=LTP'"),
        ("columns={'2': 'G (uS)'}", "--column '\"2\"=G (uS)'"),
        ("(wide_of='cycle')", "(--wide-of cycle)"),
        ("where={'step': 'read'} keeps reads", "--where step=read keeps reads"),
        (r"delimiter='\t' or delimiter=','", "--delimiter tab or --delimiter comma"),
        ("decimal=',' reads", "--decimal , reads"),
        ("sheet='flat', sheet=2", "--sheet flat, --sheet 2"),
        ("keep_rest=True keeps it", "--keep-rest keeps it"),
        ("ltp=['a b.csv', 'c'] and ltd=['d']", "--ltp 'a b.csv' --ltp c and --ltd d"),
        ("option unit: 'x'; expected", "--unit: 'x'; expected"),
        ("options quantity='R' and unit='V' differ", "--quantity R and --unit V differ"),
        ("the options quantity and unit have to agree", "--quantity and --unit have to agree"),
        ("contradicts the option branch='LTP'; leave the option out and use select",
         "contradicts --branch LTP; leave the option out"),
        ("a current needs read_voltage_V (not 0)", "a current needs --read-voltage (not 0)"),
        ("no unit in the file; give unit", "no unit in the file; give --unit"),
        ("as with zero='mid_range'", "as with crossbar.zero=mid_range"),
    ],
)  # fmt: skip
def test_python_options_become_flags(python, flag):
    assert spoken(python) == flag


@pytest.mark.parametrize(
    "text",
    [
        "column 2 ('unit=3'): not known",
        "/data/unit=3/x.csv: line 1: no readings",
        "the cycles' order and the device's unit",
        "Temperature=300 and my_layout='x'",
        "columns={2: open} is no literal",
        "columns={2: 'LTP'",
    ],
)
def test_what_is_no_advice_stays_as_it_is(text):
    assert spoken(text) == text


def test_paths_in_front_of_an_advice_do_not_hide_it():
    text = "/data/unit=3/it's.csv: line 2: give unit='nA' or columns={3: None}"
    assert spoken(text).endswith("it's.csv: line 2: give --unit nA or --column 3=")


HEADINGS = st.integers(1, 99) | st.text("ab (µ)=#'\"$7-", min_size=1, max_size=8)
# argparse swallows a value that is nothing but two dashes.
CELLS = st.text("abµ ()'\"$-", min_size=1, max_size=8).filter(lambda text: text != "--")


@settings(max_examples=150)
@given(st.dictionaries(HEADINGS, st.none() | CELLS, min_size=1, max_size=3))
def test_columns_survive_the_shell(columns):
    assert parsed(spoken(f"columns={columns!r}")) == {"columns": columns}


@given(st.dictionaries(HEADINGS, CELLS, min_size=1, max_size=3))
def test_rows_survive_the_shell(where):
    assert parsed(spoken(f"where={where!r}")) == {"where": where}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "read_voltage_V": st.floats(0.001, 9) | st.floats(-9, -1e-6),
            "width_s": st.floats(1e-9, 10),
            "field_G": st.floats(-1e3, 1e3),
            "amplitude_V": st.floats(-5, 5),
            "unit": CELLS,
            "sheet": CELLS,
            "quantity": st.sampled_from(["resistance", "conductance", "current"]),
            "layout": st.sampled_from(["long", "wide", "trace", "rows"]),
            "wide_of": st.sampled_from(["cycle", "device", "condition", "repeat"]),
            "branch": st.sampled_from(["LTP", "LTD"]),
            "delimiter": st.sampled_from([",", ";", "\t", " ", "|"]),
            "decimal": st.sampled_from([",", "."]),
            "keep_rest": st.just(True),
        },
    )
)
def test_advised_options_parse_to_their_values(options):
    """Whatever the reader advises: typed as translated it gives the reader just that."""
    advice = " or ".join(f"{name}={value!r}" for name, value in options.items())
    said = spoken(f"give {advice}").removeprefix("give ").replace(" or --", " --")
    assert not OPTION.search(said)
    assert parsed(said) == options


def test_every_option_of_the_reader_has_a_flag():
    known = {action for parser in [fit_parser()] for action in parser._option_string_actions}
    assert set(FLAGS.values()) <= known
    assert set(READER.values()) <= set(FLAGS)


def rendered(node: ast.JoinedStr | ast.Constant) -> str:
    """A message's template with something of the right kind in every gap."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            number = isinstance(part.format_spec, ast.JoinedStr)
            parts.append("0.1" if number else "'x'" if part.conversion == ord("r") else "x")
    return "".join(parts)


def templates() -> Iterator[str]:
    """Every text in reader, fit and card that names an option with a value, docstrings aside."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text())
        inner = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in inner | docs or not isinstance(node, ast.JoinedStr | ast.Constant):
                continue
            if isinstance(node, ast.JoinedStr) or isinstance(node.value, str):
                text = rendered(node)
                if OPTION.search(text):
                    yield text


def test_no_message_template_keeps_python_options():
    """Literals of options whose gaps are filled; one with a bare gap inside is no literal here."""
    found = list(templates())
    assert len(found) > 8
    for text in found:
        left = OPTION.search(spoken(text))
        gap = left and re.search(r"=(\{.*\bx\b|x\b|\[x)", text[text.find(left[0]) :])
        assert left is None or gap, f"{text!r} -> {spoken(text)!r}"


BROKEN = {
    "no_heading": "0,1.0,4.0\n1,2.0,3.0\n2,3.0,2.0\n3,4.0,1.0\n",
    "numbered": "pulse,G1,G2\n0,1.0,1.1\n1,2.0,2.1\n2,3.0,3.1\n3,3.5,3.6\n",
    "current": "pulse,I (nA)\n0,1\n1,2\n2,3\n3,4\n4,3\n5,2\n6,1\n",
    "alike": "pulse,G (uS),G (uS)\n0,1,1\n1,2,2.1\n2,3,3\n3,4,4\n4,3,3\n5,2,2\n6,1,1\n",
    "decimal": "0,5\n0,6\n0,7\n0,8\n",
    "quantities": "pulse,G (uS),R (kOhm)\n0,1,1000\n1,2,500\n2,3,333\n3,4,250\n",
    "flat": "pulse,G (uS)\n0,1\n1,1\n2,1\n3,1\n",
    "condition_twice": "pulse,width (s),width (ms),G (uS)\n0,1,1,1\n1,1,1,2\n2,1,1,3\n3,1,1,4\n",
    "no_unit": "pulse,branch,value\n0,LTP,1\n1,LTP,2\n2,LTP,3\n3,LTP,4\n",
}
OPTIONS = (
    {},
    {"branch": "LTD"},
    {"layout": "wide"},
    {"unit": "kOhm", "quantity": "current"},
    {"sheet": "x"},
    {"columns": {9: "pulse"}},
    {"read_voltage_V": 0.1},
    {"wide_of": "cycle"},
)


@pytest.mark.parametrize("name", BROKEN)
def test_real_messages_lose_their_python(tmp_path, name):
    """What the reader really says about malformed files, as error or as warning."""
    path = tmp_path / "data.csv"
    path.write_text(BROKEN[name])
    for options in OPTIONS:
        try:
            messages = read_pulses(path, **options).warnings
        except PulseDataError as error:
            messages = (str(error),)
        for message in messages:
            said = spoken(message)
            assert not OPTION.search(said), said
            assert not re.search(r"read_voltage_V|wide_of|field_G|width_s", said), said
            for flag in re.findall(r"(?<= )--[a-z-]+", said):
                assert flag in FLAGS.values()


def test_flags_of_values_that_look_like_flags():
    assert flags("columns", {"-V": "LTP"}) == "--column=-V=LTP"
    assert flags("keep_rest", False) == "no --keep-rest"


FLAG = r"--[a-z-]+[ =](?:\"[^\"]*\"|(?:'[^']*'|[^\s;,'\"()])+)"
ADVICE = re.compile(rf"{FLAG}(?: {FLAG})*")


@pytest.mark.parametrize("name", BROKEN)
def test_following_an_advice_leads_on(tmp_path, name):
    """Each alternative of an error, typed as it stands, does not end in that error again."""
    path = tmp_path / "data.csv"
    path.write_text(BROKEN[name])
    first = complaint(path)
    for words in ADVICE.findall(spoken(first).removeprefix(str(path))):
        if "..." not in words:
            assert complaint(path, **parsed(words)) != first, words


def complaint(path: Path, **options: object) -> str:
    """What the reader refuses a file with; empty where it reads it."""
    try:
        read_pulses(path, **options)  # type: ignore[arg-type]
    except PulseDataError as error:
        return str(error)
    return ""


def test_the_advice_for_columns_without_heading_reads_them(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(BROKEN["no_heading"])
    data = read_pulses(
        path, **parsed("--column 1=pulse --column '2=LTP (uS)' --column '3=LTD (uS)'")
    )
    assert data.select("LTP")[0].values == pytest.approx([1e-6, 2e-6, 3e-6, 4e-6])
    assert data.select("LTD")[0].values == pytest.approx([4e-6, 3e-6, 2e-6, 1e-6])


def test_a_card_without_a_symmetry_point_is_told_in_one_line_of_the_command_line(capsys):
    """LTP steps are larger at every conductance: nothing drifts to a place between the ends."""
    up = Curve("LTP", 0.0, ExponentialMixture(50.0, (-49.0,), (500.0,)), n_pulses=40)
    down = Curve("LTD", 0.0, ExponentialMixture(-50.0, (55.0,), (2500.0,)))
    card = DeviceCard("uneven", "uneven", "measured", "", "conductance", "1", 200, (up, down))
    with own_warnings_told():
        pulsed_device(card)
    told = capsys.readouterr().err
    assert told.startswith("warning: card 'uneven' at 0 G: ")
    assert "crossbar.zero=mid_range" in told
    assert told.count("\n") == 1
