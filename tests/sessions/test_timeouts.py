"""Timeouts of Herd's own: they cancel on the server first, and say which one it was."""

from __future__ import annotations

import time

import psycopg
import pytest

from harness.herd import Serve
from harness.postgres import Postgres
from harness.wire import Wire

from .conftest import Connect, StartHerd


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd) -> Serve:
    return start_herd('[timeouts]\nquery = "1s"\nidle_in_transaction = "1s"\nidle_client = "3s"\nauthentication = "2s"\n')


def running(node: Postgres, text: str) -> int:
    """How many server connections run or hold a statement with this text."""
    with psycopg.connect(**node.endpoint.parameters()) as connection:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state <> 'idle' AND pid <> pg_backend_pid()"
        return connection.execute(sql, [f"%{text}%"]).fetchone()[0]


def test_long_statement_is_cancelled_on_the_server(connect: Connect, node: Postgres) -> None:
    connection = connect()
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30) AS too_long")
    assert 0.8 < time.monotonic() - began < 5
    assert running(node, "too_long") == 0
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_each_statement_of_a_query_string_has_its_own_time(connect: Connect, node: Postgres) -> None:
    connection = connect()
    connection.execute("COMMIT; SELECT pg_sleep(0.6); SELECT pg_sleep(0.6); SELECT pg_sleep(0.6)")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("COMMIT; CREATE TABLE undone (a int); SELECT pg_sleep(30) AS too_long_among_others")
    assert running(node, "too_long_among_others") == 0
    assert connection.execute("SELECT to_regclass('undone')").fetchone() == (None,)


def test_silence_in_a_transaction_ends_it(connect: Connect, node: Postgres) -> None:
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("SELECT 'silent_in_transaction'")
    time.sleep(3)
    assert running(node, "silent_in_transaction") == 0
    with pytest.raises(psycopg.Error) as ended:
        connection.execute("SELECT 1")
    assert ended.value.sqlstate in ("25P03", None)


def test_silent_client_is_let_go(connect: Connect) -> None:
    connection = connect()
    connection.execute("SELECT 1")
    time.sleep(5)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")


def test_client_that_speaks_now_and_then_stays(connect: Connect) -> None:
    connection = connect()
    for _ in range(4):
        connection.execute("SELECT 1")
        time.sleep(1.2)
    assert connection.execute("SELECT 2").fetchone() == (2,)


def test_client_that_never_logs_in_is_let_go(herd: Serve) -> None:
    with Wire(herd.endpoint) as connection:
        began = time.monotonic()
        connection.receive_all()
        assert 1 < time.monotonic() - began < 10
