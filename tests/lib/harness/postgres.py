"""A plain PostgreSQL server of our own: the oracle, and the nodes behind `herd serve`."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from harness.endpoint import Endpoint
from harness.process import Process, free_port, give_to_server_user, is_alive, server_user, wait_until

START_SECONDS_MAX = 60.0

#: What the tests need of a server; durability is not among it.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "max_prepared_transactions": "100",
    "wal_level": "logical",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


def binaries() -> Path:
    """The directory with `initdb` and `postgres`: `HERD_TEST_PG_BIN`, or the oldest that Debian installed."""
    if chosen := os.environ.get("HERD_TEST_PG_BIN"):
        return Path(chosen)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not installed:
        raise FileNotFoundError("no PostgreSQL server binaries; run tests/install")
    return installed[0].parent


class Postgres:
    """One server with superuser `herd`, password `herd`, database `herd`."""

    def __init__(self, directory: Path, settings: dict[str, str] | None = None):
        self.directory = directory
        self.data = directory / "data"
        self.endpoint = Endpoint("127.0.0.1", free_port())
        self._settings = SETTINGS | (settings or {})
        self._process: Process | None = None

    def __enter__(self) -> Postgres:
        if not self.data.exists():
            self._initialise()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _initialise(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        give_to_server_user(self.directory)
        with tempfile.NamedTemporaryFile("w", suffix=".password") as password:
            password.write(self.endpoint.password)
            password.flush()
            os.chmod(password.name, 0o644)
            initdb = [
                str(binaries() / "initdb"),
                "--no-sync",
                f"--pgdata={self.data}",
                f"--username={self.endpoint.user}",
                f"--pwfile={password.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ]
            subprocess.run(initdb, user=server_user(), cwd="/", check=True, stdout=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is started"
        return self._process.pid

    def start(self) -> None:
        command = [str(binaries() / "postgres"), "-D", str(self.data)]
        options = self._settings | {
            "port": str(self.endpoint.port),
            "listen_addresses": self.endpoint.host,
            "unix_socket_directories": "",
        }
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = Process(command, self.directory.parent / f"{self.directory.name}.log", user=server_user())
        wait_until(self._accepts, START_SECONDS_MAX, f"PostgreSQL in {self.directory} accepts connections")
        self._create_database()

    def _accepts(self) -> bool:
        assert self._process is not None
        if self._process.exit_code is not None:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._process.tail()}")
        return self._psql("postgres", "SELECT 1").returncode == 0

    def _create_database(self) -> None:
        exists = self._psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{self.endpoint.dbname}'")
        if exists.stdout.strip() != "1":
            self._psql("postgres", f"CREATE DATABASE {self.endpoint.dbname}").check_returncode()

    def _psql(self, dbname: str, sql: str) -> subprocess.CompletedProcess[str]:
        environment = self.endpoint.libpq_environment() | {"PGDATABASE": dbname}
        command = ["psql", "-XAtqc", sql]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(signal.SIGINT)

    def kill(self) -> None:
        """Crash: the postmaster by SIGKILL, whose children then end by themselves."""
        assert self._process is not None
        self._process.kill()
        wait_until(lambda: not processes_in(self.data), 10, "the backends of a killed postmaster are gone")


def postmaster_pid(data: Path) -> int | None:
    """The postmaster that its data directory names."""
    try:
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def processes_in(data: Path) -> list[int]:
    """The processes that work in a data directory: a postmaster and its children."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(data) and is_alive(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
