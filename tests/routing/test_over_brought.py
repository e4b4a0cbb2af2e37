"""Queries whose rows are brought together: in transactions and pipelines, as they change, are cancelled and fail."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.wire import Wire, message

from .conftest import Pair
from .databases import ask, connect

ROWS = 600
#: Long enough that a cancel request arrives while it runs.
SLOW = "SELECT count(*) FROM spread a, spread b, spread c"


@pytest.fixture(scope="module")
def spread(endpoint: Endpoint, pair: Pair, only_herd: None) -> Iterator[Pair]:
    for connection, options in ((pair.tested, " PARTITION BY HASH (id) WITH (herd.fragments = 6)"), (pair.oracle, "")):
        connection.execute(f"CREATE TABLE spread (id int PRIMARY KEY, kind int, note text){options}")
        with connection.cursor().copy("COPY spread FROM STDIN") as copy:
            for row in range(ROWS):
                copy.write_row((row, row % 7, f"note {row % 50}"))
    yield pair
    for connection in (pair.tested, pair.oracle):
        connection.execute("DROP TABLE spread")


@pytest.fixture
def client(endpoint: Endpoint, spread: Pair) -> Iterator[psycopg.Connection]:
    with connect(endpoint, "tested") as connection:
        yield connection
        connection.rollback()


def keys_by_node(pair: Pair) -> list[int]:
    """A key of each node, the home node's first."""
    return [node.execute("SELECT min(id) FROM spread").fetchone()[0] for node in pair.behind]


def left_behind(pair: Pair) -> int:
    """Tables on the home node that were made to bring rows together."""
    home = pair.behind[0]
    return home.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'herd brought%'").fetchone()[0]


@pytest.mark.parametrize("node", [0, 1, 2])
def test_a_transaction_sees_its_own_writes_and_nobody_else_does(spread: Pair, client: psycopg.Connection, node: int) -> None:
    key = keys_by_node(spread)[node]
    client.execute("BEGIN")
    client.execute(f"UPDATE spread SET note = 'mine' WHERE id = {key}")
    count = "SELECT count(*) FROM spread WHERE note = %s"
    assert client.execute(count, ["mine"]).fetchone() == (1,)
    assert client.execute("SELECT max(note) FROM spread s JOIN (SELECT 1 AS one) o ON true WHERE note = 'mine'").fetchone() == ("mine",)
    assert spread.tested.execute(count, ["mine"]).fetchone() == (0,)
    client.execute(f"UPDATE spread SET kind = 3 WHERE id = {key}")
    client.execute("ROLLBACK")
    assert client.execute(count, ["mine"]).fetchone() == (0,)
    assert left_behind(spread) == 0


def test_a_transaction_may_go_anywhere_after_such_a_query(spread: Pair, client: psycopg.Connection) -> None:
    for key in keys_by_node(spread):
        client.execute("BEGIN")
        assert client.execute("SELECT count(*) FROM spread").fetchone() == (ROWS,)
        assert client.execute("SELECT id FROM spread WHERE id = %s FOR UPDATE", [key]).fetchone() == (key,)
        assert client.execute("SELECT sum(kind) FROM spread").fetchone() is not None
        client.execute("COMMIT")


@pytest.mark.parametrize("node", [None, 0, 1])
def test_an_error_fails_the_transaction(spread: Pair, client: psycopg.Connection, node: int | None) -> None:
    client.execute("BEGIN")
    if node is not None:
        client.execute("UPDATE spread SET kind = kind WHERE id = %s", [keys_by_node(spread)[node]])
    with pytest.raises(psycopg.errors.DivisionByZero):
        client.execute("SELECT sum(1 / (kind - kind)) FROM spread")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        client.execute("SELECT 1")
    client.execute("ROLLBACK")
    assert client.execute("SELECT count(*) FROM spread").fetchone() == (ROWS,)


def test_a_savepoint_survives_the_error(spread: Pair, client: psycopg.Connection) -> None:
    key = keys_by_node(spread)[1]
    client.execute("BEGIN")
    client.execute("UPDATE spread SET note = 'kept' WHERE id = %s", [key])
    client.execute("SAVEPOINT s")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        client.execute("SELECT max(nothing) FROM spread")
    client.execute("ROLLBACK TO s")
    assert client.execute("SELECT count(*) FROM spread WHERE note = 'kept'").fetchone() == (1,)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_without_a_snapshot_in_common_it_is_refused(client: psycopg.Connection, level: str) -> None:
    client.execute(f"BEGIN ISOLATION LEVEL {level}")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="READ COMMITTED"):
        client.execute("SELECT count(*) FROM spread")


def test_a_read_only_transaction_reads(spread: Pair, client: psycopg.Connection) -> None:
    client.execute("BEGIN READ ONLY")
    assert client.execute("SELECT count(*) FROM spread").fetchone() == (ROWS,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        client.execute("UPDATE spread SET kind = 1 WHERE id = 1")
    client.execute("ROLLBACK")
    client.execute("SET default_transaction_read_only = on")
    assert client.execute("SELECT count(*) FROM spread").fetchone() == (ROWS,)


def test_a_pipeline_of_such_queries(spread: Pair, client: psycopg.Connection) -> None:
    with client.pipeline():
        cursors = [client.execute("SELECT count(*) FROM spread WHERE kind = %s", [kind]) for kind in range(7)]
        counts = [cursor.fetchone()[0] for cursor in cursors]
    assert counts == [spread.oracle.execute("SELECT count(*) FROM spread WHERE kind = %s", [kind]).fetchone()[0] for kind in range(7)]
    assert left_behind(spread) == 0


def test_a_pipeline_stops_at_an_error(client: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), client.pipeline():
        first = client.execute("SELECT count(*) FROM spread")
        client.execute("SELECT sum(1 / (kind - kind)) FROM spread")
        client.execute("SELECT sum(kind) FROM spread")
        assert first.fetchone() == (ROWS,)
    assert client.execute("SELECT count(*) FROM spread").fetchone() == (ROWS,)


def test_a_named_statement_follows_what_it_counts(spread: Pair, client: psycopg.Connection) -> None:
    for kind in range(7):
        cursor = client.execute("SELECT count(*), min(note) FROM spread WHERE kind = %s", [kind], prepare=True)
        right = spread.oracle.execute("SELECT count(*), min(note) FROM spread WHERE kind = %s", [kind])
        assert cursor.fetchone() == right.fetchone()


def test_a_named_statement_whose_shape_changed_says_so(spread: Pair, client: psycopg.Connection) -> None:
    client.execute("SELECT * FROM spread WHERE kind > %s", [5], prepare=True)
    spread.tested.execute("ALTER TABLE spread ADD COLUMN later int")
    try:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="must not change result type"):
            client.execute("SELECT * FROM spread WHERE kind > %s", [5], prepare=True)
    finally:
        spread.tested.execute("ALTER TABLE spread DROP COLUMN later")


def test_a_portal_is_read_in_portions(endpoint: Endpoint, spread: Pair) -> None:
    with Wire(endpoint) as wire:
        wire.log_in()
        sql = b"SELECT id FROM routing_tested.spread ORDER BY id"
        wire.send(
            message("P", b"\0" + sql + b"\0\0\0"),
            message("B", b"portal\0\0\0\0\0\0\0\0"),
            message("D", b"Pportal\0"),
            message("E", b"portal\0" + struct.pack("!I", 5)),
            message("E", b"portal\0" + struct.pack("!I", 3)),
            message("S"),
        )
        tags = [each.tag for each in wire.receive_until("Z")]
    assert tags == ["1", "2", "T", *["D"] * 5, "s", *["D"] * 3, "s", "Z"]


@pytest.mark.parametrize("key", range(8))
def test_what_is_described_before_it_is_bound_finds_its_node(endpoint: Endpoint, spread: Pair, key: int) -> None:
    for sql in (f"SELECT id FROM routing_tested.spread WHERE id = {key}", "SELECT 1 FROM routing_tested.spread GROUP BY ()"):
        with Wire(endpoint) as wire:
            wire.log_in()
            wire.send(
                message("P", b"s\0" + sql.encode() + b"\0\0\0"),
                message("D", b"Ss\0"),
                message("B", b"\0s\0\0\0\0\0\0\0"),
                message("E", b"\0\0\0\0\0"),
                message("S"),
            )
            assert [each.tag for each in wire.receive_until("Z")] == ["1", "t", "T", "2", "D", "C", "Z"]


def test_it_is_cancelled(endpoint: Endpoint, spread: Pair, client: psycopg.Connection) -> None:
    timer = threading.Timer(0.5, client.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        client.execute(SLOW)
    assert time.monotonic() - began < 10
    timer.join()
    assert client.execute("SELECT count(*) FROM spread").fetchone() == (ROWS,)
    assert left_behind(spread) == 0


def test_a_client_that_leaves_leaves_nothing(endpoint: Endpoint, spread: Pair) -> None:
    connection = connect(endpoint, "tested")
    connection.pgconn.send_query(SLOW.encode())
    time.sleep(0.5)
    connection.close()
    home = spread.behind[0]
    running = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%herd brought%' AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 10
    while home.execute(running).fetchone() != (0,) or left_behind(spread):
        assert time.monotonic() < deadline, "the query goes on without its client"
        time.sleep(0.1)


def test_parameters_that_are_too_few_are_refused_as_by_postgresql(spread: Pair) -> None:
    for connection in (spread.tested, spread.oracle):
        connection.pgconn.prepare(b"needs", b"SELECT count(*) FROM spread WHERE kind = $1 AND note <> $2")
        result = connection.pgconn.exec_prepared(b"needs", [b"1"])
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"08P01"
        connection.execute("DEALLOCATE needs")


def test_mistakes_are_told_where_they_are(spread: Pair) -> None:
    for sql in ("SELECT nothing FROM spread", "SELECT id FROM spread s WHERE s.kid = 1", "SELECT id FROM spread GROUP BY kind", "SELECT sum(note) FROM spread"):
        told = []
        for connection in (spread.tested, spread.oracle):
            result = connection.pgconn.exec_(sql.encode())
            fields = (psycopg.pq.DiagnosticField.SQLSTATE, psycopg.pq.DiagnosticField.STATEMENT_POSITION)
            told.append([result.error_field(field) for field in fields])
        assert told[0] == told[1], sql


def test_several_in_one_query_string(spread: Pair) -> None:
    sql = "SELECT count(*) FROM spread; CREATE TEMP TABLE own AS SELECT 1; SELECT sum(kind) FROM spread"
    assert ask(spread.tested, sql, extended=False).rows == ask(spread.oracle, sql, extended=False).rows
    spread.tested.execute("DROP TABLE own")
    spread.oracle.execute("DROP TABLE own")
