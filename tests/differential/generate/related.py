"""Queries of tables that are related by their keys, with conditions on each: what need not be read is tempting here.

Outer joins keep rows that their own conditions would leave out, subqueries and CTEs are used in several places
with other conditions in each, and a condition may stand in ON, in WHERE, around or within.
"""

from __future__ import annotations

from random import Random

from . import kinds
from .expressions import Field
from .kinds import Kind, quoted
from .schema import Schema, Table

JOINS = ("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


class Related:
    def __init__(self, random: Random, schema: Schema):
        self.random = random
        self.schema = schema
        self._numbers = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def statement(self) -> str:
        self._numbers = 0
        turn = self.random.random()
        if turn < 0.5:
            return self.finished(self.joined(self.random.choice((2, 2, 3, 4))))
        if turn < 0.7:
            return self.finished(self.nested())
        if turn < 0.85:
            return self.common()
        first, second = self.joined(2), self.joined(self.random.choice((1, 2)))
        word = self.random.choice(("UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL"))
        return f"SELECT k FROM ({self.keys(first)}) a {word} SELECT k FROM ({self.keys(second)}) b ORDER BY 1"

    def alias(self) -> str:
        self._numbers += 1
        return f"t{self._numbers}"

    def alike(self) -> list[Table]:
        """Tables with the same kind of key, as many as there are."""
        kind = self.random.choice(self.schema.tables).key_kind
        return [table for table in self.schema.tables if table.key_kind == kind]

    def joined(self, count: int) -> tuple[str, str, list[tuple[Table, str]]]:
        """FROM, WHERE, and what is in sight."""
        tables = self.alike()
        seen: list[tuple[Table, str]] = []
        text = ""
        for _ in range(count):
            table, alias = self.random.choice(tables), self.alias()
            source = f"{table.name} {alias}" if self.chance(0.85) else f"(SELECT * FROM {table.name} i{alias} WHERE {self.condition(table, f'i{alias}')}) {alias}"
            if not seen:
                text = source
            else:
                other, beside = self.random.choice(seen)
                same = [f"{beside}.k = {alias}.k"]
                if "n" in other.primary and "n" in table.primary and self.chance(0.6):
                    same.append(f"{beside}.n = {alias}.n")
                word = self.random.choice(JOINS)
                if word != "FULL JOIN" and self.chance(0.5):
                    same.append(self.condition(*self.random.choice(((table, alias), (other, beside)))))
                self.random.shuffle(same)
                text += f" {word} {source} ON {' AND '.join(same)}"
            seen.append((table, alias))
        conditions = [self.condition(*self.random.choice(seen)) for _ in range(self.random.choice((0, 1, 1, 2)))]
        if self.chance(0.2):
            conditions.append(self.subquery(*self.random.choice(seen)))
        if self.chance(0.1) and len(seen) > 1:
            conditions.append(f"({self.condition(*seen[0])} OR {self.condition(*seen[1])})")
        return text, " AND ".join(conditions), seen

    def keys(self, parts: tuple[str, str, list[tuple[Table, str]]]) -> str:
        text, where, seen = parts
        return f"SELECT {self.random.choice(seen)[1]}.k FROM {text}{f' WHERE {where}' if where else ''}"

    def condition(self, table: Table, alias: str) -> str:
        column = self.random.choice(table.columns) if self.chance(0.7) else table.column("k")
        name, kind = f"{alias}.{column.name}", column.kind
        turn = self.random.randrange(13)
        if turn < 2:
            return f"{name} IS {self.random.choice(('', 'NOT '))}NULL"
        if turn < 5:
            return f"{name} {self.random.choice(('=', '<>', '<', '>=', '='))} {self.value(kind)}"
        if turn == 5:
            return f"{name} IN ({self.value(kind)}, {self.value(kind)}, {self.value(kind)})"
        if turn == 6:
            return f"{name} {self.random.choice(('', 'NOT '))}BETWEEN {self.value(kind)} AND {self.value(kind)}"
        if turn == 7:
            return f"{self.value(kind)} {self.random.choice(('=', '<', '>'))} {name}"
        if turn == 8:
            return f"NOT ({name} = {self.value(kind)})"
        if turn == 9:
            return f"{name} IS {self.random.choice(('', 'NOT '))}DISTINCT FROM {self.value(kind)}"
        if turn == 10:
            return f"coalesce({name}, {self.value(kind)}) = {self.value(kind)}"
        if turn == 11 and kind.name in kinds.TEXTS:
            return self.random.choice((f"{name} LIKE '{self.random.choice(('a%', '%b', '_'))}'", f"lower({name}) = {self.value(kind)}", f"length({name}) > 1", f"{name} ILIKE 'A%'"))
        if turn == 11:
            return f"CASE WHEN {name} IS NULL THEN true ELSE {name} = {self.value(kind)} END"
        return f"({name} = {self.value(kind)} OR {name} IS NULL)"

    def value(self, kind: Kind) -> str:
        return quoted(self.random.choice(kind.values)) if self.chance(0.5) else kind.literal(self.random)

    def subquery(self, table: Table, alias: str) -> str:
        """A condition about partners of a row."""
        others = [other for other in self.schema.tables if other.key_kind == table.key_kind]
        other, inner = self.random.choice(others), self.alias()
        extra = f" AND {self.condition(*self.random.choice(((other, inner), (table, alias))))}" if self.chance(0.7) else ""
        turn = self.random.randrange(5)
        if turn < 2:
            return f"{('', 'NOT ')[turn]}EXISTS (SELECT 1 FROM {other.name} {inner} WHERE {inner}.k = {alias}.k{extra})"
        if turn < 4:
            return f"{alias}.k {('', 'NOT ')[turn - 2]}IN (SELECT {inner}.k FROM {other.name} {inner} WHERE true{extra})"
        return f"(SELECT count(*) FROM {other.name} {inner} WHERE {inner}.k = {alias}.k{extra}) {self.random.choice(('= 0', '> 0', '= 1'))}"

    def finished(self, parts: tuple[str, str, list[tuple[Table, str]]]) -> str:
        text, where, seen = parts
        fields = [Field(f"{alias}.{column.name}", column.kind) for table, alias in seen for column in table.columns]
        where = f" WHERE {where}" if where else ""
        turn = self.random.random()
        if turn < 0.35:
            return f"SELECT count(*), count({self.random.choice(fields).sql}) FROM {text}{where}"
        if turn < 0.5:
            group = self.random.choice(fields).sql
            return f"SELECT {group}, count(*) FROM {text}{where} GROUP BY {group} ORDER BY 1, 2"
        if turn < 0.6:
            return f"SELECT count(*) FROM (SELECT DISTINCT {self.random.choice(fields).sql} FROM {text}{where}) s"
        shown = [self.random.choice(fields).sql for _ in range(self.random.randint(1, 3))]
        order = f" ORDER BY {', '.join(str(place + 1) for place in range(len(shown)))}" if self.chance(0.5) else ""
        limit = f" LIMIT {self.random.randint(0, 6)}" if order and self.chance(0.4) else ""
        return f"SELECT {', '.join(shown)} FROM {text}{where}{order}{limit}"

    def nested(self) -> tuple[str, str, list[tuple[Table, str]]]:
        """A join as a whole beside another table."""
        inner, where, seen = self.joined(2)
        table, alias = seen[0]
        name = self.alias()
        columns = ", ".join(f"{alias}.{column.name}" for column in table.columns)
        text = f"(SELECT {columns} FROM {inner}{f' WHERE {where}' if where else ''}) {name}"
        others = [other for other in self.schema.tables if other.key_kind == table.key_kind]
        other, beside = self.random.choice(others), self.alias()
        sides = [text, f"{other.name} {beside}"]
        self.random.shuffle(sides)
        outside = self.condition(*self.random.choice(((table, name), (other, beside)))) if self.chance(0.7) else ""
        return f"{sides[0]} {self.random.choice(JOINS)} {sides[1]} ON {name}.k = {beside}.k", outside, [(table, name), (other, beside)]

    def common(self) -> str:
        """A CTE that is used in two places, of which each has a condition of its own."""
        table = self.random.choice(self.schema.tables)
        inner = f" WHERE {self.condition(table, table.name)}" if self.chance(0.4) else ""
        how = self.random.choice(("", "", " MATERIALIZED", " NOT MATERIALIZED"))
        uses = [f"(SELECT count(*) FROM w WHERE {self.condition(table, 'w')})" for _ in range(self.random.randint(1, 2))]
        others = [other for other in self.schema.tables if other.key_kind == table.key_kind]
        other = self.random.choice(others)
        uses.append(f"(SELECT count(*) FROM w {self.random.choice(JOINS)} {other.name} o ON w.k = o.k WHERE {self.condition(other, 'o')})")
        return f"WITH w AS{how} (SELECT * FROM {table.name}{inner}) SELECT {', '.join(uses)}"
