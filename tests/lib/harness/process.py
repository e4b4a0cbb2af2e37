"""Child processes: started as the right user, watched, measured, and ended by their own id."""

from __future__ import annotations

import os
import pwd
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Whom servers run as when the tests run as root, because PostgreSQL refuses root.
SERVER_USER = "postgres"
STOP_SECONDS_MAX = 60.0


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def server_user() -> str | None:
    """The user that server processes must switch to, or None to stay who we are."""
    return SERVER_USER if os.geteuid() == 0 else None


@contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """A directory that the server user can reach and that is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def give_to_server_user(path: Path) -> None:
    if user := server_user():
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def wait_until(condition: Callable[[], bool], seconds_max: float, what: str) -> None:
    """Poll until `condition` holds; a `TimeoutError` names what did not happen."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds_max} s: {what}")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether `pid` still runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def resident_kb(pid: int) -> int:
    """How much memory the process occupies now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def open_files(pid: int) -> int:
    """How many descriptors the process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Process:
    """A running program whose output goes to a log file, line by line."""

    def __init__(self, command: list[str], log: Path, user: str | None = None, environment: dict[str, str] | None = None):
        self.command = command
        self.log = log
        self._lines: queue.Queue[str] = queue.Queue()
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            env=environment,
            cwd="/",
            start_new_session=True,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._drain, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll()

    def _drain(self) -> None:
        with self.log.open("a") as log:
            for line in self._popen.stdout or ():
                log.write(line)
                log.flush()
                self._lines.put(line)

    def wait_for_line(self, beginning: str, seconds_max: float) -> str:
        """The next line that starts with `beginning`; fails at once if the program ends before."""
        deadline = time.monotonic() + seconds_max
        while True:
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                if self.exit_code is not None and self._lines.empty():
                    raise RuntimeError(f"{self.command[0]} ended with {self.exit_code}:\n{self.tail()}") from None
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no line starting {beginning!r} within {seconds_max} s:\n{self.tail()}") from None
                continue
            if line.startswith(beginning):
                return line.rstrip("\n")

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds_max: float = STOP_SECONDS_MAX) -> int:
        """Ask to end and wait; the exit code. Raises if it had to be killed."""
        if self.exit_code is not None:
            return self.exit_code
        self.send(number)
        try:
            return self._popen.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.command[0]} did not stop within {seconds_max} s:\n{self.tail()}") from None

    def kill(self) -> None:
        """End it without a warning, as `kill -9` does."""
        self._popen.kill()
        self._popen.wait()
