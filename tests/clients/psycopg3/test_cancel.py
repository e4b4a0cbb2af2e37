"""Cancel reaches the statement that runs, at once, and nothing after it."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from .conftest import Connect

QUICK_SECONDS = 3.0


def cancel_after(connection: psycopg.Connection, seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, connection.cancel_safe)
    timer.start()
    return timer


def test_sleep_is_cancelled_quickly_and_the_connection_lives(connection: psycopg.Connection) -> None:
    began = time.monotonic()
    timer = cancel_after(connection, 0.2)
    with pytest.raises(psycopg.errors.QueryCanceled, match="canceling statement due to user request"):
        connection.execute("SELECT pg_sleep(30)")
    timer.join()
    assert time.monotonic() - began < QUICK_SECONDS
    assert connection.execute("SELECT 'alive'").fetchone() == ("alive",)


def test_cancel_in_a_transaction_fails_it(connection: psycopg.Connection) -> None:
    connection.execute("BEGIN")
    timer = cancel_after(connection, 0.2)
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30)")
    timer.join()
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT 2").fetchone() == (2,)


def test_idle_cancel_hits_nothing(connection: psycopg.Connection) -> None:
    for number in range(20):
        connection.cancel_safe()
        assert connection.execute("SELECT %s::int", [number]).fetchone() == (number,)


def test_cancel_hits_only_its_own_connection(connection: psycopg.Connection, connect: Connect) -> None:
    others = [connect() for _ in range(5)]
    for other in others:
        other.pgconn.send_query(b"SELECT pg_sleep(1)")
    timer = cancel_after(connection, 0.2)
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30)")
    timer.join()
    for other in others:
        result = other.pgconn.get_result()
        assert result is not None and result.status == psycopg.pq.ExecStatus.TUPLES_OK


def test_statement_waiting_for_a_lock_is_cancelled(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("DROP TABLE IF EXISTS locked; CREATE TABLE locked (id int); INSERT INTO locked VALUES (1)")
    connection.execute("BEGIN; LOCK TABLE locked")
    other = connect()
    timer = cancel_after(other, 0.2)
    with pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("SELECT * FROM locked")
    timer.join()
    connection.execute("COMMIT")
    assert other.execute("SELECT * FROM locked").fetchall() == [(1,)]


def test_large_result_is_cancelled_halfway(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        for number, _ in enumerate(connection.cursor().stream("SELECT repeat('x', 1000), generate_series(1, 10000000)")):
            if number == 1000:
                connection.cancel_safe()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_copy_out_is_cancelled_halfway(connection: psycopg.Connection) -> None:
    statement = "COPY (SELECT repeat('x', 1000), generate_series(1, 10000000)) TO STDOUT"
    with pytest.raises(psycopg.errors.QueryCanceled), connection.cursor().copy(statement) as copy:
        for number, _ in enumerate(copy):
            if number == 1000:
                connection.cancel_safe()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_storm_of_cancels_leaves_every_statement_in_order(connection: psycopg.Connection) -> None:
    stop = threading.Event()

    def storm() -> None:
        while not stop.is_set():
            connection.cancel_safe()

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for number in range(200):
            try:
                row = connection.execute("SELECT %s::int, pg_sleep(0.002)", [number]).fetchone()
            except psycopg.errors.QueryCanceled:
                continue
            assert row[0] == number
    finally:
        stop.set()
        thread.join()
    time.sleep(0.1)
    assert connection.execute("SELECT 'calm'").fetchone() == ("calm",)


def test_statement_timeout_is_the_servers(connection: psycopg.Connection) -> None:
    connection.execute("SET statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        connection.execute("SELECT pg_sleep(30)")
    connection.execute("RESET statement_timeout")
    assert connection.execute("SELECT pg_sleep(0.2)").fetchone() is not None
