"""Cards by name: the project's own, those of a user's folder, those of installed packages."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from device_models import CardError, list_cards, load_card, read_pulses
from device_models import library as library_module
from device_models.library import CARD_FOLDER, ENTRY_POINTS, FOLDERS
from experiments.cards import main


def card_file(folder: Path, name: str, title: str = "Mine") -> Path:
    folder.mkdir(exist_ok=True)
    content = json.loads((CARD_FOLDER / "lsmo_pvdf_co.json").read_bytes())
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content | {"title": title, "name": name}))
    return path


@pytest.mark.parametrize("name", list_cards())
def test_every_card_of_the_project_has_a_page_and_its_points(name):
    card = list_cards()[name]
    assert card.kind in ("measured", "reconstructed")
    assert card.page is not None
    assert card.page.read_text(encoding="utf-8").startswith(f"# {name}:")
    assert load_card(name).source["data_sha256"] == read_pulses(CARD_FOLDER / f"{name}.csv").sha256


def test_a_card_is_listed_with_its_kind_and_one_line():
    card = list_cards()["lsmo_pvdf_co"]
    assert str(card).startswith("lsmo_pvdf_co (reconstructed): LSMO/PVDF/Co")
    assert "\n" not in str(card)


def test_cards_of_a_folder_by_name(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    card_file(first, "mine")
    card_file(second, "other", title="Other")
    monkeypatch.setenv(FOLDERS, os.pathsep.join([str(first), str(second), str(tmp_path / "no")]))
    assert load_card("mine").title == "Mine"
    assert list_cards()["other"].title == "Other"
    assert list_cards()["other"].page is None


def test_a_name_that_two_files_have_is_refused(tmp_path, monkeypatch):
    path = card_file(tmp_path, "lsmo_pvdf_co")
    monkeypatch.setenv(FOLDERS, str(tmp_path))
    with pytest.raises(CardError, match="two cards are called 'lsmo_pvdf_co'") as error:
        load_card("lsmo_pvdf_co")
    assert str(path) in str(error.value)
    assert load_card(path).title == "Mine"


def test_a_folder_named_twice_is_one_folder(tmp_path, monkeypatch):
    card_file(tmp_path, "mine")
    monkeypatch.setenv(FOLDERS, os.pathsep.join([str(tmp_path), f"{tmp_path}/.", str(CARD_FOLDER)]))
    assert load_card("mine").title == "Mine"
    assert load_card("lsmo_pvdf_co").kind == "reconstructed"


def test_a_card_that_cannot_be_read_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    (tmp_path / "broken.json").write_text('{"schema": "\x1b[31m"}')
    monkeypatch.setenv(FOLDERS, str(tmp_path))
    assert list_cards()["broken"].kind == "unreadable"
    main([])
    shown = capsys.readouterr().out
    assert "broken" in shown
    assert "lsmo_pvdf_co" in shown
    assert "\x1b" not in shown


def test_an_unknown_name_lists_the_cards_and_the_folder():
    with pytest.raises(CardError, match=f"cards are lsmo_pvdf_co.*{FOLDERS}"):
        load_card("nothing")


def offer(monkeypatch, module: str) -> None:
    entry = EntryPoint(name="theirs", value=module, group=ENTRY_POINTS)
    monkeypatch.setattr(
        library_module, "entry_points", lambda group: [entry] if group == ENTRY_POINTS else []
    )


def test_cards_of_an_installed_package(tmp_path, monkeypatch):
    package = tmp_path / "lab_with_cards"
    card_file(package, "theirs")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    offer(monkeypatch, "lab_with_cards")
    try:
        assert load_card("theirs").title == "Mine"
    finally:
        sys.modules.pop("lab_with_cards", None)


def test_a_package_that_cannot_be_imported_warns_and_hides_nothing(tmp_path, monkeypatch):
    (tmp_path / "lab_that_fails.py").write_text("raise RuntimeError('two\\nlines')")
    monkeypatch.syspath_prepend(tmp_path)
    offer(monkeypatch, "lab_that_fails")
    with pytest.warns(UserWarning, match="no cards from entry point 'theirs'.*two lines"):
        assert load_card("lsmo_pvdf_co").kind == "reconstructed"


def test_the_command_shows_card_page_and_picture(tmp_path, capsys):
    for suffix in (".json", ".md"):
        shutil.copy(CARD_FOLDER / f"lsmo_pvdf_co{suffix}", tmp_path)
    picture = tmp_path / "card.png"
    main([str(tmp_path / "lsmo_pvdf_co.json"), "--plot", str(picture)])
    shown = capsys.readouterr().out
    assert shown.startswith("lsmo_pvdf_co (reconstructed): LSMO/PVDF/Co")
    assert "4 curves, parallel and antiparallel, mixed at 0 to 500 G; 64 pulses" in shown
    assert "conductance 1.264e-07 to 1.608e-06 S at 0 G" in shown
    assert "two layers, coercivities 90 and 300 G, widths 20 and 40 G" in shown
    assert "pulses: LTP -1.3 V, 0.01 s; LTD 2 V, 0.01 s; read at 0.01 V; 10 K" in shown
    assert "What to believe" in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_does_not_replace_a_picture(tmp_path, capsys):
    picture = tmp_path / "card.png"
    picture.write_bytes(b"mine")
    with pytest.raises(SystemExit, match=r"card\.png"):
        main(["lsmo_pvdf_co", "--plot", str(picture)])
    assert picture.read_bytes() == b"mine"


def test_the_command_never_draws_over_the_card_itself(tmp_path):
    shutil.copy(CARD_FOLDER / "lsmo_pvdf_co.json", tmp_path)
    card = tmp_path / "lsmo_pvdf_co.json"
    before = card.read_bytes()
    with pytest.raises(SystemExit, match=r"lsmo_pvdf_co\.json"):
        main([str(card), "--plot", str(card), "--overwrite"])
    assert card.read_bytes() == before


def test_the_reram_points_are_those_of_the_published_file(request):
    folder = request.config.getoption("--real-data")
    if folder is None:
        pytest.skip("needs --real-data DIR with gong_et_al.csv")
    published = (Path(folder) / "gong_et_al.csv").read_text().split()
    ours = (CARD_FOLDER / "reram_gong_2018.csv").read_text().splitlines()[3:]
    assert ours == published
