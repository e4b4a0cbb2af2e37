"""Money moves between nodes while Herd and nodes are killed: none is made or lost, and no acknowledged move is forgotten.

`HERD_MONEY_ROUNDS` and `HERD_MONEY_SEED` make a long campaign of it.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from harness.herd import Demo, Node
from harness.process import wait_until

from .conftest import RECOVERY_SECONDS_MAX, restart, settled

ACCOUNTS = 30
START = 1000
MOVERS = 4
#: Each node changes the account that it has.
AT_ONCE = "UPDATE money SET amount = amount + CASE id WHEN %s THEN %s::int ELSE %s::int END WHERE id IN (%s, %s)"
ROUNDS = int(os.environ.get("HERD_MONEY_ROUNDS", "4"))
SEED = int(os.environ.get("HERD_MONEY_SEED", str(random.randrange(1 << 32))))


class Mover(threading.Thread):
    """Moves money until its connection is lost or it is told to stop; knows which moves were acknowledged."""

    def __init__(self, demo: Demo, number: int, seed: int):
        super().__init__()
        self.parameters = demo.endpoint.parameters()
        self.number = number
        self.random = random.Random(seed)
        self.stopped = threading.Event()
        self.acknowledged: set[int] = set()

    def run(self) -> None:
        move = self.number
        while not self.stopped.is_set():
            with suppress(psycopg.Error), psycopg.connect(**self.parameters, autocommit=True) as connection:
                while not self.stopped.is_set():
                    move += MOVERS
                    self.move(connection, move)
            time.sleep(0.05)

    def move(self, connection: psycopg.Connection, move: int) -> None:
        source, target = self.random.sample(range(ACCOUNTS), 2)
        amount = self.random.randrange(1, 20)
        way = self.random.choice([self.move_in_block, self.move_in_pipeline, self.move_at_once])
        way(connection, move, source, target, amount)

    def move_in_block(self, connection: psycopg.Connection, move: int, source: int, target: int, amount: int) -> None:
        try:
            connection.execute("BEGIN")
            connection.execute("UPDATE money SET amount = amount - %s WHERE id = %s", [amount, source])
            connection.execute("UPDATE money SET amount = amount + %s WHERE id = %s", [amount, target])
            connection.execute("INSERT INTO moves VALUES (%s)", [move])
        except psycopg.Error:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self.acknowledged.add(move)

    def move_in_pipeline(self, connection: psycopg.Connection, move: int, source: int, target: int, amount: int) -> None:
        """Outside of a block: what comes before the Sync is one transaction."""
        with connection.pipeline():
            connection.execute(AT_ONCE, [source, -amount, amount, source, target])
            connection.execute("INSERT INTO moves VALUES (%s)", [move])
        self.acknowledged.add(move)

    def move_at_once(self, connection: psycopg.Connection, _: int, source: int, target: int, amount: int) -> None:
        connection.execute(AT_ONCE, [source, -amount, amount, source, target])


@pytest.fixture
def bank(demo: Demo) -> Iterator[Demo]:
    with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as connection:
        connection.execute("CREATE TABLE money (id int PRIMARY KEY, amount bigint) PARTITION BY HASH (id) WITH (herd.fragments = 6)")
        connection.execute("CREATE TABLE moves (id int PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 6)")
        with connection.cursor().copy("COPY money FROM STDIN") as copy:
            for account in range(ACCOUNTS):
                copy.write_row((account, START))
    yield demo


def test_money_is_neither_made_nor_lost(bank: Demo) -> None:
    chance = random.Random(SEED)
    acknowledged: set[int] = set()
    for turn in range(ROUNDS):
        movers = [Mover(bank, turn * 10_000_000 + number, chance.random()) for number in range(MOVERS)]
        for mover in movers:
            mover.start()
        time.sleep(chance.uniform(0.3, 1.5))
        victim = chance.choice(["herd", "n1", "n2", "n3"])
        if victim == "herd":
            restart(bank)
        else:
            node = bank.nodes()[int(victim[1]) - 1]
            node.kill()
            time.sleep(chance.uniform(0, 0.5))
            node.start()
        time.sleep(1)
        for mover in movers:
            mover.stopped.set()
        for mover in movers:
            mover.join(RECOVERY_SECONDS_MAX)
            assert not mover.is_alive(), f"a move hangs after {victim} was killed (seed {SEED}, turn {turn})\n{scene(bank)}"
            acknowledged |= mover.acknowledged
        wait_until(lambda: total(bank) == START * ACCOUNTS, RECOVERY_SECONDS_MAX, f"all money is there (seed {SEED}, turn {turn}, {victim})")
        settled(bank)
        assert total(bank) == START * ACCOUNTS, f"seed {SEED}, turn {turn}, {victim}"
        assert acknowledged <= moves(bank), f"seed {SEED}, turn {turn}, {victim}"


def scene(demo: Demo) -> str:
    """Who is where, for the report of a failure."""
    lines = []
    questions = ["SELECT pid, state, wait_event_type, wait_event, xact_start, query, pg_blocking_pids(pid) FROM pg_stat_activity WHERE datname = current_database()",
                 "SELECT gid, prepared FROM pg_prepared_xacts"]
    for number, node in enumerate(demo.nodes(), 1):
        with reach(node) as connection:
            lines += [f"n{number} {row}" for sql in questions for row in connection.execute(sql)]
    with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as connection:
        lines += [f"{what} {row}" for what in ("clients", "servers", "jobs") for row in connection.execute(f"SHOW {what}").fetchall()[-12:]]
    return "\n".join(lines)


def reach(node: Node) -> psycopg.Connection:
    """One that was killed starts up for a while."""
    latest = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        try:
            return psycopg.connect(**node.endpoint.parameters(), autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > latest:
                raise
            time.sleep(0.1)


def total(demo: Demo) -> int:
    """Straight from the nodes, once nothing moves any more."""
    amounts = 0
    for node in demo.nodes():
        with reach(node) as connection:
            amounts += connection.execute("SELECT coalesce(sum(amount), 0) FROM money").fetchone()[0]
    return int(amounts)


def moves(demo: Demo) -> set[int]:
    found: set[int] = set()
    for node in demo.nodes():
        with reach(node) as connection:
            found |= {move for (move,) in connection.execute("SELECT id FROM moves")}
    return found
