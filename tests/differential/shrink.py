"""Makes a failing case smaller while it fails in the same way: statements, rows, columns, then words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from .cases import CREATED_TABLE, Case, Load, Statement

TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\$\d+|::|[<>=!|]+|\w+(?:\.\w+)?|\s+|.", re.DOTALL)
SECONDS_MAX = 60.0

Fails = Callable[[Case], bool]


class Shrinker:
    """Tries ever smaller cases within its time; `fails` says whether one still shows the failure."""

    def __init__(self, fails: Fails, seconds: float = SECONDS_MAX):
        self._fails = fails
        self._deadline = time.monotonic() + seconds

    def shrink(self, case: Case) -> Case:
        before = None
        while case != before and self._in_time():
            before = case
            case = self._steps(case)
            case = self._words(case)
            case = self._tables(case)
            case = self._rows(case)
            case = self._columns(case)
        return case

    def _in_time(self) -> bool:
        return time.monotonic() < self._deadline

    def _if_fails(self, smaller: Case, case: Case) -> Case:
        return smaller if self._in_time() and smaller != case and self._fails(smaller) else case

    def _steps(self, case: Case) -> Case:
        def with_steps(kept: list[Statement]) -> Case:
            return replace(case, steps=tuple(kept))

        steps = self._fewer(list(case.steps), lambda kept: self._fails(with_steps(kept)))
        case = with_steps(steps)
        for number, step in enumerate(case.steps):
            for plainer in (replace(step, binary=False), Statement(step.sql)):
                if not step.parameters or plainer.parameters:
                    case = self._if_fails(replace(case, steps=(*case.steps[:number], plainer, *case.steps[number + 1 :])), case)
        return case

    def _tables(self, case: Case) -> Case:
        for text in reversed(case.definitions):
            definitions = tuple(other for other in case.definitions if other != text)
            created = CREATED_TABLE.match(text)
            loads = tuple(load for load in case.loads if created is None or load.table != created[1])
            case = self._if_fails(replace(case, definitions=definitions, loads=loads), case)
        return case

    def _rows(self, case: Case) -> Case:
        for number, load in enumerate(case.loads):

            def with_rows(kept: list[str], case: Case = case, number: int = number, load: Load = load) -> Case:
                return replace(case, loads=(*case.loads[:number], Load(load.table, tuple(kept)), *case.loads[number + 1 :]))

            case = with_rows(self._fewer(list(load.rows), lambda kept: self._fails(with_rows(kept))))
        return case

    def _columns(self, case: Case) -> Case:
        for smaller in self._without_column(case):
            case = self._if_fails(smaller, case)
        return case

    def _without_column(self, case: Case) -> Iterator[Case]:
        """One column less, each time of the case as it was at first: a second round takes the next."""
        for number, text in enumerate(case.definitions):
            lines = text.split("\n")
            created = CREATED_TABLE.match(text)
            for place in range(1, len(lines) - 2) if created else ():
                definitions = (*case.definitions[:number], "\n".join(lines[:place] + lines[place + 1 :]), *case.definitions[number + 1 :])
                loads = tuple(_narrowed(load, place - 1) if load.table == created[1] else load for load in case.loads)
                yield replace(case, definitions=definitions, loads=loads)

    def _words(self, case: Case) -> Case:
        for number in reversed(range(len(case.steps))):
            step = case.steps[number]

            def with_text(text: str, number: int = number, step: Statement = step, case: Case = case) -> Case:
                return replace(case, steps=(*case.steps[:number], replace(step, sql=text), *case.steps[number + 1 :]))

            text = step.sql
            progress = True
            while progress and self._in_time():
                progress = False
                for shorter in shorter_texts(text):
                    if not self._in_time():
                        break
                    if self._fails(with_text(shorter)):
                        text, progress = shorter, True
                        break
            case = with_text(text)
        return case

    def _fewer(self, items: list, fails: Callable[[list], bool]) -> list:
        """As few of the items as still fail: halves, then smaller parts, then single ones."""
        size = max(1, len(items) // 2)
        while size and items and self._in_time():
            start = 0
            while start < len(items) and self._in_time():
                kept = items[:start] + items[start + size :]
                if fails(kept):
                    items = kept
                else:
                    start += size
            size = size // 2
        return items


def _narrowed(load: Load, place: int) -> Load:
    rows = (row.split("\t") for row in load.rows)
    return Load(load.table, tuple("\t".join(row[:place] + row[place + 1 :]) for row in rows))


def shorter_texts(text: str) -> Iterator[str]:
    """The text with less in it: without a run of items, or with a group in place of its contents."""
    tokens = TOKEN.findall(text)
    ends = _ends(tokens)
    size = len(tokens) // 2
    while size >= 1:
        for start in range(0, len(tokens) - size + 1, max(1, size // 2)):
            if _is_balanced(tokens[start : start + size]):
                yield _joined(tokens[:start] + tokens[start + size :])
        size = size * 2 // 3
    for opening, closing in ends.items():
        if closing > opening + 1:
            yield _joined(tokens[:opening] + tokens[opening + 1 : closing] + tokens[closing + 1 :])
            yield _joined(tokens[:opening] + ["NULL"] + tokens[closing + 1 :])
            before = opening - 1
            if before >= 0 and tokens[before].isidentifier():
                yield _joined(tokens[:before] + tokens[opening + 1 : closing] + tokens[closing + 1 :])
                yield _joined(tokens[:before] + ["1"] + tokens[closing + 1 :])


def _joined(tokens: list[str]) -> str:
    return re.sub(r"\s+", " ", "".join(tokens)).strip()


def _is_balanced(tokens: list[str]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth < 0:
            return False
    return depth == 0 and any(token.strip() for token in tokens)


def _ends(tokens: list[str]) -> dict[int, int]:
    """Where each parenthesis that opens is closed."""
    opened: list[int] = []
    ends = {}
    for place, token in enumerate(tokens):
        if token == "(":
            opened.append(place)
        elif token == ")" and opened:
            ends[opened.pop()] = place
    return ends
