"""Operating Herd: who may, what shows, and what never shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import wait_until

from .conftest import Connect, StartHerd

PASSWORD = "s3cret-of-the-role"
VALUE = "s3cret-of-a-parameter"
LITERAL = "s3cret-in-a-statement"


@pytest.fixture(scope="module")
def roles(node: Postgres) -> None:
    """`plain` may nothing in particular, `operator` is named in `auth.admin_users`."""
    with psycopg.connect(**node.endpoint.parameters(), autocommit=True) as connection:
        for name in ("plain", "operator"):
            connection.execute(f"DROP ROLE IF EXISTS {name}")
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd, roles: None) -> Iterator[Serve]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUST_LOG", "trace")
        herd = start_herd('[pool]\nsize_max = 8\n')
    yield herd


def as_role(herd: Serve, role: str) -> dict[str, object]:
    return herd.endpoint.parameters() | {"user": role, "password": PASSWORD}


def test_secrets_are_in_no_log(herd: Serve, node: Postgres, connect: Connect) -> None:
    with psycopg.connect(**as_role(herd, "plain"), autocommit=True) as plain:
        assert plain.execute("SELECT %s::text", [VALUE]).fetchone() == (VALUE,)
        plain.execute(f"ALTER ROLE plain PASSWORD '{PASSWORD}'")
    connection = connect()
    connection.execute("DROP ROLE IF EXISTS made_through_herd")
    connection.execute(f"CREATE ROLE made_through_herd LOGIN PASSWORD '{LITERAL}'")
    connection.execute("DROP ROLE made_through_herd")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**as_role(herd, "plain") | {"password": "s3cret-and-wrong"})
    with psycopg.connect(**node.endpoint.parameters()) as direct:
        verifiers = [row[0] for row in direct.execute("SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")]
    log = herd.log.read_text()
    assert "DEBUG" in log
    for secret in (PASSWORD, VALUE, LITERAL, "s3cret-and-wrong", *verifiers):
        assert secret not in log
        assert secret.rpartition("$")[2] not in log


@pytest.mark.parametrize(
    "sql",
    [
        f"ALTER ROLE plain PASSWORD '{LITERAL}' VALID UNTIL '2099-01-01'",
        f"ALTER ROLE plain ENCRYPTED PASSWORD $x${LITERAL}$x$",
        f"ALTER ROLE plain password E'{LITERAL}'",
        f"DO $$ BEGIN EXECUTE 'ALTER ROLE plain PASSWORD ''{LITERAL}'''; END $$",
    ],
    ids=["literal", "dollars", "escapes", "nested"],
)
def test_passwords_are_not_in_show_queries_or_show_jobs(herd: Serve, connect: Connect, sql: str) -> None:
    busy, watching = connect(), connect()
    busy.execute("BEGIN")
    busy.execute(sql)
    shown = [row[-1] for row in watching.execute("SHOW QUERIES").fetchall()]
    assert any("ROLE plain" in text or text.startswith("DO") for text in shown)
    assert not any(LITERAL in text for text in shown)
    assert LITERAL not in str(watching.execute("SHOW JOBS").fetchall())
    busy.execute("ROLLBACK")


def test_others_do_not_see_statements(herd: Serve, connect: Connect) -> None:
    busy = connect()
    busy.execute("BEGIN")
    busy.execute("SELECT 'of nobody else'")
    with psycopg.connect(**as_role(herd, "plain"), autocommit=True) as plain:
        rows = plain.execute("SHOW QUERIES").fetchall()
    assert "<insufficient privilege>" in [row[-1] for row in rows if row[1] == "herd"]


@pytest.mark.parametrize("command", ["PAUSE", "RESUME", "RELOAD", "DRAIN"])
@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "extended"])
def test_only_operators_operate(herd: Serve, command: str, prepare: bool) -> None:
    with psycopg.connect(**as_role(herd, "plain"), autocommit=True) as plain:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute(command, prepare=prepare)
        assert plain.execute("SELECT 1").fetchone() == (1,)


def test_operators_of_the_configuration_operate(start_herd: StartHerd, roles: None) -> None:
    herd = start_herd("")
    herd.stop()
    herd.configuration = herd.configuration.replace("[auth]\n", '[auth]\nadmin_users = ["operator"]\n')
    herd.start()
    with psycopg.connect(**as_role(herd, "operator"), autocommit=True) as operator, psycopg.connect(**herd.endpoint.parameters(), autocommit=True) as client:
        operator.execute("RELOAD")
        operator.execute("PAUSE")
        with ThreadPoolExecutor() as pool:
            held = pool.submit(client.execute, "SELECT 1")
            time.sleep(0.5)
            assert not held.done()
            operator.execute("RESUME")
            assert held.result(timeout=10).fetchone() == (1,)
        operator.execute("DRAIN")
    wait_until(lambda: herd.process.exit_code is not None, 10, "DRAIN ends Herd")


def test_clients_of_a_unix_socket(start_herd: StartHerd, tmp_path: Path) -> None:
    herd = start_herd("")
    herd.stop()
    herd.configuration = herd.configuration.replace("[listen]\n", f'[listen]\nunix_directory = "{herd.directory}"\n')
    herd.start()
    parameters = herd.endpoint.parameters() | {"host": str(herd.directory)}
    with psycopg.connect(**parameters, autocommit=True, application_name="local") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        clients = {row[4]: row[3] for row in connection.execute("SHOW CLIENTS").fetchall()}
        assert clients["local"] == "[local]"
        with ThreadPoolExecutor() as pool:
            sleeping = pool.submit(connection.execute, "SELECT pg_sleep(20)")
            time.sleep(0.3)
            connection.cancel()
            with pytest.raises(psycopg.errors.QueryCanceled):
                sleeping.result(timeout=5)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**parameters | {"password": "wrong"})
    herd.stop()
    assert not list(herd.directory.glob(".s.PGSQL.*"))


def test_clients_beyond_those_who_may_wait_are_refused_at_once(start_herd: StartHerd) -> None:
    herd = start_herd('[pool]\nsize_max = 1\nwaiting_max = 2\nwait_max = "30s"\n')
    parameters = herd.endpoint.parameters()
    connections = [psycopg.connect(**parameters, autocommit=True) for _ in range(4)]
    holder, *others, late = connections
    holder.execute("BEGIN")
    holder.execute("SELECT 1")
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(other.execute, "SELECT 1") for other in others]
        time.sleep(0.5)
        began = time.monotonic()
        with pytest.raises(psycopg.errors.TooManyConnections):
            late.execute("SELECT 1")
        assert time.monotonic() - began < 2
        holder.execute("COMMIT")
        assert [each.result(timeout=10).fetchone() for each in waiting] == [(1,), (1,)]
    assert late.execute("SELECT 1").fetchone() == (1,), "a refused statement is not the end of its client"
    for connection in connections:
        connection.close()


def test_only_a_clients_own_statement_is_ever_cancelled(start_herd: StartHerd) -> None:
    """Half of the clients cancel at any moment, also when nothing of theirs runs; the others never hear of it."""
    herd = start_herd('[pool]\nsize_max = 4\n')
    parameters = herd.endpoint.parameters()
    over = time.monotonic() + 6
    cancelled: list[int] = []

    def work(number: int) -> None:
        cancels = number % 2 == 0
        with psycopg.connect(**parameters, autocommit=True) as connection:
            ended = threading.Event()

            def cancel() -> None:
                while not ended.wait(0.001 * (number + 1)):
                    connection.cancel()

            canceller = threading.Thread(target=cancel)
            if cancels:
                canceller.start()
            try:
                while time.monotonic() < over:
                    try:
                        assert connection.execute("SELECT %s::int FROM pg_sleep(0.003)", [number]).fetchone() == (number,)
                    except psycopg.errors.QueryCanceled:
                        assert cancels, "somebody else's cancel request"
                        cancelled.append(number)
            finally:
                ended.set()
                if cancels:
                    canceller.join()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert len(set(cancelled)) == 6
