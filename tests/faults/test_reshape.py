"""kill -9 of Herd and of a node while a table is laid out anew: it lies in the old way or in the new one, with all its
rows, each once, and of what was made for it nothing is left."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress

import psycopg
import pytest

from harness.herd import Demo
from harness.process import wait_until

from .conftest import RECOVERY_SECONDS_MAX, Connect, restart, settled
from .test_herd_dies import in_background

ROWS = 20_000
LEFT_OVER = "SELECT count(*) FROM pg_class WHERE relname LIKE 'herd\\_reshape%'"
SEED = 20261121


@pytest.fixture
def table(connect: Connect) -> None:
    connection = connect()
    connection.execute("DROP TABLE IF EXISTS moved")
    connection.execute("CREATE TABLE moved (id bigint PRIMARY KEY, t text)")
    connection.execute(f"INSERT INTO moved SELECT n, repeat('x', n % 50) FROM generate_series(1, {ROWS}) n")


def on_nodes(demo: Demo, sql: str) -> list:
    found = []
    for node in demo.nodes():
        with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as connection:
            found.append(connection.execute(sql).fetchall())
    return found


def answers(demo: Demo) -> bool:
    """Whether every node does, and Herd with all of them."""
    try:
        on_nodes(demo, "SELECT 1")
        with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as connection:
            return connection.execute("SELECT count(*) FROM moved").fetchone() is not None
    except psycopg.Error:
        return False


def is_clean(demo: Demo) -> bool:
    return on_nodes(demo, LEFT_OVER) == [[(0,)]] * 3


def check(demo: Demo, connect: Connect, acknowledged: set[int]) -> str | None:
    """Everything that must hold once what was interrupted is repaired; how the table lies now."""
    wait_until(lambda: answers(demo), RECOVERY_SECONDS_MAX, "every node serves again")
    settled(demo)
    connection = connect()
    unfinished = "SELECT count(*) FROM herd.jobs WHERE state NOT IN ('done', 'failed')"
    wait_until(lambda: connection.execute(unfinished).fetchone() == (0,), RECOVERY_SECONDS_MAX, "all jobs have ended")
    wait_until(lambda: is_clean(demo), RECOVERY_SECONDS_MAX, "nothing is left of what was made")
    ids = [row[0] for row in connection.execute("SELECT id FROM moved")]
    assert len(ids) == len(set(ids)), "rows are there twice"
    assert set(range(1, ROWS + 1)) <= set(ids), "rows are lost"
    assert acknowledged <= set(ids), "acknowledged writes are lost"
    found = connection.execute("SELECT kind FROM herd.tables WHERE name = 'moved'").fetchone()
    stored = [row[0] for rows in on_nodes(demo, "SELECT CASE WHEN to_regclass('moved') IS NULL THEN 'f' ELSE 't' END") for row in rows]
    assert stored == (["t", "t", "t"] if found else ["t", "f", "f"])
    return found[0] if found else None


@pytest.mark.parametrize("victim", ["herd", "home", "another node"])
def test_a_kill_at_any_moment_loses_and_doubles_nothing(demo: Demo, connect: Connect, table: None, victim: str) -> None:
    chance = random.Random(f"{SEED} {victim}")
    acknowledged: set[int] = set()
    outcomes = []
    for round_ in range(4):
        kind = check(demo, connect, acknowledged)
        call = "SELECT herd.unfragment_table('moved')" if kind else "SELECT herd.fragment_table('moved', key => 'id', fragments => 6)"

        def reshape(call: str = call) -> None:
            with suppress(psycopg.Error):
                connect().execute(call)

        stopping = threading.Event()

        def write(first: int = (round_ + 1) * 1_000_000, stopping: threading.Event = stopping) -> None:
            connection = connect()
            for number in range(first, first + 100_000):
                if stopping.is_set():
                    return
                connection.execute("INSERT INTO moved VALUES (%s, 'new')", [number])
                acknowledged.add(number)

        workers = [in_background(reshape), in_background(write)]
        time.sleep(chance.uniform(0.05, 4.0))
        if victim == "herd":
            restart(demo)
        else:
            node = demo.nodes()[0 if victim == "home" else 2]
            node.kill()
            time.sleep(0.5)
            node.start()
        stopping.set()
        for worker in workers:
            worker.join()
        outcomes.append(check(demo, connect, acknowledged))
    # A last one comes through.
    connection = connect()
    if outcomes[-1]:
        connection.execute("SELECT herd.unfragment_table('moved')")
    connection.execute("SELECT herd.fragment_table('moved', key => 'id', fragments => 6)")
    assert check(demo, connect, acknowledged) == "fragmented"
