"""COPY FROM: a file of rows of 110 bytes, into one table."""

from __future__ import annotations

import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.load import psql
from bench.measure import cpu_seconds
from bench.targets import Target

ROW_BYTES = 110
TABLE = "bench_copy"
COLUMNS = "id bigint NOT NULL, account int NOT NULL, at timestamptz NOT NULL, note text, PRIMARY KEY (id)"


@dataclass(frozen=True)
class CopySample:
    rows_per_second: float
    #: Of the proxy.
    cpu_s_per_million: float | None

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


def write_rows(path: Path, rows: int) -> None:
    """Text format; every row has the same length, its newline included."""
    with path.open("w") as file:
        for number in range(rows):
            row = f"{number * 2654435761 % 10**12}\t{number % 1000}\t2024-01-01 00:00:00+00\t"
            file.write(row + "x" * (ROW_BYTES - 1 - len(row)) + "\n")


def copy_from(target: Target, path: Path, rows: int) -> CopySample:
    psql(target.endpoint, f"TRUNCATE {TABLE}")
    before = cpu_seconds(target.pid) if target.pid else 0.0
    start = time.monotonic()
    command = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c", f"COPY {TABLE} FROM STDIN"]
    with path.open("rb") as file:
        result = subprocess.run(command, env=target.endpoint.libpq_environment(), stdin=file, capture_output=True)
    seconds = time.monotonic() - start
    used = cpu_seconds(target.pid) - before if target.pid else None
    if result.returncode != 0:
        raise RuntimeError(f"{target.name}: {result.stderr.decode()}")
    stored = int(psql(target.endpoint, f"SELECT count(*) FROM {TABLE}").stdout) if target.pid is None else rows
    if stored != rows:
        raise RuntimeError(f"{target.name}: {stored} rows instead of {rows}")
    return CopySample(rows / seconds, None if used is None else used / rows * 1e6)
