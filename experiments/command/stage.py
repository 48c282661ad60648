"""What a person sees while a command works on something long: what it does, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def stage(what: str, *, always: bool = False) -> Iterator[None]:
    """Show `what` and its seconds on stderr while the block runs, on a terminal only.

    With `always` one plain line says it elsewhere too.
    """
    console = Console(stderr=True)
    if always and not console.is_terminal:
        console.print(what, markup=False, highlight=False, soft_wrap=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        progress.add_task(escape(what), total=None)
        yield
