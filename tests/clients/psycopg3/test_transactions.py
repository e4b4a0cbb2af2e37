"""Transactions as clients see them: what is kept, what is not, and how isolated."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from .conftest import Connect


@pytest.fixture
def table(connection: psycopg.Connection) -> str:
    connection.execute("DROP TABLE IF EXISTS account; CREATE TABLE account (id int PRIMARY KEY, balance int)")
    connection.execute("INSERT INTO account VALUES (1, 100), (2, 100)")
    return "account"


def balances(connection: psycopg.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT balance FROM account ORDER BY id")]


def test_commit_keeps_and_rollback_undoes(connection: psycopg.Connection, connect: Connect, table: str) -> None:
    with connection.transaction():
        connection.execute("UPDATE account SET balance = 50 WHERE id = 1")
    with pytest.raises(ZeroDivisionError), connection.transaction():
        connection.execute("UPDATE account SET balance = 0")
        raise ZeroDivisionError
    assert balances(connect()) == [50, 100]


def test_uncommitted_rows_are_invisible_to_others(connection: psycopg.Connection, connect: Connect, table: str) -> None:
    other = connect()
    with connection.transaction():
        connection.execute("UPDATE account SET balance = 1")
        assert balances(connection) == [1, 1]
        assert balances(other) == [100, 100]
    assert balances(other) == [1, 1]


def test_status_follows_the_transaction(connection: psycopg.Connection) -> None:
    status = lambda: connection.info.transaction_status  # noqa: E731
    assert status() == TransactionStatus.IDLE
    connection.execute("BEGIN")
    assert status() == TransactionStatus.INTRANS
    with pytest.raises(psycopg.errors.UndefinedColumn):
        connection.execute("SELECT nothing")
    assert status() == TransactionStatus.INERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert status() == TransactionStatus.IDLE


def test_savepoints_undo_their_part(connection: psycopg.Connection, table: str) -> None:
    connection.execute("BEGIN")
    connection.execute("UPDATE account SET balance = 1 WHERE id = 1")
    connection.execute("SAVEPOINT a")
    connection.execute("UPDATE account SET balance = 2 WHERE id = 1")
    connection.execute("SAVEPOINT a")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO account VALUES (2, 0)")
    connection.execute("ROLLBACK TO SAVEPOINT a")
    connection.execute("RELEASE SAVEPOINT a")
    connection.execute("ROLLBACK TO a")
    connection.execute("COMMIT")
    assert balances(connection) == [1, 100]


def test_savepoint_errors_are_the_servers(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.NoActiveSqlTransaction):
        connection.execute("SAVEPOINT outside")
    connection.execute("BEGIN")
    with pytest.raises(psycopg.errors.InvalidSavepointSpecification):
        connection.execute("ROLLBACK TO nowhere")
    connection.execute("ROLLBACK")


def test_warnings_of_misplaced_transaction_commands(connection: psycopg.Connection) -> None:
    notices: list[str | None] = []
    connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.sqlstate))
    connection.execute("COMMIT")
    connection.execute("ROLLBACK")
    connection.execute("BEGIN")
    connection.execute("BEGIN")
    connection.execute("COMMIT")
    assert notices == ["25P01", "25P01", "25001"]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_isolation_level_is_set(connection: psycopg.Connection, level: str) -> None:
    connection.execute(f"BEGIN ISOLATION LEVEL {level}")
    assert connection.execute("SHOW transaction_isolation").fetchone() == (level,)
    connection.execute("COMMIT")
    assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


def test_isolation_can_be_set_after_begin(connection: psycopg.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE")
    row = connection.execute(
        "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
        " current_setting('transaction_deferrable')"
    ).fetchone()
    assert row == ("serializable", "on", "on")
    connection.execute("ROLLBACK")


def test_session_characteristics_are_defaults_of_later_transactions(connection: psycopg.Connection) -> None:
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    for _ in range(3):
        connection.execute("BEGIN")
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        connection.execute("COMMIT")


def test_repeatable_read_sees_one_snapshot(connection: psycopg.Connection, connect: Connect, table: str) -> None:
    other = connect()
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert balances(connection) == [100, 100]
    other.execute("UPDATE account SET balance = 7")
    assert balances(connection) == [100, 100]
    with pytest.raises(psycopg.errors.SerializationFailure):
        connection.execute("UPDATE account SET balance = 8")
    connection.execute("ROLLBACK")
    assert balances(connection) == [7, 7]


def test_read_only_refuses_writes(connection: psycopg.Connection, table: str) -> None:
    connection.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM account")
    connection.execute("ROLLBACK")
    connection.read_only = True
    connection.autocommit = False
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM account")
    connection.rollback()


def test_commit_and_chain_stays_in_a_transaction(connection: psycopg.Connection, table: str) -> None:
    connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    connection.execute("UPDATE account SET balance = 5 WHERE id = 1")
    connection.execute("COMMIT AND CHAIN")
    assert connection.info.transaction_status == TransactionStatus.INTRANS
    assert connection.execute("SHOW transaction_isolation").fetchone() == ("serializable",)
    connection.execute("UPDATE account SET balance = 6 WHERE id = 1")
    connection.execute("ROLLBACK AND CHAIN")
    assert balances(connection) == [5, 100]
    connection.execute("COMMIT")


def test_deadlock_is_found(connection: psycopg.Connection, connect: Connect, table: str) -> None:
    both = [connection, connect()]
    for number, each in enumerate(both, 1):
        each.execute("SET deadlock_timeout = '100ms'")
        each.execute("BEGIN")
        each.execute("UPDATE account SET balance = 0 WHERE id = %s", [number])
    for number, each in enumerate(both, 1):
        each.pgconn.send_query(b"UPDATE account SET balance = 0 WHERE id = %d" % (3 - number))
    # The victim's rollback is what lets the other's update through.
    states = sorted(first_result_state(each) for each in both)
    assert states == ["", "40P01"]
    for each in both:
        each.execute("ROLLBACK")


def first_result_state(connection: psycopg.Connection) -> str:
    """The SQLSTATE of the statement under way, empty if it succeeds."""
    result = connection.pgconn.get_result()
    while connection.pgconn.get_result():
        pass
    state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) if result else None
    if state:
        connection.execute("ROLLBACK")
    return (state or b"").decode()


def test_constraint_deferred_to_commit_fails_there(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS deferred; CREATE TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO deferred VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("COMMIT")
    assert connection.info.transaction_status == TransactionStatus.IDLE
    assert connection.execute("SELECT count(*) FROM deferred").fetchone() == (0,)


def test_two_phase_commit_by_hand(connection: psycopg.Connection, table: str) -> None:
    connection.execute("BEGIN")
    connection.execute("UPDATE account SET balance = 9")
    connection.execute("PREPARE TRANSACTION 'by hand'")
    assert balances(connection) == [100, 100]
    connection.execute("COMMIT PREPARED 'by hand'")
    assert balances(connection) == [9, 9]


def test_snapshot_can_be_exported_and_imported(connection: psycopg.Connection, connect: Connect, table: str) -> None:
    other = connect()
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    name = connection.execute("SELECT pg_export_snapshot()").fetchone()[0]
    connect().execute("UPDATE account SET balance = 3")
    other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    other.execute(f"SET TRANSACTION SNAPSHOT '{name}'")
    assert balances(other) == [100, 100]
    other.execute("COMMIT")
    connection.execute("COMMIT")
