"""Writes that several nodes carry out together: what is left is what one server would leave, or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import ask, connect
from .test_routing import BOTH_PROTOCOLS, assert_same

ROWS = 30
MAKE = (
    "CREATE TABLE stock (id int PRIMARY KEY, kind text, amount int CHECK (amount >= 0), since timestamptz)"
    "{fragmented}"
)


@pytest.fixture
def stock(pair: Pair) -> Iterator[Pair]:
    """A table of rows on every node, and the same on one server."""
    pair.tested.execute(MAKE.format(fragmented="" if pair.proving else " PARTITION BY HASH (id) WITH (herd.fragments = 6)"))
    pair.oracle.execute(MAKE.format(fragmented=""))
    for connection in (pair.tested, pair.oracle):
        with connection.cursor().copy("COPY stock FROM STDIN") as copy:
            for number in range(ROWS):
                copy.write_row((number, f"k{number % 4}", number, None))
    yield pair
    for connection in (pair.tested, pair.oracle):
        connection.rollback()
        connection.execute("DROP TABLE stock")


@pytest.fixture
def other(endpoint: Endpoint) -> Iterator[psycopg.Connection]:
    with connect(endpoint, "tested") as connection:
        yield connection


def both(pair: Pair, sql: str, values: list[str | None] | None = None, *, extended: bool) -> None:
    right = ask(pair.oracle, sql, values, extended=extended)
    assert_same(sql, ask(pair.tested, sql, values, extended=extended), right)


def assert_same_rows(pair: Pair) -> None:
    both(pair, "SELECT * FROM stock ORDER BY id", extended=False)


@BOTH_PROTOCOLS
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE stock SET amount = amount + 1",
        "UPDATE stock SET amount = amount * 2 WHERE kind = 'k1' RETURNING id, amount",
        "UPDATE stock s SET kind = c.name FROM country c WHERE c.rank = s.amount RETURNING s.*, c.code",
        "UPDATE stock SET kind = (SELECT max(name) FROM country) WHERE id > 5",
        "DELETE FROM stock WHERE amount % 3 = 0",
        "DELETE FROM stock WHERE kind LIKE 'k%' RETURNING *",
        "DELETE FROM stock WHERE kind = 'nothing like it' RETURNING id",
        "INSERT INTO stock VALUES (101, 'new', 1), (102, 'new', 2), (103, DEFAULT, 3), (104, NULL, 4)",
        "INSERT INTO stock (amount, id) VALUES (1, 101), (2, 102), (3, 103) RETURNING id, kind, amount + 1 AS more",
        "INSERT INTO stock VALUES (1, 'x', 1), (2, 'y', 2), (201, 'z', 3) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind RETURNING *",
        "INSERT INTO stock VALUES (1, 'x', 1), (2, 'y', 2), (201, 'z', 3) ON CONFLICT DO NOTHING",
        "MERGE INTO stock USING (VALUES (1, 'one'), (2, 'two'), (9, NULL)) v (k, n) ON id = k"
        " WHEN MATCHED AND n IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET kind = n",
    ],
)
def test_rows_and_tags_are_those_of_one_server(stock: Pair, sql: str, extended: bool) -> None:
    both(stock, sql, extended=extended)
    assert_same_rows(stock)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE stock SET kind = $1 WHERE amount > $2", ["p", "3"]),
        ("UPDATE stock SET kind = $2 WHERE amount > $1 RETURNING id, $2::text", ["3", "p"]),
        ("DELETE FROM stock WHERE id = ANY ($1)", ["{1,2,3,4}"]),
        ("INSERT INTO stock VALUES ($1, $2, $3), ($4, $5, $6), ($7, NULL, NULL)", ["301", "a", "1", "302", "b", "2", "303"]),
        ("INSERT INTO stock (id) VALUES ($2), ($1), ($3) RETURNING id", ["301", "302", "303"]),
    ],
)
def test_parameters_go_to_the_nodes_that_use_them(stock: Pair, sql: str, values: list[str | None]) -> None:
    both(stock, sql, values, extended=True)
    assert_same_rows(stock)


def test_the_first_statement_of_a_block_may_pass_by_the_home_node(stock: Pair) -> None:
    elsewhere = [number for node in stock.behind[1:] for (number,) in node.execute("SELECT min(id) FROM stock").fetchall()]
    if stock.proving:
        elsewhere = [1, 2]
    sql = "INSERT INTO stock VALUES ($1, 'a', 1), ($2, 'b', 2) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind RETURNING *"
    for statement in ("BEGIN", sql, sql, "COMMIT"):
        values = [str(number) for number in elsewhere] if statement == sql else None
        both(stock, statement, values, extended=True)
    assert_same_rows(stock)


@BOTH_PROTOCOLS
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE stock SET amount = amount - 3",
        "INSERT INTO stock VALUES (501, 'a', 1), (502, 'b', -1), (503, 'c', 1), (504, 'd', 1)",
        "INSERT INTO stock VALUES (601, 'a', 1), (602, 'b', 2), (3, 'there already', 1), (604, 'd', 1)",
        "UPDATE stock SET amount = 10 / (amount - 7) WHERE amount < 9 RETURNING id",
    ],
)
def test_what_fails_on_one_node_fails_on_all(stock: Pair, sql: str, extended: bool) -> None:
    right = ask(stock.oracle, sql, extended=extended)
    tested = ask(stock.tested, sql, extended=extended)
    assert right.state and tested.state == right.state
    assert stock.tested.info.transaction_status == TransactionStatus.IDLE
    assert_same_rows(stock)


@BOTH_PROTOCOLS
def test_a_transaction_goes_on_or_back(stock: Pair, extended: bool) -> None:
    for sql in (
        "BEGIN",
        "UPDATE stock SET amount = amount + 1",
        "SAVEPOINT s",
        "UPDATE stock SET amount = amount - 5",
        "SELECT 1",
        "ROLLBACK TO s",
        "DELETE FROM stock WHERE kind = 'k2' RETURNING id",
        "SELECT sum(amount), count(*) FROM stock",
        "INSERT INTO stock VALUES (701, 'a', 1), (702, 'b', 1), (703, 'c', 1)",
        "COMMIT",
    ):
        right = ask(stock.oracle, sql, extended=extended)
        tested = ask(stock.tested, sql, extended=extended)
        assert tested.state == right.state
        assert_same(sql, tested, right)
    assert_same_rows(stock)
    for sql in ("BEGIN", "DELETE FROM stock", "ROLLBACK"):
        both(stock, sql, extended=extended)
    assert_same_rows(stock)


def test_the_moment_is_one_for_all_rows(stock: Pair) -> None:
    stock.tested.execute("UPDATE stock SET since = now()")
    assert stock.tested.execute("SELECT count(DISTINCT since) FROM stock").fetchone() == (1,)
    returned = stock.tested.execute("UPDATE stock SET since = clock_timestamp() RETURNING now(), current_date")
    assert len(set(returned)) == 1
    assert [column.name for column in returned.description or ()] == ["now", "current_date"]
    stock.tested.execute("INSERT INTO stock VALUES (801, 'a', 1, now()), (802, 'b', 1, now()), (803, 'c', 1, current_timestamp)")
    assert stock.tested.execute("SELECT count(DISTINCT since) FROM stock WHERE id > 800").fetchone() == (1,)
    age = stock.tested.execute("SELECT max(now() - since) < interval '1 minute', min(now() - since) >= interval '0' FROM stock WHERE id > 800")
    assert age.fetchone() == (True, True)


def test_query_strings_and_pipelines_are_one_transaction(stock: Pair) -> None:
    failing = "UPDATE stock SET amount = amount + 1; INSERT INTO stock VALUES (1, 'dup', 1), (901, 'a', 1), (902, 'b', 1)"
    for connection in (stock.tested, stock.oracle):
        assert ask(connection, failing, extended=False).state == "23505"
        with pytest.raises(psycopg.errors.UniqueViolation), connection.pipeline():
            connection.execute("UPDATE stock SET amount = amount + %s", [1])
            connection.execute("INSERT INTO stock VALUES (%s, 'x', 1), (2, 'dup', 1), (903, 'y', 1)", [902])
        with connection.pipeline():
            connection.execute("UPDATE stock SET amount = amount + %s", [5])
            connection.execute("INSERT INTO stock VALUES (%s, 'x', 1), (904, 'z', 1), (905, 'y', 1)", [902])
            connection.execute("DELETE FROM stock WHERE kind = 'k3'")
    assert_same_rows(stock)


def test_a_pipeline_goes_to_the_nodes_of_all_its_keys(stock: Pair) -> None:
    for connection in (stock.tested, stock.oracle):
        connection.cursor().executemany("UPDATE stock SET kind = %s WHERE id = %s", [(f"n{number}", number) for number in range(ROWS)])
        with pytest.raises(psycopg.errors.CheckViolation), connection.pipeline():
            for number in (1, 2, 3, 4, 5):
                connection.execute("UPDATE stock SET amount = %s WHERE id = %s", [4 - number, number])
    assert_same_rows(stock)


def test_a_reference_table_is_the_same_everywhere(pair: Pair) -> None:
    for sql in (
        "INSERT INTO country VALUES ('aa', 'A', 1), ('bb', 'B', 2) RETURNING code",
        "UPDATE country SET rank = rank + 100 WHERE code IN ('aa', 'bb') RETURNING *",
        "INSERT INTO country VALUES ('aa', 'again', 1)",
        "INSERT INTO country SELECT 'x' || code, name, rank FROM country WHERE rank > 100",
        "DELETE FROM country WHERE rank > 100",
    ):
        for extended in (False, True):
            both(pair, sql, extended=extended)
    both(pair, "SELECT * FROM country ORDER BY code", extended=False)
    tables = [node.execute("SELECT * FROM country ORDER BY code").fetchall() for node in pair.behind]
    assert all(table == tables[0] for table in tables)


def test_copies_that_differ_are_told_of_and_left_alone(pair: Pair, only_herd: None) -> None:
    pair.behind[1].execute("UPDATE country SET rank = 999 WHERE code = 'cz'")
    try:
        with pytest.raises(psycopg.errors.DataCorrupted, match="not the same on all nodes"):
            pair.tested.execute("UPDATE country SET name = 'x' WHERE rank = 999")
        assert not any(node.execute("SELECT 1 FROM country WHERE name = 'x'").fetchall() for node in pair.behind)
    finally:
        rank = pair.behind[0].execute("SELECT rank FROM country WHERE code = 'cz'").fetchone()
        pair.behind[1].execute("UPDATE country SET rank = %s WHERE code = 'cz'", rank)


def test_notices_reach_the_client(stock: Pair) -> None:
    for connection in (stock.tested, stock.oracle):
        heard: list[str] = []
        connection.add_notice_handler(lambda notice, heard=heard: heard.append(notice.message_primary or ""))
        connection.execute(
            "CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE NOTICE 'row %', new.id; RETURN new; END $$"
        )
        connection.execute("CREATE TRIGGER tell BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION tell()")
        connection.execute("UPDATE stock SET amount = 1 WHERE amount < 10")
        assert sorted(heard) == sorted(f"row {number}" for number in range(10))


def test_a_cancel_reaches_every_node(stock: Pair, only_herd: None) -> None:
    timer = threading.Timer(0.7, stock.tested.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        stock.tested.execute("UPDATE stock SET kind = pg_sleep(20)::text")
    timer.join()
    assert_same_rows(stock)
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE stock%' AND state = 'active'"
    assert [node.execute(busy).fetchone() for node in stock.behind] == [(0,)] * len(stock.behind)


def test_two_that_lock_each_others_rows_do_not_wait_for_ever(stock: Pair, other: psycopg.Connection) -> None:
    """Rows of several nodes, in whatever order: one of the two gives up, or both are done."""
    outcomes: list[str] = []

    def run(connection: psycopg.Connection) -> None:
        for _ in range(5):
            try:
                connection.execute("UPDATE stock SET amount = amount + 1")
                outcomes.append("done")
            except psycopg.errors.DeadlockDetected:
                outcomes.append("gave up")

    threads = [threading.Thread(target=run, args=[connection]) for connection in (stock.tested, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 10
    total = stock.tested.execute("SELECT sum(amount) FROM stock").fetchone()
    assert total == (ROWS * (ROWS - 1) // 2 + ROWS * outcomes.count("done"),)
