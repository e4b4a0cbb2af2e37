"""Transactions that wait for each other, on one node or on several: one fails with 40P01, the others go on."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from harness.endpoint import Endpoint

from . import databases
from .conftest import Pair

#: A deadlock is found within two seconds or so; the machine may be slow.
FOUND_SECONDS_MAX = 5.0
#: Long enough for a deadlock to be found that is none.
UNDISTURBED_SECONDS = 4.0
#: Until a statement that was sent waits for its lock.
SENT_SECONDS = 0.3

#: Keys below 100 lie on n1, below 200 on n2, the others on n3. A default that is volatile makes COPY insert row by row.
TABLES = [
    "CREATE TABLE accounts (id int PRIMARY KEY, balance int DEFAULT 0, made timestamptz DEFAULT clock_timestamp())"
    " PARTITION BY RANGE (id) WITH (herd.fragmented = true)",
    "CREATE TABLE accounts_0 PARTITION OF accounts FOR VALUES FROM (0) TO (100) WITH (herd.node = 'n1')",
    "CREATE TABLE accounts_1 PARTITION OF accounts FOR VALUES FROM (100) TO (200) WITH (herd.node = 'n2')",
    "CREATE TABLE accounts_2 PARTITION OF accounts FOR VALUES FROM (200) TO (300) WITH (herd.node = 'n3')",
]
KEYS = (1, 2, 101, 102, 201, 202)

Connect = Callable[[], psycopg.Connection]


@pytest.fixture
def connect(pair: Pair, endpoint: Endpoint) -> Iterator[Connect]:
    """Clients of a table on three nodes, of their own for each test."""
    pair.tested.execute("DROP TABLE IF EXISTS accounts")
    for statement in TABLES:
        pair.tested.execute(databases.plain(statement) if pair.proving else statement)
    for key in KEYS:
        pair.tested.execute("INSERT INTO accounts (id) VALUES (%s)", [key])
    with ExitStack() as stack:
        yield lambda: stack.enter_context(databases.connect(endpoint, "tested"))


def pay(connection: psycopg.Connection, key: int) -> None:
    connection.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", [key])


def begin(connection: psycopg.Connection, *keys: int) -> None:
    connection.execute("BEGIN")
    for key in keys:
        pay(connection, key)


def balances(pair: Pair, *keys: int) -> list[int]:
    rows = [pair.tested.execute("SELECT balance FROM accounts WHERE id = %s", [key]).fetchone() for key in keys]
    return [row[0] for row in rows if row]


def pay_and_commit(connection: psycopg.Connection, key: int) -> psycopg.Error | None:
    try:
        pay(connection, key)
        connection.execute("COMMIT")
    except psycopg.Error as error:
        return error
    return None


def close_circle(connections: list[psycopg.Connection], keys: list[int]) -> list[psycopg.Error | None]:
    """Each pays to its key, one after the other, and then they commit; what became of each."""
    with ThreadPoolExecutor(len(connections)) as threads:
        paid: list[Future[psycopg.Error | None]] = []
        for connection, key in zip(connections, keys, strict=True):
            paid.append(threads.submit(pay_and_commit, connection, key))
            time.sleep(SENT_SECONDS)
        began = time.monotonic()
        outcomes = [each.result() for each in paid]
    assert time.monotonic() - began < FOUND_SECONDS_MAX
    return outcomes


def the_one_that_failed(outcomes: list[psycopg.Error | None]) -> int:
    failed = [place for place, error in enumerate(outcomes) if error]
    assert len(failed) == 1, outcomes
    error = outcomes[failed[0]]
    assert isinstance(error, psycopg.errors.DeadlockDetected), error
    assert error.diag.message_primary == "deadlock detected"
    return failed[0]


def test_two_that_wait_crosswise_cost_one_of_them(pair: Pair, connect: Connect) -> None:
    clients = [connect(), connect()]
    begin(clients[0], 1)
    begin(clients[1], 101)
    failed = clients[the_one_that_failed(close_circle(clients, [101, 1]))]
    assert failed.info.transaction_status == TransactionStatus.INERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        pay(failed, 201)
    failed.execute("ROLLBACK")
    assert balances(pair, 1, 101, 201) == [1, 1, 0]
    begin(failed, 1, 101)
    failed.execute("COMMIT")
    assert balances(pair, 1, 101) == [2, 2]


def test_three_that_wait_in_a_circle_cost_one_of_them(pair: Pair, connect: Connect) -> None:
    clients = [connect(), connect(), connect()]
    for client, key in zip(clients, (1, 101, 201), strict=True):
        begin(client, key)
    failed = the_one_that_failed(close_circle(clients, [101, 201, 1]))
    clients[failed].execute("ROLLBACK")
    assert sum(balances(pair, 1, 101, 201)) == 4


@pytest.mark.usefixtures("only_herd")
def test_the_one_that_came_to_a_second_node_last_fails_and_is_told_who_waits(connect: Connect) -> None:
    clients = [connect(), connect()]
    begin(clients[1], 101)
    begin(clients[0], 1)
    outcomes = close_circle(clients, [101, 1])
    assert the_one_that_failed(outcomes) == 1
    detail = outcomes[1].diag.message_detail if outcomes[1] else None
    waits = re.findall(r'^Client (\d+) waits on node "(n\d)"; blocked by client (\d+)\.$', detail or "", re.MULTILINE)
    assert [node for _, node, _ in waits] == ["n1", "n2"], detail
    assert waits[0][0] == waits[1][2], detail
    assert waits[0][2] == waits[1][0], detail


def test_who_waits_for_one_that_only_takes_its_time_is_left_alone(pair: Pair, connect: Connect) -> None:
    slow, patient = connect(), connect()
    begin(slow, 1, 101)
    begin(patient, 2, 202)
    with ThreadPoolExecutor(1) as threads:
        paid = threads.submit(pay_and_commit, patient, 101)
        time.sleep(UNDISTURBED_SECONDS)
        assert not paid.done()
        slow.execute("COMMIT")
        assert paid.result(FOUND_SECONDS_MAX) is None
    assert balances(pair, 1, 2, 101, 202) == [1, 1, 2, 1]


def test_a_deadlock_on_one_node_is_found_by_the_node(connect: Connect) -> None:
    clients = [connect(), connect()]
    begin(clients[0], 101, 1)
    begin(clients[1], 201, 2)
    outcomes = close_circle(clients, [2, 1])
    error = outcomes[the_one_that_failed(outcomes)]
    assert error is not None
    assert (error.diag.message_detail or "").startswith("Process "), error


def test_a_statement_after_the_deadlock_is_not_cancelled(pair: Pair, connect: Connect) -> None:
    """What ended the deadlock comes too late for whatever comes next."""
    clients = [connect(), connect()]
    for turn in range(2):
        begin(clients[0], 1)
        begin(clients[1], 101)
        failed = clients[the_one_that_failed(close_circle(clients, [101, 1]))]
        failed.execute("ROLLBACK")
        for _ in range(20):
            begin(failed, 1)
            failed.execute("COMMIT")
        assert balances(pair, 1, 101) == [21 * (turn + 1), turn + 1]


def test_copies_that_wait_crosswise_cost_one_of_them(pair: Pair, connect: Connect) -> None:
    clients = [connect(), connect()]
    began = time.monotonic()
    outcomes = copy_in_turns(clients, [(11, 111), (111, 11)])
    assert time.monotonic() - began < FOUND_SECONDS_MAX
    failed = clients[the_one_that_failed(outcomes)]
    assert balances(pair, 11, 111) == [0, 0]
    assert failed.execute("SELECT balance FROM accounts WHERE id = 11").fetchone() == (0,)


@pytest.mark.usefixtures("only_herd")
def test_a_transaction_of_one_node_that_is_in_between_is_not_made_to_fail(pair: Pair, connect: Connect) -> None:
    clients, between = [connect(), connect()], connect()
    begin(between, 1)
    between.execute("INSERT INTO accounts (id) VALUES (12)")
    with ThreadPoolExecutor(1) as threads:
        copied = threads.submit(copy_in_turns, clients, [(111, 12), (11, 111)])
        time.sleep(SENT_SECONDS)
        # Whether 11 is there by then depends on which of the others fails.
        with suppress(psycopg.errors.UniqueViolation):
            between.execute("INSERT INTO accounts (id) VALUES (11)")
        between.execute("ROLLBACK")
        the_one_that_failed(copied.result())
    assert balances(pair, 1) == [0]


def copy_in_turns(clients: list[psycopg.Connection], keys: list[tuple[int, int]]) -> list[psycopg.Error | None]:
    """Each copies two rows, the second when all have written the first; what became of each."""
    turns = threading.Barrier(len(clients))

    def copy(client: psycopg.Connection, first: int, then: int) -> psycopg.Error | None:
        try:
            with client.cursor().copy("COPY accounts (id) FROM STDIN") as rows:
                rows.write(f"{first}\n")
                client.pgconn.flush()
                turns.wait(FOUND_SECONDS_MAX)
                time.sleep(2 * SENT_SECONDS)
                rows.write(f"{then}\n")
        except psycopg.Error as error:
            return error
        return None

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(copy, clients, *zip(*keys, strict=True)))
