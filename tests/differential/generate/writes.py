"""Random statements that change rows, each with one outcome: no row is written twice, no key meets its like by chance of order."""

from __future__ import annotations

from random import Random

from . import kinds
from .expressions import Expressions, Field
from .kinds import quoted
from .queries import Queries
from .schema import Column, Schema, Table

#: Keys that move by so much meet none that is there, in whatever order they move.
FAR = {"int": "1000", "bigint": "1000", "smallint": "1000", "numeric": "20000.00", "date": "40000"}


class Writes:
    def __init__(self, random: Random, schema: Schema):
        self.random = random
        self.schema = schema
        self.queries = Queries(random, schema)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def statement(self) -> str:
        table = self.random.choice(self.schema.tables)
        makers = (self.insert, self.insert, self.insert_select, self.update, self.update, self.update_from, self.delete, self.delete_using, self.merge, self.with_write)
        return self.random.choice(makers)(table)

    def expressions(self, fields: list[Field], *, deep: bool = True) -> Expressions:
        return Expressions(self.random, fields, self.queries.subquery if deep and self.chance(0.3) else None)

    def fields(self, table: Table, alias: str) -> list[Field]:
        return [Field(f"{alias}.{column.name}", column.kind) for column in table.columns]

    def returning(self, table: Table, alias: str) -> str:
        if self.chance(0.6):
            return ""
        if self.chance(0.25):
            return " RETURNING *" if self.chance(0.5) else f" RETURNING {alias}.*"
        over = self.expressions(self.fields(table, alias), deep=False)
        return " RETURNING " + ", ".join(over.of(over.any_kind(), 1) for _ in range(self.random.randint(1, 3)))

    def key_value(self, column: Column, number: int) -> str:
        """Values of keys repeat, except when many are needed that differ."""
        if column.name == "n":
            return str(self.random.randint(-2, 40) if number < 0 else 100 + number)
        return self.value(column, null=0)

    def value(self, column: Column, null: float = 0.15) -> str:
        turn = self.random.random()
        if turn < null and not column.required:
            return "NULL"
        if turn < null + 0.05 and not column.required:
            return "DEFAULT"
        value = self.random.choice(column.kind.values)
        return quoted(value) if self.chance(0.5) else column.kind.spelled(value, self.random)

    def rows(self, table: Table, columns: tuple[Column, ...], count: int) -> str:
        rows = []
        for _ in range(count):
            rows.append("(" + ", ".join(self.key_value(c, -1) if c.name in table.primary else self.value(c) for c in columns) + ")")
        return ", ".join(rows)

    def insert(self, table: Table) -> str:
        columns = table.columns
        named = ""
        if self.chance(0.6):
            columns = tuple(c for c in table.columns if c.name in table.primary or c.required or self.chance(0.6))
            columns = tuple(self.random.sample(columns, len(columns)))
            named = f" ({', '.join(c.name for c in columns)})"
        count = self.random.choice((1, 1, 1, 2, 3, 5))
        conflict = self.conflict(table, count)
        return f"INSERT INTO {table.name} AS x{named} VALUES {self.rows(table, columns, count)}{conflict}{self.returning(table, 'x')}"

    def conflict(self, table: Table, count: int) -> str:
        if self.chance(0.55):
            return ""
        if self.chance(0.5):
            return " ON CONFLICT DO NOTHING" if self.chance(0.5) else f" ON CONFLICT ({', '.join(table.primary)}) DO NOTHING"
        others = [column for column in table.columns if column.name not in table.primary]
        column = self.random.choice(others)
        fields = [*self.fields(table, "x"), *self.fields(table, "excluded")]
        value = self.expressions(fields, deep=False).of(column.kind, 1)
        where = f" WHERE {self.expressions(fields, deep=False).condition(1)}" if self.chance(0.3) else ""
        return f" ON CONFLICT ({', '.join(table.primary)}) DO UPDATE SET {column.name} = {value}{where}"

    def insert_select(self, table: Table) -> str:
        """Rows of a table of the same kind of key, with keys that none of them had."""
        alike = [t for t in self.schema.tables if t.key_kind == table.key_kind and len(t.primary) <= len(table.primary)]
        source = self.random.choice(alike)
        over = self.expressions(self.fields(source, "s"))
        values = []
        for column in table.columns:
            if column.name == "n" and "n" in table.primary:
                values.append("s.n + 1000" if "n" in source.primary else str(self.random.randint(50, 60)))
            elif column.name == "k":
                values.append(self.other_key(table, "s.k") if self.chance(0.7) else "s.k")
            else:
                values.append(over.of(column.kind, 1))
        where = f" WHERE {over.condition(1)}" if self.chance(0.6) else ""
        order = f" ORDER BY {', '.join(f's.{name}' for name in source.primary)} LIMIT 4" if self.chance(0.2) else ""
        conflict = " ON CONFLICT DO NOTHING" if self.chance(0.4) else ""
        names = ", ".join(column.name for column in table.columns)
        return f"INSERT INTO {table.name} AS x ({names}) SELECT {', '.join(values)} FROM {source.name} s{where}{order}{conflict}{self.returning(table, 'x')}"

    def other_key(self, table: Table, key: str) -> str:
        kind = table.key_kind.name
        if kind == "uuid":
            return f"md5({key}::text)::uuid"
        if kind == "text":
            return f"({key} || '+')"
        if kind == "timestamptz":
            return f"({key} + interval '50 years')"
        if kind == "varchar":
            return f"left('+' || {key}, 12)"
        return f"({key} % 1000 + {FAR[kind]})::{table.key_kind.sql}" if kind != "date" else f"(CASE WHEN isfinite({key}) THEN {key} + {FAR[kind]} ELSE {key} END)"

    def assignments(self, table: Table, over: Expressions, alias: str) -> str:
        others = [column for column in table.columns if column.name not in table.primary]
        chosen = self.random.sample(others, min(len(others), self.random.randint(1, 2)))
        texts = [f"{column.name} = {over.of(column.kind, 2) if not self.chance(0.1) else 'DEFAULT'}" for column in chosen]
        if self.chance(0.12):
            name = self.random.choice(table.primary)
            texts.append(f"{name} = {self.moved(table, name, alias)}")
        if len(chosen) == 2 and self.chance(0.2):
            values = ", ".join(over.of(column.kind, 1) for column in chosen)
            texts = [f"({', '.join(column.name for column in chosen)}) = ROW ({values})"]
        return ", ".join(texts)

    def moved(self, table: Table, name: str, alias: str) -> str:
        return f"{alias}.n + 1000" if name == "n" else self.other_key(table, f"{alias}.k")

    def where(self, table: Table, alias: str, over: Expressions, share: float = 0.9) -> str:
        if not self.chance(share):
            return ""
        if self.chance(0.5):
            return f" WHERE {over.condition(2)}"
        return f" WHERE {self.queries.where(over, [(table, alias)])}"

    def update(self, table: Table) -> str:
        over = self.expressions(self.fields(table, "x"))
        only = "ONLY " if self.chance(0.02) else ""
        return f"UPDATE {only}{table.name} AS x SET {self.assignments(table, over, 'x')}{self.where(table, 'x', over)}{self.returning(table, 'x')}"

    def other(self, table: Table) -> tuple[Table, str]:
        """A table each of whose rows meets one row at most: equal in all that identifies it."""
        alike = [t for t in self.schema.tables if len(t.primary) <= len(table.primary) and t.key_kind.is_like(table.key_kind)]
        other = self.random.choice(alike)
        return other, " AND ".join(f"x.{name} = s.{name}" for name in other.primary)

    def update_from(self, table: Table) -> str:
        other, same = self.other(table)
        over = self.expressions([*self.fields(table, "x"), *self.fields(other, "s")], deep=False)
        extra = f" AND {over.condition(1)}" if self.chance(0.5) else ""
        return f"UPDATE {table.name} AS x SET {self.assignments(table, over, 'x')} FROM {other.name} s WHERE {same}{extra}{self.returning(table, 'x')}"

    def delete(self, table: Table) -> str:
        over = self.expressions(self.fields(table, "x"))
        return f"DELETE FROM {table.name} AS x{self.where(table, 'x', over, 0.97)}{self.returning(table, 'x')}"

    def delete_using(self, table: Table) -> str:
        other, same = self.other(table)
        over = self.expressions([*self.fields(table, "x"), *self.fields(other, "s")], deep=False)
        return f"DELETE FROM {table.name} AS x USING {other.name} s WHERE {same} AND {over.condition(1)}{self.returning(table, 'x')}"

    def merge(self, table: Table) -> str:
        other, same = self.other(table)
        if len(other.primary) != len(table.primary):
            return self.update(table)
        over = self.expressions([*self.fields(table, "x"), *self.fields(other, "s")], deep=False)
        source = self.expressions(self.fields(other, "s"), deep=False)
        extra = f" AND {over.condition(0)}" if self.chance(0.4) else ""
        matched = self.random.choice(("DELETE", "DO NOTHING", "UPDATE", "UPDATE"))
        if matched == "UPDATE":
            column = self.random.choice([c for c in table.columns if c.name not in table.primary])
            matched = f"UPDATE SET {column.name} = {over.of(column.kind, 1)}"
        values = [f"s.{c.name}" if c.name in table.primary else source.of(c.kind, 1) for c in table.columns]
        names = ", ".join(column.name for column in table.columns)
        fresh = f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({', '.join(values)})" if self.chance(0.7) else ""
        return f"MERGE INTO {table.name} AS x USING {other.name} AS s ON {same} WHEN MATCHED{extra} THEN {matched}{fresh}"

    def with_write(self, table: Table) -> str:
        """What a CTE has written, counted."""
        write = self.random.choice((self.insert, self.update, self.delete))(table).split(" RETURNING ")[0]
        name = self.random.choice(table.primary)
        return f"WITH w AS ({write} RETURNING x.{name} AS c) SELECT count(*), count(DISTINCT c) FROM w"
