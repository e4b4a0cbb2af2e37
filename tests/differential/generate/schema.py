"""Random tables, cut in every way that there is, and rows for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from random import Random

from ..cases import Load
from . import kinds
from .kinds import COLLATIONS, COLUMN_KINDS, KEY_KINDS, NULL_SHARE, RARE_KINDS, TYPES, Kind, for_copy, quoted, with_collation

#: How the tables of one program are cut.
LAYOUTS = ("hash", "hash", "range", "list", "reference", "mixed", "mixed", "mixed")
CUTS = ("hash", "hash", "hash", "range", "list", "reference", "home")
ORDERED_KEYS = ("int", "bigint", "smallint", "date", "numeric")
LITERAL = re.compile(r"'(?:[^']|'')*'")
NAMES = ("alpha", "beta", "gamma", "delta", "eps", '"Zeta"')
COLUMNS = ("a", "b", "c", "d", "e", '"F"')


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    required: bool = False
    default: str = ""
    check: str = ""

    def declared(self) -> str:
        parts = [self.name, self.kind.declared]
        parts += ["NOT NULL"] if self.required else []
        parts += [f"DEFAULT {self.default}"] if self.default else []
        parts += [f"CHECK ({self.check})"] if self.check else []
        return " ".join(parts)


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    #: The names of the columns that identify a row; the first ones say where it lies.
    primary: tuple[str, ...]
    cut: str
    key: tuple[str, ...]
    definitions: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def key_kind(self) -> Kind:
        return self.column(self.key[0]).kind


@dataclass
class Schema:
    tables: list[Table]
    loads: list[Load]
    types: list[str] = field(default_factory=list)

    def definitions(self) -> tuple[str, ...]:
        return (*self.types, *(text for table in self.tables for text in table.definitions))


class Schemas:
    """Makes a schema; tables whose keys have one kind make joins on the key worth while."""

    def __init__(self, random: Random, nodes: int):
        self.random = random
        self.nodes = nodes
        self.layout = random.choice(LAYOUTS)
        self.collation = random.choice(COLLATIONS)
        self.key_kind = self.key(random.choice(self.keys_of_layout()))
        self.fragments = random.choice((nodes, nodes, 4, 8, 16))

    def make(self) -> Schema:
        tables = [self.table(NAMES[number]) for number in range(self.random.choice((2, 3, 3, 4)))]
        loads = [Load(table.name, self.rows(table)) for table in tables]
        return Schema(tables, loads, list(TYPES))

    def keys_of_layout(self) -> tuple[Kind, ...]:
        return tuple(kind for kind in KEY_KINDS if kind.name in ORDERED_KEYS) if self.layout == "range" else KEY_KINDS

    def text(self, kind: Kind) -> Kind:
        """The one collation of the program, as comparisons of two fail, or not, depending on the plan."""
        return with_collation(kind, self.collation)

    def key(self, kind: Kind) -> Kind:
        """Keys are of collations under which equal means the same bytes; the default one goes with all others."""
        return with_collation(kind, "C" if self.collation == "C" else "")

    def table(self, name: str) -> Table:
        random = self.random
        cut = random.choice(CUTS) if self.layout == "mixed" else self.layout
        if self.layout in ("hash", "range", "list") and random.random() < 0.15:
            cut = random.choice(("reference", "home"))
        kind = self.key_kind if random.random() < 0.8 else self.key(random.choice(KEY_KINDS))
        if cut == "range" and kind.name not in ORDERED_KEYS:
            kind = kinds.INT
        key_columns = [Column("k", kind, required=True)]
        if random.random() < 0.5:
            key_columns.append(Column("n", kinds.INT, required=True))
        others = [self.column(column) for column in COLUMNS[: random.randint(2, 6)]]
        primary = tuple(column.name for column in key_columns)
        key = primary if cut == "hash" and len(primary) == 2 and random.random() < 0.25 else ("k",)
        columns = [*key_columns, *others]
        if random.random() < 0.2:
            columns = [*others, *key_columns]
        table = Table(name, tuple(columns), primary, cut, key)
        return replace(table, definitions=tuple(self.definitions(table)))

    def column(self, name: str) -> Column:
        kind = self.text(self.random.choice(RARE_KINDS if self.random.random() < 0.12 else COLUMN_KINDS))
        turn = self.random.random()
        if turn < 0.1:
            return Column(name, kind, default=kind.spelled(self.random.choice(kind.values), self.random))
        if turn < 0.2:
            return Column(name, kind, required=True)
        if turn < 0.25 and kind.name == "int":
            return Column(name, kind, check=f"{name} < 1000000 OR {name} = 2147483647")
        return Column(name, kind)

    def definitions(self, table: Table) -> list[str]:
        lines = [column.declared() for column in table.columns]
        gone = self.random.random() < 0.2
        if gone:
            lines.insert(self.random.randrange(len(lines)), "gone int")
        lines.append(f"PRIMARY KEY ({', '.join(table.primary)})")
        later = [f"ALTER TABLE {table.name} DROP COLUMN gone"] if gone else []
        if self.random.random() < 0.25:
            later.append(f"CREATE INDEX ON {table.name} ({self.random.choice(table.columns).name})")
        return [*self.created(table, f"CREATE TABLE {table.name} (\n  " + ",\n  ".join(lines) + "\n)"), *later]

    def created(self, table: Table, body: str) -> list[str]:
        if table.cut == "reference":
            return [f"{body} WITH (herd.reference = true)"]
        if table.cut == "hash":
            return [f"{body} PARTITION BY HASH ({', '.join(table.key)}) WITH (herd.fragments = {self.fragments})"]
        if table.cut in ("range", "list"):
            parent = f"{body} PARTITION BY {table.cut.upper()} (k) WITH (herd.fragmented = true)"
            return [parent, *self.fragments_of(table)]
        return [body]

    def fragments_of(self, table: Table) -> list[str]:
        bounds = self.bounds(table.key_kind) if table.cut == "range" else self.lists(table.key_kind)
        plain = table.name.strip('"').lower()
        return [
            f"CREATE TABLE {plain}_{number} PARTITION OF {table.name} FOR VALUES {bound} WITH (herd.node = 'n{1 + number % self.nodes}')"
            for number, bound in enumerate(bounds)
        ]

    def bounds(self, kind: Kind) -> list[str]:
        """Ranges over all values, or over most of them; some may be empty."""
        values = sorted(kind.values, key=lambda value: float(value) if kind.name != "date" else _day(value))
        middle = sorted(self.random.sample(range(1, len(values)), min(len(values) - 1, self.random.randint(1, 4))))
        edges = ["MINVALUE", *(quoted(values[place]) for place in middle), "MAXVALUE"]
        if self.random.random() < 0.2:
            edges = edges[:-1] if len(edges) > 3 else edges
        return [f"FROM ({low}) TO ({high})" for low, high in zip(edges, edges[1:], strict=False)]

    def lists(self, kind: Kind) -> list[str]:
        values = list(kind.values)
        self.random.shuffle(values)
        if self.random.random() < 0.2:
            values.pop()
        share = max(1, len(values) // self.random.randint(2, 5))
        parts = [values[start : start + share] for start in range(0, len(values), share)]
        return [f"IN ({', '.join(map(quoted, part))})" for part in parts]

    def rows(self, table: Table) -> tuple[str, ...]:
        wanted = self.random.choice((0, 3, 8, 8, 12, 20, 20, 35))
        skewed = self.random.random() < 0.25
        allowed = self.allowed(table)
        found: dict[tuple, str] = {}
        for _ in range(wanted * 2):
            row = {column.name: self.value(column) for column in table.columns}
            row["k"] = allowed[0] if skewed and self.random.random() < 0.8 else self.random.choice(allowed)
            if "n" in row:
                row["n"] = str(self.random.randint(-2, 40))
            identity = tuple(row[name] for name in table.primary)
            if len(found) < wanted:
                found.setdefault(identity, "\t".join(for_copy(row[column.name]) for column in table.columns))
        return tuple(found.values())

    def allowed(self, table: Table) -> list[str]:
        """Keys that have a place in the table."""
        values = list(table.key_kind.values)
        fragments = [text for text in table.definitions if " PARTITION OF " in text]
        if table.cut == "list":
            listed = {each for text in fragments for each in LITERAL.findall(text.partition(" WITH ")[0])}
            return [value for value in values if quoted(value) in listed]
        if table.cut == "range" and "MAXVALUE" not in fragments[-1]:
            last = fragments[-1].rpartition("TO ('")[2].split("'")[0]
            rank = _day if table.key_kind.name == "date" else float
            return [value for value in values if rank(value) < rank(last)]
        return values

    def value(self, column: Column) -> str | None:
        if not column.required and self.random.random() < NULL_SHARE:
            return None
        return self.random.choice(column.kind.values)


def _day(value: str) -> tuple[int, str]:
    return (1, "") if value == "infinity" else (0, value)
