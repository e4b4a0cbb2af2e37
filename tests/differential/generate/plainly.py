"""Queries of one or two tables as people write them: columns without their table, names that mean two things.

Output names are those of other columns, of functions and of tables; orders are by names, numbers and
expressions, selected or not. Each order ends with what makes it total.
"""

from __future__ import annotations

from random import Random

from . import kinds
from .aggregates import plain
from .expressions import Expressions, Field
from .schema import Schema, Table

FUNCTION_NAMES = ("count", "sum", "min", "max", "avg", '"Count"', "value", "name")
DIRECTIONS = ("", "", " ASC", " DESC", " NULLS FIRST", " NULLS LAST", " DESC NULLS LAST", " DESC NULLS FIRST", " USING <", " USING >")


class Plainly:
    def __init__(self, random: Random, schema: Schema):
        self.random = random
        self.schema = schema

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def statement(self) -> str:
        turn = self.random.random()
        if turn < 0.35:
            return self.rows()
        if turn < 0.75:
            return self.groups()
        if turn < 0.9:
            return self.joined()
        return self.whole()

    def table(self) -> tuple[Table, str, Expressions]:
        """A table, how FROM names it, and expressions over its columns as they may be named then."""
        table = self.random.choice(self.schema.tables)
        turn = self.random.random()
        if turn < 0.5:
            source, name = table.name, table.name
        elif turn < 0.8:
            name = self.random.choice(("t", "x", "a", '"T"', "count"))
            source = f"{table.name}{self.random.choice((' AS', '') if name != 'count' else (' AS',))} {name}"
        else:
            return self.renamed(table)
        fields = [Field(f"{name}.{c.name}" if self.chance(0.2) else c.name, c.kind) for c in table.columns]
        return table, source, Expressions(self.random, fields)

    def renamed(self, table: Table) -> tuple[Table, str, Expressions]:
        """Its first columns have other names here."""
        names = [column.name for column in table.columns]
        count = self.random.randint(1, len(names))
        names[:count] = [f"r{number}" for number in range(count)]
        fields = [Field(name, column.kind) for name, column in zip(names, table.columns, strict=True)]
        return table, f"{table.name} AS t ({', '.join(names[:count])})", Expressions(self.random, fields)

    def name(self, table: Table) -> str:
        pool = (*(column.name for column in table.columns), *FUNCTION_NAMES, table.name, "t")
        return self.random.choice(pool)

    def where(self, over: Expressions, key: str | None, kind: kinds.Kind) -> str:
        turn = self.random.random()
        if turn < 0.4:
            return ""
        if turn < 0.6 and key:
            values = ", ".join(kind.literal(self.random) for _ in range(self.random.randint(1, 4)))
            return f" WHERE {key} IN ({values})"
        return f" WHERE {over.condition(1)}"

    def rows(self) -> str:
        """Rows as they are, in an order of anything, cut off or not."""
        table, source, over = self.table()
        key = [over.fields[place].sql for place, column in enumerate(table.columns) if column.name in table.primary]
        count = self.random.randint(1, 4)
        items, names = [], []
        for _ in range(count):
            kind = over.any_kind()
            names.append(self.name(table) if self.chance(0.35) else "")
            items.append(over.of(kind, 0 if self.chance(0.7) else 2))
        star = self.chance(0.15)
        texts = [f"{item} AS {name}" if name else item for item, name in zip(items, names, strict=True)]
        select = self.random.choice(("*", "*, 1 AS one")) if star else ", ".join(texts)
        where = self.where(over, key[0], table.key_kind)
        distinct = "DISTINCT " if self.chance(0.12) else ""
        # A name of two outputs cannot be sorted by, and one of an output comes before a column of the table.
        taken = {name for name in names if name}
        free = not distinct and not any(each in taken for each in key)
        order = ""
        if self.chance(0.8):
            sorts = [self.sort(items, names, over, star, bool(distinct)) for _ in range(self.random.randint(0, 2))]
            total = key if free and (star or self.chance(0.6)) else ([] if star else [str(place + 1) for place in range(count)])
            if total:
                order = " ORDER BY " + ", ".join(f"{sort}{self.random.choice(DIRECTIONS)}" for sort in [*sorts, *total])
                order += self.cut()
        return f"SELECT {distinct}{select} FROM {source}{where}{order}"

    def cut(self) -> str:
        turn = self.random.random()
        limit = self.random.choice(("LIMIT 3", "LIMIT 7", "LIMIT 0", "LIMIT ALL", "LIMIT 2 * 3", "FETCH FIRST 4 ROWS ONLY", "FETCH FIRST ROW ONLY", "LIMIT NULL"))
        offset = self.random.choice(("OFFSET 1", "OFFSET 4", "OFFSET 0", "OFFSET 100", "OFFSET 2 ROWS"))
        if turn < 0.35:
            return ""
        if turn < 0.65:
            return f" {limit}"
        if turn < 0.75:
            return f" {offset}"
        return f" {limit} {offset}" if self.chance(0.5) else f" {offset} {limit}"

    def sort(self, items: list[str], names: list[str], over: Expressions, star: bool, distinct: bool) -> str:
        turn = self.random.random()
        single = [name for name in names if name and names.count(name) == 1]
        if turn < 0.3 and single and not star:
            return self.random.choice(single)
        if (turn < 0.5 or distinct) and not star:
            return str(self.random.randint(1, len(items)))
        if turn < 0.6 and (text := over.column(kinds.TEXT)):
            return f"{text} COLLATE \"{self.random.choice(('C', 'en-x-icu', 'und-x-icu'))}\""
        value = over.of(over.any_kind(), 0 if turn < 0.8 else 2)
        return f"({value})" if value.lstrip("-").isdigit() else value

    def groups(self) -> str:
        """Counts and sums for each group, with conditions and orders over them."""
        table, source, over = self.table()
        by = [self.random.choice(over.fields) for _ in range(self.random.choice((0, 1, 1, 2)))]
        items = [field.sql for field in by if self.chance(0.85)]
        shown = len(items)
        items += [plain(over)[0] if self.chance(0.8) else self.computed(over) for _ in range(self.random.randint(0 if items else 1, 3))]
        names = [self.name(table) if self.chance(0.3) else "" for _ in items]
        texts = [f"{item} AS {name}" if name else item for item, name in zip(items, names, strict=True)]
        where = self.where(over, None, table.key_kind)
        text = f"SELECT {', '.join(texts)} FROM {source}{where}"
        if by:
            terms = [str(items.index(field.sql) + 1) if field.sql in items[:shown] and self.chance(0.25) else field.sql for field in by]
            text += f" GROUP BY {', '.join(terms)}"
        if self.chance(0.25):
            text += f" HAVING {self.having(over, by)}"
        if self.chance(0.6):
            sorts = [self.random.choice(self.sorts_of_groups(items, names, by)) for _ in range(self.random.randint(0, 2))]
            places = [*sorts, *(str(place + 1) for place in range(len(items)))]
            text += " ORDER BY " + ", ".join(f"{sort}{self.random.choice(DIRECTIONS)}" for sort in places) + self.cut()
        return text

    def computed(self, over: Expressions) -> str:
        numbers = [plain(over)[0] for _ in range(8)]
        simple = [text for text in numbers if text.startswith(("count", "sum"))] or ["count(*)"]
        first, second = self.random.choice(simple), self.random.choice(simple)
        return self.random.choice(
            (
                f"{first} + 1",
                f"-{first}",
                f"coalesce({first}, 0)",
                f"({first})::numeric(20,2) / nullif(({second})::numeric(20,2), 0)",
                f"{first} > {second}",
                f"CASE WHEN {first} > 2 THEN 'many' ELSE 'few' END",
                f"{first}::text",
                f"greatest({first}, {second})",
            )
        )

    def sorts_of_groups(self, items: list[str], names: list[str], by: list[Field]) -> list[str]:
        single = [name for name in names if name and names.count(name) == 1]
        return ["count(*)", "1", *single, *(item for item in items if not item.isdigit()), *(field.sql for field in by if field.sql not in names)]

    def having(self, over: Expressions, by: list[Field]) -> str:
        if by and self.chance(0.4):
            return Expressions(self.random, by).condition(1)
        return self.random.choice(("count(*) > 1", "count(*) BETWEEN 1 AND 3", f"NOT ({plain(over)[0]} IS NULL)", f"min({over.of(kinds.INT, 0)}) < 50"))

    def joined(self) -> str:
        """Two tables that share names, joined by them."""
        first, second = self.random.choice(self.schema.tables), self.random.choice(self.schema.tables)
        if first is second or first.key_kind != second.key_kind:
            return self.groups()
        word = self.random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        fields = [Field(f"{table.name}.{column.name}", column.kind) for table in (first, second) for column in table.columns]
        over = Expressions(self.random, [Field("k", first.key_kind), *fields])
        select = self.random.choice((f"k, {over.of(over.any_kind(), 1)}", "count(*), min(k::text)", f"k, count({self.random.choice(fields).sql})"))
        group = " GROUP BY k" if "count(" in select and select.startswith("k") else ""
        where = f" WHERE {over.condition(1)}" if self.chance(0.5) else ""
        order = " ORDER BY 1, 2" if self.chance(0.5) else ""
        return f"SELECT {select} FROM {first.name} {word} {second.name} USING (k){where}{group}{order}{self.cut() if order else ''}"

    def whole(self) -> str:
        """Tables and rows as such."""
        table = self.random.choice(self.schema.tables)
        key = ", ".join(table.primary)
        return self.random.choice(
            (
                f"TABLE {table.name}",
                f"SELECT {table.name}.* FROM {table.name} ORDER BY {key}",
                f"SELECT count({table.name}) FROM {table.name}",
                f"SELECT {table.name} FROM {table.name} ORDER BY {key}",
                f"SELECT t IS NULL, t IS NOT NULL FROM {table.name} t",
                f"SELECT row_to_json(t) FROM {table.name} t ORDER BY {key}",
                f"SELECT EXISTS (SELECT 1 FROM {table.name})",
                f"SELECT 1 FROM {table.name} HAVING count(*) > 0",
                f"SELECT DISTINCT 1 FROM {table.name}",
                f"SELECT FROM {table.name}",
                f"(SELECT k FROM {table.name}) UNION ALL (SELECT k FROM {table.name}) ORDER BY 1 LIMIT 5",
                f"SELECT k FROM {table.name} ORDER BY {key} FOR UPDATE",
                f"SELECT k FROM {table.name} WHERE k = {table.key_kind.literal(self.random)} FOR SHARE",
                f"VALUES ((SELECT count(*) FROM {table.name})), (2)",
                f"SELECT (SELECT count(*) FROM {table.name}), (SELECT min(k::text) FROM {table.name})",
            )
        )
