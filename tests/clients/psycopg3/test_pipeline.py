"""libpq's pipeline mode: many statements on their way before the first answer is read."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.pq import ExecStatus


@pytest.fixture
def table(connection: psycopg.Connection) -> str:
    connection.execute("DROP TABLE IF EXISTS piped; CREATE TABLE piped (id int PRIMARY KEY)")
    return "piped"


def ids(connection: psycopg.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT id FROM piped ORDER BY id")]


def statuses_until_sync(protocol: psycopg.pq.abc.PGconn) -> list[ExecStatus]:
    statuses = []
    while True:
        result = protocol.get_result()
        if result is None:
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return statuses
        statuses.append(result.status)


def test_answers_come_in_order(connection: psycopg.Connection) -> None:
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", [number]) for number in range(500)]
        assert [cursor.fetchone()[0] for cursor in cursors] == list(range(500))


def test_executemany_in_a_pipeline(connection: psycopg.Connection, table: str) -> None:
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO piped VALUES (%s) RETURNING id", [(i,) for i in range(1000)], returning=True)
    assert [result.fetchone()[0] for result in cursor.results()] == list(range(1000))


def test_statements_up_to_a_sync_are_one_transaction(connection: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation), connection.pipeline() as pipeline:
        connection.execute("INSERT INTO piped VALUES (1)")
        pipeline.sync()
        connection.execute("INSERT INTO piped VALUES (2)")
        connection.execute("INSERT INTO piped VALUES (1)")
        connection.execute("INSERT INTO piped VALUES (3)")
        pipeline.sync()
    assert ids(connection) == [1]


def test_statements_after_the_sync_run_after_an_error(connection: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline() as pipeline:
        connection.execute("SELECT 1/0")
        connection.execute("INSERT INTO piped VALUES (1)")
        pipeline.sync()
    with connection.pipeline() as pipeline:
        connection.execute("INSERT INTO piped VALUES (2)")
    assert ids(connection) == [2]


def test_sync_separates_a_failed_from_a_good_statement(connection: psycopg.Connection, table: str) -> None:
    protocol = connection.pgconn
    protocol.enter_pipeline_mode()
    for sql in (b"SELECT 1/0", b"INSERT INTO piped VALUES (1)", b"INSERT INTO piped VALUES (2)"):
        protocol.send_query_params(sql, None)
        if sql != b"SELECT 1/0":
            protocol.pipeline_sync()
    assert statuses_until_sync(protocol) == [ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED]
    assert statuses_until_sync(protocol) == [ExecStatus.COMMAND_OK]
    protocol.exit_pipeline_mode()
    assert ids(connection) == [2]


def test_transaction_inside_a_pipeline(connection: psycopg.Connection, table: str) -> None:
    with connection.pipeline():
        with connection.transaction():
            connection.execute("INSERT INTO piped VALUES (1)")
        with pytest.raises(KeyError), connection.transaction():
            connection.execute("INSERT INTO piped VALUES (2)")
            raise KeyError
    assert ids(connection) == [1]


def test_error_reaches_the_client_on_flush_without_sync(connection: psycopg.Connection) -> None:
    protocol = connection.pgconn
    protocol.enter_pipeline_mode()
    protocol.send_query_params(b"SELECT 1/0", None)
    protocol.send_flush_request()
    protocol.flush()
    result = protocol.get_result()
    assert result is not None and result.status == ExecStatus.FATAL_ERROR
    assert protocol.get_result() is None
    protocol.send_query_params(b"SELECT 1", None)
    protocol.pipeline_sync()
    assert statuses_until_sync(protocol) == [ExecStatus.PIPELINE_ABORTED]
    protocol.exit_pipeline_mode()


def test_row_reaches_the_client_on_flush_without_sync(connection: psycopg.Connection, table: str) -> None:
    protocol = connection.pgconn
    protocol.enter_pipeline_mode()
    for number in (b"1", b"2"):
        protocol.send_query_params(b"INSERT INTO piped VALUES ($1) RETURNING id", [number])
        protocol.send_flush_request()
        protocol.flush()
        result = protocol.get_result()
        assert result is not None and result.get_value(0, 0) == number
        assert protocol.get_result() is None
    protocol.pipeline_sync()
    assert protocol.get_result().status == ExecStatus.PIPELINE_SYNC
    protocol.exit_pipeline_mode()
    assert ids(connection) == [1, 2]


def test_prepare_and_run_in_one_pipeline(connection: psycopg.Connection) -> None:
    protocol = connection.pgconn
    protocol.enter_pipeline_mode()
    protocol.send_prepare(b"piped", b"SELECT $1::int * 2")
    for number in range(100):
        protocol.send_query_prepared(b"piped", [str(number).encode()])
    protocol.pipeline_sync()
    values = []
    while True:
        result = protocol.get_result()
        if result is None:
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            break
        if result.status == ExecStatus.TUPLES_OK:
            values.append(int(result.get_value(0, 0)))
    protocol.exit_pipeline_mode()
    assert values == [number * 2 for number in range(100)]


def test_many_syncs_in_flight(connection: psycopg.Connection, table: str) -> None:
    with connection.pipeline() as pipeline:
        for number in range(300):
            connection.execute("INSERT INTO piped VALUES (%s)", [number])
            pipeline.sync()
    assert ids(connection) == list(range(300))


def test_large_results_in_a_pipeline_do_not_stall(connection: psycopg.Connection) -> None:
    with connection.pipeline():
        cursors = [connection.execute("SELECT repeat('x', 1000000), %s::text", ["y" * 100000]) for _ in range(20)]
        assert all(len(cursor.fetchone()[0]) == 1_000_000 for cursor in cursors)
