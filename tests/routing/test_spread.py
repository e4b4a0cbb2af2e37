"""Transactions that concern several nodes: all of it happens or nothing, and every node is set up alike."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import connect

ACCOUNTS = 24
START = 1000


@pytest.fixture(scope="module")
def bank(endpoint: Endpoint, pair: Pair, only_herd: None) -> Iterator[Pair]:
    pair.tested.execute("CREATE TABLE accounts (id int PRIMARY KEY, amount int CHECK (amount >= 0), note text)"
                        " PARTITION BY HASH (id) WITH (herd.fragments = 6)")
    with pair.tested.cursor().copy("COPY accounts (id, amount) FROM STDIN") as copy:
        for account in range(ACCOUNTS):
            copy.write_row((account, START))
    yield pair
    pair.tested.execute("DROP TABLE accounts")


@pytest.fixture
def client(endpoint: Endpoint, bank: Pair) -> Iterator[psycopg.Connection]:
    with connect(endpoint, "tested") as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def keys(bank: Pair) -> list[int]:
    """A key of each node, the home node's first."""
    bank.tested.execute("UPDATE accounts SET amount = 1000, note = NULL WHERE id = 0")
    found = []
    for node in bank.behind:
        node.execute(f"UPDATE accounts SET amount = {START}, note = NULL")
        found.append(node.execute("SELECT min(id) FROM accounts").fetchone()[0])
    return found


def amounts(pair: Pair, keys: list[int]) -> list[int]:
    return [pair.tested.execute("SELECT amount FROM accounts WHERE id = %s", [key]).fetchone()[0] for key in keys]


def prepared(pair: Pair) -> int:
    return sum(node.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone()[0] for node in pair.behind)


def move(client: psycopg.Connection, source: int, target: int, amount: int) -> None:
    client.execute("UPDATE accounts SET amount = amount - %s WHERE id = %s", [amount, source])
    client.execute("UPDATE accounts SET amount = amount + %s WHERE id = %s", [amount, target])


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(range(3), 2)))
def test_a_commit_is_a_commit_on_all_nodes(bank: Pair, client: psycopg.Connection, keys: list[int], source: int, target: int) -> None:
    client.execute("BEGIN")
    move(client, keys[source], keys[target], 30)
    assert amounts(bank, keys) == [START] * 3
    client.execute("COMMIT")
    wanted = [START] * 3
    wanted[source] -= 30
    wanted[target] += 30
    assert amounts(bank, keys) == wanted
    assert prepared(bank) == 0


def test_a_rollback_is_a_rollback_on_all_nodes(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    client.execute("BEGIN")
    move(client, keys[0], keys[1], 30)
    move(client, keys[1], keys[2], 30)
    client.execute("ROLLBACK")
    assert amounts(bank, keys) == [START] * 3


@pytest.mark.parametrize("failing", range(3))
def test_an_error_on_one_node_undoes_all(bank: Pair, client: psycopg.Connection, keys: list[int], failing: int) -> None:
    client.execute("BEGIN")
    for place, key in enumerate(keys):
        if place != failing:
            client.execute("UPDATE accounts SET amount = 5 WHERE id = %s", [key])
    with pytest.raises(psycopg.errors.CheckViolation):
        client.execute("UPDATE accounts SET amount = -1 WHERE id = %s", [keys[failing]])
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        client.execute("SELECT amount FROM accounts WHERE id = %s", [keys[0]])
    cursor = client.execute("COMMIT")
    assert cursor.statusmessage == "ROLLBACK"
    assert amounts(bank, keys) == [START] * 3


def test_savepoints_are_on_all_nodes(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    client.execute("BEGIN")
    client.execute("UPDATE accounts SET amount = 1 WHERE id = %s", [keys[0]])
    client.execute("SAVEPOINT s")
    client.execute("UPDATE accounts SET amount = 2 WHERE id = %s", [keys[1]])
    client.execute("UPDATE accounts SET amount = 3 WHERE id = %s", [keys[0]])
    client.execute("SAVEPOINT t")
    with pytest.raises(psycopg.errors.CheckViolation):
        client.execute("UPDATE accounts SET amount = -1 WHERE id = %s", [keys[2]])
    client.execute("ROLLBACK TO t")
    client.execute("RELEASE t")
    client.execute("UPDATE accounts SET amount = 4 WHERE id = %s", [keys[2]])
    client.execute("ROLLBACK TO s")
    client.execute("UPDATE accounts SET amount = 5 WHERE id = %s", [keys[2]])
    client.execute("COMMIT")
    assert amounts(bank, keys) == [1, START, 5]


def test_settings_are_on_all_nodes(client: psycopg.Connection, keys: list[int]) -> None:
    ask = "SELECT current_setting('work_mem'), current_setting('app.who', true), current_setting('app.what', true) FROM accounts WHERE id = %s"
    client.execute("BEGIN")
    client.execute("SET LOCAL work_mem = '5MB'")
    client.execute("SELECT set_config('app.who', 'me', true)")
    for key in keys:
        assert client.execute(ask, [key]).fetchone()[:2] == ("5MB", "me")
    client.execute("SET LOCAL app.what = 'this'")
    client.execute("SET work_mem = '6MB'")
    for key in keys:
        assert client.execute(ask, [key]).fetchone() == ("6MB", "me", "this")
    assert client.execute("SELECT count(*) FROM accounts WHERE current_setting('app.who', true) = 'me'").fetchone() == (ACCOUNTS,)
    client.execute("COMMIT")
    for key in keys:
        assert client.execute(ask, [key]).fetchone() in {("6MB", "", ""), ("6MB", None, None), ("6MB", "", None), ("6MB", None, "")}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_queries_over_all_nodes_see_all_writes(client: psycopg.Connection, keys: list[int], order: tuple[int, ...]) -> None:
    client.execute("BEGIN")
    for place in order:
        client.execute("UPDATE accounts SET note = 'seen' WHERE id = %s", [keys[place]])
        written = order.index(place) + 1
        assert client.execute("SELECT count(*) FROM accounts WHERE note = 'seen'").fetchone() == (written,)
        assert client.execute("SELECT sum(amount) FROM accounts").fetchone() == (START * ACCOUNTS,)
    client.execute("COMMIT")
    assert client.execute("SELECT count(*) FROM accounts WHERE note = 'seen'").fetchone() == (3,)


def test_home_tables_take_part(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    client.execute("BEGIN")
    client.execute("INSERT INTO settings VALUES (701, 'with accounts')")
    client.execute("UPDATE accounts SET amount = 7 WHERE id = %s", [keys[2]])
    client.execute("COMMIT")
    assert bank.tested.execute("SELECT name FROM settings WHERE id = 701").fetchone() == ("with accounts",)
    assert amounts(bank, keys)[2] == 7
    client.execute("DELETE FROM settings WHERE id = 701")


def test_a_deferred_constraint_is_checked_before_anything_is_committed(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    bank.tested.execute("CREATE TABLE leader (id int PRIMARY KEY); CREATE TABLE follower (id int REFERENCES leader DEFERRABLE INITIALLY DEFERRED)")
    try:
        client.execute("BEGIN")
        client.execute("INSERT INTO follower VALUES (1)")
        client.execute("UPDATE accounts SET amount = 7 WHERE id = %s", [keys[1]])
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            client.execute("COMMIT")
        assert client.info.transaction_status == TransactionStatus.IDLE
        assert amounts(bank, keys) == [START] * 3
        assert prepared(bank) == 0
    finally:
        bank.tested.execute("DROP TABLE follower, leader")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_without_a_snapshot_in_common_it_stays_on_one_node(client: psycopg.Connection, keys: list[int], level: str) -> None:
    client.execute(f"BEGIN ISOLATION LEVEL {level}")
    client.execute("UPDATE accounts SET amount = 1 WHERE id = %s", [keys[0]])
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="READ COMMITTED"):
        client.execute("UPDATE accounts SET amount = 1 WHERE id = %s", [keys[1]])


def test_prepared_statements_and_pipelines_go_to_every_node(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    client.execute("BEGIN")
    with client.pipeline():
        cursors = [
            client.execute("UPDATE accounts SET amount = amount + %s WHERE id = %s RETURNING amount", [turn, key], prepare=True)
            for turn in range(4)
            for key in keys
        ]
        told = [cursor.fetchone()[0] for cursor in cursors]
    client.execute("COMMIT")
    sums = [0, 1, 3, 6]
    assert told == [START + each for each in sums for _ in keys]
    assert amounts(bank, keys) == [START + 6] * 3


def test_a_pipeline_of_a_whole_transaction(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    with client.pipeline():
        client.execute("BEGIN")
        for key in keys:
            client.execute("UPDATE accounts SET amount = 9 WHERE id = %s", [key])
        client.execute("COMMIT")
    assert amounts(bank, keys) == [9] * 3


def test_portals_stay_where_they_are(client: psycopg.Connection, keys: list[int]) -> None:
    with client.transaction():
        with client.cursor("c") as cursor:
            cursor.execute("SELECT id FROM accounts WHERE id = %s", [keys[0]])
            assert cursor.fetchone() == (keys[0],)
    with client.transaction(), client.transaction():
        for key in keys:
            client.execute("UPDATE accounts SET note = 'nested' WHERE id = %s", [key])
    assert client.execute("SELECT count(*) FROM accounts WHERE note = 'nested'").fetchone() == (3,)


def test_a_reset_is_one_on_all_nodes(client: psycopg.Connection, keys: list[int]) -> None:
    """To what the client said when it connected, which the nodes do not know."""
    path = client.execute("SHOW search_path").fetchone()
    ask = "SELECT current_setting('search_path'), current_setting('work_mem') FROM accounts WHERE id = %s"
    client.execute("BEGIN")
    for key in keys:
        client.execute("UPDATE accounts SET note = 'reset' WHERE id = %s", [key])
    client.execute("SET work_mem = '7MB'")
    client.execute("RESET search_path")
    for key in keys:
        assert client.execute(ask, [key]).fetchone() == (*path, "7MB")
    client.execute("RESET ALL")
    for key in keys:
        assert client.execute(ask, [key]).fetchone() == (*path, "4MB")
    client.execute("COMMIT")
    for key in keys:
        assert client.execute(ask, [key]).fetchone() == (*path, "4MB")


def test_a_pipeline_that_fails_on_one_node_goes_on_to_no_other(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    client.execute("BEGIN")
    with pytest.raises(psycopg.errors.CheckViolation), client.pipeline():
        client.execute("UPDATE accounts SET amount = -1 WHERE id = %s", [keys[0]])
        client.execute("UPDATE accounts SET amount = 3 WHERE id = %s", [keys[1]])
        client.execute("UPDATE accounts SET amount = 3 WHERE id = %s", [keys[2]])
    assert client.info.transaction_status == TransactionStatus.INERROR
    client.execute("ROLLBACK")
    assert amounts(bank, keys) == [START] * 3


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_query_string_that_ends_the_transaction_ends_it_on_all_nodes(bank: Pair, client: psycopg.Connection, keys: list[int], end: str) -> None:
    """Its statements need a node that has not joined yet."""
    client.execute("BEGIN")
    client.execute("UPDATE accounts SET amount = 11 WHERE id = %s", [keys[0]])
    client.execute(f"SET LOCAL work_mem = '9MB'; UPDATE accounts SET amount = 12 WHERE id = {keys[1]}; {end}")
    assert client.info.transaction_status == TransactionStatus.IDLE
    assert amounts(bank, keys) == ([11, 12, START] if end == "COMMIT" else [START] * 3)
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    assert [node.execute(open_ones).fetchone()[0] for node in bank.behind] == [0, 0, 0]


@pytest.mark.parametrize("place", range(3))
def test_a_cursor_is_read_wherever_the_transaction_goes(client: psycopg.Connection, keys: list[int], place: int) -> None:
    client.execute("BEGIN")
    client.execute("DECLARE c CURSOR FOR SELECT id, generate_series(1, 5) FROM accounts WHERE id = %s" % keys[place])
    for turn, key in enumerate(keys, 1):
        assert client.execute("FETCH 1 FROM c").fetchall() == [(keys[place], turn)]
        client.execute("UPDATE accounts SET amount = amount WHERE id = %s", [key])
    assert client.execute("FETCH ALL FROM c").fetchall() == [(keys[place], 4), (keys[place], 5)]
    client.execute("CLOSE c")
    client.execute("COMMIT")


def test_what_cannot_be_ended_on_several_nodes_is_refused(bank: Pair, client: psycopg.Connection, keys: list[int]) -> None:
    for last in ("COMMIT AND CHAIN", "PREPARE TRANSACTION 'mine'", "CREATE TYPE made_late AS ENUM ('a')"):
        client.execute("BEGIN")
        client.execute("UPDATE accounts SET amount = 1 WHERE id = %s", [keys[0]])
        client.execute("UPDATE accounts SET amount = 1 WHERE id = %s", [keys[1]])
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            client.execute(last)
        client.execute("ROLLBACK")
        assert amounts(bank, keys) == [START] * 3
    assert prepared(bank) == 0


def test_a_client_that_leaves_leaves_nothing(endpoint: Endpoint, bank: Pair, keys: list[int]) -> None:
    leaving = connect(endpoint, "tested")
    leaving.execute("BEGIN")
    move(leaving, keys[0], keys[1], 10)
    leaving.close()
    bank.tested.execute("SET lock_timeout = '5s'")
    for key in keys:
        bank.tested.execute("UPDATE accounts SET note = 'free' WHERE id = %s", [key])
    bank.tested.execute("RESET lock_timeout")
    assert amounts(bank, keys) == [START] * 3


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_statement_with_parameters_ends_when_its_node_is_lost(bank: Pair, client: psycopg.Connection, keys: list[int], in_transaction: bool) -> None:
    outcome: list[BaseException | None] = []

    def sleep() -> None:
        try:
            client.execute("SELECT pg_sleep(%s) FROM accounts WHERE id = %s", [20, keys[1]])
            outcome.append(None)
        except psycopg.Error as error:
            outcome.append(error)

    if in_transaction:
        client.execute("BEGIN")
        client.execute("UPDATE accounts SET note = 'lost' WHERE id = %s", [keys[0]])
    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    found = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 10
    while not bank.behind[1].execute(found).fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sleeper.join(10)
    assert not sleeper.is_alive()
    assert isinstance(outcome[0], psycopg.Error)
    client.execute("ROLLBACK")
    assert client.execute("SELECT note FROM accounts WHERE id = %s", [keys[0]]).fetchone() == (None,)
