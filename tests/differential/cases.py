"""A case: definitions, rows and statements, and the file that says the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

#: What only Herd understands is in this form.
HERD_OPTIONS = re.compile(r"\s+WITH \(herd\.[^)]*\)")
HASH_CUT = re.compile(r"\s+PARTITION BY HASH \([^)]*\)")
CREATED_TABLE = re.compile(r'^CREATE TABLE ("[^"]+"|\w+) \(')
REFERENCE = "herd.reference"
NODES_WORD = "-- nodes:"
RUN_WORD = "-- run:"


@dataclass(frozen=True)
class Statement:
    """A text and how it is sent."""

    sql: str
    extended: bool = False
    binary: bool = False
    parameters: tuple[str | None, ...] = ()
    #: As a prepared statement, which is prepared when it is first met.
    named: bool = False

    def manner(self) -> str:
        said = (("extended", self.extended), ("binary", self.binary), ("named", self.named))
        words = [word for word, it_is in said if it_is]
        return " ".join([*words, json.dumps(self.parameters)] if self.parameters else words)

    @staticmethod
    def read(sql: str, manner: str) -> Statement:
        words, bracket, values = manner.partition("[")
        parameters = tuple(json.loads(bracket + values)) if bracket else ()
        return Statement(sql, "extended" in words, "binary" in words, parameters, "named" in words)


@dataclass(frozen=True)
class Load:
    """Rows for a table, as lines of COPY's text format."""

    table: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """Everything that is needed to see something again."""

    definitions: tuple[str, ...] = ()
    loads: tuple[Load, ...] = ()
    steps: tuple[Statement, ...] = ()
    nodes: int = 3
    #: What was wrong, for who reads the file.
    comment: tuple[str, ...] = field(default=(), compare=False)

    def tables(self) -> list[str]:
        return [found[1] for text in self.definitions if (found := CREATED_TABLE.match(text))]

    def reference_tables(self) -> set[str]:
        created = (text for text in self.definitions if REFERENCE in text)
        return {found[1] for text in created if (found := CREATED_TABLE.match(text))}

    def text(self) -> str:
        lines = [*(f"-- {line}" for line in self.comment), f"{NODES_WORD} {self.nodes}", ""]
        lines += [f"{text};" for text in self.definitions]
        for load in self.loads:
            lines += ["", f"COPY {load.table} FROM STDIN;", *load.rows, "\\."]
        for step in self.steps:
            lines += ["", *([f"{RUN_WORD} {step.manner()}"] if step.manner() else []), f"{step.sql};"]
        return "\n".join(lines) + "\n"

    @staticmethod
    def read(path: Path) -> Case:
        return _Reader().read(path.read_text())


def for_plain_postgresql(statement: str) -> str:
    """The statement as PostgreSQL without Herd understands it."""
    return HASH_CUT.sub("", HERD_OPTIONS.sub("", statement))


class _Reader:
    """Reads a file: statements until the first COPY or query are definitions, all others steps."""

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.loads: list[Load] = []
        self.steps: list[Statement] = []
        self.comment: list[str] = []
        self.nodes = 3
        self.manner = ""

    def read(self, text: str) -> Case:
        lines = iter(text.splitlines())
        gathered: list[str] = []
        for line in lines:
            if not gathered and self._directive(line):
                continue
            gathered.append(line)
            if line.rstrip().endswith(";"):
                self._statement("\n".join(gathered).strip().removesuffix(";"), lines)
                gathered = []
        return Case(tuple(self.definitions), tuple(self.loads), tuple(self.steps), self.nodes, tuple(self.comment))

    def _directive(self, line: str) -> bool:
        if line.startswith(NODES_WORD):
            self.nodes = int(line.removeprefix(NODES_WORD))
        elif line.startswith(RUN_WORD):
            self.manner = line.removeprefix(RUN_WORD).strip()
        elif line.startswith("--"):
            self.comment.append(line.removeprefix("--").strip())
        else:
            return not line.strip()
        return True

    def _statement(self, sql: str, lines: object) -> None:
        copied = re.match(r"COPY (.*) FROM STDIN$", sql)
        if copied:
            self.loads.append(Load(copied[1], tuple(iter(lambda: next(lines), "\\."))))
        elif sql.startswith(("CREATE ", "ALTER ")) and not self.steps:
            self.definitions.append(sql)
        else:
            self.steps.append(Statement.read(sql, self.manner))
            self.manner = ""
