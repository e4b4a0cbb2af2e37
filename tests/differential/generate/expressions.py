"""Random expressions over the columns in sight; each has one value, whatever the plan.

Arithmetic is kept where it cannot overflow, and divisors are never zero: when PostgreSQL finds out that a
row is in error depends on its plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from . import kinds
from .kinds import EXPRESSION_KINDS, Kind

#: Gives a subquery that sees the fields: of one column of a kind, or of any for EXISTS; of one row, or of many.
Subquery = Callable[..., str]


@dataclass(frozen=True)
class Field:
    """A column in sight, as it is written."""

    sql: str
    kind: Kind


class Expressions:
    """Expressions over some fields, and perhaps over those of the queries around."""

    def __init__(self, random: Random, fields: list[Field], subquery: Subquery | None = None):
        self.random = random
        self.fields = fields
        self.subquery = subquery

    def with_fields(self, fields: list[Field]) -> Expressions:
        return Expressions(self.random, fields, self.subquery)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def any_kind(self) -> Kind:
        if self.fields and self.chance(0.85):
            return self.random.choice(self.fields).kind
        return self.random.choice(EXPRESSION_KINDS)

    def column(self, kind: Kind) -> str | None:
        alike = [field.sql for field in self.fields if field.kind.is_like(kind)]
        return self.random.choice(alike) if alike else None

    def of(self, kind: Kind, depth: int = 2) -> str:
        turn = self.random.random()
        if turn < 0.55 or depth <= 0:
            column = self.column(kind)
            if column is not None and turn < 0.5:
                return column
            return column if column is not None and self.chance(0.7) else kind.literal(self.random)
        if turn < 0.85:
            return self.made(kind, depth - 1)
        if turn < 0.90 and self.subquery:
            return self.subquery(self, kind)
        return self.chosen(kind, depth - 1)

    def chosen(self, kind: Kind, depth: int) -> str:
        """What every type has."""
        first, second = self.of(kind, depth), self.of(kind, depth)
        turn = self.random.randrange(5)
        if turn == 0:
            return f"CASE WHEN {self.condition(depth)} THEN {first} ELSE {second} END"
        if turn == 1:
            return f"CASE WHEN {self.condition(depth)} THEN {first} END"
        if turn == 2:
            return f"coalesce({first}, {second})"
        if turn == 3:
            return f"nullif({first}, {second})"
        return first if kind.name in ("jsonb",) else f"{self.random.choice(('greatest', 'least'))}({first}, {second})"

    def made(self, kind: Kind, depth: int) -> str:
        make = getattr(self, "make_" + MAKERS.get(kind.name, "other"))
        return make(kind, depth)

    def make_other(self, kind: Kind, depth: int) -> str:
        return self.chosen(kind, depth)

    def make_int(self, kind: Kind, depth: int) -> str:
        turn = self.random.randrange(8)
        if turn == 0:
            return f"length({self.of(kinds.TEXT, depth)})"
        if turn == 1:
            return f"cardinality({self.of(kinds.INTS, depth)})"
        if turn == 2:
            return f"({self.of(kinds.BOOL, depth)})::int"
        if turn == 3:
            return f"({self.of(kinds.INT, depth)} % {self.random.randint(2, 9)})"
        if turn == 4:
            return f"({self.of(kinds.SMALL, depth)} / 3)::int"
        sign = self.random.choice("+-*")
        return f"(({self.of(kinds.INT, depth)} % 97) {sign} ({self.of(kinds.INT, depth)} % 31))"

    def make_small(self, kind: Kind, depth: int) -> str:
        return f"({self.of(kinds.INT, depth)} % 1000)::smallint"

    def make_bigint(self, kind: Kind, depth: int) -> str:
        turn = self.random.randrange(3)
        if turn == 0:
            return f"{self.of(kinds.INT, depth)}::bigint"
        if turn == 1:
            return f"({self.of(kinds.INT, depth)}::bigint * {self.of(kinds.SMALL, 0)})"
        return f"({self.of(kinds.BIG, depth)} % 1009 {self.random.choice('+-')} {self.of(kinds.INT, depth)})"

    def make_numeric(self, kind: Kind, depth: int) -> str:
        turn = self.random.randrange(4)
        if turn == 0:
            return f"{self.of(kinds.INT, depth)}::numeric(12,2)"
        if turn == 1:
            return f"round({self.of(kinds.NUMBER, depth)} / nullif(abs({self.of(kinds.INT, 0)}::numeric), 0), 2)"
        return f"({self.of(kinds.NUMBER, depth)} {self.random.choice('+-')} {self.of(kinds.NUMBER, depth)})"

    def make_float(self, kind: Kind, depth: int) -> str:
        return f"({self.of(kinds.FLOAT, 0)} {self.random.choice('+-')} {self.of(kinds.FLOAT, 0)})"

    def make_text(self, kind: Kind, depth: int) -> str:
        turn = self.random.randrange(7)
        inner = self.of(kinds.TEXT, depth)
        if turn == 0:
            return f"({inner} || {self.of(kinds.TEXT, depth)})"
        if turn == 1:
            return f"upper({inner})"
        if turn == 2:
            return f"substr({inner}, 1, {self.random.randint(0, 3)})"
        if turn == 3:
            return f"{self.of(self.random.choice((kinds.INT, kinds.BOOL, kinds.DATE, kinds.UUID, kinds.NUMBER)), depth)}::text"
        if turn == 4:
            return f"replace({inner}, 'a', {self.of(kinds.TEXT, 0)})"
        if turn == 5:
            return f"concat({inner}, {self.of(kinds.INT, 0)}, {self.of(kinds.TEXT, 0)})"
        return f"lower({inner})"

    def make_date(self, kind: Kind, depth: int) -> str:
        if self.chance(0.5):
            return f"(date '2024-01-31' + {self.of(kinds.INT, 0)} % 1000)"
        return f"date_trunc('month', {self.of(kinds.TIME, 0)} AT TIME ZONE 'UTC')::date"

    def make_bool(self, kind: Kind, depth: int) -> str:
        return f"({self.condition(depth)})"

    def make_ints(self, kind: Kind, depth: int) -> str:
        if self.chance(0.5):
            return f"ARRAY[{self.of(kinds.INT, depth)}, {self.of(kinds.INT, 0)}]"
        return f"array_append({self.of(kinds.INTS, depth)}, {self.of(kinds.INT, 0)})"

    def make_json(self, kind: Kind, depth: int) -> str:
        return self.random.choice((f"to_jsonb({self.of(kinds.TEXT, depth)})", f"jsonb_build_object('x', {self.of(kinds.INT, depth)})"))

    def condition(self, depth: int = 2) -> str:
        turn = self.random.random()
        if depth > 0 and turn < 0.25:
            word = self.random.choice(("AND", "AND", "OR"))
            return f"({self.condition(depth - 1)} {word} {self.condition(depth - 1)})"
        if depth > 0 and turn < 0.31:
            return f"NOT ({self.condition(depth - 1)})"
        if depth > 0 and turn < 0.40 and self.subquery:
            return self.asked(depth - 1)
        return self.simple(depth - 1)

    def simple(self, depth: int) -> str:
        kind = self.any_kind()
        left = self.of(kind, depth)
        turn = self.random.randrange(12)
        if turn < 5:
            sign = self.random.choice(("=", "=", "=", "<", ">", "<=", ">=", "<>"))
            return f"{left} {sign} {self.of(kind, depth)}"
        if turn == 5:
            return f"{left} IS {self.random.choice(('', 'NOT '))}NULL"
        if turn == 6:
            return f"{left} IS {self.random.choice(('', 'NOT '))}DISTINCT FROM {self.of(kind, depth)}"
        if turn == 7:
            items = ", ".join(self.of(kind, 0) for _ in range(self.random.randint(1, 4)))
            return f"{left} {self.random.choice(('', '', 'NOT '))}IN ({items})"
        if turn == 8:
            return f"{left} BETWEEN {self.of(kind, 0)} AND {self.of(kind, 0)}"
        if turn == 9:
            pattern = self.random.choice(("a%", "%b%", "_", "%", "A%", "ž%"))
            return f"{self.of(kinds.TEXT, depth)} {self.random.choice(('', 'NOT '))}LIKE '{pattern}'"
        if turn == 10:
            return f"{self.of(kinds.BOOL, depth)} IS {self.random.choice(('TRUE', 'NOT TRUE', 'FALSE', 'UNKNOWN'))}"
        other = self.any_kind()
        return f"({left}, {self.of(other, 0)}) {self.random.choice(('=', '<', '>='))} ({self.of(kind, 0)}, {self.of(other, 0)})"

    def asked(self, depth: int) -> str:
        """A condition about the rows of a subquery."""
        assert self.subquery is not None
        kind = self.any_kind()
        turn = self.random.randrange(4)
        if turn == 0:
            return f"{self.random.choice(('', 'NOT '))}EXISTS {self.subquery(self, None)}"
        left = self.of(kind, depth)
        if turn == 1:
            return f"{left} {self.random.choice(('', 'NOT '))}IN {self.subquery(self, kind, many=True)}"
        sign = self.random.choice(("=", "<", "<>", ">"))
        return f"{left} {sign} {self.random.choice(('ANY', 'ALL'))} {self.subquery(self, kind, many=True)}"


MAKERS = {
    "int": "int",
    "smallint": "small",
    "bigint": "bigint",
    "numeric": "numeric",
    "float": "float",
    "text": "text",
    "varchar": "other",
    "bool": "bool",
    "date": "date",
    "int[]": "ints",
    "jsonb": "json",
}
