"""What a query reads: tables, subqueries, CTEs, VALUES and functions, joined in every way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import kinds
from .expressions import Expressions, Field
from .schema import Table

if TYPE_CHECKING:
    from .queries import Queries

JOINS = ("JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ",")


@dataclass(frozen=True)
class Source:
    """One item of FROM, and the columns that it gives."""

    sql: str
    columns: tuple[Field, ...]
    alias: str = ""
    table: Table | None = None

    @staticmethod
    def of(table: Table, alias: str) -> Source:
        columns = tuple(Field(column.name, column.kind) for column in table.columns)
        return Source(f"{table.name} {alias}", columns, alias, table)

    def seen(self) -> list[Field]:
        return [Field(f"{self.alias}.{column.sql}", column.kind) for column in self.columns]


class Sources:
    """A FROM clause and what is in sight after it."""

    def __init__(self, queries: Queries, depth: int, around: list[Field]):
        self.queries = queries
        self.random = queries.random
        self.depth = depth
        self.around = around
        self.sql = ""
        self.fields: list[Field] = []
        self.tables: list[tuple[Table, str]] = []
        self._all: list[Source] = []

    def make(self, count: int) -> Sources:
        self.sql = self.take(self.source())
        for _ in range(count - 1):
            self.join()
        return self

    def take(self, source: Source) -> str:
        self._all.append(source)
        self.fields += source.seen()
        if source.table is not None:
            self.tables.append((source.table, source.alias))
        return source.sql

    def source(self, *, lateral: bool = False) -> Source:
        turn = self.random.random()
        if lateral or (turn < 0.2 and self.depth >= 1):
            seen = [*self.around, *self.fields] if lateral else self.around
            query = self.queries.query(self.depth - 1, seen if self.queries.chance(0.9) else [])
            if query.kinds:
                return self.named(f"{'LATERAL ' if lateral else ''}({query.sql})", query.kinds)
        if turn < 0.32 and self.queries.named:
            source = self.random.choice(self.queries.named)
            alias = self.queries.fresh("t")
            return Source(f"{source.sql} {alias}", source.columns, alias)
        if 0.32 < turn < 0.36:
            kind = self.random.choice(kinds.EXPRESSION_KINDS)
            rows = ", ".join(f"({kind.literal(self.random)}, {number})" for number in range(self.random.randint(1, 3)))
            return self.named(f"(VALUES {rows})", (kind, kinds.INT))
        if 0.36 < turn < 0.39:
            return self.named(f"generate_series(1, {self.random.randint(0, 5)})", (kinds.INT,))
        return self.queries.table_source()

    def named(self, sql: str, columns: tuple[kinds.Kind, ...]) -> Source:
        alias = self.queries.fresh("s")
        names = [f"c{number}" for number in range(1, len(columns) + 1)]
        fields = tuple(Field(name, kind) for name, kind in zip(names, columns, strict=True))
        return Source(f"{sql} AS {alias} ({', '.join(names)})", fields, alias)

    def join(self) -> None:
        word = self.random.choice(JOINS)
        if word in ("CROSS JOIN", ",") and len(self._all) > 1:
            word = "JOIN"
        left, before = self._all[-1], list(self.fields)
        lateral = self.depth >= 1 and word in ("JOIN", "LEFT JOIN", "CROSS JOIN", ",") and self.queries.chance(0.12)
        right = self.source(lateral=lateral)
        text = self.take(right)
        if word in ("CROSS JOIN", ","):
            # A comma binds less than a join that comes after it, which then would not see what is before.
            self.sql += f" CROSS JOIN {text}" if word != "," or self.queries.chance(0.5) else f" INNER JOIN {text} ON true"
            return
        same = [column.sql for column in left.columns if any(column == other for other in right.columns)]
        if same and len(self._all) == 2 and self.queries.chance(0.15) and not lateral:
            self.sql += f" {word} {text} USING ({same[0]})"
            return
        self.sql += f" {word} {text} ON {self.condition(word, before, right)}"

    def condition(self, word: str, before: list[Field], right: Source) -> str:
        pairs = [(a, b) for a in before for b in right.seen() if a.kind.is_like(b.kind)]
        keys = [(a, b) for a, b in pairs if a.sql.endswith(".k") and b.sql.endswith(".k")]
        if keys and self.queries.chance(0.6):
            pairs = keys
        if not pairs:
            return "true" if word != "FULL JOIN" else "false"
        first, second = self.random.choice(pairs)
        equal = f"{first.sql} = {second.sql}"
        if word == "FULL JOIN" or self.queries.chance(0.6):
            return equal
        over = Expressions(self.random, [*before, *right.seen()])
        if self.queries.chance(0.3) and len(self._all) == 2:
            return over.condition(1)
        return f"{equal} AND {over.condition(1)}"
