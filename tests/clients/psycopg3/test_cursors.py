"""Cursors: server-side by name, WITH HOLD, scrolling, and rows streamed one by one."""

from __future__ import annotations

import psycopg
import pytest


def test_named_cursor_fetches_in_pieces(connection: psycopg.Connection) -> None:
    with connection.transaction(), connection.cursor(name="pieces") as cursor:
        cursor.itersize = 1000
        cursor.execute("SELECT generate_series(1, %s)", [25_000])
        assert sum(row[0] for row in cursor) == 25_000 * 25_001 // 2


def test_two_cursors_interleave(connection: psycopg.Connection) -> None:
    with connection.transaction():
        first, second = connection.cursor(name="first"), connection.cursor(name="second")
        first.execute("SELECT generate_series(1, 10)")
        second.execute("SELECT generate_series(101, 110)")
        pairs = [(first.fetchone()[0], second.fetchone()[0]) for _ in range(10)]
        assert pairs == [(i, i + 100) for i in range(1, 11)]
        assert first.fetchone() is None


def test_scrolling(connection: psycopg.Connection) -> None:
    with connection.transaction(), connection.cursor(name="scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT generate_series(1, 100)")
        cursor.scroll(50)
        assert cursor.fetchone() == (51,)
        cursor.scroll(-10)
        assert cursor.fetchone() == (42,)
        cursor.scroll(99, mode="absolute")
        assert cursor.fetchone() == (100,)


def test_cursor_with_hold_outlives_its_transaction(connection: psycopg.Connection) -> None:
    cursor = connection.cursor(name="held", withhold=True)
    with connection.transaction():
        cursor.execute("SELECT generate_series(1, 5)")
    assert connection.execute("SELECT 'between'").fetchone() == ("between",)
    assert [row[0] for row in cursor.fetchall()] == [1, 2, 3, 4, 5]
    cursor.close()
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH held")


def test_cursor_ends_with_its_transaction(connection: psycopg.Connection) -> None:
    connection.execute("BEGIN; DECLARE short CURSOR FOR SELECT 1; COMMIT")
    with pytest.raises(psycopg.errors.InvalidCursorName, match='cursor "short" does not exist'):
        connection.execute("FETCH short")


def test_declare_outside_a_transaction_is_refused(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.NoActiveSqlTransaction):
        connection.execute("DECLARE c CURSOR FOR SELECT 1")


def test_update_where_current_of(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS walked; CREATE TABLE walked AS SELECT i AS id, 0 AS seen FROM generate_series(1, 3) i")
    with connection.transaction():
        connection.execute("DECLARE walk CURSOR FOR SELECT * FROM walked FOR UPDATE")
        connection.execute("FETCH 2 FROM walk")
        connection.execute("UPDATE walked SET seen = 1 WHERE CURRENT OF walk")
    assert connection.execute("SELECT id FROM walked WHERE seen = 1").fetchall() == [(2,)]


def test_cursor_returned_by_a_function(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE OR REPLACE FUNCTION open_cursor() RETURNS refcursor LANGUAGE plpgsql AS"
        " $$ DECLARE c refcursor := 'mine'; BEGIN OPEN c FOR SELECT 1 UNION ALL SELECT 2; RETURN c; END $$"
    )
    with connection.transaction():
        name = connection.execute("SELECT open_cursor()").fetchone()[0]
        assert connection.execute(f'FETCH ALL FROM "{name}"').fetchall() == [(1,), (2,)]


def test_million_rows_stream_one_by_one(connection: psycopg.Connection) -> None:
    total = 0
    for (number,) in connection.cursor().stream("SELECT generate_series(1, 1000000)", size=1000):
        total += number
    assert total == 500_000_500_000


def test_error_after_many_rows(connection: psycopg.Connection) -> None:
    seen = 0
    with pytest.raises(psycopg.errors.DivisionByZero):
        for _ in connection.cursor().stream("SELECT 1/(50000 - i) FROM generate_series(1, 100000) i"):
            seen += 1
    assert seen == 49_999
    assert connection.execute("SELECT 1").fetchone() == (1,)
