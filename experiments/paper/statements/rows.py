"""One row of the ledger: what is stated, when it is met, and the check that measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.paper.measurements import Measurements


@dataclass(frozen=True)
class Outcome:
    """What a check found: its status, the model's value, and why where it needs saying.

    Status: pass, fail, contradiction (the paper contradicts itself) or not testable.
    """

    status: str
    value: str
    why: str = ""


Check = Callable[[Measurements], Outcome]


@dataclass(frozen=True)
class Statement:
    """One row of the ledger; `check` is None where nothing can be tested and `why` says why."""

    id: str
    tag: str
    text: str
    acceptance: str
    check: Check | None = None
    why: str = ""

    def outcome(self, measured: Measurements) -> Outcome:
        """The check's outcome on these measurements."""
        if self.check is None:
            return Outcome("not testable", "-", self.why)
        return self.check(measured)


class Rows:
    """A list of statements that checks add themselves to, in the order of the ledger."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    def row(self, id_: str, tag: str, text: str, acceptance: str) -> Callable[[Check], Check]:
        """Decorator: the function below is the check of this row."""

        def add(check: Check) -> Check:
            self.statements.append(Statement(id_, tag, text, acceptance, check))
            return check

        return add

    def untestable(self, id_: str, tag: str, text: str, why: str) -> None:
        """A row that no program can check."""
        self.statements.append(Statement(id_, tag, text, "-", None, why))


def judged(passed: object, value: str, why: str = "") -> Outcome:
    """Pass or fail with the value found."""
    return Outcome("pass" if passed else "fail", value, why)
