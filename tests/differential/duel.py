"""Runs a case on Herd and on plain PostgreSQL, statement by statement, and says where they differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from harness.endpoint import Endpoint

from .answers import HANGS, LOST, SEVERAL, Answer, described, difference, is_ordered
from .cases import Case, Statement
from .sides import OTHERWISE, Side

ON_NODES = "rows on the nodes"
IDLE, IN_TRANSACTION, FAILED_TRANSACTION = 0, 2, 3
READS = re.compile(r"\s*\(*\s*(SELECT|VALUES|TABLE)\b(?!.*\bINTO\b)|\s*WITH\b(?!.*\b(INSERT|UPDATE|DELETE)\b)", re.IGNORECASE | re.DOTALL)
ENDS = re.compile(r"\s*(COMMIT|ROLLBACK|END|ABORT)\b(?!.*\bTO\b)", re.IGNORECASE)
SAVEPOINT = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK TO)\s+(?:SAVEPOINT\s+)?(\w+)", re.IGNORECASE)


class Verdict(Enum):
    SAME = "same"
    #: Herd says 0A000, and does nothing.
    REFUSED = "refused"
    DIFFERENT = "different"
    #: Not sent, because what it needs was refused.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Outcome:
    """What became of one statement."""

    number: int
    statement: Statement
    verdict: Verdict
    #: Of a refusal its message, of a difference its kind.
    what: str = ""
    shown: tuple[str, ...] = ()


class Duel:
    """Herd and its oracle, each with the same case, and a second oracle that is asked when they differ."""

    def __init__(self, tested: Endpoint, oracle: Endpoint, schema: str, nodes: list[Endpoint], *, proving: bool):
        self.tested = Side(tested, schema, herd=not proving)
        self.oracle = Side(oracle, f"{schema}_right", herd=False)
        self._second = Side(oracle, f"{schema}_second", herd=False, settings=OTHERWISE)
        self.nodes = [Side(node, schema, herd=not proving) for node in nodes]
        self.proving = proving
        self._savepoints: list[str] = []
        #: Whether the rest of a transaction is left out, because what it began with was refused.
        self._skipping = False
        self._done: list[Statement] = []
        self._done_before: list[Statement] = []
        #: What the sides hold, while they hold nothing else; and the same of the second oracle.
        self._held: Case | None = None
        self._second_held: Case | None = None

    def close(self) -> None:
        for side in (self.tested, self.oracle, self._second):
            side.drop()
        for node in self.nodes:
            node.close()

    def begin(self, case: Case) -> None:
        """Proving itself, the suite loads the two sides in different orders, which must not matter."""
        self._savepoints, self._skipping, self._done = [], False, []
        self._held = None
        self.case = case
        self.tested.reset(case, backwards=self.proving)
        self.oracle.reset(case)

    def run(self, case: Case) -> Iterator[Outcome]:
        """All outcomes up to the first difference after which the two sides hold different rows."""
        self.begin(case)
        for number, statement in enumerate(case.steps):
            outcome = self.step(number, statement)
            yield outcome
            if outcome.verdict is Verdict.DIFFERENT and not is_read(statement.sql):
                return
        yield from self.last_look(len(case.steps))

    def last(self, case: Case) -> Outcome:
        """The outcome of the last statement, or of the first before it that differs."""
        before, last = replace(case, steps=case.steps[:-1]), case.steps[-1]
        if before != self._held:
            self.begin(case)
            for number, statement in enumerate(before.steps):
                outcome = self.step(number, statement)
                if outcome.verdict is Verdict.DIFFERENT:
                    return outcome
            self._done_before = list(self._done)
        self._done = list(self._done_before)
        outcome = self.step(len(before.steps), last)
        idle = all(side.session.transaction_status == IDLE for side in (self.tested, self.oracle))
        self._held = before if idle and is_read(last.sql) else None
        return outcome

    def step(self, number: int, statement: Statement) -> Outcome:
        if self._skipping:
            self._skipping = not ENDS.match(statement.sql)
            return Outcome(number, statement, Verdict.SKIPPED)
        tested = self.tested.ask(statement)
        if tested.refused and not self.proving:
            return self._refused(number, statement, tested)
        right = self.oracle.ask(statement)
        self._done.append(statement)
        self._last = (statement, right)
        self._remember(statement, right)
        what = difference(tested, right, ordered=is_ordered(statement.sql))
        if what is None:
            return Outcome(number, statement, Verdict.SAME)
        return Outcome(number, statement, Verdict.DIFFERENT, what, tuple(described(tested, right)))

    def _refused(self, number: int, statement: Statement, tested: Answer) -> Outcome:
        outcome = Outcome(number, statement, Verdict.REFUSED, kind_of(tested.message))
        if tested.transaction == FAILED_TRANSACTION:
            back = Statement(f"ROLLBACK TO {self._savepoints[-1]}" if self._savepoints else "ROLLBACK")
            self._skipping = not self._savepoints
            self._done.append(back)
            answers = [side.ask(back) for side in (self.tested, self.oracle)]
            what = difference(*answers, ordered=True)
            if what is not None:
                shown = (f"after the refusal of {statement.sql}", *described(*answers))
                return Outcome(number, back, Verdict.DIFFERENT, f"after a refusal: {what}", shown)
        return outcome

    def _remember(self, statement: Statement, right: Answer) -> None:
        """The savepoints that are there."""
        if right.transaction == IDLE:
            self._savepoints = []
        elif not right.state and (found := SAVEPOINT.match(statement.sql)):
            word, name = found[1].upper(), found[2].lower()
            if word == "SAVEPOINT":
                self._savepoints.append(name)
                return
            while self._savepoints and self._savepoints[-1] != name:
                self._savepoints.pop()
            if word == "RELEASE" and self._savepoints:
                self._savepoints.pop()

    def last_look(self, number: int) -> Iterator[Outcome]:
        """Whole tables, through Herd and behind its back."""
        for side in (self.tested, self.oracle):
            if side.session.transaction_status != IDLE:
                side.must("ROLLBACK")
        for table in self.case.tables():
            statement = Statement(f"SELECT * FROM {table}")
            yield self.step(number, statement)
            if not self.proving:
                yield from self._behind(number, table)

    def _behind(self, number: int, table: str) -> Iterator[Outcome]:
        """In binary, as the sessions may have settings that say how values are written."""
        statement = Statement(f"SELECT * FROM {table}", extended=True, binary=True)
        right = self.oracle.ask(statement)
        parts = [node.ask(statement) for node in self.nodes]
        there = [part for part in parts if not part.state]
        expected = Counter(right.rows)
        if table in self.case.reference_tables():
            wrong = any(Counter(part.rows) != expected for part in parts)
        else:
            wrong = sum((Counter(part.rows) for part in there), Counter()) != expected
        if wrong:
            shown = tuple(line for part in there for line in described(part, right))
            yield Outcome(number, statement, Verdict.DIFFERENT, ON_NODES, shown)

    def is_undefined(self) -> bool:
        """Whether PostgreSQL itself may answer the last statement in more than one way."""
        statement, right = self._last
        before = replace(self.case, steps=tuple(self._done[:-1]))
        if before != self._second_held:
            self._second.reset(self.case, backwards=True)
            for each in before.steps:
                self._second.ask(each)
        again = self._second.ask(statement)
        self._second_held = before if is_read(statement.sql) and again.transaction == IDLE else None
        return difference(again, right, ordered=is_ordered(statement.sql)) is not None


def is_read(sql: str) -> bool:
    """Whether a statement changes nothing, so that after it the two sides still hold the same."""
    parts = sql.split(SEVERAL)
    return all(READS.match(part) is not None and "for update" not in part.lower() for part in parts)


def kind_of(message: str) -> str:
    """A refusal's first line, without the names that are in it."""
    line = message.strip().splitlines()[0].removeprefix("ERROR:").strip()
    return re.sub(r"\b\d+\b", "…", re.sub(r'"[^"]*"|\'[^\']*\'', "…", line))


def is_grave(outcome: Outcome) -> bool:
    return any(word in outcome.what for word in (HANGS, LOST))
