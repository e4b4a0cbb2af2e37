"""A changed configuration: what takes effect at once, what is named as needing a restart, and what is refused whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psycopg
import pytest

from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import wait_until

from .conftest import Connect, StartHerd

SETTINGS = '[pool]\nsize_max = 1\nwait_max = "6s"\n'
SECONDS_MAX = 10.0


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd) -> Serve:
    return start_herd(SETTINGS)


@pytest.fixture(autouse=True)
def as_before(herd: Serve) -> Iterator[None]:
    yield
    reload(herd, herd.configuration)


def reload(herd: Serve, configuration: str, how: str = "SIGHUP") -> None:
    """Put the file there and wait until Herd has read it."""
    herd.configuration_file.write_text(configuration)
    if how == "RELOAD":
        with psycopg.connect(**herd.endpoint.parameters(), autocommit=True) as operator:
            operator.execute("RELOAD")
        return
    seen = len(herd.log.read_text())
    herd.process.send(signal.SIGHUP)
    wait_until(lambda: "reloaded" in herd.log.read_text()[seen:], SECONDS_MAX, "Herd has read the file")


def settings(connection: psycopg.Connection) -> dict[str, str]:
    return dict(connection.execute("SHOW CONFIG").fetchall())


def servers(connection: psycopg.Connection) -> int:
    return len(connection.execute("SHOW SERVERS").fetchall())


@pytest.mark.parametrize("how", ["SIGHUP", "RELOAD"])
def test_pools_grow_and_shrink(herd: Serve, connect: Connect, how: str) -> None:
    clients = [connect() for _ in range(3)]
    reload(herd, herd.configuration.replace("size_max = 1", "size_max = 3"), how)
    for client in clients:
        client.execute("BEGIN")
        client.execute("SELECT 1")
    watching = connect()
    assert servers(watching) == 3
    reload(herd, herd.configuration, how)
    assert servers(watching) == 3, "nobody at work is interrupted"
    for client in clients:
        client.execute("COMMIT")
    wait_until(lambda: servers(watching) <= 1, SECONDS_MAX, "connections that are too many are closed")


def test_who_waits_gets_a_place_that_is_new(herd: Serve, connect: Connect) -> None:
    first, second = connect(), connect()
    first.execute("BEGIN")
    first.execute("SELECT 1")
    second.pgconn.send_query(b"SELECT 2")
    reload(herd, herd.configuration.replace("size_max = 1", "size_max = 2"))
    result = second.pgconn.get_result()
    assert result.get_value(0, 0) == b"2"
    second.pgconn.get_result()
    first.execute("COMMIT")


def test_listed_users_come_and_go(herd: Serve, node: Postgres) -> None:
    with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as direct:
        direct.execute("DROP ROLE IF EXISTS listed")
        direct.execute("CREATE ROLE listed LOGIN PASSWORD 'of the node'")
    listed = herd.endpoint.parameters() | {"user": "listed", "password": "of the node"}
    psycopg.connect(**listed).close()
    reload(herd, herd.configuration + '[[auth.users]]\nname = "listed"\npassword = "of the list"\n')
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**listed)
    reload(herd, herd.configuration)
    psycopg.connect(**listed).close()


def test_what_needs_a_restart_is_named_and_stays(herd: Serve, connect: Connect) -> None:
    connection = connect()
    before = settings(connection)
    changed = herd.configuration.replace("workers = 1", "workers = 2").replace('data_dir = "', 'data_dir = "/elsewhere')
    reload(herd, changed + "[timeouts]\nquery = \"77s\"\n")
    after = settings(connection)
    assert after["timeouts.query"] == "77s"
    assert {name for name in before if before[name] != after[name]} == {"timeouts.query"}
    last = herd.log.read_text().splitlines()[-1]
    assert "data_dir, listen.workers" in last
    assert "restart" in last


@pytest.mark.parametrize(
    "bad",
    ["this is no configuration", "[timeouts]\nquery = 7\n", '[tls]\ncertificate = "/missing"\nkey = "/missing"\n'],
    ids=["syntax", "value", "certificate"],
)
def test_bad_file_changes_nothing(herd: Serve, connect: Connect, bad: str) -> None:
    connection = connect()
    before = settings(connection)
    reload(herd, herd.configuration.replace("size_max = 1", "size_max = 9") + bad)
    assert "not reloaded" in herd.log.read_text().splitlines()[-1]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not reloaded"):
        connection.execute("RELOAD")
    assert settings(connection) == before
