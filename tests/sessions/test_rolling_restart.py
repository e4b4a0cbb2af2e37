"""A new Herd takes the place of the old one on the same ports: no transaction is lost or cut, nobody is sent away."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import wait_until

from .conftest import StartHerd

CLIENTS = 8
WAITS = "waiting for it to be drained"
DRAINS = " draining "
#: To a client that speaks in this moment libpq does not always tell why, as with PostgreSQL itself.
LET_GO = ("terminating connection due to administrator command", "server closed the connection unexpectedly")
HANDOVER_SECONDS_MAX = 20.0


@dataclass
class Work:
    """Transactions of many clients, each of which connects again when it is let go."""

    endpoint: Endpoint
    acknowledged: list[int] = field(default_factory=list)
    let_go: int = 0
    troubles: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Work:
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int) -> None:
        key = number
        while not self._stop.is_set():
            try:
                connection = psycopg.connect(**self.endpoint.parameters(), autocommit=True)
            except psycopg.Error as error:
                self.troubles.append(f"refused: {error}")
                continue
            key = self._transactions(connection, key)
            connection.close()

    def _transactions(self, connection: psycopg.Connection, key: int) -> int:
        """The next key, once the connection is lost or all is over."""
        while not self._stop.is_set():
            try:
                connection.execute("BEGIN")
            except psycopg.Error as error:
                if not any(text in str(error) for text in LET_GO):
                    self.troubles.append(f"between transactions: {error}")
                self.let_go += 1
                return key
            try:
                connection.execute("INSERT INTO rolled VALUES (%s)", [key])
                connection.execute("SELECT pg_sleep(0.005)")
                connection.execute("COMMIT")
            except psycopg.Error as error:
                self.troubles.append(f"in a transaction: {error}")
                return key + CLIENTS
            self.acknowledged.append(key)
            key += CLIENTS
        return key


@pytest.fixture
def old(scratch: Path, node: Postgres) -> Iterator[Serve]:
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        herd = Serve(Path(directory) / "herd", node.endpoint, "")
        listen = f'[listen]\nreuse_port = true\nunix_directory = "{herd.directory}"\n'
        herd.configuration = herd.configuration.replace("[listen]\n", listen)
        with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS rolled")
            connection.execute("CREATE TABLE rolled (id int PRIMARY KEY)")
        with herd:
            yield herd


@pytest.fixture
def new(old: Serve) -> Iterator[Serve]:
    """Launched, and waiting for its turn."""
    herd = old.successor()
    herd.launch()
    wait_until(lambda: WAITS in old.log.read_text(), HANDOVER_SECONDS_MAX, "the new Herd waits")
    yield herd
    herd.stop()


@pytest.mark.parametrize("how", ["SIGTERM", "DRAIN"])
def test_transactions_go_on_with_the_new_herd(old: Serve, new: Serve, node: Postgres, how: str) -> None:
    with Work(old.endpoint) as work:
        wait_until(lambda: len(work.acknowledged) > 100, 20, "the old Herd is at work")
        if how == "SIGTERM":
            old.process.send(signal.SIGTERM)
        else:
            with psycopg.connect(**old.endpoint.parameters(), autocommit=True) as operator:
                operator.execute("DRAIN")
        new.wait_until_ready()
        wait_until(lambda: old.process.exit_code is not None, HANDOVER_SECONDS_MAX, "the old Herd is gone")
        seen = len(work.acknowledged)
        wait_until(lambda: len(work.acknowledged) > seen + 100, 20, "the new Herd is at work")
    assert work.troubles == []
    assert work.let_go >= 1
    assert old.process.exit_code == 0
    with psycopg.connect(**node.endpoint.parameters()) as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM rolled")}
    assert stored == set(work.acknowledged)


def test_open_transaction_is_finished_on_the_old_herd_and_the_catalog_waits_for_it(old: Serve, new: Serve) -> None:
    parameters = old.endpoint.parameters()
    inside = psycopg.connect(**parameters, autocommit=True)
    inside.execute("BEGIN")
    inside.execute("INSERT INTO rolled VALUES (1)")
    old.process.send(signal.SIGTERM)
    new.wait_until_ready()
    wait_until(lambda: DRAINS in old.log.read_text(), HANDOVER_SECONDS_MAX, "the old Herd accepts nobody")
    defined = threading.Event()

    def define() -> None:
        with psycopg.connect(**parameters, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS cut (id int PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 2)")
        defined.set()

    definer = threading.Thread(target=define)
    definer.start()
    with psycopg.connect(**parameters, autocommit=True) as meanwhile:
        assert meanwhile.execute("SELECT count(*) FROM rolled").fetchone() == (0,)
    time.sleep(0.5)
    assert old.process.exit_code is None
    assert not defined.is_set(), "what the old Herd plans by does not change"
    inside.execute("INSERT INTO rolled VALUES (2)")
    inside.execute("COMMIT")
    with pytest.raises(psycopg.OperationalError):
        inside.execute("SELECT 1")
    definer.join(HANDOVER_SECONDS_MAX)
    assert defined.is_set()
    with psycopg.connect(**parameters) as connection:
        assert connection.execute("SELECT count(*) FROM rolled").fetchone() == (2,)


def test_unix_socket_is_the_new_herds(old: Serve, new: Serve) -> None:
    parameters = old.endpoint.parameters() | {"host": str(old.directory)}
    psycopg.connect(**parameters).close()
    old.process.send(signal.SIGTERM)
    new.wait_until_ready()
    wait_until(lambda: old.process.exit_code is not None, HANDOVER_SECONDS_MAX, "the old Herd is gone")
    with psycopg.connect(**parameters) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_second_herd_that_may_not_share_the_port_says_so(start_herd: StartHerd) -> None:
    first = start_herd("")
    second = first.successor()
    with pytest.raises(RuntimeError, match="cannot listen"):
        second.start()


def test_herd_is_killed_while_another_waits(old: Serve, new: Serve) -> None:
    old.kill()
    new.wait_until_ready()
    with psycopg.connect(**new.endpoint.parameters()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
