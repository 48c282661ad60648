"""fieldcrossbar: every command of the project by one name, from any folder.

    fieldcrossbar train experiment=set2
    fieldcrossbar fit pulses.csv --out my_card.json
    fieldcrossbar completion bash > ~/.local/share/bash-completion/completions/fieldcrossbar

`fieldcrossbar COMMAND --help` says more. Unlike `python -m experiments.COMMAND` it is not misled
by folders of the current directory that are called like ours.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

COMMANDS = {
    "train": ("train", "train one network, or a sweep of them"),
    "report": ("report", "table, picture and page of the run store"),
    "carry": ("carry", "trained networks at other magnetic fields"),
    "fit": ("fit_device", "from measured pulses to a device card"),
    "cards": ("cards", "which device cards have a name, and where each comes from"),
    "export": ("export_card", "a card for aihwkit, NeuroSim or CrossSim"),
    "figures": ("device_figures", "the paper's device figures and statements"),
    "coverage": ("fit_coverage", "do the intervals of the fit hold the truth?"),
    "bench": ("bench", "times and ratios against aihwkit and plain torch"),
    "reconstruct": ("reconstruct_card", "make the paper's device card again"),
}
"""Name on the command line: module of this package, and what it does."""

SHELLS = ("bash", "zsh")

_SCRIPT = """\
_fieldcrossbar() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
        train)
            COMPREPLY=($(fieldcrossbar completion train "${{COMP_LINE#*train}}" 2>/dev/null))
            [[ "${{COMPREPLY[0]}}" == *= ]] && compopt -o nospace
            return;;
{options}
    esac
    local options=($(compgen -W "$words" -- "$word")) IFS=$'\\n'
    COMPREPLY=("${{options[@]}}" $(compgen -f -- "$word"))
}}
COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}
complete -F _fieldcrossbar fieldcrossbar
"""


def main() -> None:
    """Command line."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
    elif words[0] == "--version":
        print(f"fieldcrossbar {version('fieldcrossbar')}")
    elif words[0] == "completion":
        _complete(words[1:])
    elif words[0] in COMMANDS:
        sys.exit(_run(words[0], words[1:]))
    else:
        sys.exit(f"error: no command {words[0]!r}: choose from {', '.join(COMMANDS)}, completion")


def _run(command: str, words: Sequence[str]) -> int | None:
    """Run a command as if it had been started by itself; its exit status."""
    sys.argv = [f"fieldcrossbar {command}", *words]
    return import_module(f"experiments.{COMMANDS[command][0]}").main()


def _overview() -> str:
    rows = [f"  {name:<12} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join([(__doc__ or "").strip(), "", "Commands", *rows])


def _complete(words: Sequence[str]) -> None:
    """Print the completion of a shell, or the words that may follow `train ...`."""
    if len(words) == 2 and words[0] == "train":
        _print_overrides(words[1])
    elif len(words) == 1 and words[0] in SHELLS:
        print(completion_script(words[0]), end="")
    else:
        sys.exit(f"error: completion is there for {' and '.join(SHELLS)}: completion bash")


def completion_script(shell: str) -> str:
    """Script that completes commands, their options and hydra's settings in bash or zsh.

    Options are looked up now, so that a key press does not wait for torch.
    """
    options = "\n".join(
        f'        {name}) words="{" ".join(_options(name))}";;'
        for name in COMMANDS
        if name != "train"
    )
    script = _SCRIPT.format(commands=" ".join([*COMMANDS, "completion"]), options=options)
    head = "autoload -Uz bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return head + script


def _options(command: str) -> list[str]:
    """Long options of a command, from its own help."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        _run(command, ["--help"])
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text.getvalue())))


def _print_overrides(line: str) -> None:
    """hydra's own completion of the settings after `train`, without importing torch for it."""
    from experiments.command.hydra_app import run_app

    os.environ["COMP_LINE"] = f"train{line}"
    sys.argv = ["train", "-sc", "query=bash"]
    run_app(lambda config: None)


if __name__ == "__main__":
    main()
