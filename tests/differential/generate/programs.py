"""A program: a schema with rows, and statements and transactions over it, all by one number."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from ..answers import SEVERAL, is_ordered
from ..cases import Case, Statement
from .kinds import COLUMN_KINDS, RARE_KINDS, Kind
from .plainly import Plainly
from .queries import Queries
from .related import Related
from .schema import Schema, Schemas
from .writes import Writes

STATEMENTS = 120
#: What changes how values are read and written.
SETTINGS = (
    "timezone = 'Asia/Tokyo'",
    "timezone = 'America/New_York'",
    "datestyle = 'SQL, DMY'",
    "datestyle = 'German'",
    "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'",
    "extra_float_digits = -5",
    "work_mem = '64kB'",
    "default_transaction_isolation = 'read committed'",
    "enable_hashagg = off",
)
#: A literal that may as well be a parameter.
TEXT_LITERAL = re.compile(r"(date |interval |\")?'((?:[^']|'')*)'(::(\w+(?:\[\])?))?")
KINDS = {kind.sql.partition("(")[0]: kind for kind in (*COLUMN_KINDS, *RARE_KINDS)}
#: Where PostgreSQL compares expressions with each other, two parameters are never the same.
NOT_WITH_PARAMETERS = re.compile(r"GROUP BY|DISTINCT|MERGE| OVER |WITHIN|ORDER BY .*'|_agg")


def program(seed: int, nodes: int, statements: int = STATEMENTS) -> Case:
    random = Random(seed)
    schemas = Schemas(random, nodes)
    schema = schemas.make()
    steps = Steps(random, schema)
    if random.random() < 0.3:
        steps.settings()
    while len(steps.made) < statements:
        steps.some()
    comment = (f"layout {schemas.layout}, seed {seed}",)
    return Case(schema.definitions(), tuple(schema.loads), tuple(steps.made), nodes, comment)


class Steps:
    """Statements one after another, some of them in transactions."""

    def __init__(self, random: Random, schema: Schema):
        self.random = random
        self.queries = Queries(random, schema)
        self.plainly = Plainly(random, schema)
        self.related = Related(random, schema)
        self.writes = Writes(random, schema)
        self.made: list[Statement] = []

    def some(self) -> None:
        turn = self.random.random()
        if turn < 0.12:
            self.transaction()
        elif turn < 0.14:
            self.cursor()
        elif turn < 0.17:
            texts = [self.text(0.5) for _ in range(self.random.randint(2, 3))]
            self.made.append(Statement(SEVERAL.join(texts)))
        else:
            self.one(reading=0.7)

    def settings(self) -> None:
        for setting in self.random.sample(SETTINGS, self.random.randint(1, 3)):
            self.say(f"SET {setting}")

    def one(self, reading: float) -> None:
        self.made += sent(self.text(reading), self.random)

    def text(self, reading: float) -> str:
        if self.random.random() < reading:
            return self.random.choice((self.queries, self.plainly, self.related)).statement()
        return self.writes.statement()

    def cursor(self) -> None:
        """Only what an order decides is fetched in parts."""
        self.say("BEGIN")
        query = next(text for text in iter(self.plainly.statement, "") if is_ordered(text))
        name = self.random.choice(("c1", "c2"))
        self.say(f"DECLARE {name} {self.random.choice(('', 'SCROLL ', 'NO SCROLL '))}CURSOR FOR {query}")
        for _ in range(self.random.randint(1, 3)):
            self.say(f"{self.random.choice(('FETCH', 'FETCH', 'MOVE'))} {self.random.choice(('1', '2', 'NEXT', '0', 'ALL', 'FORWARD 3'))} FROM {name}")
        self.say(f"CLOSE {name}")
        self.say("COMMIT")

    def say(self, sql: str) -> None:
        self.made.append(Statement(sql, extended=self.random.random() < 0.5))

    def transaction(self) -> None:
        level = self.random.choice(("", "", "", "", "", " ISOLATION LEVEL REPEATABLE READ", " READ ONLY"))
        self.say(f"BEGIN{level}")
        depth = 0
        for _ in range(self.random.randint(1, 8)):
            turn = self.random.random()
            if turn < 0.25:
                depth += 1
                self.say(f"SAVEPOINT s{depth}")
            elif turn < 0.37 and depth:
                self.say(f"ROLLBACK TO s{self.random.randint(1, depth)}")
            elif turn < 0.42 and depth:
                depth = self.random.randint(1, depth)
                self.say(f"RELEASE s{depth}")
                depth -= 1
            else:
                self.one(reading=0.35)
        self.say(self.random.choice(("COMMIT", "COMMIT", "ROLLBACK")))


def sent(sql: str, random: Random) -> list[Statement]:
    """The statement in one of the ways in which a client may send it, with parameters perhaps more than once."""
    turn = random.random()
    if turn < 0.4:
        return [Statement(sql)]
    binary = random.random() < 0.5
    if turn < 0.65 or NOT_WITH_PARAMETERS.search(sql):
        return [Statement(sql, extended=True, binary=binary)]
    text, values, others = with_parameters(sql, random)
    once = Statement(text, extended=True, binary=binary, parameters=values)
    if random.random() < 0.6 or not values:
        return [once]
    named = replace(once, named=True)
    return [named, *(replace(named, parameters=other) for other in others)]


def with_parameters(sql: str, random: Random) -> tuple[str, tuple[str | None, ...], list[tuple[str | None, ...]]]:
    """The text with parameters for some literals, their values, and other values."""
    values: list[str] = []
    kinds: list[Kind | None] = []

    def one(found: re.Match[str]) -> str:
        if found[1] or random.random() < 0.3:
            return found[0]
        values.append(found[2].replace("''", "'"))
        kinds.append(KINDS.get(found[4] or ""))
        return f"${len(values)}{found[3] or ''}"

    text = TEXT_LITERAL.sub(one, sql)

    def other(place: int) -> str | None:
        kind = kinds[place]
        if random.random() < 0.1:
            return None
        return random.choice(kind.values) if kind else values[place]

    return text, tuple(values), [tuple(other(place) for place in range(len(values))) for _ in range(random.randint(1, 6))]
