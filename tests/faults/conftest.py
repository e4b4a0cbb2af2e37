"""A Herd of our own for each file, to be killed, and what must hold after every fault."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.herd import Demo
from harness.process import open_files, resident_kb, scratch_directory, wait_until

RECOVERY_SECONDS_MAX = 30.0
#: What a Herd at rest may keep beyond what it had: connections in pools, caches.
KEPT_FILES_MAX = 64
KEPT_KB_MAX = 32 * 1024

Connect = Callable[..., psycopg.Connection]


@pytest.fixture(scope="session", autouse=True)
def many_files() -> None:
    """Thousands of connections need as many descriptors, here and in Herd, which inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with scratch_directory("herd-faults") as directory, Demo(directory / "demo") as running:
        yield running


@pytest.fixture
def connect(demo: Demo) -> Iterator[Connect]:
    opened: list[psycopg.Connection] = []

    def open_one(**options: object) -> psycopg.Connection:
        opened.append(psycopg.connect(**{"autocommit": True} | demo.endpoint.parameters() | options))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def nothing_kept(demo: Demo) -> Iterator[None]:
    """Herd goes back to the memory and the descriptors that it had before the test."""
    files, memory = open_files(demo.pid), resident_kb(demo.pid)
    yield
    wait_until(lambda: open_files(demo.pid) <= files + KEPT_FILES_MAX, RECOVERY_SECONDS_MAX, "descriptors are given back")
    assert resident_kb(demo.pid) <= memory + KEPT_KB_MAX


def restart(demo: Demo) -> None:
    """Kill Herd without a warning, and start it again on the same directory."""
    demo.kill()
    demo.start()


def settled(demo: Demo) -> None:
    """On every node: no transaction left open or prepared by a Herd that is gone."""
    for node in demo.nodes():
        with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as connection:
            for what, sql in (
                ("no prepared transaction is left", "SELECT count(*) = 0 FROM pg_prepared_xacts"),
                ("no transaction is left open", "SELECT count(*) = 0 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"),
            ):
                wait_until(lambda sql=sql: connection.execute(sql).fetchone()[0], RECOVERY_SECONDS_MAX, what)
