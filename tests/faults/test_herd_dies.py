"""kill -9 of Herd in the middle of something: what was acknowledged is there, the rest is not, nothing is stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from harness.herd import Demo

from .conftest import Connect, restart, settled


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Runs `work` until it ends or its connection is lost."""

    def guarded() -> None:
        with suppress(psycopg.OperationalError):
            work()

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread


@pytest.fixture
def table(connect: Connect) -> str:
    connection = connect()
    connection.execute("DROP TABLE IF EXISTS killed")
    connection.execute("CREATE TABLE killed (id bigint PRIMARY KEY, t text) PARTITION BY HASH (id) WITH (herd.fragments = 6)")
    connection.close()
    return "killed"


def stored_ids(demo: Demo) -> set[int]:
    """The keys that lie on the nodes, each on one of them."""
    found: list[int] = []
    for node in demo.nodes():
        with psycopg.connect(**node.endpoint.parameters()) as connection:
            found += [row[0] for row in connection.execute("SELECT id FROM killed")]
    assert len(found) == len(set(found)), "a key is on two nodes"
    return set(found)


def test_open_transaction_is_rolled_back(demo: Demo, connect: Connect, table: str) -> None:
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO killed VALUES (1, 'never committed')")
    restart(demo)
    settled(demo)
    assert stored_ids(demo) == set()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("COMMIT")


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6])
def test_acknowledged_writes_are_kept(demo: Demo, connect: Connect, table: str, seconds: float) -> None:
    acknowledged: list[int] = []
    connections = [connect() for _ in range(4)]

    def write(offset: int, connection: psycopg.Connection) -> None:
        for number in range(offset, 10_000_000, 4):
            connection.execute("INSERT INTO killed VALUES (%s, 'x')", [number])
            acknowledged.append(number)

    writers = [in_background(lambda i=i, c=c: write(i, c)) for i, c in enumerate(connections)]
    time.sleep(seconds)
    restart(demo)
    for writer in writers:
        writer.join()
    settled(demo)
    found = stored_ids(demo)
    assert set(acknowledged) <= found
    assert len(found - set(acknowledged)) <= len(writers), "at most the writes under way went through unacknowledged"


@pytest.mark.parametrize("rows", [100, 20_000, 200_000])
def test_copy_to_several_nodes_is_all_or_nothing(demo: Demo, connect: Connect, table: str, rows: int) -> None:
    def copy() -> None:
        with connect().cursor().copy("COPY killed FROM STDIN") as copy:
            for number in range(300_000):
                copy.write(f"{number}\tx\n")
                if number == rows:
                    killing.set()

    killing = threading.Event()
    worker = in_background(copy)
    killing.wait(30)
    restart(demo)
    worker.join()
    settled(demo)
    assert stored_ids(demo) == set()


def test_end_of_a_copy_is_all_or_nothing(demo: Demo, connect: Connect, table: str) -> None:
    """The kill lands before, in and after the commit over three nodes."""
    expected = 0
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02):
        connection = connect()
        first = expected * 3000

        def copy(connection: psycopg.Connection = connection, first: int = first) -> None:
            with connection.cursor().copy("COPY killed FROM STDIN") as copy:
                copy.write("".join(f"{number}\tx\n" for number in range(first, first + 3000)))
                sent.set()

        sent = threading.Event()
        worker = in_background(copy)
        sent.wait(30)
        time.sleep(delay)
        restart(demo)
        worker.join()
        settled(demo)
        count = len(stored_ids(demo))
        assert count % 3000 == 0, f"killed after {delay} s: {count} rows"
        expected = count // 3000


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2])
def test_ddl_is_done_or_undone_on_all_nodes(demo: Demo, connect: Connect, delay: float) -> None:
    connect().execute("DROP TABLE IF EXISTS halfway")
    connection = connect()
    create = "CREATE TABLE halfway (id bigint PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 6)"
    worker = in_background(lambda: connection.execute(create))
    time.sleep(delay)
    restart(demo)
    worker.join()
    settled(demo)
    parents = []
    for node in demo.nodes():
        with psycopg.connect(**node.endpoint.parameters()) as direct:
            parents.append(direct.execute("SELECT to_regclass('public.halfway') IS NOT NULL").fetchone()[0])
    assert len(set(parents)) == 1, f"the table is on some nodes only: {parents}"
    with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as after:
        if parents[0]:
            for number in range(30):
                after.execute("INSERT INTO halfway VALUES (%s)", [number])
        else:
            after.execute(create)
        after.execute("DROP TABLE halfway")


def test_pipeline_is_cut_at_a_statement(demo: Demo, connect: Connect, table: str) -> None:
    connection = connect()

    def pipeline() -> None:
        with connection.pipeline() as pipeline:
            for number in range(100_000):
                connection.execute("INSERT INTO killed VALUES (%s, 'x')", [number])
                pipeline.sync()

    worker = in_background(pipeline)
    time.sleep(0.3)
    restart(demo)
    worker.join()
    settled(demo)
    connect().execute("INSERT INTO killed VALUES (-1, 'after')")


def test_catalog_survives(demo: Demo, connect: Connect) -> None:
    connection = connect()
    connection.execute("DROP TABLE IF EXISTS remembered")
    connection.execute("CREATE TABLE remembered (id int PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 6)")
    for number in range(50):
        connection.execute("INSERT INTO remembered VALUES (%s)", [number])
    fragments = connection.execute("SHOW FRAGMENTS").fetchall()
    for _ in range(3):
        restart(demo)
    after = connect()
    assert after.execute("SHOW FRAGMENTS").fetchall() == fragments
    for number in range(50):
        assert after.execute("SELECT id FROM remembered WHERE id = %s", [number]).fetchone() == (number,)
    after.execute("DROP TABLE remembered")


def test_stop_by_signal_drains(demo: Demo, connect: Connect, table: str) -> None:
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO killed VALUES (7, 'committed while draining')")
    stopping = threading.Thread(target=demo.stop)
    stopping.start()
    time.sleep(0.5)
    connection.execute("COMMIT")
    stopping.join()
    assert demo.process.exit_code == 0
    assert not any(node.processes() for node in demo.nodes()), "the nodes are stopped too"
    demo.start()
    assert stored_ids(demo) == {7}
