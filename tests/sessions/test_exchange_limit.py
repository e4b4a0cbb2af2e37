"""How much a query over several nodes may bring, and what is seen of it."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import wait_until

SECOND = """
[[nodes]]
name = "n2"
host = "{node.host}"
port = {node.port}
[limits]
exchange_bytes_max = "{bytes_max}"
"""
TABLE = "limited"
JOIN = f"SELECT count(*) FROM {TABLE} a JOIN {TABLE} b ON a.word = b.word WHERE a.id <> b.id"


@pytest.fixture(scope="module")
def second(scratch: Path, node: Postgres) -> Iterator[Postgres]:
    """Another node, with the same password to the letter."""
    with Postgres(scratch / "second") as postgres:
        with psycopg.connect(**node.endpoint.parameters()) as connection:
            (verifier,) = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'herd'").fetchone()
        with psycopg.connect(**postgres.endpoint.parameters()) as connection:
            connection.execute(f"ALTER ROLE herd PASSWORD '{verifier}'")
        yield postgres


@pytest.fixture(scope="module")
def herd(start_herd: Callable[[str], Serve], second: Postgres) -> Iterator[Serve]:
    herd = start_herd(SECOND.format(node=second.endpoint, bytes_max="1MB"))
    with connect(herd) as connection:
        connection.execute(
            f"CREATE TABLE {TABLE} (id int PRIMARY KEY, word text)"
            " PARTITION BY HASH (id) WITH (herd.fragments = 4)"
        )
        with connection.cursor().copy(f"COPY {TABLE} FROM STDIN") as copy:
            for number in range(40_000):
                copy.write_row((number, f"a word that is rather long, as words go: {number}"))
    yield herd
    with connect(herd) as connection:
        connection.execute(f"DROP TABLE {TABLE}")


def connect(herd: Serve) -> psycopg.Connection:
    return psycopg.connect(**herd.endpoint.parameters(), autocommit=True)


def test_a_query_that_brings_too_much_is_refused_and_leaves_nothing(herd: Serve, node: Postgres) -> None:
    with connect(herd) as connection:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as refusal:
            connection.execute(JOIN)
        assert "limits.exchange_bytes_max" in (refusal.value.diag.message_hint or "")
        few = JOIN + " AND a.id < 100 AND b.id < 100"
        assert connection.execute(few).fetchone() == (0,)
    with psycopg.connect(**node.endpoint.parameters()) as behind:
        left = "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
        assert behind.execute(left).fetchone() == (0,)


def test_a_transaction_in_which_too_much_was_brought_has_failed(herd: Serve) -> None:
    with connect(herd) as connection, connection.transaction(force_rollback=True):
        connection.execute(f"INSERT INTO {TABLE} VALUES (-1, 'new')")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute(JOIN)
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")


def test_what_a_query_has_brought_is_shown_and_counted(herd: Serve) -> None:
    few = f"SELECT a.word FROM {TABLE} a, {TABLE} b WHERE a.id = b.id + 1 AND a.id < 50 AND b.id < 50"
    slow = f"SELECT count(*), pg_sleep(1) FROM ({few}) t"
    before = brought_total(herd)
    with connect(herd) as runner, connect(herd) as onlooker:
        running = threading.Thread(target=runner.execute, args=(slow,))
        running.start()

        def shown() -> list[tuple]:
            rows = onlooker.execute("SHOW QUERIES").fetchall()
            return [row for row in rows if "pg_sleep" in row[-1] and int(row[5]) == 50 and int(row[6]) > 500]

        wait_until(lambda: bool(shown()), 10, "the rows are brought")
        running.join()
    assert brought_total(herd) == before + 50


def brought_total(herd: Serve) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{herd.http_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("herd_brought_rows_total"))
