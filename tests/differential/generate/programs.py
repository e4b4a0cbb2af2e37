"""A program: a schema with rows, and statements and transactions over it, all by one number."""

from __future__ import annotations

import re
from random import Random

from ..cases import Case, Statement
from .plainly import Plainly
from .queries import Queries
from .schema import Schema, Schemas
from .writes import Writes

STATEMENTS = 120
#: A literal that may as well be a parameter.
TEXT_LITERAL = re.compile(r"(date |interval |\")?'((?:[^']|'')*)'")
#: Where PostgreSQL compares expressions with each other, two parameters are never the same.
NOT_WITH_PARAMETERS = re.compile(r"GROUP BY|DISTINCT|MERGE| OVER |WITHIN|ORDER BY .*'|_agg")


def program(seed: int, nodes: int, statements: int = STATEMENTS) -> Case:
    random = Random(seed)
    schemas = Schemas(random, nodes)
    schema = schemas.make()
    steps = Steps(random, schema)
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
        self.writes = Writes(random, schema)
        self.made: list[Statement] = []

    def some(self) -> None:
        turn = self.random.random()
        if turn < 0.12:
            self.transaction()
        else:
            self.one(reading=0.7)

    def one(self, reading: float) -> None:
        if self.random.random() < reading:
            sql = self.random.choice((self.queries, self.plainly)).statement()
        else:
            sql = self.writes.statement()
        self.made.append(sent(sql, self.random))

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


def sent(sql: str, random: Random) -> Statement:
    """The statement in one of the ways in which a client may send it."""
    turn = random.random()
    if turn < 0.4:
        return Statement(sql)
    binary = random.random() < 0.5
    if turn < 0.7 or NOT_WITH_PARAMETERS.search(sql):
        return Statement(sql, extended=True, binary=binary)
    text, values = with_parameters(sql, random)
    return Statement(text, extended=True, binary=binary, parameters=values)


def with_parameters(sql: str, random: Random) -> tuple[str, tuple[str, ...]]:
    values: list[str] = []

    def one(found: re.Match[str]) -> str:
        if found[1] or random.random() < 0.3:
            return found[0]
        values.append(found[2].replace("''", "'"))
        return f"${len(values)}"

    return TEXT_LITERAL.sub(one, sql), tuple(values)
