"""Statements that concern several nodes, beside the same on one plain server."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.load import psql
from bench.targets import Target
from harness.endpoint import Endpoint

TABLE = "bench_several"
COLUMNS = "id bigint PRIMARY KEY, amount int, note text"
ROW = r"g, g * 7919 % 1000003, 'row number ' || g"
#: Rows that are inserted at a time, and changed by a condition that is not on the key.
INSERTED, CHANGED = 100, 3_000


@dataclass(frozen=True)
class Work:
    """A script of pgbench, and how often it is run."""

    name: str
    script: str
    runs: int


def fill(target: Target, rows: int, fragments: int | None) -> None:
    cut = "" if fragments is None else f" PARTITION BY HASH (id) WITH (herd.fragments = {fragments})"
    psql(target.endpoint, f"CREATE TABLE {TABLE} ({COLUMNS}){cut}")
    source = ["psql", "-Xqc", f"COPY (SELECT {ROW} FROM generate_series(1, {rows}) g) TO STDOUT"]
    sink = ["psql", "-Xqc", f"COPY {TABLE} FROM STDIN"]
    environment = target.endpoint.libpq_environment()
    reader = subprocess.Popen(source, env=environment, stdout=subprocess.PIPE)
    subprocess.run(sink, env=environment, stdin=reader.stdout, check=True)
    reader.wait()
    psql(target.endpoint, f"ANALYZE {TABLE}")


def keys_of_two_nodes(herd: Endpoint) -> tuple[int, int]:
    """The first key, and one that another node has."""
    nodes = {}
    for key in range(1, 100):
        where = psql(herd, f"EXPLAIN (HERD) SELECT * FROM {TABLE} WHERE id = {key}").stdout.splitlines()[0]
        nodes.setdefault(where, key)
        if len(nodes) == 2:
            return tuple(nodes.values())
    raise RuntimeError("all keys lie on one node")


def works(rows: int, keys_apart: tuple[int, int]) -> list[Work]:
    one, other = keys_apart
    change = f"UPDATE {TABLE} SET amount = amount + 1 WHERE id = "
    keys = "".join(f"\\set k{number} :base + {number}\n" for number in range(INSERTED))
    values = ", ".join(f"(:k{number}, {number}, 'new')" for number in range(INSERTED))
    insert = f"\\set base random(1, 1000000000) * {INSERTED} + {rows}\n{keys}INSERT INTO {TABLE} VALUES {values};"
    return [
        Work(f"{rows:,} rows in order", f"SELECT * FROM {TABLE} ORDER BY id;", 3),
        Work("the first 10 of an order", f"SELECT * FROM {TABLE} ORDER BY amount DESC LIMIT 10;", 10),
        Work("count and sum", f"SELECT count(*), sum(amount) FROM {TABLE};", 10),
        Work(f"INSERT of {INSERTED} rows", insert, 50),
        Work(f"UPDATE of {CHANGED:,} rows", f"UPDATE {TABLE} SET amount = amount + 1 WHERE id + 0 <= {CHANGED};", 10),
        Work("transaction of two rows on one node", f"BEGIN;\n{change}{one};\n{change}{one};\nCOMMIT;", 100),
        Work("transaction of two rows on two nodes", f"BEGIN;\n{change}{one};\n{change}{other};\nCOMMIT;", 100),
    ]


def milliseconds(target: Target, work: Work, folder: Path) -> float:
    """The average of the runs."""
    script = folder / "several.sql"
    script.write_text(work.script + "\n")
    command = ["pgbench", "-n", "-c", "1", "-t", str(work.runs), "-f", str(script)]
    result = subprocess.run(command, env=target.endpoint.libpq_environment(), capture_output=True, text=True)
    found = re.search(r"latency average = ([\d.]+) ms", result.stdout)
    if result.returncode != 0 or found is None:
        raise RuntimeError(f"{target.name}: {work.name}: {result.stderr.strip()}")
    return float(found[1])
