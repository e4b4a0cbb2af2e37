"""What a client can see of a statement's outcome, and when two outcomes are the same."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

#: What Herd says of a statement that it does not answer.
REFUSED = "0A000"
#: Ends of a session, which no statement may bring about.
LOST, HANGS = "lost", "hangs"
#: Between the statements of a query string.
SEVERAL = "; "
#: Classes of errors that a row has, and of which the first one that is met is told.
ERRORS_OF_ROWS = ("21", "22", "23")


@dataclass(frozen=True)
class Column:
    """One column of a result; the type by name, because numbers of own types differ between servers."""

    name: str
    type: str
    modifier: int
    binary: bool


@dataclass(frozen=True)
class Answer:
    """The answer of one statement: an error, or rows and a command tag."""

    state: str = ""
    message: str = ""
    tag: str = ""
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[bytes | None, ...], ...] = ()
    #: Of the transaction afterwards: idle, in a transaction, in a failed one.
    transaction: int = field(default=0)

    @property
    def refused(self) -> bool:
        return self.state == REFUSED


def difference(tested: Answer, right: Answer, *, ordered: bool) -> str | None:
    """The first kind of difference, in a word that stays the same while a case is made smaller."""
    if tested.state != right.state and not (_of_rows(tested) and _of_rows(right)):
        return f"state {tested.state or 'none'}, not {right.state or 'none'}"
    if tested.tag != right.tag:
        return "tag"
    if [column.name for column in tested.columns] != [column.name for column in right.columns]:
        return "names"
    if tested.columns != right.columns:
        return "types"
    if Counter(tested.rows) != Counter(right.rows):
        return "rows"
    if ordered and tested.rows != right.rows:
        return "order"
    if tested.transaction != right.transaction:
        return "transaction"
    return None


def _of_rows(answer: Answer) -> bool:
    return answer.state.startswith(ERRORS_OF_ROWS)


def is_ordered(sql: str) -> bool:
    """Whether the whole result has an order: an ORDER BY outside of all parentheses, in a single statement."""
    depth = 0
    if SEVERAL in sql:
        return False
    for token in re.finditer(r"'(?:[^']|'')*'|\"[^\"]*\"|[()]|\border\s+by\b", sql, re.IGNORECASE):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth -= 1
        elif depth == 0 and token[0][0] in "oO":
            return True
    return False


def described(tested: Answer, right: Answer) -> list[str]:
    """Both answers, for the eyes."""
    return [line for name, answer in (("herd", tested), ("right", right)) for line in _lines(name, answer)]


def _lines(name: str, answer: Answer) -> list[str]:
    if answer.state:
        return [f"{name}: {answer.state} {' '.join(answer.message.split())}"]
    shown = [f"{name}: {answer.tag} ({', '.join(f'{column.name} {column.type} {column.modifier}' for column in answer.columns)})"]
    shown += [f"{name}:   {row}" for row in answer.rows[:12]]
    return shown + ([f"{name}:   … {len(answer.rows)} rows"] if len(answer.rows) > 12 else [])
