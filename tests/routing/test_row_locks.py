"""FOR UPDATE and FOR SHARE of rows on several nodes: they are locked where they lie, until the transaction ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import connect
from .test_over_brought import ROWS, keys_by_node
from .test_over_brought import spread as spread  # the fixture


@pytest.fixture
def sessions(endpoint: Endpoint, spread: Pair) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    with connect(endpoint, "tested") as first, connect(endpoint, "tested") as second:
        yield first, second
        first.rollback()
        second.rollback()


def locked(connection: psycopg.Connection) -> set[int]:
    """The rows that nobody else can have."""
    free = {row[0] for row in connection.execute("SELECT id FROM spread FOR UPDATE SKIP LOCKED")}
    return set(range(ROWS)) - free


def test_the_rows_that_are_selected_are_locked(sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    first, second = sessions
    first.execute("BEGIN")
    selected = first.execute("SELECT id, kind FROM spread WHERE kind = 3 ORDER BY id FOR UPDATE").fetchall()
    assert selected == [(row, 3) for row in range(ROWS) if row % 7 == 3]
    assert locked(second) == {row for row, _ in selected}
    with pytest.raises(psycopg.errors.LockNotAvailable):
        second.execute("SELECT id FROM spread WHERE kind IN (2, 3) FOR SHARE NOWAIT")
    assert len(second.execute("SELECT id FROM spread WHERE kind = 2 FOR NO KEY UPDATE NOWAIT").fetchall()) > 0
    first.execute("COMMIT")
    assert locked(second) == set()


def test_locks_that_are_shared(sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    first, second = sessions
    for session in sessions:
        session.execute("BEGIN")
        assert len(session.execute("SELECT id FROM spread WHERE kind = 1 FOR SHARE OF spread").fetchall()) > 0
    second.execute("COMMIT")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        second.execute("SELECT s.id FROM spread s WHERE kind = %s FOR UPDATE OF s NOWAIT", [1])


def test_what_is_locked_is_what_was_committed_last(spread: Pair, sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    first, second = sessions
    keys = keys_by_node(spread)
    first.execute("BEGIN")
    for key in keys:
        first.execute("UPDATE spread SET note = 'newest' WHERE id = %s", [key])
    found: list[tuple] = []

    def wait() -> None:
        second.execute("BEGIN")
        found.extend(second.execute("SELECT id, note FROM spread WHERE kind >= 0 ORDER BY id FOR UPDATE").fetchall())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    assert waiting.is_alive()
    first.execute("COMMIT")
    waiting.join(20)
    assert {row for row, note in found if note == "newest"} == set(keys)
    assert len(found) == ROWS


@pytest.mark.parametrize("node", [None, 0, 1, 2])
def test_locked_rows_are_changed_on_all_nodes(spread: Pair, sessions: tuple[psycopg.Connection, psycopg.Connection], node: int | None) -> None:
    first, second = sessions
    keys = keys_by_node(spread)
    first.execute("BEGIN")
    if node is not None:
        first.execute("UPDATE spread SET note = 'before' WHERE id = %s", [keys[node]])
    rows = first.execute("SELECT id FROM spread WHERE kind = %s FOR UPDATE", [5]).fetchall()
    for (row,) in rows[:6]:
        first.execute("UPDATE spread SET note = %s WHERE id = %s", [f"changed {node}", row])
    first.execute("COMMIT")
    assert second.execute("SELECT count(*) FROM spread WHERE note = %s", [f"changed {node}"]).fetchone() == (6,)
    assert locked(second) == set()


def test_a_savepoint_gives_locks_back(sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    first, second = sessions
    first.execute("BEGIN")
    first.execute("SELECT id FROM spread WHERE id = 5 FOR UPDATE")
    first.execute("SAVEPOINT s")
    first.execute("SELECT id FROM spread WHERE kind = 6 FOR UPDATE")
    assert len(locked(second)) > 2
    first.execute("ROLLBACK TO s")
    assert locked(second) == {5}


def test_an_error_while_locking_fails_the_transaction(sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    first, second = sessions
    first.execute("BEGIN")
    first.execute("SELECT id FROM spread WHERE kind = 4 FOR UPDATE")
    second.execute("BEGIN")
    second.execute("UPDATE spread SET note = note WHERE kind = 1 AND id = 1")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        second.execute("SELECT id FROM spread FOR UPDATE NOWAIT")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        second.execute("SELECT 1")
    second.execute("ROLLBACK")
    first.execute("ROLLBACK")
    assert locked(second) == set()


def test_workers_share_a_queue(endpoint: Endpoint, spread: Pair) -> None:
    taken: list[int] = []

    def work() -> None:
        with connect(endpoint, "tested") as worker:
            while True:
                with worker.transaction():
                    next_one = "SELECT id FROM spread WHERE kind = 0 AND note <> 'done' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
                    row = worker.execute(next_one).fetchone()
                    if row is None:
                        return
                    worker.execute("UPDATE spread SET note = 'done' WHERE id = %s", row)
                taken.append(row[0])

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(taken) == len(set(taken))
    work()
    assert sorted(taken) == [row for row in range(ROWS) if row % 7 == 0]


def test_a_transaction_that_only_reads_cannot_lock(sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    first, _ = sessions
    first.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        first.execute("SELECT id FROM spread FOR UPDATE")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.id FROM spread a JOIN spread b USING (id) FOR UPDATE",
        "SELECT id FROM spread WHERE kind = (SELECT 1) FOR UPDATE",
        "SELECT id, random() FROM spread LIMIT 1 FOR UPDATE",
        "WITH t AS (SELECT id FROM spread FOR UPDATE) SELECT count(*) FROM t",
    ],
)
def test_what_cannot_be_locked_exactly_is_refused(sessions: tuple[psycopg.Connection, psycopg.Connection], only_herd: None, sql: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        sessions[0].execute(sql)
