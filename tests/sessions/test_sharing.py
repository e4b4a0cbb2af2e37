"""Two clients, one server connection: each finds its own session at every turn, and nothing of the other's."""

from __future__ import annotations

import psycopg
import pytest

from .conftest import Connect


def pid(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def show(connection: psycopg.Connection, name: str) -> str:
    return connection.execute(f"SHOW {name}").fetchone()[0]


def test_clients_do_share_one_server_connection(connect: Connect) -> None:
    first, second = connect(), connect()
    assert pid(first) == pid(second)


SETTINGS = [
    ("work_mem", "5MB", "6MB"),
    ("search_path", "pg_catalog", "public"),
    ("TimeZone", "Europe/Prague", "Asia/Tokyo"),
    ("DateStyle", "German, DMY", "SQL, MDY"),
    ("statement_timeout", "11s", "12s"),
    ("application_name", "first", "second"),
    ("default_transaction_isolation", "serializable", "repeatable read"),
    ("default_transaction_read_only", "on", "off"),
    ("client_encoding", "LATIN1", "UTF8"),
    ("my.own", "1", "2"),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), SETTINGS, ids=[name for name, _, _ in SETTINGS])
@pytest.mark.parametrize("form", ["SET {} = '{}'", "SELECT set_config('{}', '{}', false)", "SELECT set_config('{}', %s, false)"], ids=["set", "set_config", "parameter"])
def test_each_client_keeps_its_own_setting(connect: Connect, name: str, ours: str, theirs: str, form: str) -> None:
    first, second = connect(), connect()
    for connection, value in ((first, ours), (second, theirs)):
        if form.endswith("%s, false)"):
            connection.execute(form.format(name), [value])
        elif form.startswith("SET") and name == "search_path":
            connection.execute(f"SET search_path = {value}")
        else:
            connection.execute(form.format(name, value))
    for _ in range(5):
        assert show(first, name) == ours
        assert show(second, name) == theirs
    if name != "my.own":
        assert show(connect(), name) not in (ours, theirs) or name in ("client_encoding", "default_transaction_read_only")


def test_setting_in_a_multi_statement_text_follows_too(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("SELECT 1; SET work_mem = '5MB'; SELECT 2")
    assert show(second, "work_mem") != "5MB"
    assert show(first, "work_mem") == "5MB"


def test_setting_made_by_a_function_does_not_leak(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("DO $$ BEGIN PERFORM set_config('work_mem', '7MB', false); END $$")
    for _ in range(3):
        assert show(second, "work_mem") != "7MB"


def test_roles_do_not_leak(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("DROP ROLE IF EXISTS sharing_visitor; CREATE ROLE sharing_visitor")
    for command, reset in (("SET ROLE", "RESET ROLE"), ("SET SESSION AUTHORIZATION", "RESET SESSION AUTHORIZATION")):
        first.execute(f"{command} sharing_visitor")
        for _ in range(3):
            assert second.execute("SELECT current_user").fetchone() == ("herd",)
            assert first.execute("SELECT current_user").fetchone() == ("sharing_visitor",)
        first.execute(reset)
    second.execute("DROP ROLE sharing_visitor")


def test_closing_a_client_leaves_nothing_behind(connect: Connect) -> None:
    leaving = connect()
    leaving.execute("SET work_mem = '5MB'; SET search_path = nowhere")
    leaving.execute("PREPARE left_over AS SELECT 1")
    leaving.execute("LISTEN left_over")
    leaving.close()
    for _ in range(3):
        fresh = connect()
        assert show(fresh, "work_mem") != "5MB" and show(fresh, "search_path") != "nowhere"
        assert fresh.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert fresh.execute("SELECT count(*) FROM pg_listening_channels()").fetchone() == (0,)
        fresh.close()


def test_client_killed_in_a_transaction_is_rolled_back(connect: Connect) -> None:
    keeper = connect()
    keeper.execute("DROP TABLE IF EXISTS public.half_done; CREATE TABLE public.half_done (id int)")
    victim = connect()
    victim.execute("BEGIN; INSERT INTO public.half_done VALUES (1)")
    victim.pgconn.finish()
    assert keeper.execute("SELECT count(*) FROM public.half_done").fetchone() == (0,)
    keeper.execute("DROP TABLE public.half_done")


def test_protocol_statements_follow_their_client(connect: Connect) -> None:
    first, second = connect(), connect()
    first.pgconn.prepare(b"mine", b"SELECT 'first'")
    second.pgconn.prepare(b"mine", b"SELECT 'second'")
    for _ in range(5):
        assert first.pgconn.exec_prepared(b"mine", []).get_value(0, 0) == b"first"
        assert second.pgconn.exec_prepared(b"mine", []).get_value(0, 0) == b"second"


def test_execute_that_fails_is_over(connect: Connect) -> None:
    connection = connect()
    connection.execute("PREPARE ratio (int) AS SELECT 1 / $1")
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("EXECUTE ratio(0)")
        assert connection.execute("EXECUTE ratio(1)").fetchone() == (1,)


def test_prepare_and_execute_among_several_statements(connect: Connect) -> None:
    connection = connect()
    cursor = connection.execute("PREPARE among AS SELECT 'a'; EXECUTE among; DEALLOCATE among")
    assert cursor.nextset() and cursor.fetchone() == ("a",)


@pytest.mark.parametrize("threshold", [None, 0], ids=["unnamed", "named"])
def test_execute_by_the_extended_protocol(connect: Connect, threshold: int | None) -> None:
    first, second = connect(prepare_threshold=threshold), connect(prepare_threshold=threshold)
    first.execute("PREPARE mine(int) AS SELECT $1 + 1")
    for _ in range(3):
        assert second.execute("SELECT %s::int", [1]).fetchone() == (1,)
        assert first.execute("EXECUTE mine(1)", binary=True).fetchone() == (2,)


def test_sql_statements_follow_their_client(connect: Connect) -> None:
    first, second = connect(prepare_threshold=None), connect(prepare_threshold=None)
    first.execute("PREPARE mine(int) AS SELECT $1 + 1")
    second.execute("PREPARE mine(text) AS SELECT $1 || '!'")
    for _ in range(5):
        assert first.execute("EXECUTE mine(1)").fetchone() == (2,)
        assert second.execute("EXECUTE mine('a')").fetchone() == ("a!",)
    first.execute("DEALLOCATE mine")
    assert second.execute("EXECUTE mine('b')").fetchone() == ("b!",)
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        first.execute("EXECUTE mine(1)")


def test_more_statements_than_a_server_connection_keeps(connect: Connect) -> None:
    clients = [connect(prepare_threshold=0) for _ in range(3)]
    for connection in clients:
        connection.prepared_max = 1000
    for turn in range(2):
        for number in range(400):
            for offset, connection in enumerate(clients):
                row = connection.execute(f"SELECT %s::int + {number} + {offset}", [turn]).fetchone()
                assert row == (turn + number + offset,)


def test_unnamed_statements_of_two_clients(connect: Connect) -> None:
    first, second = connect(prepare_threshold=None), connect(prepare_threshold=None)
    for number in range(50):
        assert first.execute("SELECT %s::int", [number]).fetchone() == (number,)
        assert second.execute("SELECT %s::text", [str(number)]).fetchone() == (str(number),)


def test_transactions_take_turns(connect: Connect) -> None:
    first, second = connect(), connect()
    for number in range(20):
        for connection in (first, second):
            with connection.transaction():
                assert connection.execute("SELECT %s::int", [number]).fetchone() == (number,)


def test_failed_transaction_does_not_reach_the_other(connect: Connect) -> None:
    first, second = connect(), connect()
    with pytest.raises(psycopg.errors.DivisionByZero):
        first.execute("SELECT 1/0")
    assert second.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.errors.DivisionByZero):
        first.execute("BEGIN; SELECT 1/0")
    first.execute("ROLLBACK")
    assert second.execute("SELECT 1").fetchone() == (1,)


def test_waiting_for_the_only_connection_has_a_limit(connect: Connect) -> None:
    holder, waiter = connect(), connect()
    holder.execute("BEGIN")
    holder.execute("SELECT 1")
    with pytest.raises(psycopg.Error) as refused:
        waiter.execute("SELECT 1")
    assert refused.value.sqlstate == "53300"
    holder.execute("COMMIT")
    assert waiter.execute("SELECT 1").fetchone() == (1,)


def test_lazy_begin_holds_nothing(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("BEGIN")
    assert second.execute("SELECT 1").fetchone() == (1,)
    assert first.execute("SELECT 2").fetchone() == (2,)
    first.execute("COMMIT")


def test_cancel_reaches_only_its_own_statement(connect: Connect) -> None:
    first, second = connect(), connect()
    for number in range(30):
        first.cancel_safe()
        assert second.execute("SELECT pg_sleep(0.005), %s::int", [number]).fetchone()[1] == number
        first.cancel_safe()
        assert first.execute("SELECT %s::int", [number]).fetchone() == (number,)


def test_discard_all_of_one_leaves_the_other(connect: Connect) -> None:
    first, second = connect(), connect()
    second.execute("SET work_mem = '5MB'")
    second.execute("PREPARE kept AS SELECT 'kept'")
    second.pgconn.prepare(b"kept_too", b"SELECT 'kept too'")
    first.execute("DISCARD ALL")
    assert show(second, "work_mem") == "5MB"
    assert second.execute("EXECUTE kept").fetchone() == ("kept",)
    assert second.pgconn.exec_prepared(b"kept_too", []).get_value(0, 0) == b"kept too"


def test_currval_is_the_sessions_or_an_error(connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("DROP SEQUENCE IF EXISTS public.shared_seq; CREATE SEQUENCE public.shared_seq")
    with first.transaction():
        first.execute("SELECT nextval('public.shared_seq')")
        assert first.execute("SELECT currval('public.shared_seq')").fetchone() == (1,)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        second.execute("SELECT currval('public.shared_seq')")
    first.execute("DROP SEQUENCE public.shared_seq")
