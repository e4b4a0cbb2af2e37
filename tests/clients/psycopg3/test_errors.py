"""Errors and notices arrive with all their fields, and the connection goes on."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import Diagnostic


@pytest.fixture
def tables(connection: psycopg.Connection, schema: str) -> str:
    connection.execute(
        "DROP TABLE IF EXISTS child, parent;"
        "CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL, age int CONSTRAINT grown CHECK (age >= 18));"
        "CREATE TABLE child (id int, parent int CONSTRAINT has_parent REFERENCES parent);"
        "INSERT INTO parent VALUES (1, 'one', 20)"
    )
    return schema


def failure(connection: psycopg.Connection, sql: str, parameters: list[object] | None = None) -> Diagnostic:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql, parameters)
    return caught.value.diag


def test_unique_violation(connection: psycopg.Connection, tables: str) -> None:
    diagnostic = failure(connection, "INSERT INTO parent VALUES (%s, 'again', 30)", [1])
    assert diagnostic.sqlstate == "23505"
    assert diagnostic.severity == diagnostic.severity_nonlocalized == "ERROR"
    assert diagnostic.message_primary == 'duplicate key value violates unique constraint "parent_pkey"'
    assert diagnostic.message_detail == "Key (id)=(1) already exists."
    assert (diagnostic.schema_name, diagnostic.table_name) == (tables, "parent")
    assert diagnostic.constraint_name == "parent_pkey"
    assert diagnostic.source_file == "nbtinsert.c"
    assert diagnostic.source_function == "_bt_check_unique"
    assert int(diagnostic.source_line or 0) > 0


def test_not_null_violation(connection: psycopg.Connection, tables: str) -> None:
    diagnostic = failure(connection, "INSERT INTO parent VALUES (2, NULL, 30)")
    assert (diagnostic.sqlstate, diagnostic.column_name, diagnostic.table_name) == ("23502", "name", "parent")
    assert diagnostic.message_detail == "Failing row contains (2, null, 30)."


def test_check_violation(connection: psycopg.Connection, tables: str) -> None:
    diagnostic = failure(connection, "INSERT INTO parent VALUES (2, 'x', 3)")
    assert (diagnostic.sqlstate, diagnostic.constraint_name) == ("23514", "grown")


def test_foreign_key_violation(connection: psycopg.Connection, tables: str) -> None:
    diagnostic = failure(connection, "INSERT INTO child VALUES (1, 99)")
    assert (diagnostic.sqlstate, diagnostic.constraint_name, diagnostic.table_name) == ("23503", "has_parent", "child")
    assert diagnostic.message_detail == 'Key (parent)=(99) is not present in table "parent".'


@pytest.mark.parametrize(
    ("sql", "state", "position"),
    [
        ("SELECT * FORM parent", "42601", 10),
        ("SELECT 1;\nSELECT nothing", "42703", 18),
        ("SELECT žluť FROM parent", "42703", 8),
        ("  /* ž */ SELECT nowhere()", "42883", 18),
        ("SELECT * FROM nowhere", "42P01", 15),
        ("SELECT '", "42601", 8),
        ("INSERT INTO parent (id, wrong) VALUES (1, 2)", "42703", 25),
        ("SELECT 'x'::int", "22P02", 8),
    ],
)
def test_position_points_into_the_clients_text(
    connection: psycopg.Connection, tables: str, sql: str, state: str, position: int
) -> None:
    diagnostic = failure(connection, sql)
    assert (diagnostic.sqlstate, diagnostic.statement_position) == (state, str(position))


def test_hint_and_context(connection: psycopg.Connection, tables: str) -> None:
    assert failure(connection, "SELECT nmae FROM parent").message_hint is not None
    diagnostic = failure(connection, "DO $$ BEGIN PERFORM 1/0; END $$")
    assert diagnostic.sqlstate == "22012"
    assert "PL/pgSQL function inline_code_block line 1 at PERFORM" in (diagnostic.context or "")
    inner = failure(connection, "DO $$ BEGIN EXECUTE 'SELECT nothing'; END $$")
    assert (inner.internal_query, inner.internal_position) == ("SELECT nothing", "8")


def test_raised_fields_pass_untouched(connection: psycopg.Connection) -> None:
    diagnostic = failure(
        connection,
        """DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'ZX001', MESSAGE = 'méssage', DETAIL = 'detail',
           HINT = 'hint', SCHEMA = 's', TABLE = 't', COLUMN = 'c', DATATYPE = 'd', CONSTRAINT = 'k'; END $$""",
    )
    assert (diagnostic.sqlstate, diagnostic.message_primary) == ("ZX001", "méssage")
    assert (diagnostic.message_detail, diagnostic.message_hint) == ("detail", "hint")
    names = (diagnostic.schema_name, diagnostic.table_name, diagnostic.column_name)
    assert names + (diagnostic.datatype_name, diagnostic.constraint_name) == ("s", "t", "c", "d", "k")


@pytest.mark.parametrize("level", ["debug", "log", "info", "notice", "warning"])
def test_notices_of_every_level(connection: psycopg.Connection, level: str) -> None:
    received: list[tuple[str | None, str | None]] = []
    connection.add_notice_handler(lambda d: received.append((d.severity_nonlocalized, d.message_primary)))
    connection.execute("SET client_min_messages = debug1")
    received.clear()
    connection.execute(f"DO $$ BEGIN RAISE {level} 'hello %', 'ž'; END $$")
    assert (level.upper(), "hello ž") in received


def test_thousand_notices_keep_their_order(connection: psycopg.Connection) -> None:
    received: list[str | None] = []
    connection.add_notice_handler(lambda d: received.append(d.message_primary))
    connection.execute("DO $$ BEGIN FOR i IN 1..1000 LOOP RAISE NOTICE '%', i; END LOOP; END $$")
    assert received == [str(i) for i in range(1, 1001)]


def test_connection_is_usable_after_each_error(connection: psycopg.Connection) -> None:
    for number in range(50):
        failure(connection, "SELECT 1/%s::int", [0])
        assert connection.execute("SELECT %s::int", [number]).fetchone() == (number,)


def test_deep_nesting_is_an_error_and_not_the_end(connection: psycopg.Connection) -> None:
    diagnostic = failure(connection, "SELECT " + "(" * 20000 + "1" + ")" * 20000)
    # PostgreSQL's parser calls it a syntax error ("memory exhausted").
    assert diagnostic.sqlstate in ("42601", "54001")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_list_of_ten_megabytes(connection: psycopg.Connection, tables: str) -> None:
    numbers = ",".join(str(i) for i in range(2, 1_400_000))
    assert connection.execute(f"SELECT count(*) FROM parent WHERE id IN ({numbers}, 1)").fetchone() == (1,)


def test_statement_with_a_bad_byte(connection: psycopg.Connection) -> None:
    result = connection.pgconn.exec_(b"SELECT '\xff\xfe'")
    assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"22021"
    assert connection.execute("SELECT 1").fetchone() == (1,)
