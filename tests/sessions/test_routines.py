"""What a function does inside to its session stays with the client that called it, however it was called."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest

from harness.herd import Serve
from harness.postgres import Postgres

from .conftest import Connect, StartHerd

LOCKS = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
PREPARED = "SELECT count(*)::text FROM pg_prepared_statements WHERE name = 'by_function'"
CURSORS = "SELECT count(*)::text FROM pg_cursors WHERE name = 'by_function'"
TEMPORARY = "SELECT count(*)::text FROM pg_class WHERE relname = 'by_function' AND relnamespace = pg_my_temp_schema()"
CUSTOM = "SELECT coalesce(current_setting('app.person', true), '')"

# What a function does, how it shows in the caller's session, and what is seen there.
BODIES = {
    "session lock": ("PERFORM pg_advisory_lock(4711);", LOCKS, "1"),
    "set_config": ("PERFORM set_config('work_mem', '7MB', false);", "SHOW work_mem", "7MB"),
    "custom setting": ("PERFORM set_config('app.person', 'ann', false);", CUSTOM, "ann"),
    "computed custom setting": ("PERFORM set_config('app.' || 'person', 'ann', false);", CUSTOM, "ann"),
    "set": ("SET app.person = 'ann';", CUSTOM, "ann"),
    "search_path": ("SET search_path = pg_catalog;", "SHOW search_path", "pg_catalog"),
    "role": ("SET ROLE routines_visitor;", "SELECT current_user::text", "routines_visitor"),
    "authorization": ("SET SESSION AUTHORIZATION routines_visitor;", "SELECT session_user::text", "routines_visitor"),
    "temporary table": ("CREATE TEMP TABLE by_function (id int);", TEMPORARY, "1"),
    "listen": ("LISTEN by_function;", "SELECT coalesce(min(c), '') FROM pg_listening_channels() c", "by_function"),
    "prepare": ("EXECUTE 'PREPARE by_function AS SELECT 1';", PREPARED, "1"),
    "cursor": ("EXECUTE 'DECLARE by_function CURSOR WITH HOLD FOR SELECT 1';", CURSORS, "1"),
    "computed code": ("EXECUTE 'SET app.' || 'person = ''ann''';", CUSTOM, "ann"),
    "code within code": ("EXECUTE format('DO %L', 'BEGIN SET app.person = ''ann''; END');", CUSTOM, "ann"),
}

HARMLESS = {
    "plain": "RETURN 1;",
    "local setting": "PERFORM set_config('app.person', 'ann', true); SET LOCAL work_mem = '7MB'; RETURN 1;",
    "transaction's lock": "PERFORM pg_advisory_xact_lock(4711); RETURN 1;",
    "temporary until the end": "CREATE TEMP TABLE gone (id int) ON COMMIT DROP; RETURN 1;",
    "update": "UPDATE routines_plain SET id = id; RETURN 1;",
    "computed names": "EXECUTE format('SELECT count(*) FROM %I', 'routines_plain'); RETURN 1;",
    "words": "RAISE NOTICE 'SET work_mem, LISTEN, pg_advisory_lock(1), CREATE TEMP TABLE'; RETURN 1;",
}


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd) -> Serve:
    """Two server connections: one to be pinned, one for everybody else."""
    return start_herd('[pool]\nsize_max = 2\nwait_max = "5s"\n')


@pytest.fixture(autouse=True)
def clean(node: Postgres) -> Iterator[None]:
    """Everything is made anew for each test."""
    with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as direct:
        direct.execute("DROP SCHEMA IF EXISTS public CASCADE")
        direct.execute("CREATE SCHEMA public")
        direct.execute("GRANT ALL ON SCHEMA public TO public")
        direct.execute("DROP ROLE IF EXISTS routines_visitor")
        direct.execute("CREATE ROLE routines_visitor")
        direct.execute("CREATE TABLE routines_plain (id int)")
        direct.execute("GRANT ALL ON routines_plain TO public")
    yield


def define(connect: Connect, statements: str) -> None:
    """By a client of its own, which leaves then."""
    definer = connect()
    definer.execute(statements)
    definer.close()


def function(body: str, name: str = "leave", returns: str = "int", end: str = "RETURN 1;") -> str:
    return f"CREATE OR REPLACE FUNCTION {name}() RETURNS {returns} LANGUAGE plpgsql AS $$ BEGIN {body} {end} END $$"


def one(connection: psycopg.Connection, sql: str) -> str:
    return connection.execute(sql, prepare=False).fetchone()[0]


def caller_of(connect: Connect, **options: object) -> psycopg.Connection:
    """A client that can be told from the others in SHOW CLIENTS."""
    return connect(application_name=f"caller {time.monotonic_ns()}", **options)


def pins(connect: Connect, connection: psycopg.Connection) -> str:
    name = connection.info.get_parameters()["application_name"]
    asker = connect()
    pinned_by = asker.execute("SELECT pinned_by FROM herd.clients WHERE application_name = %s", [name], prepare=False).fetchone()[0]
    asker.close()
    return pinned_by or ""


def check_stays_with(connect: Connect, owner: psycopg.Connection, sql: str, own: str) -> None:
    others = [connect() for _ in range(3)]
    for _ in range(3):
        for other in others:
            assert one(other, sql) != own
        assert one(owner, sql) == own
    owner.close()
    for other in others:
        assert one(other, sql) != own


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_effect_stays_with_its_caller(connect: Connect, kind: str, protocol: str) -> None:
    body, sql, own = BODIES[kind]
    define(connect, function(body))
    owner = caller_of(connect, prepare_threshold=0 if protocol == "prepared" else None)
    if protocol == "simple":
        owner.execute("SELECT leave()")
    else:
        owner.execute("SELECT leave() + %s::int", [1])
    check_stays_with(connect, owner, sql, own)


CALLERS = {
    "a function": ("CREATE FUNCTION outer_one() RETURNS int LANGUAGE sql AS 'SELECT leave()'", "SELECT outer_one()"),
    "a function of a function": (
        "CREATE FUNCTION outer_one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT leave(); END; "
        "CREATE FUNCTION outer_two() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN outer_one(); END'",
        "SELECT outer_two()",
    ),
    "a quoted name": ('ALTER FUNCTION leave() RENAME TO "Leave It"', 'SELECT "Leave It"()'),
    "a procedure": ("CREATE PROCEDURE run_it() LANGUAGE plpgsql AS 'BEGIN PERFORM leave(); END'", "CALL run_it()"),
    "a view": ("CREATE VIEW seen AS SELECT leave() AS x", "SELECT * FROM seen"),
    "a view of a view": ("CREATE VIEW seen AS SELECT leave() AS x; CREATE VIEW seen_again AS SELECT x + 1 AS y FROM seen", "TABLE seen_again"),
    "a default": ("CREATE TABLE filled (id int, x int DEFAULT leave())", "INSERT INTO filled (id) VALUES (1)"),
    "a check": ("CREATE TABLE filled (id int CHECK (leave() = id))", "INSERT INTO filled VALUES (1)"),
    "a domain": ("CREATE DOMAIN checked AS int CHECK (leave() = value); CREATE TABLE filled (id checked)", "INSERT INTO filled VALUES (1)"),
    "a policy": (
        "CREATE TABLE guarded (id int); INSERT INTO guarded VALUES (1); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; "
        "ALTER TABLE guarded FORCE ROW LEVEL SECURITY; CREATE POLICY p ON guarded USING (leave() = id); "
        "GRANT ALL ON guarded TO routines_visitor; ALTER TABLE guarded OWNER TO routines_visitor",
        "BEGIN; SET LOCAL ROLE routines_visitor; SELECT * FROM guarded; COMMIT",
    ),
    "an operator": (
        "CREATE FUNCTION leave_op(int, int) RETURNS int LANGUAGE sql AS 'SELECT leave() + $1 - $2'; "
        "CREATE OPERATOR <@@@> (LEFTARG = int, RIGHTARG = int, FUNCTION = leave_op)",
        "SELECT 1 <@@@> 2",
    ),
    "an aggregate": (
        "CREATE FUNCTION leave_step(int, int) RETURNS int LANGUAGE sql AS 'SELECT leave() + $1 + $2'; "
        "CREATE AGGREGATE leaving(int) (SFUNC = leave_step, STYPE = int, INITCOND = '0')",
        "SELECT leaving(x) FROM generate_series(1, 3) x",
    ),
    "an index": (
        "CREATE TABLE filled (id int); CREATE FUNCTION leave_key(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN leave() + $1; END'; "
        "CREATE INDEX ON filled (leave_key(id))",
        "INSERT INTO filled VALUES (1)",
    ),
    "a rule": ("CREATE TABLE filled (id int); CREATE RULE r AS ON INSERT TO filled DO ALSO SELECT leave()", "INSERT INTO filled VALUES (1)"),
    "an attribute": ("CREATE TABLE filled (id int); INSERT INTO filled VALUES (1); CREATE FUNCTION leaves(filled) RETURNS int LANGUAGE sql AS 'SELECT leave()'", "SELECT f.leaves FROM filled f"),
    "PREPARE and EXECUTE": ("SELECT 1", "PREPARE p AS SELECT leave(); EXECUTE p"),
    "EXPLAIN ANALYZE": ("SELECT 1", "EXPLAIN ANALYZE SELECT leave()"),
    "DO": ("SELECT 1", "DO $$ BEGIN PERFORM leave(); END $$"),
    "a cursor": ("SELECT 1", "BEGIN; DECLARE c CURSOR FOR SELECT leave(); FETCH c; COMMIT"),
    "CREATE TABLE AS": ("SELECT 1", "CREATE TABLE made AS SELECT leave()"),
    "several statements": ("SELECT 1", "SELECT 1; SELECT leave(); SELECT 2"),
    "a transaction": ("SELECT 1", "BEGIN; SELECT leave(); COMMIT"),
    "a savepoint": ("SELECT 1", "BEGIN; SAVEPOINT s; SELECT leave(); RELEASE s; COMMIT"),
    "a lock in what is rolled back": ("SELECT 1", "BEGIN; SAVEPOINT s; SELECT leave(); ROLLBACK TO s; COMMIT"),
    "a lock in a failed statement": ("SELECT 1", "SELECT leave() / 0"),
    "a lock in a failed query string": ("SELECT 1", "SELECT leave(); SELECT 1/0"),
}


@pytest.mark.parametrize("caller", CALLERS)
def test_effect_stays_with_whoever_runs_it(connect: Connect, caller: str) -> None:
    body, sql, own = BODIES["session lock"]
    make, use = CALLERS[caller]
    define(connect, function(body))
    if make != "SELECT 1":
        define(connect, make)
    owner = caller_of(connect, prepare_threshold=None)
    statements = use.split("; ") if use.startswith(("BEGIN", "PREPARE")) else [use]
    for statement in statements:
        try:
            owner.execute(statement)
        except psycopg.errors.DivisionByZero:
            pass
    seen = [one(other, sql) for other in (connect(), connect(), connect())]
    assert seen == ["0"] * 3
    assert int(one(owner, sql)) >= int(own)
    assert "advisory lock in leave" in pins(connect, owner).lower()


TRIGGERS = {
    "insert": "INSERT INTO watched VALUES (2)",
    "update": "UPDATE watched SET id = 3",
    "delete": "DELETE FROM watched",
    "merge": "MERGE INTO watched w USING (VALUES (1)) v(id) ON v.id = w.id WHEN MATCHED THEN UPDATE SET id = 5",
    "through a view": "INSERT INTO through VALUES (2)",
    "in a function": "SELECT writes_it()",
    "in a data-modifying WITH": "WITH made AS (INSERT INTO watched VALUES (7) RETURNING id) SELECT * FROM made",
    "by a foreign key": "DELETE FROM parent",
    "by its partition": "INSERT INTO whole VALUES (2)",
}


@pytest.mark.parametrize("use", TRIGGERS)
def test_triggers_pin_those_who_write(connect: Connect, use: str) -> None:
    _, sql, own = BODIES["custom setting"]
    define(connect, function("PERFORM set_config('app.' || 'person', 'ann', false);", returns="trigger", end="RETURN NULL;"))
    define(connect, "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1)")
    define(connect, "CREATE TABLE watched (id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE)")
    define(connect, "CREATE TABLE whole (id int) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF whole DEFAULT")
    define(connect, "INSERT INTO parent SELECT generate_series(2, 9); INSERT INTO watched VALUES (1)")
    define(connect, "CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION leave()")
    define(connect, "CREATE TRIGGER watch AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION leave()")
    define(connect, "CREATE VIEW through AS SELECT * FROM watched")
    define(connect, "CREATE FUNCTION writes_it() RETURNS int LANGUAGE sql AS 'INSERT INTO watched VALUES (8) RETURNING id'")
    reader = caller_of(connect)
    reader.execute("SELECT * FROM watched, through, parent, whole")
    assert pins(connect, reader) == ""
    reader.close()
    owner = caller_of(connect)
    owner.execute(TRIGGERS[use])
    assert "custom setting in leave" in pins(connect, owner)
    check_stays_with(connect, owner, sql, own)


def test_copy_runs_triggers_too(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    define(connect, function(body, returns="trigger", end="RETURN NULL;"))
    define(connect, "CREATE TABLE watched (id int); CREATE TRIGGER watch AFTER INSERT ON watched EXECUTE FUNCTION leave()")
    owner = caller_of(connect)
    with owner.cursor().copy("COPY watched FROM STDIN") as copy:
        copy.write_row([1])
    check_stays_with(connect, owner, sql, own)


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_functions_pin_nobody(connect: Connect, kind: str) -> None:
    define(connect, function(BODIES["session lock"][0], name="another"))
    define(connect, function(HARMLESS[kind], end=""))
    caller = caller_of(connect)
    for _ in range(3):
        caller.execute("SELECT leave()")
    assert pins(connect, caller) == ""


def test_settings_of_a_function_itself_end_with_it(connect: Connect) -> None:
    define(connect, "CREATE FUNCTION leave() RETURNS int LANGUAGE sql SET work_mem = '7MB' SET search_path = pg_catalog AS 'SELECT 1'")
    caller = caller_of(connect)
    caller.execute("SELECT leave()")
    assert pins(connect, caller) == ""
    assert one(caller, "SHOW work_mem") != "7MB"


def test_next_statement_of_any_client_knows_the_new_function(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    definer, caller = caller_of(connect), connect(prepare_threshold=0)
    for number in range(10):
        definer.execute(function("", name=f"turns_{number}"))
        caller.execute(f"SELECT turns_{number}()")
        definer.execute(function(body, name=f"turns_{number}"))
        caller.execute(f"SELECT turns_{number}()")
        assert one(definer, sql) == "0"
        assert one(caller, sql) == own
        caller.close()
        caller = caller_of(connect, prepare_threshold=0)


def test_function_and_its_call_in_one_transaction(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    owner = caller_of(connect)
    with owner.transaction():
        owner.execute(function(body))
        owner.execute("SELECT leave()")
    check_stays_with(connect, owner, sql, own)


def test_function_and_its_call_in_one_query_string(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    owner = caller_of(connect)
    owner.execute(f"{function(body)}; SELECT leave()")
    check_stays_with(connect, owner, sql, own)


def test_function_defined_in_a_transaction_is_known_after_its_commit(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    definer, owner = caller_of(connect), connect()
    with definer.transaction():
        definer.execute(function(body))
    definer.close()
    owner.execute("SELECT leave()")
    check_stays_with(connect, owner, sql, own)


def test_function_that_is_rolled_back_pins_nobody(connect: Connect) -> None:
    definer, caller = connect(), caller_of(connect)
    define(connect, function(""))
    with definer.transaction(force_rollback=True):
        definer.execute(function(BODIES["session lock"][0]))
    caller.execute("SELECT leave()")
    assert pins(connect, caller) == ""


def test_replacing_a_function_by_a_harmless_one_frees_its_callers(connect: Connect) -> None:
    define(connect, function(BODIES["session lock"][0]))
    define(connect, function(""))
    caller = caller_of(connect)
    caller.execute("SELECT leave()")
    assert pins(connect, caller) == ""


def test_setting_that_a_savepoint_takes_back_is_not_the_callers(connect: Connect) -> None:
    define(connect, function(BODIES["set_config"][0]))
    caller, other = connect(), connect()
    before = one(caller, "SHOW work_mem")
    with caller.transaction():
        caller.execute("SAVEPOINT s")
        caller.execute("SELECT leave()")
        assert one(caller, "SHOW work_mem") == "7MB"
        caller.execute("ROLLBACK TO s")
    for _ in range(3):
        assert one(other, "SHOW work_mem") == before
        assert one(caller, "SHOW work_mem") == before


def test_local_search_path_of_a_function_is_seen_in_its_transaction(connect: Connect) -> None:
    define(connect, function("PERFORM set_config('search_path', 'pg_catalog', true);"))
    caller = caller_of(connect)
    with caller.transaction():
        caller.execute("SELECT leave()")
        assert one(caller, "SHOW search_path") == "pg_catalog"
    assert one(caller, "SHOW search_path") != "pg_catalog"


def test_function_called_by_its_number(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    define(connect, function(body))
    owner = caller_of(connect)
    number = one(owner, "SELECT 'leave()'::regprocedure::oid::int")
    call = b"F" + (14).to_bytes(4) + int(number).to_bytes(4) + (0).to_bytes(2) + (0).to_bytes(2) + (1).to_bytes(2)
    with socket.socket(fileno=os.dup(owner.pgconn.socket)) as raw:
        raw.setblocking(True)
        raw.sendall(call)
        answer = b""
        while not answer.endswith(b"Z\0\0\0\x05I"):
            answer += raw.recv(1024)
        raw.setblocking(False)
    check_stays_with(connect, owner, sql, own)


def test_what_is_defined_on_the_node_itself_is_seen_after_a_reload(connect: Connect, node: Postgres) -> None:
    body, sql, own = BODIES["session lock"]
    owner = caller_of(connect)
    with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as direct:
        direct.execute(function(body))
    owner.execute("RELOAD")
    time.sleep(2.5)
    owner.execute("SELECT leave()")
    check_stays_with(connect, owner, sql, own)


@pytest.mark.parametrize("setting", ["SET work_mem = '7MB'", "SELECT leave()", "SELECT set_config('work_mem', '7MB', false)"])
def test_setting_that_was_committed_before_a_failure_stays_with_its_client(connect: Connect, setting: str) -> None:
    define(connect, function(BODIES["set_config"][0]))
    owner = caller_of(connect)
    with pytest.raises(psycopg.errors.DivisionByZero):
        owner.execute(f"BEGIN; {setting}; COMMIT; SELECT 1/0")
    check_stays_with(connect, owner, "SHOW work_mem", "7MB")


def test_procedure_that_commits_before_it_fails(connect: Connect) -> None:
    define(connect, "CREATE PROCEDURE leave() LANGUAGE plpgsql AS $$ BEGIN SET app.person = 'ann'; COMMIT; RAISE division_by_zero; END $$")
    for execute in (lambda c: c.execute("CALL leave()"), lambda c: c.execute("CALL leave()", prepare=True)):
        owner = caller_of(connect)
        with pytest.raises(psycopg.errors.DivisionByZero):
            execute(owner)
        check_stays_with(connect, owner, CUSTOM, "ann")


def test_update_of_pg_settings_is_a_setting(connect: Connect) -> None:
    owner = caller_of(connect)
    owner.execute("UPDATE pg_settings SET setting = '7MB' WHERE name = 'work_mem'")
    check_stays_with(connect, owner, "SHOW work_mem", "7MB")


def test_last_value_of_a_function_is_not_told_to_others(connect: Connect) -> None:
    define(connect, "CREATE SEQUENCE counting START 40; CREATE FUNCTION last_one() RETURNS bigint LANGUAGE sql AS 'SELECT lastval()'")
    first, second = connect(), connect()
    first.execute("SELECT nextval('counting')")
    for _ in range(3):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            second.execute("SELECT last_one()")


def test_other_databases_have_functions_of_their_own(connect: Connect, herd: Serve, node: Postgres) -> None:
    with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as direct:
        direct.execute("DROP DATABASE IF EXISTS routines_elsewhere")
        direct.execute("CREATE DATABASE routines_elsewhere")
    body, sql, own = BODIES["session lock"]
    there = {"dbname": "routines_elsewhere"}
    definer = connect(**there)
    definer.execute(function(body))
    definer.close()
    define(connect, function(""))
    here, owner = caller_of(connect), caller_of(connect, **there)
    here.execute("SELECT leave()")
    owner.execute("SELECT leave()")
    assert pins(connect, here) == ""
    assert "advisory lock in leave" in pins(connect, owner)
    others = [connect(**there) for _ in range(3)]
    assert [one(other, sql) for other in others] == ["0"] * 3
    assert one(owner, sql) == own


def test_effect_of_a_prepared_statement_that_is_executed_by_the_extended_protocol(connect: Connect) -> None:
    body, sql, own = BODIES["session lock"]
    define(connect, function(body))
    owner = caller_of(connect)
    owner.execute("PREPARE mine AS SELECT leave()")
    owner.execute("EXECUTE mine", binary=True)
    check_stays_with(connect, owner, sql, own)


def test_execute_that_executes_itself_is_refused(connect: Connect) -> None:
    client = connect()
    client.pgconn.prepare(b"itself", b"EXECUTE itself")
    result = client.pgconn.exec_prepared(b"itself", [])
    assert result.status == psycopg.pq.ExecStatus.FATAL_ERROR
    client.pgconn.finish()
    assert one(connect(), "SELECT 'alive'") == "alive"
