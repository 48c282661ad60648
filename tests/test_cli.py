"""The console script: from any folder, beside any other folder, completed by the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import COMMANDS, SHELLS, completion_script, main
from experiments.training.settings import SettingsError

SCRIPT = str(Path(sys.executable).with_name("fieldcrossbar"))
TINY = ("trainer=smoke", "trainer.train_images=64", "trainer.test_images=50", "threads=1")


def fieldcrossbar(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def test_version_and_overview():
    assert fieldcrossbar("--version").stdout.startswith("fieldcrossbar 0.")
    told = fieldcrossbar().stdout
    assert all(f"  {name} " in told for name in COMMANDS)


def test_an_unknown_command_is_named_with_those_there_are():
    done = fieldcrossbar("trian")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no command 'trian': choose from train, report,")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("fashion_mnist")
def test_folders_of_the_user_that_are_called_like_ours_do_not_get_in_the_way(tmp_path):
    for name in ("conf", "experiments", "crossbar"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "conf" / "config.yaml").write_text("seed: 7")
    done = fieldcrossbar("train", "store=my runs", *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "my runs" / "baseline").glob("*/result.json"))) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["experiment=set3"], 1, "Could not find 'experiment/set3'"),
        (["device=3"], 1, "Config group override must be a string"),
        (["seed=["], 1, "no viable alternative"),
        (["trainer.epoch=3"], 1, "Could not override 'trainer.epoch'. Key 'epoch' is not"),
        (["hydra.sweeper.params=3"], 1, "Cannot assign int"),
        (["store=${oc.env:NOPE_NOT_SET}"], 1, "NOPE_NOT_SET"),
        (["--config-name", "nothing"], 1, "Cannot find primary config 'nothing'"),
        (["--multirunn"], 2, "unrecognized arguments: --multirunn"),
    ],
)
def test_words_that_make_no_configuration_end_in_one_line(
    tmp_path, monkeypatch, capsys, words, code, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fieldcrossbar", "train", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    told = capsys.readouterr().err
    assert stop.value.code == code
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_full_error_shows_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(sys, "argv", ["fieldcrossbar", "train", "seed=x"])
    with pytest.raises(SettingsError, match="seed must be a whole number"):
        main()


_ASK = """
source "$1"
COMP_LINE="$2"; read -ra COMP_WORDS <<< "$2"; [[ "$2" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fieldcrossbar 2>/dev/null; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_files_and_settings(tmp_path):
    script = tmp_path / "script"
    script.write_text(completion_script("bash"))
    (tmp_path / "pulses with blank.csv").write_text("")
    path = f"{Path(SCRIPT).parent}:{os.environ['PATH']}"

    def completed(line: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", _ASK, "bash", str(script), line],
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.splitlines()

    assert completed("fieldcrossbar re") == ["report", "reconstruct"]
    assert completed("fieldcrossbar fit --wi") == ["--wide-of", "--width"]
    assert completed("fieldcrossbar fit pul") == ["pulses with blank.csv"]
    assert completed("fieldcrossbar train experiment=set2_") == ["experiment=set2_crossbar"]
    assert "optimizer.lr=" in completed("fieldcrossbar train experiment=set2 optimizer.l")


def test_the_script_of_zsh_uses_that_of_bash():
    assert completion_script("zsh").endswith(completion_script("bash"))
    assert fieldcrossbar("completion", "fish").stderr.startswith(
        f"error: completion is there for {' and '.join(SHELLS)}"
    )
