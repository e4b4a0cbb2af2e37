"""Prepared statements: named by the driver or by SQL, reused, many, and spoiled by DDL."""

from __future__ import annotations

import psycopg
import pytest


def test_named_statement_is_reused_across_transactions(connection: psycopg.Connection) -> None:
    for number in range(20):
        with connection.transaction():
            row = connection.execute("SELECT %s::int * 2", [number], prepare=True).fetchone()
        assert row == (number * 2,)


def test_threshold_makes_a_statement_prepared(connection: psycopg.Connection) -> None:
    connection.prepare_threshold = 2
    for number in range(10):
        assert connection.execute("SELECT %s::text || '!'", [str(number)]).fetchone() == (f"{number}!",)
    names = connection.execute("SELECT name FROM pg_prepared_statements WHERE NOT from_sql").fetchall()
    assert names


def test_thousand_statements_on_one_connection(connection: psycopg.Connection) -> None:
    connection.prepared_max = 2000
    for turn in range(2):
        for number in range(1000):
            row = connection.execute(f"SELECT %s::int + {number}", [turn], prepare=True).fetchone()
            assert row == (turn + number,)


def test_sql_prepare_execute_deallocate(connection: psycopg.Connection) -> None:
    connection.execute("PREPARE add(int, int) AS SELECT $1 + $2")
    assert connection.execute("EXECUTE add(1, 2)").fetchone() == (3,)
    connection.execute("BEGIN")
    assert connection.execute("EXECUTE add(3, 4)").fetchone() == (7,)
    connection.execute("COMMIT")
    with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
        connection.execute("PREPARE add(int) AS SELECT $1")
    connection.execute("DEALLOCATE add")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName, match='prepared statement "add" does not exist'):
        connection.execute("EXECUTE add(1, 2)")


def test_sql_and_protocol_statements_share_one_namespace(connection: psycopg.Connection) -> None:
    protocol = connection.pgconn
    assert protocol.prepare(b"mixed", b"SELECT $1::int + 1").status == psycopg.pq.ExecStatus.COMMAND_OK
    assert connection.execute("EXECUTE mixed(41)").fetchone() == (42,)
    connection.execute("PREPARE other(int) AS SELECT $1 + 2")
    assert protocol.exec_prepared(b"other", [b"40"]).get_value(0, 0) == b"42"
    connection.execute("DEALLOCATE mixed")
    gone = protocol.exec_prepared(b"mixed", [b"1"])
    assert gone.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"26000"


def test_deallocate_all_forgets_everything(connection: psycopg.Connection) -> None:
    connection.execute("PREPARE one AS SELECT 1")
    connection.pgconn.prepare(b"two", b"SELECT 2")
    connection.execute("DEALLOCATE ALL")
    for name in (b"one", b"two"):
        result = connection.pgconn.exec_prepared(name, [])
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"26000"


def test_discard_all_then_the_same_names_again(connection: psycopg.Connection) -> None:
    for _ in range(3):
        connection.pgconn.prepare(b"again", b"SELECT 'here'")
        assert connection.pgconn.exec_prepared(b"again", []).get_value(0, 0) == b"here"
        connection.execute("DISCARD ALL")


def test_describe_of_a_prepared_statement(connection: psycopg.Connection) -> None:
    connection.pgconn.prepare(b"described", b"SELECT $1::int AS a, $2::text AS b")
    result = connection.pgconn.describe_prepared(b"described")
    assert [result.param_type(i) for i in range(result.nparams)] == [23, 25]
    assert [result.fname(i) for i in range(result.nfields)] == [b"a", b"b"]


def test_dropped_table_is_reported_as_a_missing_table(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE going (id int)")
    assert connection.execute("SELECT * FROM going", prepare=True).fetchall() == []
    connection.execute("DROP TABLE going")
    with pytest.raises(psycopg.errors.UndefinedTable, match='relation "going" does not exist'):
        connection.execute("SELECT * FROM going", prepare=True)


def test_changed_result_type_is_reported(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE changing (id int)")
    connection.pgconn.prepare(b"changing", b"SELECT * FROM changing")
    assert connection.pgconn.exec_prepared(b"changing", []).status == psycopg.pq.ExecStatus.TUPLES_OK
    connection.execute("ALTER TABLE changing ADD COLUMN name text")
    result = connection.pgconn.exec_prepared(b"changing", [])
    assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"0A000"
    assert b"cached plan must not change result type" in result.error_message


def test_failed_parse_leaves_no_statement(connection: psycopg.Connection) -> None:
    failed = connection.pgconn.prepare(b"broken", b"SELECT no_such_column")
    assert failed.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"42703"
    missing = connection.pgconn.exec_prepared(b"broken", [])
    assert missing.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"26000"
    assert connection.pgconn.prepare(b"broken", b"SELECT 1").status == psycopg.pq.ExecStatus.COMMAND_OK


def test_statement_prepared_in_a_failed_transaction_survives_its_rollback(connection: psycopg.Connection) -> None:
    connection.execute("BEGIN")
    connection.pgconn.prepare(b"kept", b"SELECT 7")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1/0")
    connection.execute("ROLLBACK")
    assert connection.pgconn.exec_prepared(b"kept", []).get_value(0, 0) == b"7"
