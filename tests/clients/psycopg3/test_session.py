"""Settings, roles and session objects: they stay with their client and go with it."""

from __future__ import annotations

import psycopg
import pytest

from harness.process import wait_until

from .conftest import Connect


def show(connection: psycopg.Connection, name: str) -> str:
    return connection.execute(f"SHOW {name}").fetchone()[0]


def test_setting_lasts_for_the_session_only(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("SET work_mem = '7MB'")
    for _ in range(5):
        assert show(connection, "work_mem") == "7MB"
        assert show(connect(), "work_mem") != "7MB"
    connection.execute("RESET work_mem")
    assert show(connection, "work_mem") == show(connect(), "work_mem")


def test_set_local_ends_with_the_transaction(connection: psycopg.Connection) -> None:
    before = show(connection, "work_mem")
    connection.execute("BEGIN")
    connection.execute("SET LOCAL work_mem = '9MB'")
    assert show(connection, "work_mem") == "9MB"
    connection.execute("COMMIT")
    assert show(connection, "work_mem") == before


def test_set_in_a_rolled_back_transaction_is_undone(connection: psycopg.Connection) -> None:
    connection.execute("SET work_mem = '5MB'")
    connection.execute("BEGIN")
    connection.execute("SET work_mem = '6MB'")
    connection.execute("ROLLBACK")
    assert show(connection, "work_mem") == "5MB"
    connection.execute("BEGIN")
    connection.execute("SAVEPOINT s")
    connection.execute("SET work_mem = '8MB'")
    connection.execute("ROLLBACK TO s")
    connection.execute("COMMIT")
    assert show(connection, "work_mem") == "5MB"


@pytest.mark.parametrize("parameterised", [False, True])
def test_set_config_counts_as_set(connection: psycopg.Connection, connect: Connect, parameterised: bool) -> None:
    if parameterised:
        connection.execute("SELECT set_config('search_path', %s, false)", ["pg_catalog"])
    else:
        connection.execute("SELECT set_config('search_path', 'pg_catalog', false)")
    for _ in range(3):
        assert show(connection, "search_path") == "pg_catalog"
        assert show(connect(), "search_path") != "pg_catalog"


def test_search_path_decides_which_table(connection: psycopg.Connection, schema: str) -> None:
    connection.execute(f"DROP SCHEMA IF EXISTS {schema}_other CASCADE; CREATE SCHEMA {schema}_other")
    connection.execute(f"DROP TABLE IF EXISTS found; CREATE TABLE found AS SELECT 'here' AS place")
    connection.execute(f"CREATE TABLE {schema}_other.found AS SELECT 'there' AS place")
    for path, place in ((f"{schema}", "here"), (f"{schema}_other", "there"), (f"nowhere, {schema}", "here")):
        connection.execute(f"SET search_path = {path}")
        assert connection.execute("SELECT place FROM found", prepare=True).fetchone() == (place,)
    connection.execute(f"DROP SCHEMA {schema}_other CASCADE")


def test_set_role_and_session_authorization(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("DROP ROLE IF EXISTS clients_visitor; CREATE ROLE clients_visitor")
    whoami = "SELECT session_user, current_user"
    connection.execute("SET ROLE clients_visitor")
    assert connection.execute(whoami).fetchone() == ("herd", "clients_visitor")
    assert connect().execute(whoami).fetchone() == ("herd", "herd")
    connection.execute("RESET ROLE")
    connection.execute("SET SESSION AUTHORIZATION clients_visitor")
    assert connection.execute(whoami).fetchone() == ("clients_visitor", "clients_visitor")
    assert connect().execute(whoami).fetchone() == ("herd", "herd")
    connection.execute("RESET SESSION AUTHORIZATION")
    assert connection.execute(whoami).fetchone() == ("herd", "herd")
    connection.execute("DROP ROLE clients_visitor")


def test_reported_parameters_follow(connection: psycopg.Connection) -> None:
    for name, value in (
        ("application_name", "renamed"),
        ("TimeZone", "Europe/Prague"),
        ("DateStyle", "German, DMY"),
        ("IntervalStyle", "iso_8601"),
        ("client_encoding", "LATIN1"),
    ):
        connection.execute(f"SET {name} = '{value}'")
        assert connection.info.parameter_status(name) == value
    connection.execute("BEGIN; SET TimeZone = 'Asia/Tokyo'; ROLLBACK")
    assert connection.info.parameter_status("TimeZone") == "Europe/Prague"
    connection.execute("DISCARD ALL")
    assert connection.info.parameter_status("TimeZone") != "Europe/Prague"


def test_reset_all_returns_to_the_startup_values(connect: Connect) -> None:
    connection = connect(application_name="from startup")
    connection.execute("SET application_name = 'changed'")
    connection.execute("SET work_mem = '5MB'")
    connection.execute("RESET ALL")
    assert show(connection, "application_name") == "from startup"
    assert show(connection, "work_mem") != "5MB"


def test_temporary_table_stays_with_its_session(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("CREATE TEMP TABLE mine (id int)")
    connection.execute("INSERT INTO mine VALUES (1)")
    for _ in range(5):
        assert connection.execute("SELECT * FROM mine").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.UndefinedTable):
            connect().execute("SELECT * FROM mine")


def test_temporary_table_dropped_on_commit(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE brief ON COMMIT DROP AS SELECT 1 AS id")
        assert connection.execute("SELECT id FROM brief").fetchone() == (1,)
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM brief")


def test_advisory_lock_is_the_sessions(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("SELECT pg_advisory_lock(4711)")
    other = connect()
    assert other.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (False,)
    assert connection.execute("SELECT pg_advisory_unlock(4711)").fetchone() == (True,)
    assert other.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (True,)
    other.close()

    def is_free() -> bool:
        with connection.transaction():
            return connection.execute("SELECT pg_try_advisory_xact_lock(4711)").fetchone() == (True,)

    # A server notices a moment later that a client has gone.
    wait_until(is_free, 10, "the lock goes with its session")


def test_sequence_state_of_the_session(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("DROP SEQUENCE IF EXISTS counted; CREATE SEQUENCE counted")
    assert connection.execute("SELECT nextval('counted')").fetchone() == (1,)
    assert connection.execute("SELECT currval('counted'), lastval()").fetchone() == (1, 1)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        connect().execute("SELECT currval('counted')")


def test_several_statements_in_one_text_are_one_transaction(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS several; CREATE TABLE several (id int PRIMARY KEY)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO several VALUES (1); INSERT INTO several VALUES (2); INSERT INTO several VALUES (1)")
    assert connection.execute("SELECT count(*) FROM several").fetchone() == (0,)
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("BEGIN; INSERT INTO several VALUES (1); COMMIT; INSERT INTO several VALUES (2); SELECT 1/0")
    assert connection.execute("SELECT id FROM several").fetchall() == [(1,)]


def test_each_statement_of_one_text_answers(connection: psycopg.Connection) -> None:
    cursor = connection.execute("SELECT 1; SET work_mem = '5MB'; ; SELECT 'two', 2; VALUES (3), (4)")
    results = [cursor.statusmessage]
    while cursor.nextset():
        results.append(cursor.statusmessage)
    assert results == ["SELECT 1", "SET", "SELECT 1", "SELECT 2"]
    assert cursor.fetchall() == [(3,), (4,)]


def test_empty_statement(connection: psycopg.Connection) -> None:
    for text in ("", " ", ";", "-- nothing\n", "/* nothing */;;"):
        result = connection.pgconn.exec_(text.encode())
        assert result.status == psycopg.pq.ExecStatus.EMPTY_QUERY
