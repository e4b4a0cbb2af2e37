"""COPY in and out, in text, CSV and binary, and its ways to fail."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

ROWS = [
    (1, "plain", Decimal("1.50"), b"\x00\x01"),
    (2, "tab\tnewline\nreturn\rback\\slash", None, b""),
    (3, None, Decimal("-7"), None),
    (4, "\\N", Decimal("0"), b"\\x"),
    (5, 'žluť "quoted", comma', None, b"\xff" * 100),
    (6, "", None, None),
    (7, "\\.", None, None),
]


@pytest.fixture
def table(connection: psycopg.Connection) -> str:
    connection.execute("DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int PRIMARY KEY, t text, n numeric, b bytea)")
    return "copied"


def stored(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute("SELECT * FROM copied ORDER BY id").fetchall()


def test_text_rows_in_and_out(connection: psycopg.Connection, table: str) -> None:
    cursor = connection.cursor()
    with cursor.copy("COPY copied FROM STDIN") as copy:
        for row in ROWS:
            copy.write_row(row)
    assert cursor.statusmessage == "COPY 7"
    assert stored(connection) == ROWS
    with connection.cursor().copy("COPY copied TO STDOUT") as copy:
        copy.set_types(["int4", "text", "numeric", "bytea"])
        assert list(copy.rows()) == ROWS


def test_binary_rows_in_and_out(connection: psycopg.Connection, table: str) -> None:
    kinds = ["int4", "text", "numeric", "bytea"]
    with connection.cursor().copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(kinds)
        for row in ROWS:
            copy.write_row(row)
    assert stored(connection) == ROWS
    with connection.cursor().copy("COPY copied TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(kinds)
        assert list(copy.rows()) == ROWS


def test_csv_bytes_survive_a_round_trip(connection: psycopg.Connection, table: str) -> None:
    options = "(FORMAT csv, HEADER, NULL 'nil', FORCE_QUOTE (t), DELIMITER ';', QUOTE '''')"
    connection.cursor().executemany("INSERT INTO copied VALUES (%s, %s, %s, %s)", ROWS)
    with connection.cursor().copy(f"COPY copied TO STDOUT {options}") as copy:
        data = b"".join(bytes(chunk) for chunk in copy)
    assert data.startswith(b"id;t;n;b\n") and b"nil" in data
    connection.execute("TRUNCATE copied")
    with connection.cursor().copy(f"COPY copied FROM STDIN {options.replace('FORCE_QUOTE (t), ', '')}") as copy:
        # Cut where it hurts: messages need not end at rows.
        for start in range(0, len(data), 7):
            copy.write(data[start : start + 7])
    assert stored(connection) == ROWS


def test_copy_of_a_query_with_columns(connection: psycopg.Connection, table: str) -> None:
    with connection.cursor().copy("COPY copied (t, id) FROM STDIN") as copy:
        copy.write(b"a\t1\nb\t2\n\\N\t3\n\\.\n")
    with connection.cursor().copy("COPY (SELECT id, t FROM copied ORDER BY id DESC) TO STDOUT") as copy:
        assert b"".join(bytes(chunk) for chunk in copy) == b"3\t\\N\n2\tb\n1\ta\n"


def test_copy_with_where(connection: psycopg.Connection, table: str) -> None:
    cursor = connection.cursor()
    with cursor.copy("COPY copied (id) FROM STDIN WHERE id % 2 = 0") as copy:
        for number in range(10):
            copy.write_row([number])
    assert cursor.statusmessage == "COPY 5"


def test_bad_row_is_reported_and_nothing_is_kept(connection: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught, connection.cursor().copy(
        "COPY copied (id, t) FROM STDIN"
    ) as copy:
        copy.write(b"1\tone\n")
        copy.write(b"two\ttwo\n")
    assert caught.value.diag.context == 'COPY copied, line 2, column id: "two"'
    assert stored(connection) == []


def test_error_in_the_middle_of_a_long_copy(connection: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation), connection.cursor().copy("COPY copied (id) FROM STDIN") as copy:
        for number in range(200_000):
            copy.write_row([number if number != 1000 else 1])
    assert stored(connection) == []


def test_client_gives_up(connection: psycopg.Connection, table: str) -> None:
    with pytest.raises(KeyError), connection.cursor().copy("COPY copied (id) FROM STDIN") as copy:
        copy.write_row([1])
        raise KeyError
    assert stored(connection) == []


def test_client_stops_reading(connection: psycopg.Connection) -> None:
    with pytest.raises(KeyError), connection.cursor().copy("COPY (SELECT generate_series(1, 100000)) TO STDOUT") as copy:
        copy.read()
        raise KeyError
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_copy_in_a_transaction(connection: psycopg.Connection, table: str) -> None:
    with pytest.raises(KeyError), connection.transaction():
        with connection.cursor().copy("COPY copied (id) FROM STDIN") as copy:
            copy.write_row([1])
        assert len(stored(connection)) == 1
        raise KeyError
    assert stored(connection) == []


def test_copy_of_a_missing_table(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), connection.cursor().copy("COPY missing FROM STDIN") as copy:
        copy.write(b"1\n")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_copy_between_statements_of_one_text(connection: psycopg.Connection, table: str) -> None:
    connection.pgconn.send_query(b"INSERT INTO copied VALUES (100); COPY copied (id) FROM STDIN; SELECT count(*) FROM copied")
    assert connection.pgconn.get_result().status == psycopg.pq.ExecStatus.COMMAND_OK
    assert connection.pgconn.get_result().status == psycopg.pq.ExecStatus.COPY_IN
    connection.pgconn.put_copy_data(b"1\n2\n")
    connection.pgconn.put_copy_end()
    assert connection.pgconn.get_result().command_status == b"COPY 2"
    assert connection.pgconn.get_result().get_value(0, 0) == b"3"
    assert connection.pgconn.get_result() is None


def test_half_a_million_rows(connection: psycopg.Connection, table: str) -> None:
    with connection.cursor().copy("COPY copied (id, t) FROM STDIN") as copy:
        for start in range(0, 500_000, 1000):
            copy.write("".join(f"{i}\trow number {i}\n" for i in range(start, start + 1000)))
    count = connection.execute("SELECT count(*), sum(id), count(DISTINCT t) FROM copied").fetchone()
    assert count == (500_000, 124_999_750_000, 500_000)
    total = 0
    with connection.cursor().copy("COPY copied (id) TO STDOUT") as copy:
        for chunk in copy:
            total += bytes(chunk).count(b"\n")
    assert total == 500_000
