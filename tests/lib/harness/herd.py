"""Herd itself: `herd demo` with embedded nodes, and `herd serve` in front of given ones."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.endpoint import Endpoint
from harness.postgres import postmaster_pid, processes_in
from harness.process import Process, free_port, server_user, wait_until

READY_LINE = "herd: ready"
READY_SECONDS_MAX = 120.0
REPOSITORY = Path(__file__).resolve().parents[3]


def binary() -> Path | None:
    """`HERD_BINARY`, or what cargo built last in this checkout."""
    if chosen := os.environ.get("HERD_BINARY"):
        return Path(chosen)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    built = [path for path in (target / "release/herd", target / "debug/herd") if path.exists()]
    return max(built, key=lambda path: path.stat().st_mtime, default=None)


class _Running:
    """What both ways of running Herd have in common."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.endpoint = Endpoint("127.0.0.1", free_port())
        self.http_port = free_port()
        self._process: Process | None = None

    def _command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._process = Process(self._command(), self.log)

    def wait_until_ready(self) -> None:
        self.process.wait_for_line(READY_LINE, READY_SECONDS_MAX)

    @property
    def log(self) -> Path:
        return self.directory.parent / f"{self.directory.name}.log"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def process(self) -> Process:
        assert self._process is not None, "Herd is started"
        return self._process

    def stop(self) -> int:
        return self.process.stop(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()


@dataclass(frozen=True)
class Node:
    """One embedded PostgreSQL, reached behind Herd's back."""

    data: Path

    @property
    def endpoint(self) -> Endpoint:
        port = (self.data / "postmaster.pid").read_text().splitlines()[3]
        return Endpoint("127.0.0.1", int(port))

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        return processes_in(self.data)

    def pause(self) -> None:
        """Let it hang: connections stay open, and nothing answers."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Crash it: every process at once, as when the machine goes."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_until(lambda: not self.processes(), 10, f"the node in {self.data} is gone")

    def stop_now(self) -> None:
        if (pid := postmaster_pid(self.data)) and pid in self.processes():
            os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not self.processes(), 20, f"the node in {self.data} is gone")

    def start(self) -> None:
        """Start it again as it was started, unless Herd has done so."""
        # A killed postmaster holds its lock file until its parent has taken notice of its death.
        wait_until(self._starts, 20, f"the node in {self.data} starts again")

    def _starts(self) -> bool:
        command = shlex.split((self.data / "postmaster.opts").read_text())
        started = subprocess.Popen(
            command,
            user=server_user(),
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            started.wait(1)
        except subprocess.TimeoutExpired:
            return True
        return bool(self.processes())


class Demo(_Running):
    """`herd demo --empty`: three embedded nodes and Herd before them."""

    def __init__(self, directory: Path, nodes: int = 3):
        super().__init__(directory)
        self.node_count = nodes

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.sweep()

    def _command(self) -> list[str]:
        return [
            str(binary()),
            "demo",
            f"--dir={self.directory}",
            f"--listen={self.endpoint.host}:{self.endpoint.port}",
            f"--http=127.0.0.1:{self.http_port}",
            f"--nodes={self.node_count}",
            "--empty",
        ]

    def nodes(self) -> list[Node]:
        """The embedded nodes, the home node first."""
        data = sorted(path.parent.parent for path in self.directory.rglob("global/pg_control"))
        return [Node(each) for each in data]

    def sweep(self) -> None:
        """End nodes that a killed Herd left behind."""
        for node in self.nodes():
            node.resume()
            node.stop_now()


CONFIGURATION = """
data_dir = "{directory}"
[listen]
addresses = ["127.0.0.1:{port}"]
http = "127.0.0.1:{http}"
workers = 1
[auth]
control_user = "{node.user}"
control_password = "{node.password}"
control_database = "{node.dbname}"
[[nodes]]
name = "n1"
host = "{node.host}"
port = {node.port}
"""


class Serve(_Running):
    """`herd serve` with one worker in front of one PostgreSQL, and settings of the test's own."""

    def __init__(self, directory: Path, node: Endpoint, settings: str):
        super().__init__(directory)
        places = {"directory": directory, "port": self.endpoint.port, "http": self.http_port, "node": node}
        self.configuration = CONFIGURATION.format(**places) + settings

    def successor(self) -> Serve:
        """Another Herd for the same place, not started yet."""
        other = copy(self)
        other._process = None
        return other

    @property
    def configuration_file(self) -> Path:
        return self.directory / "proxy.toml"

    def _command(self) -> list[str]:
        self.configuration_file.write_text(self.configuration)
        return [str(binary()), "serve", f"--config={self.configuration_file}"]
