"""Rows of several nodes put together by Herd: every order, in transactions, cut off, cancelled, failing."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections.abc import Iterator
from itertools import product

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.wire import Wire, message

from .conftest import Pair
from .databases import ask, connect

#: More than one portion for each of the three nodes.
ROWS = 20_000
SEED = 12
SORTED = ("flag", "small", "number", "real4", "real8", "day", "moment", "local", "clock", "span", "identity", "raw")
#: Seconds of work on every node.
SLOW = "SELECT md5(repeat(note, 200000)) FROM rows"

COLUMNS = """id int PRIMARY KEY, kind int, note text, flag bool, small smallint, number numeric, real4 real, real8 float8,
    day date, moment timestamptz, local timestamp, clock time, span interval, identity uuid, raw bytea"""


def row(chance: random.Random, key: int) -> list[object]:
    """Few different values, so that many are equal, and some that are NULL."""
    some = chance.randrange(40)
    values = [
        some % 2 == 0,
        some * 100 - 2000,
        chance.choice([f"{some - 20}.{some:03}", f"{some}e{some - 20}", "0", "-0.0", "NaN", "Infinity", "-Infinity"]),
        chance.choice([some / 7, "NaN", "-Infinity", "-0"]),
        chance.choice([some / 7 - 3, "NaN", "Infinity", "0"]),
        chance.choice([f"20{some:02}-01-01", "infinity", "4713-01-01 BC"]),
        f"2026-01-0{1 + some % 9} {some % 24:02}:00:00.{some:06}+0{some % 9}",
        f"19{some:02}-02-03 04:05:06",
        f"{some % 24:02}:{some:02}:59.{some:03}",
        chance.choice([f"{some % 3} mons", f"{some % 3 * 30} days", f"{some % 3 * 720} hours", f"-{some} days"]),
        f"{some:032x}",
        bytes([some, some % 3] * (some % 3)),
    ]
    return [key, key % 7, f"note {key % 50}", *(None if chance.random() < 0.05 else value for value in values)]


@pytest.fixture(scope="module")
def rows(endpoint: Endpoint, pair: Pair, only_herd: None) -> Iterator[Pair]:
    for connection, options in ((pair.tested, " PARTITION BY HASH (id) WITH (herd.fragments = 6)"), (pair.oracle, "")):
        chance = random.Random(SEED)
        connection.execute(f"CREATE TABLE rows ({COLUMNS}){options}")
        with connection.cursor().copy("COPY rows FROM STDIN") as copy:
            for key in range(ROWS):
                copy.write_row(row(chance, key))
    yield pair
    for connection in (pair.tested, pair.oracle):
        connection.execute("DROP TABLE rows")


@pytest.fixture
def client(endpoint: Endpoint, rows: Pair) -> Iterator[psycopg.Connection]:
    with connect(endpoint, "tested") as connection:
        yield connection
        connection.rollback()


def keys_by_node(pair: Pair) -> list[int]:
    """A key of each node, the home node's first."""
    return [node.execute("SELECT min(id) FROM rows").fetchone()[0] for node in pair.behind]


def is_scattered(connection: psycopg.Connection, sql: str) -> bool:
    return connection.execute(f"EXPLAIN (HERD) {sql}").fetchone()[0].startswith("Scatter over nodes n1")


@pytest.mark.parametrize("column", SORTED)
def test_every_order_is_postgresqls(rows: Pair, column: str) -> None:
    for direction, nulls in product(("", "ASC", "DESC"), ("", "NULLS FIRST", "NULLS LAST")):
        sql = f"SELECT id FROM rows WHERE id < 3000 ORDER BY {column} {direction} {nulls}, id"
        assert is_scattered(rows.tested, sql)
        assert ask(rows.tested, sql, extended=False).rows == ask(rows.oracle, sql, extended=False).rows, sql


@pytest.mark.parametrize("seed", range(40))
def test_orders_of_several_columns_and_limits(rows: Pair, seed: int) -> None:
    chance = random.Random(seed)
    keys = [
        f"{column} {chance.choice(['', 'DESC'])} {chance.choice(['', 'NULLS FIRST', 'NULLS LAST'])}"
        for column in chance.sample(SORTED, chance.randrange(1, 4))
    ]
    shown = ", ".join(chance.sample([*SORTED, "id", "note", "*"], chance.randrange(1, 5)))
    sql = f"SELECT {shown} FROM rows WHERE kind <> {chance.randrange(7)} ORDER BY {', '.join(keys)}, id"
    if chance.random() < 0.7:
        sql += f" LIMIT {chance.choice([0, 1, 10, 100, 5000, 9000])}"
    if chance.random() < 0.5:
        sql += f" OFFSET {chance.choice([0, 3, 4500, 30000])}"
    assert is_scattered(rows.tested, sql)
    for extended in (False, True):
        assert ask(rows.tested, sql, extended=extended) == ask(rows.oracle, sql, extended=extended), sql


@pytest.mark.parametrize("format", [0, 1], ids=["text", "binary"])
def test_both_formats_are_as_asked(rows: Pair, format: int) -> None:
    for sql in (b"SELECT * FROM rows WHERE id < $1::int ORDER BY id", b"SELECT id, note FROM rows ORDER BY number DESC, id LIMIT $1"):
        results = [connection.pgconn.exec_params(sql, [b"500"], None, None, format) for connection in (rows.tested, rows.oracle)]
        tested, right = (
            [[result.get_value(at, column) for column in range(result.nfields)] for at in range(result.ntuples)] for result in results
        )
        assert tested == right
        assert [results[0].ftype(at) for at in range(results[0].nfields)] == [results[1].ftype(at) for at in range(results[1].nfields)]


def test_columns_have_their_table(rows: Pair) -> None:
    home = rows.tested.execute("SELECT 'rows'::regclass::oid::int").fetchone()[0]
    for sql in (b"SELECT note, id FROM rows", b"SELECT note, id FROM rows ORDER BY kind, id"):
        results = [rows.tested.pgconn.exec_(sql), rows.tested.pgconn.exec_params(sql, [])]
        for result in results:
            assert [(result.ftable(at), result.ftablecol(at)) for at in range(2)] == [(home, 3), (home, 1)]


@pytest.mark.parametrize("node", [0, 1, 2])
def test_a_transaction_sees_its_own_writes_and_nobody_else_does(rows: Pair, client: psycopg.Connection, node: int) -> None:
    keys = keys_by_node(rows)
    select = "SELECT id FROM rows WHERE note = 'mine' ORDER BY id"
    client.execute("BEGIN")
    client.execute(f"UPDATE rows SET note = 'mine' WHERE id = {keys[node]}")
    assert client.execute(select).fetchall() == [(keys[node],)]
    other = keys[(node + 1) % 3]
    client.execute(f"UPDATE rows SET note = 'mine' WHERE id = {other}")
    assert client.execute(select, prepare=True).fetchall() == [(key,) for key in sorted([keys[node], other])]
    assert rows.tested.execute(select).fetchall() == []
    client.execute("ROLLBACK")
    assert client.execute(select).fetchall() == []


def test_a_transaction_may_go_anywhere_afterwards(rows: Pair, client: psycopg.Connection) -> None:
    for key in keys_by_node(rows):
        client.execute("BEGIN")
        assert len(client.execute("SELECT id FROM rows ORDER BY id").fetchall()) == ROWS
        client.execute("UPDATE rows SET kind = kind WHERE id = %s", [key])
        assert client.execute("SELECT id FROM rows ORDER BY id LIMIT 1").fetchall() == [(0,)]
        client.execute("COMMIT")


def test_a_limit_leaves_transactions_and_connections_whole(rows: Pair, client: psycopg.Connection) -> None:
    client.execute("BEGIN")
    for key in keys_by_node(rows):
        client.execute("UPDATE rows SET kind = kind WHERE id = %s", [key])
    for limit in (1, 100, 4097, 6000, 15000):
        assert len(client.execute(f"SELECT id FROM rows LIMIT {limit}").fetchall()) == limit
        assert [key for (key,) in client.execute(f"SELECT id FROM rows ORDER BY id LIMIT {limit} OFFSET 1")] == list(range(1, limit + 1))
        assert client.execute("SELECT count(*) FROM rows").fetchone() == (ROWS,)
    client.execute("COMMIT")


@pytest.mark.parametrize("wrote", [None, 0, 1])
@pytest.mark.parametrize("prepare", [False, True])
def test_an_error_fails_the_transaction(rows: Pair, client: psycopg.Connection, wrote: int | None, prepare: bool) -> None:
    client.execute("BEGIN")
    if wrote is not None:
        client.execute("UPDATE rows SET kind = kind WHERE id = %s", [keys_by_node(rows)[wrote]])
    with pytest.raises(psycopg.errors.DivisionByZero):
        client.execute("SELECT 1 / (id - 15000) FROM rows ORDER BY id", prepare=prepare)
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        client.execute("SELECT 1")
    client.execute("ROLLBACK")
    assert len(client.execute("SELECT id FROM rows").fetchall()) == ROWS


@pytest.mark.parametrize("prepare", [False, True])
def test_a_savepoint_survives_the_error(rows: Pair, client: psycopg.Connection, prepare: bool) -> None:
    keys = keys_by_node(rows)
    client.execute("BEGIN")
    for key in keys:
        client.execute("UPDATE rows SET note = 'kept' WHERE id = %s", [key])
    client.execute("SAVEPOINT s")
    with pytest.raises(psycopg.errors.DivisionByZero):
        client.execute("SELECT 1 / (id - 15000) FROM rows", prepare=prepare)
    client.execute("ROLLBACK TO s")
    kept = client.execute("SELECT id FROM rows WHERE note = 'kept' ORDER BY id").fetchall()
    assert kept == [(key,) for key in sorted(keys)]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_without_a_snapshot_in_common_it_is_refused(client: psycopg.Connection, level: str) -> None:
    client.execute(f"BEGIN ISOLATION LEVEL {level}")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="READ COMMITTED"):
        client.execute("SELECT id FROM rows")


def test_what_a_transaction_has_set_holds_on_all_nodes(client: psycopg.Connection) -> None:
    client.execute("BEGIN READ ONLY")
    client.execute("SET LOCAL datestyle TO 'German'")
    shown = {value for (value,) in client.execute("SELECT DATE '2026-01-02'::text FROM rows")}
    assert shown == {"02.01.2026"}
    client.execute("COMMIT")


def test_a_pipeline_of_such_queries(rows: Pair, client: psycopg.Connection) -> None:
    sql = "SELECT id FROM rows WHERE kind = %s ORDER BY id LIMIT 20"
    with client.pipeline():
        cursors = [client.execute(sql, [kind]) for kind in range(7)]
        found = [cursor.fetchall() for cursor in cursors]
    assert found == [rows.oracle.execute(sql, [kind]).fetchall() for kind in range(7)]


def test_a_pipeline_stops_at_an_error(client: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), client.pipeline():
        first = client.execute("SELECT id FROM rows ORDER BY id LIMIT 1")
        client.execute("SELECT 1 / (id - id) FROM rows")
        client.execute("SELECT id FROM rows")
        assert first.fetchone() == (0,)
    assert len(client.execute("SELECT id FROM rows").fetchall()) == ROWS


def test_portals_end_and_are_described(endpoint: Endpoint, rows: Pair) -> None:
    described, bound, executed = message("D", b"Pp\0"), message("B", b"p\0s\0\0\0\0\0\0\0"), message("E", b"p\0\0\0\0\0")
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.send(message("P", b"s\0SELECT id FROM routing_tested.rows ORDER BY kind, id LIMIT 2\0\0\0"), message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == ["1", "Z"]
        wire.send(bound, described, executed, executed, described, message("C", b"Pp\0"), message("S"))
        got = wire.receive_until("Z")
        assert [each.tag for each in got] == ["2", "T", "D", "D", "C", "C", "T", "3", "Z"]
        wire.send(bound, executed, message("H"))
        assert [each.tag for each in wire.receive_until("C")] == ["2", "D", "D", "C"]
        wire.send(message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == ["Z"]


def test_a_portal_read_in_portions_is_one_of_postgresqls(endpoint: Endpoint, rows: Pair) -> None:
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.send(
            message("P", b"\0SELECT id FROM routing_tested.rows ORDER BY id LIMIT 7\0\0\0"),
            message("B", b"\0\0\0\0\0\0\0\0"),
            message("D", b"P\0"),
            message("E", b"\0" + struct.pack("!I", 5)),
            message("E", b"\0" + struct.pack("!I", 5)),
            message("S"),
        )
        tags = [each.tag for each in wire.receive_until("Z")]
    assert tags == ["1", "2", "T", *["D"] * 5, "s", *["D"] * 2, "C", "Z"]


def test_parameters_in_any_form_say_how_many(rows: Pair) -> None:
    sql = b"SELECT id FROM rows ORDER BY id LIMIT $1 OFFSET $2"
    right = [str(key).encode() for key in range(5, 8)]
    for values, types, formats in (
        ([b"3", b"5"], None, None),
        ([b" 3", b"5"], None, None),
        ([struct.pack("!q", 3), struct.pack("!q", 5)], None, [1, 1]),
        ([struct.pack("!h", 3), struct.pack("!i", 5)], [21, 23], [1, 1]),
        ([b"3", b"5"], [23, 20], None),
    ):
        result = rows.tested.pgconn.exec_params(sql, values, types, formats)
        assert [result.get_value(at, 0) for at in range(result.ntuples)] == right, result.error_message
    for values in ([b"-1", b"0"], [b"x", b"0"], [b"1", b"-1"]):
        states = [
            connection.pgconn.exec_params(sql, values).error_field(psycopg.pq.DiagnosticField.SQLSTATE)
            for connection in (rows.tested, rows.oracle)
        ]
        assert states[0] == states[1] is not None


def test_it_is_cancelled(rows: Pair, client: psycopg.Connection) -> None:
    assert is_scattered(client, SLOW)
    timer = threading.Timer(0.5, client.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        client.execute(SLOW)
    assert time.monotonic() - began < 10
    timer.join()
    assert len(client.execute("SELECT id FROM rows").fetchall()) == ROWS


def test_a_client_that_leaves_leaves_nothing(endpoint: Endpoint, rows: Pair) -> None:
    connection = connect(endpoint, "tested")
    connection.pgconn.send_query(SLOW.encode())
    time.sleep(0.5)
    connection.close()
    running = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%md5(repeat%' AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 10
    while any(node.execute(running).fetchone() != (0,) for node in rows.behind):
        assert time.monotonic() < deadline, "the query goes on without its client"
        time.sleep(0.1)


def test_a_lost_node_is_told_and_the_session_goes_on(rows: Pair, client: psycopg.Connection) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%md5(repeat%' AND pid <> pg_backend_pid()"
    for begin in ("SELECT 1", "BEGIN"):
        client.execute(begin)
        timer = threading.Timer(0.7, lambda: rows.behind[0].execute(kill))
        timer.start()
        with pytest.raises(psycopg.OperationalError):
            client.execute(SLOW)
        timer.join()
        client.execute("ROLLBACK")
        assert len(client.execute("SELECT id FROM rows").fetchall()) == ROWS


def test_mistakes_are_told_where_they_are(rows: Pair) -> None:
    for sql in ("SELECT nothing FROM rows ORDER BY id", "SELECT id FROM rows s WHERE s.kid = 1", "SELECT id FROM rows ORDER BY id, 4", "SELECT id + note FROM rows ORDER BY id"):
        told = []
        for connection in (rows.tested, rows.oracle):
            result = connection.pgconn.exec_(sql.encode())
            fields = (psycopg.pq.DiagnosticField.SQLSTATE, psycopg.pq.DiagnosticField.STATEMENT_POSITION)
            told.append([result.error_field(field) for field in fields])
        assert told[0] == told[1], sql
