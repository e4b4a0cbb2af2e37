"""Herd in front of one PostgreSQL, with pools so small that clients must share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import scratch_directory

CONFIGURATION = """
home = "n1"
data_dir = "{directory}"
[listen]
addresses = ["127.0.0.1:{port}"]
http = "127.0.0.1:{http}"
workers = 1
[auth]
control_user = "herd"
control_password = "herd"
control_database = "herd"
[[nodes]]
name = "n1"
host = "127.0.0.1"
port = {node}
"""

Connect = Callable[..., psycopg.Connection]
StartHerd = Callable[[str], Serve]


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    with scratch_directory("herd-sessions") as directory:
        yield directory


@pytest.fixture(scope="session")
def node(scratch: Path) -> Iterator[Postgres]:
    with Postgres(scratch / "node") as postgres:
        yield postgres


@pytest.fixture(scope="module")
def start_herd(scratch: Path, node: Postgres, request: pytest.FixtureRequest) -> Iterator[StartHerd]:
    """Starts Herds with settings of the test's own; all are stopped after the file."""
    started: list[Serve] = []

    def start(settings: str) -> Serve:
        herd = Serve(scratch / f"{request.path.stem}-{len(started)}", "")
        places = {"directory": herd.directory, "port": herd.endpoint.port, "http": herd.http_port}
        herd.configuration = CONFIGURATION.format(**places, node=node.endpoint.port) + settings
        herd.start()
        started.append(herd)
        return herd

    yield start
    for herd in started:
        herd.stop()


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd) -> Serve:
    """A Herd with a single server connection: two clients at work must take turns on it."""
    return start_herd('[pool]\nsize_max = 1\nwait_max = "5s"\n')


@pytest.fixture
def connect(herd: Serve) -> Iterator[Connect]:
    """Opens connections to Herd; all are closed afterwards."""
    opened: list[psycopg.Connection] = []

    def open_one(endpoint: Endpoint = herd.endpoint, **options: object) -> psycopg.Connection:
        opened.append(psycopg.connect(**{"autocommit": True} | endpoint.parameters() | options))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
