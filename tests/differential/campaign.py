"""Many programs against one Herd: what was answered, what was refused, and what was wrong, made small."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .cases import Case
from .duel import ON_NODES, Duel, Outcome, Verdict
from .generate.programs import program
from .sides import Broken
from .shrink import Shrinker

FAILURES_ALIKE_MAX = 1


@dataclass
class Failure:
    """Something that Herd does otherwise than PostgreSQL."""

    seed: int
    what: str
    case: Case
    shown: tuple[str, ...]

    def text(self) -> str:
        comment = (f"seed {self.seed}: {self.what}", *(line.replace("\n", " ") for line in self.shown))
        return replace(self.case, comment=comment).text()


@dataclass
class Report:
    """What has been seen so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    #: Answered statements that were errors on both sides.
    errors: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    undefined: int = 0
    failures: list[Failure] = field(default_factory=list)
    programs: int = 0

    def lines(self) -> list[str]:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.verdicts.items()))
        lines = [f"{self.programs} programs, {sum(self.verdicts.values())} statements: {counts}; {self.undefined} undefined, {len(self.failures)} failures"]
        return lines + [f"  {count:6d} refused: {message}" for message, count in self.refusals.most_common()]


class Campaign:
    def __init__(self, duel: Duel, nodes: int, *, shrink_seconds: float, announce: Callable[[str], None] = print):
        self.duel = duel
        self.nodes = nodes
        self.shrink_seconds = shrink_seconds
        self.announce = announce
        self.report = Report()
        self._seen: Counter[str] = Counter()

    def run(self, seed: int, seconds: float) -> Report:
        """Programs of one seed after the other until the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.one(seed, deadline)
            seed += 1
        return self.report

    def one(self, seed: int, deadline: float) -> None:
        case = program(seed, self.nodes)
        self.report.programs += 1
        try:
            self._perform(seed, case, deadline)
        except Broken as broken:
            self.report.failures.append(Failure(seed, "it cannot be set up", case, (str(broken),)))
            self.announce(str(broken))

    def _perform(self, seed: int, case: Case, deadline: float) -> None:
        for outcome in self.duel.run(case):
            self.report.verdicts[outcome.verdict.value] += 1
            if outcome.verdict is Verdict.REFUSED:
                self.report.refusals[outcome.what] += 1
            elif outcome.verdict is Verdict.DIFFERENT and self._is_failure(outcome):
                self._failed(seed, case, outcome)
                return
            if time.monotonic() > deadline:
                return

    def _is_failure(self, outcome: Outcome) -> bool:
        if self._stays(outcome):
            return True
        self.report.undefined += 1
        return False

    def _stays(self, outcome: Outcome) -> bool:
        return outcome.what == ON_NODES or not self.duel.is_undefined()

    def _failed(self, seed: int, case: Case, outcome: Outcome) -> None:
        likeness = f"{outcome.what} {outcome.statement.sql.split(' ', 1)[0]}"
        self._seen[likeness] += 1
        case = replace(case, steps=case.steps[: outcome.number + 1])
        if outcome.number == len(case.steps) and outcome.what != ON_NODES:
            case = replace(case, steps=(*case.steps, outcome.statement))
        shown = outcome.shown
        if self._seen[likeness] <= FAILURES_ALIKE_MAX:
            case = Shrinker(lambda smaller: self.shown_if_fails(smaller, outcome.what) is not None, self.shrink_seconds).shrink(case)
            shown = self.shown_if_fails(case, outcome.what) or shown
        failure = Failure(seed, outcome.what, case, shown)
        self.report.failures.append(failure)
        self.announce(failure.text())

    def shown_if_fails(self, case: Case, what: str) -> tuple[str, ...] | None:
        """What is shown if the case fails in this way, and PostgreSQL has one answer."""
        if not case.steps:
            return None
        try:
            outcome = self.duel.last(case)
            if what == ON_NODES:
                seen = (each for each in self.duel.last_look(0) if each.what == ON_NODES)
                outcome = next(seen, outcome)
            fails = outcome.verdict is Verdict.DIFFERENT and outcome.what == what and self._stays(outcome)
            return outcome.shown if fails else None
        except Broken:
            return None
