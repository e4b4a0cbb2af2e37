"""Definitions in a transaction block: on all nodes and in the catalog together, or nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from harness.endpoint import Endpoint
from harness.process import wait_until
from harness.wire import Wire, message, query

from .conftest import Pair
from .databases import ask, connect

BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
PREPARED_SECONDS_MAX = 10
OBJECTS = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = current_schema AND relname LIKE 'made%'"
TYPES = "SELECT count(*) FROM pg_type WHERE typname = 'made_mood'"


@pytest.fixture
def defining(endpoint: Endpoint, pair: Pair, only_herd: None) -> Iterator[psycopg.Connection]:
    with connect(endpoint, "tested") as connection:
        yield connection
        if not connection.closed:
            connection.execute("ROLLBACK")
    pair.tested.execute("DROP TABLE IF EXISTS made, made_home CASCADE")
    pair.tested.execute("DROP TYPE IF EXISTS made_mood CASCADE")


def run(connection: psycopg.Connection, *statements: str, extended: bool = False) -> None:
    for sql in statements:
        answer = ask(connection, sql, extended=extended)
        assert answer.state == "", f"{answer.message}\nfor {sql}"


def refused(connection: psycopg.Connection, sql: str, *, extended: bool = False) -> str:
    return ask(connection, sql, extended=extended).state


def counts(pair: Pair, sql: str) -> list[int]:
    return [node.execute(sql).fetchone()[0] for node in pair.behind]


def wait_until_nothing_is_prepared(pair: Pair) -> None:
    """Other suites may define at the same time, and prepare for a moment."""
    sql = "SELECT count(*) FROM pg_prepared_xacts"
    wait_until(lambda: counts(pair, sql) == [0, 0, 0], PREPARED_SECONDS_MAX, "nothing is left prepared")


def assert_nothing_is_left(pair: Pair) -> None:
    assert counts(pair, OBJECTS) == [0, 0, 0]
    assert counts(pair, TYPES) == [0, 0, 0]
    wait_until_nothing_is_prepared(pair)
    with pytest.raises(errors.UndefinedTable):
        pair.tested.execute("SELECT * FROM made WHERE k = 1")
    # The next definition has its turn.
    pair.tested.execute("CREATE TYPE made_mood AS ENUM ('b')")
    pair.tested.execute("DROP TYPE made_mood")


BEGUN = (
    "BEGIN",
    "SELECT relname FROM pg_catalog.pg_class WHERE relname = 'made'",
    "CREATE TYPE made_mood AS ENUM ('good', 'bad')",
    "CREATE TABLE made (k int PRIMARY KEY, mood made_mood) PARTITION BY HASH (k) WITH (herd.fragments = 6)",
    "CREATE TABLE made_home (id int PRIMARY KEY, mood made_mood)",
    "ALTER TABLE made ADD COLUMN note text DEFAULT 'new'",
    "CREATE INDEX made_by_note ON made (note)",
    "INSERT INTO made_home VALUES (1, 'good')",
)


@BOTH_PROTOCOLS
def test_commit_makes_all_of_it_known_at_once(pair: Pair, defining: psycopg.Connection, extended: bool) -> None:
    run(defining, *BEGUN, extended=extended)
    assert refused(pair.tested, "SELECT * FROM made WHERE k = 1") == "42P01"
    seen = ask(defining, "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = 'made'::regclass AND attname = 'note'", extended=extended)
    assert seen.rows == [(b"note",)]
    run(defining, "COMMIT", extended=extended)
    assert defining.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    for k in range(20):
        pair.tested.execute(f"INSERT INTO made VALUES ({k}, 'bad')")
        assert pair.tested.execute(f"SELECT note FROM made WHERE k = {k}").fetchone() == ("new",)
    assert pair.tested.execute("SELECT mood::text FROM made_home").fetchall() == [("good",)]
    assert counts(pair, TYPES) == [1, 1, 1]
    wait_until_nothing_is_prepared(pair)
    assert defining.execute("SELECT k FROM made WHERE k = 7").fetchone() == (7,)


@BOTH_PROTOCOLS
def test_rollback_leaves_nothing(pair: Pair, defining: psycopg.Connection, extended: bool) -> None:
    run(defining, *BEGUN, "ROLLBACK", extended=extended)
    assert refused(defining, "SELECT * FROM made WHERE k = 1") == "42P01"
    assert_nothing_is_left(pair)


@pytest.mark.parametrize(
    ("failing", "state"),
    [
        ("CREATE TYPE made_mood AS ENUM ()", "42710"),
        ("SELECT 1 / 0", "22012"),
        ("ALTER TABLE made ADD COLUMN note int", "42701"),
        ("CREATE INDEX CONCURRENTLY ON made (mood)", "0A000"),
        ("SAVEPOINT s", "0A000"),
        ("COMMIT AND CHAIN", "0A000"),
        ("PREPARE TRANSACTION 'mine'", "0A000"),
        ("SELECT 1; PREPARE TRANSACTION 'mine'", "0A000"),
        ("COPY made TO STDOUT", "0A000"),
    ],
)
def test_what_fails_undoes_all(pair: Pair, defining: psycopg.Connection, failing: str, state: str) -> None:
    for ending in ("COMMIT", "ROLLBACK", "END"):
        run(defining, *BEGUN)
        assert refused(defining, failing) == state
        assert refused(defining, "SELECT 1") == "25P02"
        assert refused(defining, "CREATE TYPE made_mood AS ENUM ()") == "25P02"
        assert refused(defining, "SELECT 1; SELECT 2") == "25P02"
        answer = ask(defining, ending, extended=False)
        assert (answer.state, answer.tag) == ("", "ROLLBACK")
        assert_nothing_is_left(pair)


@pytest.mark.parametrize("failing", ["SAVEPOINT s", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'mine'", "SELECT 1 / 0"])
def test_what_fails_by_the_extended_protocol_undoes_all(pair: Pair, defining: psycopg.Connection, failing: str) -> None:
    run(defining, *BEGUN, extended=True)
    assert refused(defining, failing, extended=True) != ""
    answer = ask(defining, "COMMIT", extended=True)
    assert (answer.state, answer.tag) == ("", "ROLLBACK")
    assert_nothing_is_left(pair)


def test_savepoint_from_before_cannot_be_gone_back_to(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, "BEGIN", "CREATE TABLE made_home (id int)", "SAVEPOINT s", *BEGUN[2:4])
    assert refused(defining, "ROLLBACK TO s") == "0A000"
    assert refused(defining, "ROLLBACK TO s") == "0A000"
    assert ask(defining, "COMMIT", extended=False).tag == "ROLLBACK"
    assert_nothing_is_left(pair)


def test_failed_statement_cannot_be_undone_alone(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, "BEGIN", "SAVEPOINT s", *BEGUN[2:4])
    assert refused(defining, "SELECT 1 / 0") == "22012"
    assert refused(defining, "ROLLBACK TO s") == "0A000"
    assert ask(defining, "COMMIT", extended=False).tag == "ROLLBACK"
    assert_nothing_is_left(pair)


def test_rows_of_other_nodes_are_refused(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, *BEGUN[:4])
    states = {refused(defining, f"INSERT INTO made VALUES ({k})") for k in range(1)}
    for k in range(1, 20):
        if "0A000" in states:
            break
        states.add(refused(defining, f"INSERT INTO made VALUES ({k})"))
    assert states <= {"", "0A000"}
    assert "0A000" in states
    run(defining, "ROLLBACK")
    assert_nothing_is_left(pair)


def test_client_that_leaves_undoes_all(pair: Pair, endpoint: Endpoint, only_herd: None) -> None:
    leaving = connect(endpoint, "tested")
    run(leaving, *BEGUN)
    leaving.close()
    # It waits until the definitions of the other client are gone.
    pair.tested.execute("DROP TYPE IF EXISTS made_mood")
    assert_nothing_is_left(pair)


def test_definitions_of_others_wait_for_the_end(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, *BEGUN)
    done = threading.Event()

    def define() -> None:
        pair.tested.execute("CREATE TYPE made_other AS ENUM ('x')")
        done.set()

    other = threading.Thread(target=define)
    other.start()
    assert not done.wait(0.3)
    run(defining, "COMMIT")
    other.join()
    assert counts(pair, "SELECT count(*) FROM pg_type WHERE typname = 'made_other'") == [1, 1, 1]
    pair.tested.execute("DROP TYPE made_other")


def test_plan_of_what_was_rolled_back_is_forgotten(pair: Pair, defining: psycopg.Connection) -> None:
    lookup = "SELECT v FROM made WHERE k = 5"
    run(defining, "BEGIN", "CREATE TABLE made (k int, v int) PARTITION BY HASH (k) WITH (herd.fragments = 3)")
    refused(defining, lookup, extended=True)
    run(defining, "ROLLBACK")
    pair.tested.execute("CREATE TABLE made (v int, k text) PARTITION BY HASH (v) WITH (herd.fragments = 5)")
    for v in range(10):
        pair.tested.execute(f"INSERT INTO made VALUES ({v}, '5')")
    for connection in (defining, pair.tested):
        for v in range(10):
            answer = ask(connection, f"SELECT v FROM made WHERE v = {v}", extended=True)
            assert answer.rows == [(str(v).encode(),)]
        answer = ask(connection, lookup.replace("5", "'5'"), extended=True)
        assert sorted(answer.rows) == [(str(v).encode(),) for v in range(10)]


def test_path_set_in_the_transaction_counts_on_every_node(pair: Pair, defining: psycopg.Connection) -> None:
    schema = defining.execute("SELECT current_schema").fetchone()[0]
    run(defining, "BEGIN", "CREATE TYPE made_mood AS ENUM ('a')", "SET LOCAL search_path = pg_catalog")
    run(defining, f"SELECT set_config('search_path', '{schema}', true)", "CREATE FUNCTION made_up() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    run(defining, "COMMIT")
    where = f"SELECT count(*) FROM pg_proc WHERE proname = 'made_up' AND pronamespace = '{schema}'::regnamespace"
    assert counts(pair, where) == [1, 1, 1]
    pair.tested.execute("DROP FUNCTION made_up")


def test_pipeline_of_definitions_is_committed(pair: Pair, defining: psycopg.Connection) -> None:
    with defining.pipeline():
        for sql in (*BEGUN, "COMMIT"):
            defining.execute(sql)
    assert defining.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert pair.tested.execute("SELECT mood::text FROM made_home").fetchall() == [("good",)]
    assert counts(pair, TYPES) == [1, 1, 1]


def test_commit_that_was_bound_before_the_definition_ends_all_of_it(
    pair: Pair, defining: psycopg.Connection, endpoint: Endpoint
) -> None:
    schema = defining.execute("SELECT current_schema").fetchone()[0]
    with Wire(endpoint) as wire:
        wire.log_in()
        for sql in (f"SET search_path = {schema}", "BEGIN", "SELECT relname FROM pg_catalog.pg_class LIMIT 1"):
            wire.send(query(sql))
            wire.receive_until("Z")
        wire.send(parse("c", "COMMIT"), bind("later", "c"), parse("d", BEGUN[2]), bind("now", "d"))
        wire.send(message("E", b"now\0" + bytes(4)), message("E", b"later\0" + bytes(4)), message("S"))
        answers = wire.receive_until("Z")
        assert [answer.body for answer in answers if answer.tag == "C"] == [b"CREATE TYPE\0", b"COMMIT\0"]
        assert answers[-1].body == b"I"
    assert counts(pair, TYPES) == [1, 1, 1]
    wait_until_nothing_is_prepared(pair)


def parse(name: str, sql: str) -> bytes:
    return message("P", f"{name}\0{sql}\0".encode() + bytes(2))


def bind(portal: str, statement: str) -> bytes:
    return message("B", f"{portal}\0{statement}\0".encode() + bytes(6))


IN_ONE_STRING = "; ".join((*BEGUN[2:4], BEGUN[5], BEGUN[6]))


def test_query_string_defines_all(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, IN_ONE_STRING)
    assert defining.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    pair.tested.execute("INSERT INTO made VALUES (3, 'bad')")
    assert pair.tested.execute("SELECT note FROM made WHERE k = 3").fetchone() == ("new",)
    assert counts(pair, TYPES) == [1, 1, 1]
    wait_until_nothing_is_prepared(pair)


@pytest.mark.parametrize(
    ("failing", "state"),
    [
        ("ALTER TABLE made ADD COLUMN note int", "42701"),
        ("CREATE TYPE made_mood AS ENUM ()", "42710"),
        ("CREATE INDEX CONCURRENTLY ON made (mood)", "0A000"),
        ("SELECT * FROM made", "0A000"),
    ],
)
def test_query_string_defines_all_or_nothing(pair: Pair, defining: psycopg.Connection, failing: str, state: str) -> None:
    assert refused(defining, f"{IN_ONE_STRING}; {failing}") == state
    assert defining.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert_nothing_is_left(pair)


def test_query_string_ends_a_block_that_has_defined(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, *BEGUN)
    assert refused(defining, "SELECT 1 / 0") == "22012"
    run(defining, "ROLLBACK; BEGIN; SELECT 1")
    assert counts(pair, OBJECTS) == [0, 0, 0]
    run(defining, "COMMIT", *BEGUN, "SELECT 1; COMMIT; SELECT 2")
    assert defining.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert counts(pair, TYPES) == [1, 1, 1]
    wait_until_nothing_is_prepared(pair)


def test_query_string_in_a_block_is_part_of_it(pair: Pair, defining: psycopg.Connection) -> None:
    run(defining, "BEGIN", IN_ONE_STRING)
    assert defining.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    run(defining, "ROLLBACK")
    assert_nothing_is_left(pair)
