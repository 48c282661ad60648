"""Page and table from stored runs, whatever their names and settings are."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time

import pytest
from rich.console import Console
from stored_runs import files_below, store_run

from device_models.files import TEMPORARY
from experiments.figures.training import draw_training
from experiments.report import (
    COLUMNS,
    main,
    markdown_table,
    print_table,
    read_groups,
    readme_with_results,
    table_rows,
    write_report,
)
from experiments.runs.groups import group_runs
from experiments.runs.records import read_runs

README = "before\n<!-- results: make them so -->\n\nold\n\n<!-- end of results -->\nafter\n"


def labels(store):
    return [group.label for group in read_groups(store)]


def test_seeds_are_joined_and_settings_are_not(tmp_path):
    store_run(tmp_path, "set2", 0, 0.80)
    store_run(tmp_path, "set2", 1, 0.84)
    store_run(tmp_path, "set2", 0, 0.70, optimizer={"lr": 1})
    store_run(tmp_path, "baseline", 0, 0.90)
    rows = table_rows(read_groups(tmp_path))
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("baseline", "1", "90.00 %"),
        ("set2, optimizer.lr=unset", "2", "82.00 ± 2.83 %"),
        ("set2, optimizer.lr=1", "1", "70.00 %"),
    ]
    assert rows[0][-1] == "none"
    assert rows[1][-1] == "lsmo_pvdf_co (reconstructed)"
    assert markdown_table(rows).count("\n") == 5


def test_the_settings_that_vary_are_named(tmp_path):
    """In the table, the legend and the page, for a sweep of one variant and schedule."""
    for rate in (1e-3, 2e-5):
        for seed in (0, 1):
            store_run(tmp_path, "set2", seed, optimizer={"name": "adam", "lr": rate})
    store_run(tmp_path, "set2", 0, result={"schedule": "full"})
    store_run(tmp_path, "baseline")
    assert labels(tmp_path) == [
        "baseline",
        "set2 full",
        "set2 quick, optimizer.lr=0.001",
        "set2 quick, optimizer.lr=2e-5",
    ]
    page = write_report(tmp_path, tmp_path / "report").read_text()
    assert "<td>set2, optimizer.lr=2e-5</td>" in page
    assert "set2 quick, optimizer.lr=2e-5, seed 1: finished" in page


def test_threads_and_device_are_settings_and_no_seeds(tmp_path):
    """The same seed on other threads is another group, not a second seed."""
    for threads, cuda in ((1, None), (2, None), (1, "H100")):
        where = {"provenance": {"threads": threads, "cuda": cuda}}
        store_run(tmp_path, "set2", 0, result=where, threads=None, accelerator="auto")
    assert labels(tmp_path) == [
        "set2 quick, threads=1, accelerator=cpu",
        "set2 quick, threads=2, accelerator=cpu",
        "set2 quick, threads=1, accelerator=cuda",
    ]


def test_another_card_of_the_same_name_is_another_group(tmp_path):
    """A card counts by its content, and only where it is used."""
    for card in ("a" * 64, "b" * 64):
        store_run(tmp_path, "set2", 0, result={"card_sha256": card})
    for seed, card in enumerate(("a" * 64, "b" * 64)):
        store_run(tmp_path, "baseline", seed, result={"card_sha256": card})
    assert labels(tmp_path) == [
        "baseline",
        "set2 quick, device.card=lsmo_pvdf_co@aaaaaaaa",
        "set2 quick, device.card=lsmo_pvdf_co@bbbbbbbb",
    ]


def test_images_count_by_content_where_they_are_verified(tmp_path):
    for seed, folder in enumerate((None, "elsewhere")):
        images = {"folder": folder, "cache": None, "download": True, "held_out": 0}
        store_run(tmp_path, "set1", seed, data={**images, "verify": True})
        store_run(tmp_path, "set2", seed, data={**images, "verify": False})
    assert labels(tmp_path) == [
        "set1",
        "set2 quick, data.folder=elsewhere",
        "set2 quick, data.folder=null",
    ]


def test_long_settings_are_cut_and_stay_apart(tmp_path):
    lists = [[0.0, *range(10, 10 * n), 350.0] for n in (5, 6)] + [[1.0] * 40]
    for fields in lists:
        store_run(tmp_path, "set2", field={"activation_G": fields})
    assert sorted(labels(tmp_path)) == [
        "set2 quick, field.activation_G=[0,…,350] (#1)",
        "set2 quick, field.activation_G=[0,…,350] (#2)",
        "set2 quick, field.activation_G=[1,…,1]",
    ]
    many = tmp_path / "many"
    for value in (1, 2):
        store_run(many, "set2", **{f"key{i}": value for i in range(9)})
    assert labels(many)[0] == "set2 quick, key0=1, key1=1, key2=1, key3=1, … 5 more"


def test_no_two_groups_have_one_label(tmp_path):
    """What is drawn under a label is one group, also where names run into each other."""
    for name, schedule in (("a", "b c"), ("a", "d"), ("a b", "c"), ("a b", "d"), ("a b c", "e")):
        store_run(tmp_path, name, result={"schedule": schedule})
    assert sorted(labels(tmp_path)) == ["a b c (#1)", "a b c (#2)", "a b c (#3)", "a b d", "a d"]


def test_a_run_copied_to_another_folder_counts_once(tmp_path):
    first = store_run(tmp_path, "set2", 0, folder="a")
    store_run(tmp_path, "set2", 0, folder="b")
    (tmp_path / "alias").symlink_to("set2")
    runs, left_out = read_runs(tmp_path)
    assert [group.label for group in group_runs(runs)] == ["set2"]
    assert len(runs) == 1
    assert len(left_out) == 3
    assert left_out[-1].endswith(f"the same run as {tmp_path / 'alias' / 'a'}")
    assert first.exists()


def test_runs_that_did_not_finish_are_marked(tmp_path):
    store_run(tmp_path, "set2", 0, 0.5, result={"status": "interrupted"})
    assert "not finished" in table_rows(read_groups(tmp_path))[0][1]


NASTY = (
    "<script>alert(1)",
    "[/red] [bold]x",
    r"$\frac{$",
    "_hidden",
    "\x1b[31mred\x07",
    "two\nlines\rback",
    "\u202eright to left",
    "a|b\\|c `d` [e](f)",
    "<!-- end of results -->",
    "<!-- results: x -->",
    "名前 🙂",
)

SURROGATE = "lone \ud800 surrogate"


@pytest.fixture(scope="module")
def nasty_store(tmp_path_factory):
    """Runs whose every text is meant to be taken for something else."""
    store = tmp_path_factory.mktemp("nasty")
    for number, name in enumerate(NASTY):
        texts = dict.fromkeys(("name", "schedule", "status", "card", "card_kind"), name)
        for value in (name, SURROGATE):
            folder = f"{number} {value == name} [red] \udcff"
            store_run(store, folder=folder, result=texts, **{"key |[/red]": {"$": value}})
    return store


@pytest.mark.filterwarnings("error")
def test_names_are_text_and_nothing_else(nasty_store, tmp_path):
    page = write_report(nasty_store, tmp_path / "report").read_text()
    assert page.count("<details>") == 2 * len(NASTY)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert r"\x1b[31mred\x07" in page
    assert r"lone \ud800 surrogate" in page
    assert r"0 True [red] \udcff" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", page)


def test_names_do_not_break_the_readme(nasty_store, tmp_path):
    once = readme_with_results(README, nasty_store)
    assert readme_with_results(once, nasty_store) == once
    assert once.startswith("before\n<!-- results: make them so -->\n")
    assert once.endswith("<!-- end of results -->\nafter\n")
    rows = [line for line in once.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 2 * len(NASTY)
    for row in rows:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == len(COLUMNS)


def test_names_do_not_reach_the_terminal_as_commands(nasty_store):
    out = io.StringIO()
    print_table(read_groups(nasty_store), Console(file=out, width=400))
    text = out.getvalue()
    text.encode()
    assert "[/red] [bold]x" in text
    assert r"\x1b[31mred" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)


def test_every_nasty_name_is_in_the_legend(nasty_store):
    groups = read_groups(nasty_store)
    figure = draw_training({g.label: [run.history for run in g.runs] for g in groups})
    texts = figure.legends[0].get_texts()
    assert len(texts) == len(groups) + 1
    assert not any(text.get_parse_math() for text in texts)


def test_what_a_killed_report_left_is_swept(tmp_path):
    store_run(tmp_path)
    out = tmp_path / "report"
    out.mkdir()
    for name in ("old", "young"):
        (out / f"{TEMPORARY}{name}").write_text("half")
    long_ago = time.time() - 7200
    (out / f"{TEMPORARY}old").touch()
    os.utime(out / f"{TEMPORARY}old", (long_ago, long_ago))
    write_report(tmp_path, out)
    assert {p.name for p in out.iterdir()} == {
        f"{TEMPORARY}young",
        "index.html",
        "training.png",
    }


def command(monkeypatch, capsys, *words):
    """The command line in this process: exit code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["report", *map(str, words)])
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def test_one_bad_run_is_one_line_and_the_others_are_shown(tmp_path, monkeypatch, capsys):
    store_run(tmp_path, "set1")
    bad = store_run(tmp_path, "set2")
    (bad / "result.json").write_text("{")
    code, out, err = command(monkeypatch, capsys, "--store", tmp_path)
    assert code == 0
    assert err.splitlines() == [err.strip()]
    assert err.startswith(f"warning: {bad}: result.json: not JSON: ")
    assert "set1" in out
    assert "set2" not in (tmp_path / "report" / "index.html").read_text()


def test_only_bad_runs_end_in_one_error_and_write_nothing(tmp_path, monkeypatch, capsys):
    bad = store_run(tmp_path, "set2")
    (bad / "config.yaml").write_text("[1]")
    before = files_below(tmp_path)
    code, _, err = command(monkeypatch, capsys, "--store", tmp_path)
    assert code.startswith("error: ")
    assert err == f"warning: {bad}: config.yaml: no settings\n"
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("readme", "message"),
    [
        ("no marks", "the README needs one"),
        (README.replace("-->\n\nold", "--> old"), "the README needs one"),
        (README + README, "the README needs one"),
        ("<!-- end of results -->\n<!-- results: x -->\n", "the README needs one"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_wrong_readme_is_named_and_nothing_written(
    tmp_path, monkeypatch, capsys, readme, message
):
    store_run(tmp_path / "store")
    path = tmp_path / "README.md"
    path.write_bytes(readme if isinstance(readme, bytes) else readme.encode())
    before = files_below(tmp_path)
    words = ("--store", tmp_path / "store", "--readme", path)
    code, _, err = command(monkeypatch, capsys, *words)
    assert code.startswith("error: ")
    assert message in code
    assert err == ""
    assert files_below(tmp_path) == before


def test_a_report_goes_to_regular_files_only(tmp_path, monkeypatch, capsys):
    store_run(tmp_path / "store")
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_text("data")
    (out / "index.html").symlink_to(tmp_path / "precious")
    code, *_ = command(monkeypatch, capsys, "--store", tmp_path / "store", "--out", out)
    assert "index.html: is a link" in code
    assert not (out / "training.png").exists()
    assert (tmp_path / "precious").read_text() == "data"


def test_empty_store_is_one_line(tmp_path):
    command = [sys.executable, "-m", "experiments.report", "--store", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_every_variant_is_drawn():
    """More variants than colours: none is left out, and no two look alike."""
    row = {"epoch": 1, "test_accuracy": 0.5, "test_accuracy_batch_statistics": 0.5}
    histories = {f"variant {i}": [[row | {"train_loss": 1.0}]] for i in range(12)}
    accuracy = draw_training(histories).axes[0]
    shown = {line.get_label(): line for line in accuracy.lines}
    assert all(name in shown for name in histories)
    looks = {(shown[name].get_color(), shown[name].get_marker()) for name in histories}
    assert len(looks) == len(histories)


def test_a_long_sweep_says_how_many_are_not_named():
    row = {"epoch": 1, "train_loss": 1.0}
    row |= dict.fromkeys(("test_accuracy", "test_accuracy_batch_statistics"), 0.5)
    figure = draw_training({f"variant {i}": [[row]] for i in range(50)})
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(texts) == 41
    assert "(and 10 more, not named)" in texts[-2]
    figure.draw_without_rendering()
    (box,) = [legend.get_window_extent() for legend in figure.legends]
    assert box.height <= figure.bbox.height


def test_the_page_says_whose_images_they_are(tmp_path):
    """Runs stored before there was a choice are of Fashion-MNIST; what is a stranger's is text."""
    store_run(tmp_path, "set1")
    store_run(tmp_path, "set2", data={"name": "mnist"})
    store_run(tmp_path, "set2", 1, data={"name": "<b>own</b>"})
    page = write_report(tmp_path, tmp_path / "report").read_text()
    assert "Images: fashion_mnist, &lt;b&gt;own&lt;/b&gt;, mnist; run store" in page
