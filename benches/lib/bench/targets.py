"""What is measured: a server itself, and the two proxies in front of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from harness.endpoint import Endpoint
from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import Process, free_port, give_to_server_user, server_user, wait_until

#: Server connections that each proxy may open.
POOL_CONNECTIONS = 16
#: More than the idle clients that are held at once.
CLIENTS_MAX = 12_000
START_SECONDS_MAX = 20.0

#: Durable, as in production; nothing is tuned for the benchmark but what it would only disturb.
SERVER_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "jit": "off",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Target:
    """Somewhere to connect to; `pid` is the process whose CPU counts, None for a server itself."""

    name: str
    endpoint: Endpoint
    pid: int | None
    #: Whether prepared statements survive from one transaction to the next.
    prepares: bool = True

    def with_database(self, name: str) -> Target:
        return replace(self, endpoint=replace(self.endpoint, dbname=name))


def start_server(directory: Path) -> Postgres:
    server = Postgres(directory, SERVER_SETTINGS)
    server.__enter__()
    return server


class PgBouncer:
    """Debian's PgBouncer, transaction pooling, SCRAM on both sides."""

    def __init__(self, directory: Path, server: Endpoint):
        self.directory = directory
        self.server = server
        self.endpoint = Endpoint("127.0.0.1", free_port(), server.user, server.password, server.dbname)
        self._process: Process | None = None

    def __enter__(self) -> PgBouncer:
        self.directory.mkdir()
        users = self.directory / "users.txt"
        users.write_text(f'"{self.server.user}" "{self.server.password}"\n')
        configuration = self.directory / "pgbouncer.ini"
        configuration.write_text(self._configuration(users))
        for path in (self.directory, users, configuration):
            give_to_server_user(path)
        log = self.directory.parent / "pgbouncer.log"
        self._process = Process([_pgbouncer(), "-q", str(configuration)], log, user=server_user())
        wait_until(lambda: accepts(self.endpoint), START_SECONDS_MAX, "PgBouncer accepts connections")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None, "PgBouncer is started"
        return self._process.pid

    def _configuration(self, users: Path) -> str:
        server = self.server
        return f"""\
[databases]
* = host={server.host} port={server.port}

[pgbouncer]
listen_addr = {self.endpoint.host}
listen_port = {self.endpoint.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {POOL_CONNECTIONS}
max_client_conn = {CLIENTS_MAX}
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""


def _pgbouncer() -> str:
    for path in ("/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"):
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError("no pgbouncer; apt-get install pgbouncer")


class Herd(Serve):
    """`herd serve` in front of the given servers; the first is the home node."""

    def __init__(self, directory: Path, servers: list[Endpoint], workers: int | None):
        super().__init__(directory, servers[0], "")
        home = servers[0]
        self.endpoint = Endpoint(self.endpoint.host, self.endpoint.port, home.user, home.password, home.dbname)
        threads = '"auto"' if workers is None else str(workers)
        nodes = "".join(
            f'\n[[nodes]]\nname = "n{number}"\nhost = "{server.host}"\nport = {server.port}\n'
            for number, server in enumerate(servers, 1)
        )
        self.configuration = f"""\
data_dir = "{directory}/catalog"

[listen]
addresses = ["{self.endpoint.host}:{self.endpoint.port}"]
http = ""
workers = {threads}

[auth]
control_user = "{home.user}"
control_password = "{home.password}"
control_database = "{home.dbname}"

[pool]
size_max = {POOL_CONNECTIONS}

[limits]
clients_max = {CLIENTS_MAX}
unauthenticated_per_address_max = {CLIENTS_MAX}
{nodes}"""

    def start(self) -> None:
        (self.directory / "catalog").mkdir(parents=True, exist_ok=True)
        super().start()


def accepts(endpoint: Endpoint) -> bool:
    from bench.load import psql

    return psql(endpoint, "SELECT 1", check=False).returncode == 0
