"""Random queries whose results are defined: LIMIT only with an order of all columns, windows over a total order."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from . import kinds
from .aggregates import aggregate, window
from .expressions import Expressions, Field
from .kinds import Kind
from .schema import Schema, Table
from .sources import Source, Sources

DEPTH = 3
LIMITS = ("0", "1", "2", "3", "5", "10", "NULL", "ALL", "2 + 1", "'4'::bigint")


@dataclass(frozen=True)
class Query:
    sql: str
    kinds: tuple[Kind, ...]


class Queries:
    """Queries over a schema and the CTEs in sight."""

    def __init__(self, random: Random, schema: Schema):
        self.random = random
        self.schema = schema
        self.named: list[Source] = []
        self._numbers = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def fresh(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}{self._numbers}"

    def statement(self) -> str:
        """A whole query; those of one table and of two that join on the key come often."""
        self._numbers, self.named = 0, []
        turn = self.random.random()
        if turn < 0.3:
            return self.query(1, [], sources=1).sql
        if turn < 0.5:
            return self.query(1, [], sources=2).sql
        return self.query(DEPTH, []).sql

    def query(self, depth: int, around: list[Field], wanted: list[Kind] | None = None, *, sources: int | None = None, ordered: bool | None = None) -> Query:
        before = list(self.named)
        head = self.common_tables(depth, around) if depth >= 2 and self.chance(0.2) else ""
        if depth >= 1 and self.chance(0.12):
            body = self.set_operation(depth - 1, around, wanted)
        else:
            body = self.select(depth, around, wanted, sources)
        self.named = before
        tail = self.order(body, ordered)
        return Query(head + body.sql + tail, body.kinds)

    def order(self, body: Query, ordered: bool | None) -> str:
        """ORDER BY every column, and perhaps a part of that."""
        if not body.kinds or "DISTINCT ON" in body.sql.split(" FROM ")[0] or not (ordered or (ordered is None and self.chance(0.5))):
            return ""
        places = list(range(1, len(body.kinds) + 1))
        self.random.shuffle(places)
        text = " ORDER BY " + ", ".join(f"{place}{self.direction()}" for place in places)
        if self.chance(0.45):
            text += f" LIMIT {self.random.choice(LIMITS)}" if self.chance(0.8) else " FETCH FIRST 2 ROWS WITH TIES"
            text += f" OFFSET {self.random.choice(('0', '1', '3', '1 + 1'))}" if self.chance(0.3) else ""
        elif self.chance(0.1):
            text += " OFFSET 2"
        return text

    def direction(self) -> str:
        return self.random.choice(("", "", "", " DESC", " ASC", " NULLS FIRST", " DESC NULLS LAST", " USING >"))

    def common_tables(self, depth: int, around: list[Field]) -> str:
        texts = []
        recursive = self.chance(0.2)
        for _ in range(self.random.randint(1, 2)):
            name = self.fresh("w")
            if recursive and self.chance(0.6):
                text = f"SELECT {self.random.randint(0, 2)} AS c1 UNION ALL SELECT c1 + 1 FROM {name} WHERE c1 < {self.random.randint(2, 6)}"
                query = Query(text, (kinds.INT,))
            else:
                query = self.query(depth - 1, around)
            if not query.kinds:
                query = Query(f"SELECT {self.random.randint(0, 9)}", (kinds.INT,))
            columns = [f"c{number}" for number in range(1, len(query.kinds) + 1)]
            how = self.random.choice(("", "", "", " MATERIALIZED", " NOT MATERIALIZED"))
            texts.append(f"{name} ({', '.join(columns)}) AS{how} ({query.sql})")
            self.named.append(Source(name, tuple(Field(column, kind) for column, kind in zip(columns, query.kinds, strict=True))))
        return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(texts)} "

    def set_operation(self, depth: int, around: list[Field], wanted: list[Kind] | None) -> Query:
        if wanted is None:
            wanted = [self.random.choice(kinds.EXPRESSION_KINDS) for _ in range(self.random.randint(1, 3))]
        sides = []
        for _ in range(2 if self.chance(0.8) else 3):
            sides.append(self.query(depth, around, wanted) if self.chance(0.3) else self.select(depth, around, wanted, 1 if self.chance(0.6) else None))
        text = f"({sides[0].sql})"
        for side in sides[1:]:
            word = self.random.choice(("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"))
            text += f" {word} ({side.sql})"
        return Query(text, tuple(wanted))

    def subquery(self, over: Expressions, kind: Kind | None, *, many: bool = False) -> str:
        """A subquery in an expression, mostly one that sees the row around it."""
        around = over.fields if self.chance(0.7) else []
        if kind is None:
            return f"({self.select(0, around, None, 1).sql})"
        if many:
            return f"({self.query(0, around, [kind], sources=1, ordered=False).sql})"
        source = self.table_source()
        inner = Expressions(self.random, [*source.seen(), *around])
        value = Expressions(self.random, source.seen()).of(kind, 1)
        if kind.name in ("int", "numeric", "text", "date", "bigint", "float"):
            value = f"{self.random.choice(('min', 'max'))}({value})"
            return f"(SELECT {value} FROM {source.sql} WHERE {inner.condition(1)})"
        return f"(SELECT {value} FROM {source.sql} WHERE {inner.condition(1)} ORDER BY 1 LIMIT 1)"

    def table_source(self) -> Source:
        return Source.of(self.random.choice(self.schema.tables), self.fresh("t"))

    def select(self, depth: int, around: list[Field], wanted: list[Kind] | None, sources: int | None) -> Query:
        made = Sources(self, depth, around).make(sources or self.random.choice((1, 1, 2, 2, 3)))
        fields = [*made.fields, *(around if self.chance(0.4) else [])]
        over = Expressions(self.random, fields, self.subquery if depth > 0 else None)
        where = f" WHERE {self.where(over, made.tables)}" if self.chance(0.6) else ""
        body = f" FROM {made.sql}{where}"
        turn = self.random.random()
        if turn < 0.28:
            return self.grouped(over, body, wanted, made)
        if turn < 0.36 and depth >= 0:
            return self.windowed(over.with_fields(list(made.fields)), body, wanted)
        if turn < 0.42 and wanted is None:
            return self.distinct_on(over, body)
        if turn < 0.47 and wanted is None and depth == DEPTH and len(made.fields) <= 12:
            return Query(f"SELECT *{body}", ())
        outputs = wanted or [over.any_kind() for _ in range(self.random.randint(1, 4))]
        distinct = "DISTINCT " if self.chance(0.15) else ""
        return Query(f"SELECT {distinct}{self.outputs([over.of(kind) for kind in outputs])}{body}", tuple(outputs))

    def outputs(self, items: list[str]) -> str:
        return ", ".join(f"{item} AS {self.fresh('o')}" if self.chance(0.3) else item for item in items)

    def where(self, over: Expressions, tables: list[tuple[Table, str]]) -> str:
        """A condition, often with the key in it."""
        if not tables or self.chance(0.55):
            return over.condition(2)
        table, alias = self.random.choice(tables)
        key = " AND ".join(self.about_key(table, f"{alias}.{name}") for name in table.key)
        return key if self.chance(0.5) else f"{key} {self.random.choice(('AND', 'AND', 'OR'))} {over.condition(1)}"

    def about_key(self, table: Table, column: str) -> str:
        kind = table.column(column.rpartition(".")[2]).kind
        turn = self.random.randrange(8)
        if turn < 3:
            return f"{column} = {kind.literal(self.random)}"
        if turn == 3:
            return f"{column} = {kinds.quoted(self.random.choice(kind.values))}"
        if turn == 4:
            return f"{column} IN ({', '.join(kind.literal(self.random) for _ in range(self.random.randint(1, 3)))})"
        if turn == 5:
            return f"{column} = ANY (ARRAY[{', '.join(kind.literal(self.random) for _ in range(2))}])"
        if turn == 6:
            return f"{column} BETWEEN {kind.literal(self.random)} AND {kind.literal(self.random)}"
        return f"({column} = {kind.literal(self.random)} OR {column} {self.random.choice(('=', '<', '>'))} {kind.literal(self.random)})"

    def grouped(self, over: Expressions, body: str, wanted: list[Kind] | None, made: Sources) -> Query:
        fields = list(made.fields)
        inner = over.with_fields(fields)
        groups = [self.group(inner, fields) for _ in range(self.random.choice((0, 1, 1, 2)))]
        seen = [Field(text, kind) for text, kind in groups]
        outer = Expressions(self.random, seen)
        if wanted is None:
            outputs = [(text, kind) for text, kind in groups if self.chance(0.8)]
            outputs += [aggregate(inner) for _ in range(self.random.randint(0 if outputs else 1, 3))]
        else:
            outputs = [(self.aggregated(inner, outer, kind), kind) for kind in wanted]
        by = self.grouping([text for text, _ in groups])
        having = f" HAVING {self.having(inner, seen)}" if self.chance(0.25) else ""
        distinct = "DISTINCT " if self.chance(0.06) else ""
        text = f"SELECT {distinct}{self.outputs([text for text, _ in outputs])}{body}{by}{having}"
        return Query(text, tuple(kind for _, kind in outputs))

    def group(self, over: Expressions, fields: list[Field]) -> tuple[str, Kind]:
        if fields and self.chance(0.75):
            field = self.random.choice(fields)
            return field.sql, field.kind
        kind = over.any_kind()
        return f"({Expressions(self.random, fields).of(kind, 1)})", kind

    def grouping(self, groups: list[str]) -> str:
        if not groups:
            return self.random.choice(("", "", "", " GROUP BY ()"))
        items = ", ".join(groups)
        turn = self.random.random()
        if turn < 0.75:
            return f" GROUP BY {items}"
        if turn < 0.85:
            return f" GROUP BY {self.random.choice(('ROLLUP', 'CUBE'))} ({items})"
        sets = ", ".join([*(f"({group})" for group in groups), "()"])
        return f" GROUP BY GROUPING SETS ({sets})"

    def aggregated(self, inner: Expressions, outer: Expressions, kind: Kind) -> str:
        """An expression of a kind over groups."""
        column = outer.column(kind)
        if column is not None and self.chance(0.5):
            return column
        if kind.name in ("int", "text", "numeric", "date", "bigint", "float"):
            return f"{self.random.choice(('min', 'max'))}({inner.of(kind, 1)})"
        return kind.literal(self.random)

    def having(self, inner: Expressions, seen: list[Field]) -> str:
        text, kind = aggregate(inner)
        if kind.name in ("bigint", "numeric", "int"):
            return f"{text} {self.random.choice(('>', '<', '=', '>='))} {self.random.randint(0, 4)}"
        return f"{text} IS NOT NULL"

    def windowed(self, over: Expressions, body: str, wanted: list[Kind] | None) -> Query:
        if wanted is not None:
            return Query(f"SELECT {self.outputs([over.of(kind) for kind in wanted])}{body}", tuple(wanted))
        outputs = [(over.of(kind, 1), kind) for kind in (over.any_kind() for _ in range(self.random.randint(1, 2)))]
        outputs += [window(over) for _ in range(self.random.randint(1, 2))]
        return Query(f"SELECT {self.outputs([text for text, _ in outputs])}{body}", tuple(kind for _, kind in outputs))

    def distinct_on(self, over: Expressions, body: str) -> Query:
        """Within the same DISTINCT ON, all of the columns decide which row is the first."""
        outputs = [over.any_kind() for _ in range(self.random.randint(1, 3))]
        texts = [over.of(kind, 1) for kind in outputs]
        on = self.random.randint(1, len(texts))
        places = [f"{place}{self.direction()}" for place in range(1, len(texts) + 1)]
        limit = f" LIMIT {self.random.choice(LIMITS)}" if self.chance(0.3) else ""
        text = f"SELECT DISTINCT ON ({', '.join(map(str, range(1, on + 1)))}) {', '.join(texts)}{body} ORDER BY {', '.join(places)}{limit}"
        return Query(text, ())

