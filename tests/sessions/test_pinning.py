"""What lives on one server connection keeps it, for as long as it lives, and the pool is whole afterwards."""

from __future__ import annotations

import time

import psycopg
import pytest

from harness.herd import Serve

from .conftest import Connect, StartHerd

PINS = {
    "temporary table": ("CREATE TEMP TABLE pinned (id int)", "SELECT count(*) FROM pinned", "DROP TABLE pinned"),
    "temporary view": ("CREATE TEMP VIEW pinned AS SELECT 1 AS id", "SELECT id FROM pinned", "DROP VIEW pinned"),
    "temporary sequence": ("CREATE TEMP SEQUENCE pinned", "SELECT nextval('pinned')", "DROP SEQUENCE pinned"),
    "select into temp": ("SELECT 1 AS id INTO TEMP pinned", "SELECT id FROM pinned", "DROP TABLE pinned"),
    "create in pg_temp": ("CREATE TABLE pg_temp.pinned (id int)", "SELECT count(*) FROM pinned", "DROP TABLE pinned"),
    "advisory lock": ("SELECT pg_advisory_lock(77)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "SELECT pg_advisory_unlock(77)"),
    "listen": ("LISTEN pinned", "SELECT count(*) FROM pg_listening_channels()", "UNLISTEN *"),
    "cursor with hold": ("DECLARE pinned CURSOR WITH HOLD FOR SELECT generate_series(1, 9)", "FETCH pinned", "CLOSE pinned"),
}


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd) -> Serve:
    """Two server connections: one to be pinned, one for everybody else."""
    return start_herd('[pool]\nsize_max = 2\nwait_max = "5s"\n')


@pytest.mark.parametrize("kind", PINS)
def test_session_state_stays_while_others_work(connect: Connect, kind: str) -> None:
    make, use, end = PINS[kind]
    owner, others = connect(), [connect() for _ in range(3)]
    owner.execute(make)
    for number in range(5):
        for other in others:
            assert other.execute("SELECT %s::int", [number]).fetchone() == (number,)
        assert owner.execute(use).fetchone()[0] != 0 or kind in ("temporary table", "create in pg_temp")
    for other in others:
        assert other.execute("SELECT count(*) FROM pg_class WHERE relname = 'pinned' AND pg_table_is_visible(oid)").fetchone() == (0,)
    owner.execute(end)


@pytest.mark.parametrize("kind", PINS)
def test_pool_is_whole_after_the_owner_left(connect: Connect, kind: str) -> None:
    for _ in range(4):
        owner = connect()
        owner.execute(PINS[kind][0])
        owner.close()
    held = [connect(), connect()]
    for connection in held:
        connection.execute("BEGIN")
        connection.execute("SELECT 1")
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'pinned' AND pg_table_is_visible(oid)").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)
    assert held[0].execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_notifications_reach_pinned_listeners(connect: Connect) -> None:
    listener, other = connect(), connect()
    listener.execute("LISTEN pinned_news")
    for number in range(10):
        other.execute("SELECT pg_notify('pinned_news', %s)", [str(number)])
    heard = [n.payload for n in listener.notifies(timeout=5, stop_after=10)]
    assert heard == [str(number) for number in range(10)]


def test_transaction_scoped_lock_ends_with_it(connect: Connect) -> None:
    first, second = connect(), connect()
    with first.transaction():
        first.execute("SELECT pg_advisory_xact_lock(78)")
        assert second.execute("SELECT pg_try_advisory_xact_lock(78)").fetchone() == (False,)
    assert second.execute("SELECT pg_try_advisory_xact_lock(78)").fetchone() == (True,)


def test_lock_waits_for_its_holder(connect: Connect) -> None:
    holder, waiter = connect(), connect()
    holder.execute("SELECT pg_advisory_lock(79)")
    waiter.pgconn.send_query(b"SELECT pg_advisory_lock(79)")
    time.sleep(0.2)
    assert holder.execute("SELECT pg_advisory_unlock(79)").fetchone() == (True,)
    result = waiter.pgconn.get_result()
    assert result is not None and result.status == psycopg.pq.ExecStatus.TUPLES_OK


def test_pipeline_in_flight_keeps_its_connection(connect: Connect) -> None:
    clients = [connect() for _ in range(4)]
    for connection in clients:
        protocol = connection.pgconn
        protocol.enter_pipeline_mode()
        protocol.send_query_params(b"SELECT set_config('my.pipe', 'yes', true)", None)
        protocol.send_query_params(b"SELECT current_setting('my.pipe')", None)
        protocol.pipeline_sync()
    for connection in clients:
        values = []
        while True:
            result = connection.pgconn.get_result()
            if result is None:
                continue
            if result.status == psycopg.pq.ExecStatus.PIPELINE_SYNC:
                break
            values.append(result.get_value(0, 0))
        connection.pgconn.exit_pipeline_mode()
        assert values == [b"yes", b"yes"]
