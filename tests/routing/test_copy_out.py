"""COPY … TO STDOUT of tables on several nodes: one stream, as plain PostgreSQL would send it of one table."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.pq import DiagnosticField, ExecStatus

from harness.endpoint import Endpoint
from harness.process import wait_until
from harness.wire import Wire, query

from .conftest import Pair
from .databases import REFUSED

BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
#: More than sockets and buffers between a node and a client hold.
MANY_ROWS = 300_000
QUIET_SECONDS_MAX = 10
FRAGMENTED = " PARTITION BY HASH (k) WITH (herd.fragments = 6)"


def copy_out(connection: psycopg.Connection, sql: str, *, extended: bool = False) -> tuple[str, bytes]:
    """The command tag, or the SQLSTATE, and all data that came before."""
    protocol = connection.pgconn
    if extended:
        protocol.send_query_params(sql.encode(), None)
    else:
        protocol.send_query(sql.encode())
    data = b""
    result = protocol.get_result()
    if result and result.status == ExecStatus.COPY_OUT:
        while (got := protocol.get_copy_data(0))[0] > 0:
            data += bytes(got[1])
        result = protocol.get_result()
    assert result is not None
    state = result.error_field(DiagnosticField.SQLSTATE)
    tag = state if result.status == ExecStatus.FATAL_ERROR else result.command_status
    while protocol.get_result() is not None:
        pass
    return (tag or b"").decode(), data


def rows_of_binary(data: bytes) -> list[list[bytes | None]]:
    """The rows of a stream with one header and one trailer."""
    assert data.startswith(BINARY_HEADER)
    at, rows = len(BINARY_HEADER), []
    while (count := struct.unpack_from("!h", data, at)[0]) != -1:
        at, row = at + 2, []
        for _ in range(count):
            length = struct.unpack_from("!i", data, at)[0]
            row.append(None if length < 0 else data[at + 4 : at + 4 + length])
            at += 4 + max(length, 0)
        rows.append(row)
    assert data[at:] == b"\xff\xff"
    return rows


def comparable(data: bytes, sql: str) -> tuple:
    """Without the order of the rows, which nobody has asked for."""
    if "binary" in sql:
        return (sorted(rows_of_binary(data), key=repr),)
    lines = data.splitlines(keepends=True)
    heading = 1 if "header" in sql else 0
    return (lines[:heading], sorted(lines[heading:]))


def as_query(sql: str) -> str:
    """The same of a query, which PostgreSQL copies also when the table is partitioned."""
    what, options = sql.removeprefix("COPY ").split(" TO ")
    table, _, columns = what.partition(" ")
    return f"COPY (SELECT {columns.strip('()') or '*'} FROM {table}) TO {options}"


def assert_copies(pair: Pair, sql: str, *, extended: bool = False) -> None:
    right = copy_out(pair.oracle, as_query(sql))
    tested = copy_out(pair.tested, as_query(sql) if pair.proving else sql, extended=extended)
    assert tested[0] == right[0]
    assert comparable(tested[1], sql) == comparable(right[1], sql)


@BOTH_PROTOCOLS
@pytest.mark.parametrize(
    "sql",
    [
        "COPY users TO STDOUT",
        "COPY orders TO STDOUT WITH NULL AS 'nothing'",
        "COPY orders (note, id) TO STDOUT (FORMAT text, DELIMITER ';')",
        "COPY users TO STDOUT (FORMAT text, header)",
        "COPY users TO STDOUT (FORMAT csv)",
        "COPY users TO STDOUT CSV header QUOTE '''' FORCE QUOTE name",
        "COPY users (uid, tags) TO STDOUT (FORMAT csv, header true, FORCE_QUOTE *)",
        "COPY docs TO STDOUT (FORMAT csv, header, ENCODING 'latin2')",
        "COPY users TO STDOUT (FORMAT binary)",
        "COPY parts (part) TO STDOUT WITH binary",
        "COPY events TO STDOUT",
        "COPY events TO STDOUT (FORMAT binary)",
        "COPY ranks TO STDOUT CSV header",
    ],
)
def test_rows_of_all_nodes_are_one_stream(pair: Pair, sql: str, extended: bool) -> None:
    assert_copies(pair, sql, extended=extended)


@pytest.fixture
def sparse(pair: Pair) -> Iterator[str]:
    pair.tested.execute("CREATE TABLE sparse (k int PRIMARY KEY, v text)" + ("" if pair.proving else FRAGMENTED))
    pair.oracle.execute("CREATE TABLE sparse (k int PRIMARY KEY, v text)")
    yield "sparse"
    for connection in (pair.tested, pair.oracle):
        connection.execute("DROP TABLE sparse")


@BOTH_PROTOCOLS
@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("options", ["STDOUT", "STDOUT CSV header", "STDOUT (FORMAT binary)"])
def test_nodes_without_rows_add_nothing(pair: Pair, sparse: str, options: str, rows: int, extended: bool) -> None:
    for connection in (pair.tested, pair.oracle):
        for key in range(rows):
            connection.execute(f"INSERT INTO {sparse} VALUES ({key}, 'alone')")
    assert_copies(pair, f"COPY {sparse} TO {options}", extended=extended)


def test_psql_copies_into_a_file(pair: Pair, endpoint: Endpoint, oracle: Endpoint) -> None:
    written = []
    for each, connection in ((endpoint, pair.tested), (oracle, pair.oracle)):
        schema = connection.execute("SELECT current_schema").fetchone()[0]
        command = ["psql", "-qXc", f"\\copy {schema}.users TO STDOUT WITH (FORMAT csv, HEADER)"]
        ran = subprocess.run(command, env=each.libpq_environment(), capture_output=True, timeout=60)
        assert ran.returncode == 0, ran.stderr.decode()
        written.append(comparable(ran.stdout, "header"))
    assert written[0] == written[1]


def test_psycopg_reads_binary_rows(pair: Pair) -> None:
    found = []
    for connection in (pair.tested, pair.oracle):
        with connection.cursor().copy("COPY orders (user_id, id, note) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int8", "int4", "text"])
            found.append(sorted(copy.rows(), key=repr))
    assert found[0] == found[1]


def assert_copies_again(pair: Pair) -> None:
    """Every connection that Herd may use next is in order."""
    for _ in range(4):
        assert_copies(pair, "COPY users TO STDOUT CSV header")


@BOTH_PROTOCOLS
def test_error_of_one_node_is_told_and_leaves_everything_usable(pair: Pair, extended: bool) -> None:
    sql = "COPY docs TO STDOUT (ENCODING 'latin1')"
    for _ in range(5):
        right = copy_out(pair.oracle, sql)[0]
        assert right == "22P05"
        assert copy_out(pair.tested, sql, extended=extended)[0] == right
        assert_copies_again(pair)


def test_error_fails_the_transaction(pair: Pair) -> None:
    for connection in (pair.tested, pair.oracle):
        connection.execute("BEGIN")
        assert copy_out(connection, "COPY docs TO STDOUT (ENCODING 'latin1')")[0] == "22P05"
        assert copy_out(connection, "COPY users TO STDOUT")[0] == "25P02"
        assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    assert_copies_again(pair)


@BOTH_PROTOCOLS
def test_transaction_sees_its_own_rows(pair: Pair, extended: bool) -> None:
    for connection in (pair.tested, pair.oracle):
        connection.execute("BEGIN")
        connection.execute("INSERT INTO users (uid, region) VALUES (40001, 'cz')")
    assert_copies(pair, "COPY users TO STDOUT CSV header", extended=extended)
    for connection in (pair.tested, pair.oracle):
        connection.execute("UPDATE users SET region = 'jp' WHERE uid = 40001")
        assert connection.execute("ROLLBACK").statusmessage == "ROLLBACK"
    assert_copies_again(pair)


def test_transaction_that_has_begun_with_copy_goes_anywhere(pair: Pair) -> None:
    for key in range(1, 10):
        with pair.tested.transaction():
            assert copy_out(pair.tested, "COPY users TO STDOUT")[0] == "COPY 60"
            row = pair.tested.execute(f"SELECT uid FROM users WHERE uid = {key}").fetchone()
            assert row == (key,)


def test_snapshot_of_all_nodes_is_refused(pair: Pair, only_herd: None) -> None:
    pair.tested.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert copy_out(pair.tested, "COPY users TO STDOUT")[0] == REFUSED
    assert pair.tested.execute("COMMIT").statusmessage == "ROLLBACK"
    assert_copies_again(pair)


def test_explain_tells_the_nodes(pair: Pair, only_herd: None) -> None:
    lines = [row[0] for row in pair.tested.execute("EXPLAIN (HERD) COPY users TO STDOUT")]
    assert lines[0] == "Copy from nodes n1, n2, n3, one after the other"


@pytest.fixture(scope="module")
def many(pair: Pair) -> Iterator[str]:
    pair.tested.execute("CREATE TABLE many (k int PRIMARY KEY, v text)" + ("" if pair.proving else FRAGMENTED))
    with pair.tested.cursor().copy("COPY many FROM STDIN") as copy:
        for key in range(MANY_ROWS):
            copy.write(f"{key}\t{'x' * 300}\n")
    yield "many"
    pair.tested.execute("DROP TABLE many")


def wait_until_nodes_are_quiet(pair: Pair) -> None:
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%many%' AND state <> 'idle'"
    wait_until(
        lambda: all(node.execute(busy).fetchone() == (0,) for node in pair.behind),
        QUIET_SECONDS_MAX,
        "no node works for a COPY that has ended",
    )


def test_every_row_of_a_long_stream_arrives(pair: Pair, many: str) -> None:
    keys = set()
    with pair.tested.cursor().copy(f"COPY {many} (k) TO STDOUT") as copy:
        keys.update(int(row[0]) for row in copy.rows())
    assert keys == set(range(MANY_ROWS))


@pytest.mark.parametrize("in_block", [False, True], ids=["alone", "in a block"])
@pytest.mark.parametrize("rows_read", [1, MANY_ROWS // 2])
def test_cancel_in_the_middle(pair: Pair, many: str, rows_read: int, in_block: bool) -> None:
    connection = pair.tested
    if in_block:
        connection.execute("BEGIN")
    with pytest.raises(psycopg.errors.QueryCanceled), connection.cursor().copy(f"COPY {many} TO STDOUT") as copy:
        for number, _ in enumerate(copy):
            if number == rows_read:
                connection.cancel_safe()
    if in_block:
        assert connection.execute("COMMIT").statusmessage == "ROLLBACK"
    wait_until_nodes_are_quiet(pair)
    assert_copies_again(pair)


def test_client_that_leaves_frees_all_nodes(pair: Pair, many: str, endpoint: Endpoint) -> None:
    schema = pair.tested.execute("SELECT current_schema").fetchone()[0]
    for _ in range(10):
        with Wire(endpoint) as wire:
            wire.log_in()
            wire.send(query(f"COPY {schema}.{many} TO STDOUT"))
            wire.receive_exactly(100_000)
    wait_until_nodes_are_quiet(pair)
    assert_copies_again(pair)
