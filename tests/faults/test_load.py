"""Thousands of clients, and clients that do not read: memory stays, descriptors come back, nobody waits long."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from harness.herd import Demo
from harness.process import open_files, resident_kb, wait_until
from harness.wire import Wire, query

from .conftest import RECOVERY_SECONDS_MAX, Connect

CLIENTS = 10_000
#: What Herd may occupy: itself, and each idle client.
HERD_KB_MAX = 60 * 1024
IDLE_CLIENT_KB_MAX = 20
STREAM_KB_MAX = 24 * 1024


def in_threads(work: object, count: int) -> list:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(work, range(count)))


def test_slow_reader_of_five_million_rows(demo: Demo, nothing_kept: None) -> None:
    with Wire(demo.endpoint) as wire:
        wire.log_in()
        before = resident_kb(demo.pid)
        wire.send(query("SELECT generate_series(1, 5000000), repeat('x', 100)"))
        most = 0
        for _ in range(100):
            wire.receive_exactly(64 * 1024)
            time.sleep(0.02)
            most = max(most, resident_kb(demo.pid))
        assert most - before < STREAM_KB_MAX, f"{most - before} kB more while {5_000_000} rows wait"


def test_fast_reader_of_five_million_rows(demo: Demo, connect: Connect, nothing_kept: None) -> None:
    connection = connect()
    before = most = resident_kb(demo.pid)
    with connection.cursor().copy("COPY (SELECT generate_series(1, 5000000), repeat('x', 50)) TO STDOUT") as copy:
        for number, _ in enumerate(copy):
            if number % 50_000 == 0:
                most = max(most, resident_kb(demo.pid))
    assert most - before < STREAM_KB_MAX


def test_reader_that_leaves_halfway_frees_its_server_connection(demo: Demo, connect: Connect, nothing_kept: None) -> None:
    for _ in range(30):
        with Wire(demo.endpoint) as wire:
            wire.log_in()
            wire.send(query("SELECT generate_series(1, 50000000), repeat('leaving', 100)"))
            wire.receive_exactly(100_000)
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND pid <> pg_backend_pid()"
    connection = connect()
    wait_until(
        lambda: connection.execute(busy, ["%leaving%"]).fetchone() == (0,),
        RECOVERY_SECONDS_MAX,
        "no server connection works for a client that is gone",
    )


def test_slow_writer_of_a_copy_holds_no_memory(demo: Demo, connect: Connect, nothing_kept: None) -> None:
    connection = connect()
    connection.execute("CREATE TEMP TABLE sunk (t text)")
    before = most = resident_kb(demo.pid)
    with connection.cursor().copy("COPY sunk FROM STDIN") as copy:
        for number in range(2000):
            copy.write("x" * 50_000 + "\n")
            if number % 100 == 0:
                most = max(most, resident_kb(demo.pid))
    assert most - before < STREAM_KB_MAX


def test_ten_thousand_connections_opened_and_dropped(demo: Demo, nothing_kept: None) -> None:
    def open_and_drop(number: int) -> None:
        with Wire(demo.endpoint) as wire:
            if number % 3 == 0:
                wire.start()
            elif number % 10 == 1:
                wire.log_in()

    files = open_files(demo.pid)
    in_threads(open_and_drop, CLIENTS)
    wait_until(lambda: open_files(demo.pid) <= files + 64, RECOVERY_SECONDS_MAX, "descriptors are given back")
    with psycopg.connect(**demo.endpoint.parameters()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_ten_thousand_idle_clients_are_held(demo: Demo) -> None:
    def hold(_: int) -> Wire:
        wire = Wire(demo.endpoint)
        wire.log_in()
        return wire

    held = in_threads(hold, CLIENTS)
    try:
        allowed = HERD_KB_MAX + CLIENTS * IDLE_CLIENT_KB_MAX
        assert resident_kb(demo.pid) < allowed
        began = time.monotonic()
        for wire in held[:: CLIENTS // 200]:
            assert [each.tag for each in wire.ask("SELECT 1")] == ["T", "D", "C", "Z"]
        assert time.monotonic() - began < 10
    finally:
        for wire in held:
            wire.socket.close()
    wait_until(lambda: open_files(demo.pid) < 500, RECOVERY_SECONDS_MAX, "descriptors are given back")


def test_three_hundred_clients_at_work(demo: Demo, nothing_kept: None) -> None:
    def work(number: int) -> bool:
        with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as connection:
            return all(connection.execute("SELECT %s::int", [number + i]).fetchone() == (number + i,) for i in range(20))

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(work, range(300)))
