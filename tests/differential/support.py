"""What SQL Herd answers and what it refuses: found out by running, and written to docs/sql-support.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .answers import difference, is_ordered
from .cases import Case, Statement, for_plain_postgresql
from .duel import Duel

FOLDER = Path(__file__).parent / "support"
PAGE = Path(__file__).resolve().parents[2] / "docs/sql-support.md"
HEAD = """# What SQL Herd answers

By kind of statement, over tables that are fragmented by hash (`users` and `orders`, by `uid`) and by range (`events`),
a reference table (`country`) and a home table (`settings`). *As PostgreSQL*: rows, order, names, types, command tag
and errors were compared with those of one PostgreSQL with the same rows. What is refused has no effect.

Made by running the statements; after a change, again by

    cd tests && PYTHONPATH=lib ../.venv/bin/python -m differential support
"""
ANSWERED = "as PostgreSQL"


@dataclass
class Entry:
    """A form of SQL, and statements that show it."""

    title: str
    statements: list[str] = field(default_factory=list)


@dataclass
class Section:
    title: str
    entries: list[Entry] = field(default_factory=list)


def sections() -> list[Section]:
    found: list[Section] = []
    for block in (FOLDER / "statements.sql").read_text().strip().split("\n\n"):
        title, _, text = block.partition("\n")
        title = title.removeprefix("-- ")
        if title.startswith("# "):
            found.append(Section(title.removeprefix("# ")))
        else:
            found[-1].entries.append(Entry(title, [each.strip().rstrip(";") for each in text.split(";\n")]))
    return found


def fixture() -> Case:
    return Case.read(FOLDER / "fixture.sql")


class Wrong(Exception):
    """A statement that is answered, but not as by PostgreSQL."""


def outcome(duel: Duel, entry: Entry) -> str:
    """What becomes of an entry; what is refused is not done on the oracle either."""
    for sql in entry.statements:
        tested = duel.tested.ask(Statement(sql))
        if tested.refused and not duel.proving:
            for side in (duel.tested, duel.oracle):
                side.ask(Statement("ROLLBACK"))
            return f"refused: {_first_line(tested.message)}"
        right = duel.oracle.ask(Statement(for_plain_postgresql(sql)))
        if (what := difference(tested, right, ordered=is_ordered(sql))) is not None:
            raise Wrong(f"{what}: {sql}\n{tested.message}\n{right.message}")
    return f"{ANSWERED}, error {right.state}" if right.state else ANSWERED


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0].removeprefix("ERROR:").strip()


def page(duel: Duel) -> str:
    duel.begin(fixture())
    parts = [HEAD]
    for section in sections():
        parts.append(f"## {section.title}\n\n| | statement | |\n|---|---|---|")
        parts += [line(entry, outcome(duel, entry)) for entry in section.entries]
        parts.append("")
    return "\n".join(parts)


def line(entry: Entry, verdict: str) -> str:
    shown = "; ".join(entry.statements).replace("|", "\\|")
    return f"| {entry.title} | `{shown}` | {verdict} |"
