"""A corpus of statements, each answered as plain PostgreSQL answers it or refused; never otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.samples import label

from .conftest import Pair
from .databases import FOLDER, REFUSED, TABLES, Answer, ask, contents, statements

BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


def corpus(folder: str) -> list[tuple[Path, str]]:
    return [(path, statement) for path in sorted((FOLDER / folder).glob("*.sql")) for statement in statements(path)]


def name(value: object) -> str:
    return value.stem if isinstance(value, Path) else label(value)


def assert_same(sql: str, tested: Answer, right: Answer) -> None:
    ordered = "order by" in sql.lower()
    assert tested.comparable(ordered) == right.comparable(ordered), f"{tested.message}\nfor {sql}"


def assert_same_contents(pair: Pair, tables: tuple[str, ...], sql: str) -> None:
    for table in tables:
        assert contents(pair.behind, table) == contents([pair.oracle], table), f"{table} after {sql}"


@BOTH_PROTOCOLS
@pytest.mark.parametrize(("path", "sql"), corpus("one_node"), ids=name)
def test_one_node_answers_as_postgresql(pair: Pair, path: Path, sql: str, extended: bool) -> None:
    right = ask(pair.oracle, sql, extended=extended)
    assert bool(right.state) == (path.stem == "errors"), right.message
    assert_same(sql, ask(pair.tested, sql, extended=extended), right)


@BOTH_PROTOCOLS
@pytest.mark.parametrize(("path", "sql"), corpus("several_nodes"), ids=name)
def test_several_nodes_answer_as_postgresql_or_refuse(pair: Pair, path: Path, sql: str, extended: bool) -> None:
    tested = ask(pair.tested, sql, extended=extended)
    if tested.state != REFUSED or pair.proving:
        assert_same(sql, tested, ask(pair.oracle, sql, extended=extended))


@BOTH_PROTOCOLS
@pytest.mark.parametrize(("path", "sql"), corpus("answered"), ids=name)
def test_several_nodes_answer_as_postgresql(pair: Pair, path: Path, sql: str, extended: bool) -> None:
    right = sql.replace("routing_tested", "routing_proof" if pair.proving else "routing_oracle")
    assert_same(sql, ask(pair.tested, sql, extended=extended), ask(pair.oracle, right, extended=extended))


@pytest.mark.parametrize(("path", "sql"), corpus("writes"), ids=name)
def test_write_leaves_what_postgresql_leaves(pair: Pair, path: Path, sql: str) -> None:
    tested = ask(pair.tested, sql, extended=False)
    ask(pair.tested, "ROLLBACK", extended=False)
    # What was refused is not done on the oracle either, so that the statements after it still compare.
    if tested.state != REFUSED or pair.proving:
        right = ask(pair.oracle, sql, extended=False)
        ask(pair.oracle, "ROLLBACK", extended=False)
        assert_same(sql, tested, right)
    assert path.stem == "several_nodes" or tested.state == "", tested.message
    assert_same_contents(pair, TABLES, sql)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT * FROM users WHERE uid = $1", ["1"]),
        ("SELECT name FROM users WHERE uid = $1 AND age > $2", ["2", "0"]),
        ("SELECT name FROM users WHERE age > $1 AND uid = $2", ["0", "3"]),
        ("SELECT name FROM users WHERE uid = $1::int", ["4"]),
        ("SELECT name FROM users WHERE uid = ANY ($1)", ["{5}"]),
        ("SELECT name FROM users WHERE uid = ANY ($1::bigint[])", ["{6}"]),
        ("SELECT name FROM users WHERE uid IN ($1, $1)", ["7"]),
        ("SELECT $2::text, name FROM users WHERE uid = $1", ["8", "uid = 1"]),
        ("SELECT body FROM docs WHERE key = $1", ["123"]),
        ("SELECT body FROM docs WHERE key = $1", ["žluť"]),
        ("SELECT body FROM docs WHERE key = $1", [""]),
        ("SELECT part FROM parts WHERE tenant = $2 AND doc = $1", ["d3", "3"]),
        ("SELECT id FROM events WHERE at = $1", ["2025-02-15"]),
        ("SELECT count(*) FROM ranks WHERE granularity = $1", ["weekly"]),
        ("SELECT id FROM orders WHERE user_id = $1 ORDER BY id LIMIT $2 OFFSET $3", ["7", "2", "1"]),
        ("SELECT u.name, o.id FROM users u JOIN orders o ON o.user_id = u.uid WHERE u.uid = $1 ORDER BY 2", ["7"]),
        ("SELECT name FROM country WHERE code = $1", ["cz"]),
        ("SELECT name FROM settings WHERE id = $1 OR $2", ["3", "f"]),
        ("UPDATE users SET age = $2 WHERE uid = $1 RETURNING age", ["50", "51"]),
        ("INSERT INTO users (uid, region) VALUES ($1, $2) RETURNING uid", ["30001", "cz"]),
        ("DELETE FROM users WHERE uid = $1", ["30001"]),
        ("SELECT name FROM users WHERE uid = $1", [None]),
        ("SELECT name FROM users WHERE uid = $1", ["not a number"]),
        ("SELECT name FROM users WHERE uid = $1", [" 9 "]),
        ("SELECT name FROM users WHERE uid = $1", ["0000010"]),
    ],
    ids=label,
)
def test_keys_given_as_parameters(pair: Pair, sql: str, values: list[str | None]) -> None:
    right = ask(pair.oracle, sql, values, extended=True)
    assert_same(sql, ask(pair.tested, sql, values, extended=True), right)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT uid FROM users WHERE uid IN ($1, $2) ORDER BY uid", ["1", "2"]),
        ("SELECT uid FROM users WHERE uid = ANY ($1) ORDER BY uid", ["{1,2,3}"]),
        ("SELECT uid FROM users WHERE uid = ANY ($1) ORDER BY uid", ["{}"]),
        ("SELECT uid FROM users WHERE uid = ANY ($1) ORDER BY uid", [None]),
        ("SELECT uid FROM users WHERE uid = ANY ($1) ORDER BY uid", ["{1,NULL}"]),
        ("SELECT uid FROM users WHERE uid = $1 OR uid = $2 ORDER BY uid", ["1", "2"]),
        ("SELECT uid FROM users WHERE uid = $1 + 1", ["1"]),
        ("SELECT uid FROM users WHERE uid = $1::numeric", ["4.0"]),
        ("SELECT uid FROM users WHERE uid::text = $1", ["4"]),
        ("SELECT uid FROM users ORDER BY uid LIMIT $1 OFFSET $2", ["5", "3"]),
        ("SELECT uid FROM users ORDER BY uid LIMIT $1", [None]),
        ("SELECT count(*) FROM users WHERE age > $1", ["30"]),
        ("INSERT INTO users (uid, region) VALUES ($1, 'cz'), ($2, 'cz')", ["31001", "31002"]),
        ("INSERT INTO users (uid, region) VALUES ($1 + 1, 'cz')", ["32001"]),
        ("INSERT INTO users (uid, region) VALUES ($1, 'cz')", [None]),
        ("UPDATE users SET uid = $1 WHERE uid = $2", ["33001", "41"]),
        ("DELETE FROM users WHERE uid = ANY ($1)", ["{42,43,44}"]),
    ],
    ids=label,
)
def test_parameters_over_several_nodes(pair: Pair, sql: str, values: list[str | None]) -> None:
    tested = ask(pair.tested, sql, values, extended=True)
    if tested.state != REFUSED:
        assert_same(sql, tested, ask(pair.oracle, sql, values, extended=True))
    assert_same_contents(pair, ("users",), sql)


@pytest.mark.parametrize("prepared", ["SELECT name FROM users WHERE uid = $1", "SELECT count(*) FROM orders WHERE user_id = $1"])
def test_one_prepared_statement_finds_every_key(pair: Pair, prepared: str) -> None:
    for connection in (pair.tested, pair.oracle):
        connection.pgconn.prepare(b"by_key", prepared.encode())
    for uid in range(1, 61):
        values = [connection.pgconn.exec_prepared(b"by_key", [str(uid).encode()]) for connection in (pair.tested, pair.oracle)]
        found = [[result.get_value(row, 0) for row in range(result.ntuples)] for result in values]
        assert found[0] == found[1], f"uid {uid}"
    for connection in (pair.tested, pair.oracle):
        connection.execute("DEALLOCATE by_key")


def test_binary_parameters_find_their_node(pair: Pair) -> None:
    for uid in range(1, 61):
        for kind, width in (("int8", 8), ("int4", 4), ("int2", 2)):
            rows = []
            for connection in (pair.tested, pair.oracle):
                oid = {"int8": 20, "int4": 23, "int2": 21}[kind]
                value = uid.to_bytes(width, "big")
                result = connection.pgconn.exec_params(b"SELECT name FROM users WHERE uid = $1", [value], [oid], [1])
                rows.append((result.ntuples, result.error_message))
            assert rows[0] == rows[1], f"{kind} {uid}"


def test_every_row_is_found_by_its_key(pair: Pair) -> None:
    for uid in range(1, 61):
        for sql in (f"SELECT * FROM users WHERE uid = {uid}", f"SELECT count(*), sum(amount) FROM orders WHERE user_id = {uid}"):
            assert_same(sql, ask(pair.tested, sql, extended=False), ask(pair.oracle, sql, extended=False))


def test_pairs_of_keys_never_lose_rows(pair: Pair) -> None:
    """Two keys may share a node or not: both answers are right, half of one is not."""
    for first in range(1, 61, 3):
        for second in range(2, 61, 7):
            sql = f"SELECT uid FROM users WHERE uid IN ({first}, {second}) ORDER BY uid"
            tested = ask(pair.tested, sql, extended=False)
            if tested.state != REFUSED:
                assert_same(sql, tested, ask(pair.oracle, sql, extended=False))
