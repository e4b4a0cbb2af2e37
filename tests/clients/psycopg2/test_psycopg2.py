"""psycopg 2: the simple protocol with parameters folded into the text."""

from __future__ import annotations

import io
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg2
import psycopg2.errorcodes
import psycopg2.extensions
import psycopg2.extras
import pytest

from harness.samples import CASES, label

from .conftest import Connect


def one(connection: Any, sql: str, parameters: object = None) -> tuple:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()


def run(connection: Any, sql: str, parameters: object = None) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.statusmessage


@pytest.mark.parametrize(("kind", "literal"), CASES, ids=label)
def test_value_round_trips(connection: Any, kind: str, literal: str) -> None:
    run(connection, "SET timezone = 'UTC'")
    assert one(connection, f"SELECT %s::{kind}::text", [literal]) == (literal,)


def test_python_values_round_trip(connection: Any) -> None:
    psycopg2.extras.register_uuid(conn_or_curs=connection)
    values = [
        True,
        -(2**63),
        2.5,
        Decimal("1.10"),
        "žluť '\\' \"",
        date(2026, 2, 28),
        datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        timedelta(days=3, seconds=7),
        UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        [1, None, 3],
        ["a", None, 'q"'],
        None,
    ]
    assert list(one(connection, "SELECT " + ", ".join(["%s"] * len(values)), values)) == values
    assert bytes(one(connection, "SELECT %s", [b"\x00\xff"])[0]) == b"\x00\xff"
    assert one(connection, "SELECT %s::jsonb", [psycopg2.extras.Json({"a": [1, None]})]) == ({"a": [1, None]},)
    span = psycopg2.extras.NumericRange(1, 5)
    assert one(connection, "SELECT %s::int4range", [span]) == (span,)


def test_composite_by_registration(connection: Any) -> None:
    run(connection, "DROP TYPE IF EXISTS place; CREATE TYPE place AS (x int, name text)")
    psycopg2.extras.register_composite("place", connection)
    value = one(connection, "SELECT (1, 'a, b')::place")[0]
    assert (value.x, value.name) == (1, "a, b")


def test_commit_and_rollback(connection: Any, connect: Connect) -> None:
    run(connection, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int)")
    connection.autocommit = False
    run(connection, "INSERT INTO kept VALUES (1)")
    connection.commit()
    run(connection, "INSERT INTO kept VALUES (2)")
    connection.rollback()
    with connection:
        run(connection, "INSERT INTO kept VALUES (3)")
    assert one(connect(), "SELECT array_agg(id ORDER BY id) FROM kept") == ([1, 3],)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_level(connection: Any, level: str) -> None:
    connection.autocommit = False
    connection.set_session(isolation_level=level, readonly=True)
    assert one(connection, "SHOW transaction_isolation") == (level.lower(),)
    assert one(connection, "SHOW transaction_read_only") == ("on",)
    connection.rollback()


def test_status_of_the_transaction(connection: Any) -> None:
    connection.autocommit = False
    states = psycopg2.extensions
    assert connection.get_transaction_status() == states.TRANSACTION_STATUS_IDLE
    run(connection, "SELECT 1")
    assert connection.get_transaction_status() == states.TRANSACTION_STATUS_INTRANS
    with pytest.raises(psycopg2.errors.UndefinedTable):
        run(connection, "SELECT * FROM nowhere")
    assert connection.get_transaction_status() == states.TRANSACTION_STATUS_INERROR
    connection.rollback()
    assert connection.get_transaction_status() == states.TRANSACTION_STATUS_IDLE


def test_error_fields(connection: Any, schema: str) -> None:
    run(connection, "DROP TABLE IF EXISTS strict; CREATE TABLE strict (id int PRIMARY KEY, n int NOT NULL)")
    run(connection, "INSERT INTO strict VALUES (1, 1)")
    with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
        run(connection, "INSERT INTO strict VALUES (1, 1)")
    diagnostic = caught.value.diag
    assert (diagnostic.schema_name, diagnostic.table_name) == (schema, "strict")
    assert diagnostic.constraint_name == "strict_pkey"
    with pytest.raises(psycopg2.errors.NotNullViolation) as caught:
        run(connection, "INSERT INTO strict VALUES (2, NULL)")
    assert caught.value.diag.column_name == "n"
    with pytest.raises(psycopg2.errors.SyntaxError) as caught:
        run(connection, "SELEC 1")
    assert caught.value.diag.statement_position == "1"


def test_notices(connection: Any) -> None:
    run(connection, "DO $$ BEGIN RAISE NOTICE 'first'; RAISE WARNING 'second'; END $$")
    assert connection.notices[-2:] == ["NOTICE:  first\n", "WARNING:  second\n"]


def test_cancel(connection: Any) -> None:
    timer = threading.Timer(0.2, connection.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        run(connection, "SELECT pg_sleep(30)")
    timer.join()
    assert time.monotonic() - began < 3
    assert one(connection, "SELECT 1") == (1,)


def test_copy_expert_in_every_text_format(connection: Any) -> None:
    run(connection, "DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int, t text)")
    with connection.cursor() as cursor:
        cursor.copy_expert("COPY copied FROM STDIN", io.StringIO("1\tone\n2\t\\N\n"))
        cursor.copy_expert("COPY copied FROM STDIN CSV HEADER", io.StringIO('id,t\n3,"a ""b"""\n4,\n'))
        assert cursor.rowcount == 2
        out = io.StringIO()
        cursor.copy_expert("COPY (TABLE copied ORDER BY id) TO STDOUT CSV HEADER", out)
        assert out.getvalue() == 'id,t\n1,one\n2,\n3,"a ""b"""\n4,\n'
        cursor.copy_from(io.StringIO("5;five\n"), "copied", sep=";", columns=("id", "t"))
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
            cursor.copy_expert("COPY copied FROM STDIN", io.StringIO("x\ty\n"))
    assert one(connection, "SELECT count(*) FROM copied") == (5,)


def test_copy_binary_round_trip(connection: Any) -> None:
    run(connection, "DROP TABLE IF EXISTS source, target; CREATE TABLE source AS SELECT i AS id, md5(i::text) AS t FROM generate_series(1, 5000) i")
    run(connection, "CREATE TABLE target (LIKE source)")
    data = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert("COPY source TO STDOUT BINARY", data)
        data.seek(0)
        cursor.copy_expert("COPY target FROM STDIN BINARY", data)
    assert one(connection, "SELECT count(*) FROM (TABLE source EXCEPT TABLE target) d") == (0,)


def test_named_cursor(connection: Any) -> None:
    connection.autocommit = False
    with connection.cursor("named") as cursor:
        cursor.itersize = 500
        cursor.execute("SELECT generate_series(1, 10000)")
        assert sum(row[0] for row in cursor) == 50_005_000
    connection.commit()


def test_execute_batch_and_values(connection: Any) -> None:
    run(connection, "DROP TABLE IF EXISTS many; CREATE TABLE many (id int, t text)")
    rows = [(i, f"row {i}") for i in range(2000)]
    with connection.cursor() as cursor:
        psycopg2.extras.execute_batch(cursor, "INSERT INTO many VALUES (%s, %s)", rows)
        psycopg2.extras.execute_values(cursor, "INSERT INTO many VALUES %s", rows)
    assert one(connection, "SELECT count(*), count(DISTINCT id) FROM many") == (4000, 2000)


def test_listen_and_notify(connection: Any, connect: Connect) -> None:
    run(connection, "LISTEN heard")
    run(connect(), "NOTIFY heard, 'hello'")
    deadline = time.monotonic() + 5
    while not connection.notifies and time.monotonic() < deadline:
        connection.poll()
        time.sleep(0.02)
    assert [(n.channel, n.payload) for n in connection.notifies] == [("heard", "hello")]


def test_large_result(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i")
        assert cursor.rowcount == 300_000


def test_two_phase_commit(connection: Any) -> None:
    run(connection, "DROP TABLE IF EXISTS phased; CREATE TABLE phased (id int)")
    connection.autocommit = False
    xid = connection.xid(1, "clients", "psycopg2")
    connection.tpc_begin(xid)
    run(connection, "INSERT INTO phased VALUES (1)")
    connection.tpc_prepare()
    connection.tpc_commit()
    assert one(connection, "SELECT count(*) FROM phased") == (1,)
    connection.commit()


def test_reset_of_the_session(connection: Any) -> None:
    run(connection, "SET work_mem = '5MB'")
    connection.reset()
    assert one(connection, "SHOW work_mem") != ("5MB",)
