"""PREPARE and EXECUTE in SQL of queries over several nodes, as by plain PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import REFUSED, ask, connect

BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


@pytest.fixture
def both(endpoint: Endpoint, oracle: Endpoint, pair: Pair) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two fresh sessions: of the endpoint under test, and of the oracle."""
    right = "proof" if pair.proving else "oracle"
    with connect(endpoint, "tested") as tested, connect(oracle, right) as plain:
        yield tested, plain
        tested.rollback()
        plain.rollback()


SCRIPTS = {
    "without parameters": """
        PREPARE q AS SELECT count(*), max(uid) FROM users; EXECUTE q; EXECUTE q; EXECUTE q(); DEALLOCATE q; EXECUTE q
    """,
    "types that are given, inferred and coerced": """
        PREPARE q(int, text) AS SELECT uid, $2 FROM users WHERE age > $1 ORDER BY uid; EXECUTE q(40, 'x'); EXECUTE q('40', NULL); EXECUTE q(40.4, 7);
        EXECUTE q(20 + 20, upper('y')); EXECUTE q((SELECT 40), 'a' || 'b'); EXECUTE q(NULL, 'x'); EXECUTE q(true, 'x');
        PREPARE r AS SELECT uid FROM users WHERE name = $1 AND standing = $2 AND age BETWEEN $3 AND $4 ORDER BY uid;
        EXECUTE r('user 1', 'known', 0, 99); EXECUTE r('user 1'::varchar, 'known'::standing, 0::bigint, 99); EXECUTE r('user 1', 'nonsense', 0, 99);
        PREPARE s(standing) AS SELECT count(*) FROM users WHERE standing = $1; EXECUTE s('new'); EXECUTE s('new'::standing)
    """,
    "keys that arguments tell": """
        PREPARE q AS SELECT uid, name FROM users WHERE uid = ANY ($1) ORDER BY uid; EXECUTE q('{1,2,3}'); EXECUTE q(ARRAY[4, 5]); EXECUTE q('{7}');
        PREPARE r(bigint) AS SELECT uid, name FROM users WHERE uid = $1 OR uid = $1 + 1 ORDER BY uid; EXECUTE r(1); EXECUTE r(1 + 2)
    """,
    "the wrong arguments": """
        PREPARE q(int) AS SELECT count(*) FROM users WHERE age > $1; EXECUTE q; EXECUTE q(1, 2); EXECUTE q('x'); EXECUTE q(1 / 0); EXECUTE q(nothing); EXECUTE q(3);
        EXECUTE unheard_of(1); PREPARE q AS SELECT count(*) FROM users; PREPARE b AS SELECT nothing FROM users; EXECUTE b; DEALLOCATE ALL; EXECUTE q(1)
    """,
    "in a transaction": """
        PREPARE q(text) AS SELECT count(*) FROM users WHERE name = $1; BEGIN; EXECUTE q('user 1'); UPDATE users SET name = 'user 1' WHERE uid = 1;
        UPDATE users SET name = 'user 1' WHERE uid = 2; EXECUTE q('user 1'); SAVEPOINT a; EXECUTE q(1 / 0); ROLLBACK TO a; EXECUTE q('user 1'); ROLLBACK; EXECUTE q('user 1')
    """,
    "joins, home tables and no columns": """
        PREPARE q(int) AS SELECT s.id, u.name FROM settings s JOIN users u ON u.uid = s.id WHERE s.id > $1 ORDER BY 1; EXECUTE q(10);
        PREPARE r AS SELECT FROM users; EXECUTE r; PREPARE t(int) AS TABLE ranks ORDER BY 1, 2; EXECUTE t(1);
        PREPARE v(numeric, date) AS SELECT $1, $2, count(*) FROM users WHERE born > $2 AND score < $1; EXECUTE v(500, '1960-01-01'); EXECUTE v('1e2', current_date - 20000 - (current_date - '2026-01-01'::date))
    """,
    "among others in a string": """
        BEGIN; PREPARE q AS SELECT count(*) FROM users; EXECUTE q; EXECUTE q; COMMIT
    """,
}


@BOTH_PROTOCOLS
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_script_is_answered_as_by_postgresql(both: tuple[psycopg.Connection, psycopg.Connection], script: str, extended: bool) -> None:
    for sql in filter(None, map(str.strip, script.split(";"))):
        tested, right = (ask(connection, sql, extended=extended) for connection in both)
        assert tested.comparable(ordered=True) == right.comparable(ordered=True), f"{tested.message}\nfor {sql}"


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_script_in_one_string_is_answered_as_by_postgresql(both: tuple[psycopg.Connection, psycopg.Connection], script: str) -> None:
    tested, right = (ask(connection, script, extended=False) for connection in both)
    assert tested.comparable(ordered=True) == right.comparable(ordered=True), tested.message
    assert both[0].info.transaction_status == both[1].info.transaction_status


def test_explain_execute_is_refused(pair: Pair, only_herd: None) -> None:
    pair.tested.execute("PREPARE explained AS SELECT count(*) FROM users")
    answer = ask(pair.tested, "EXPLAIN EXECUTE explained", extended=False)
    assert (answer.state, "EXPLAIN EXECUTE" in answer.message) == (REFUSED, True)
    pair.tested.execute("DEALLOCATE explained")
