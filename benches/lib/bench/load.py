"""The load: psql and pgbench, run against a target and read back."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import cpu_seconds
from bench.targets import Target
from harness.endpoint import Endpoint
from harness.process import resident_kb

#: Of so many transactions the latency is logged; a log of all would slow pgbench down.
LOGGED_SHARE = 0.2
#: Before anything counts: connections are opened, statements planned and caches filled.
WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Sample:
    """One run of pgbench."""

    cpu_us: float | None
    tps: float
    p99_ms: float
    rss_mb: float | None

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


def psql(endpoint: Endpoint, *statements: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"]
    for statement in statements:
        command += ["-c", statement]
    result = subprocess.run(command, env=endpoint.libpq_environment(), capture_output=True, text=True)
    if check and result.returncode != 0:
        raise RuntimeError(f"psql on port {endpoint.port}: {result.stderr.strip()}")
    return result


def give_same_verifier(servers: list[Endpoint]) -> None:
    """Lets who has logged in to the first server log in to the others with the same proof."""
    role = servers[0].user
    stored = psql(servers[0], f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'").stdout.strip()
    for server in servers[1:]:
        psql(server, f"ALTER ROLE {role} PASSWORD '{stored}'")


def initialise(endpoint: Endpoint, scale: int) -> None:
    """The tables of pgbench, with primary keys."""
    command = ["pgbench", "-i", "-q", "-s", str(scale)]
    result = subprocess.run(command, env=endpoint.libpq_environment(), capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"pgbench -i: {result.stderr.strip()}")


def select_only(target: Target, mode: str, clients: int, seconds: int) -> Sample:
    """`pgbench -S`, with the CPU that the proxy took meanwhile."""
    _pgbench(target.endpoint, mode, clients, WARM_UP_SECONDS, None)
    with tempfile.TemporaryDirectory(prefix="herd-bench-log-") as logs:
        before = cpu_seconds(target.pid) if target.pid else 0.0
        output = _pgbench(target.endpoint, mode, clients, seconds, Path(logs) / "t")
        used = cpu_seconds(target.pid) - before if target.pid else None
        transactions = int(_figure(r"transactions actually processed: (\d+)", output))
        failed = int(_figure(r"number of failed transactions: (\d+)", output))
        if failed or not transactions:
            raise RuntimeError(f"{target.name}: {failed} of {transactions} transactions failed")
        return Sample(
            cpu_us=None if used is None else used / transactions * 1e6,
            tps=float(_figure(r"tps = ([\d.]+)", output)),
            p99_ms=_p99_ms(Path(logs)),
            rss_mb=resident_kb(target.pid) / 1024 if target.pid else None,
        )


def _pgbench(endpoint: Endpoint, mode: str, clients: int, seconds: int, log: Path | None) -> str:
    command = ["pgbench", "-n", "-S", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(seconds)]
    if log is not None:
        command += ["-l", f"--log-prefix={log}", f"--sampling-rate={LOGGED_SHARE}"]
    result = subprocess.run(command, env=endpoint.libpq_environment(), capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} on port {endpoint.port}: {result.stderr.strip()}")
    return result.stdout


def _figure(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    if found is None:
        raise RuntimeError(f"pgbench did not print {pattern!r}:\n{output}")
    return found[1]


def _p99_ms(directory: Path) -> float:
    latencies = sorted(
        int(line.split()[2]) for path in directory.iterdir() for line in path.read_text().splitlines()
    )
    return latencies[len(latencies) * 99 // 100] / 1000 if latencies else 0.0
