"""Starts everything, alternates the targets, and reports."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import copy, idle, load, several
from bench.measure import median
from bench.report import number, print_table, ratio
from bench.targets import Herd, PgBouncer, Target, start_server
from harness import herd as built
from harness.endpoint import Endpoint
from harness.process import resident_kb, scratch_directory

PGBENCH_SCALE = 10
ROUTED_FRAGMENTS = 12
NODES = 3
#: pgbench's accounts, in the same order of columns.
ROUTED_TABLES = (
    "CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88))",
    "INSERT INTO pgbench_branches VALUES (1, 0)",
    "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) "
    f"PARTITION BY HASH (aid) WITH (herd.fragments = {ROUTED_FRAGMENTS})",
)
#: The same table in one plain server, so that a server has the same work with a statement.
PARTITIONED_DATABASE = "partitioned"
PARTITIONED_TABLES = (
    *ROUTED_TABLES[:2],
    "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) PARTITION BY HASH (aid)",
    *(
        f"CREATE TABLE pgbench_accounts_{number} PARTITION OF pgbench_accounts "
        f"FOR VALUES WITH (MODULUS {ROUTED_FRAGMENTS}, REMAINDER {number})"
        for number in range(ROUTED_FRAGMENTS)
    ),
)


def main() -> int:
    options = _options()
    results: dict[str, object] = {"machine": _machine(), "options": {key: str(value) for key, value in vars(options).items()}}
    with scratch_directory("herd-bench") as scratch, ExitStack() as stack:
        bench = _Bench(options, scratch, stack)
        if "select" in options.only:
            results["select"] = bench.select()
        if "idle" in options.only:
            results["idle"] = bench.idle()
        if "copy" in options.only:
            results["copy"] = bench.copy()
        if "several" in options.only:
            results["several"] = bench.several()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\n{options.output}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="of each pgbench run")
    parser.add_argument("--rounds", type=int, default=3, help="of all targets in turn; medians are reported")
    parser.add_argument("--clients", type=_numbers, default=[1, 8, 32, 256])
    parser.add_argument("--modes", type=_words, default=["simple", "extended", "prepared"])
    parser.add_argument("--only", type=_words, default=["select", "idle", "copy", "several"])
    parser.add_argument("--idle-clients", type=int, default=10_000)
    parser.add_argument("--copy-rows", type=int, default=1_000_000)
    parser.add_argument("--several-rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=None, help="threads of Herd; its own default if not given")
    parser.add_argument("--quick", action="store_true", help="one short round with 8 clients, and little data")
    parser.add_argument("--without-herd", action="store_true", help="only PgBouncer and the server itself")
    parser.add_argument("--output", type=Path, default=built.REPOSITORY / "target/bench.json")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.clients = 1, 1, [8]
        options.idle_clients, options.copy_rows, options.several_rows = 500, 100_000, 100_000
    if not options.without_herd and built.binary() is None:
        parser.error("no herd binary: build one (cargo build --release), or give --without-herd")
    return options


def _words(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _machine() -> dict[str, object]:
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=built.REPOSITORY)
    return {"system": platform.platform(), "cores": len(_cores()), "revision": revision.stdout.strip(), "binary": str(built.binary())}


def _cores() -> list[str]:
    return [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor")]


class _Bench:
    def __init__(self, options: argparse.Namespace, scratch: Path, stack: ExitStack):
        self.options = options
        self.scratch = scratch
        self.stack = stack
        self.plain = self._server("plain")
        load.initialise(self.plain.endpoint, PGBENCH_SCALE)
        load.psql(self.plain.endpoint, f"CREATE DATABASE {PARTITIONED_DATABASE}")
        partitioned = replace(self.plain.endpoint, dbname=PARTITIONED_DATABASE)
        load.psql(partitioned, *PARTITIONED_TABLES)
        self._fill_accounts(partitioned)
        bouncer = stack.enter_context(PgBouncer(scratch / "pgbouncer", self.plain.endpoint))
        self.direct = Target("direct", self.plain.endpoint, None)
        self.bouncer = Target("pgbouncer", bouncer.endpoint, bouncer.pid, prepares=False)
        self.forwarding = None if options.without_herd else self._herd("forwarding", [self.plain.endpoint])
        self._routing: Target | None = None

    def _server(self, name: str):
        server = start_server(self.scratch / name)
        self.stack.callback(server.stop)
        return server

    def _herd(self, name: str, servers: list[Endpoint]) -> Target:
        herd = self.stack.enter_context(Herd(self.scratch / name, servers, self.options.workers))
        return Target("herd", herd.endpoint, herd.pid)

    def routing(self) -> Target | None:
        """Herd in front of three nodes, with pgbench's accounts fragmented over them."""
        if self._routing is None and not self.options.without_herd:
            nodes = [self._server(f"node{number}").endpoint for number in range(1, NODES + 1)]
            load.give_same_verifier(nodes)
            self._routing = self._herd("routing", nodes)
            load.psql(self._routing.endpoint, *ROUTED_TABLES)
            self._fill_accounts(self._routing.endpoint)
        return self._routing

    def _fill_accounts(self, endpoint: Endpoint) -> None:
        """The same accounts as in the plain server."""
        source = ["psql", "-Xqc", "COPY pgbench_accounts TO STDOUT"]
        sink = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c", "COPY pgbench_accounts FROM STDIN"]
        reader = subprocess.Popen(source, env=self.plain.endpoint.libpq_environment(), stdout=subprocess.PIPE)
        subprocess.run(sink, env=endpoint.libpq_environment(), stdin=reader.stdout, check=True)
        reader.wait()

    def select(self) -> list[dict[str, object]]:
        """`pgbench -S`, forwarded to one node and routed to three."""
        results = []
        for workload, herd in (("forwarded", self.forwarding), ("routed", self.routing())):
            if workload == "routed" and herd is None:
                continue
            others = (self.direct, self.bouncer)
            if workload == "routed":
                others = tuple(target.with_database(PARTITIONED_DATABASE) for target in others)
            targets = [target for target in (*others, herd) if target is not None]
            rows = []
            for mode in self.options.modes:
                for clients in self.options.clients:
                    cell = self._cell(targets, mode, clients)
                    results += [{"workload": workload, "mode": mode, "clients": clients, "target": name, **figures} for name, figures in cell.items()]
                    rows += _select_rows(mode, clients, cell)
            header = ["mode, clients", "target", "CPU µs/tx", "of PgBouncer's", "tps", "p99 ms", "RSS MB"]
            print_table(f"pgbench -S, {workload}", header, rows)
        return results

    def _cell(self, targets: list[Target], mode: str, clients: int) -> dict[str, dict[str, float | None]]:
        """Medians by target. PgBouncer keeps no prepared statements: its extended mode stands in."""
        samples: dict[str, list[load.Sample]] = {target.name: [] for target in targets}
        for _ in range(self.options.rounds):
            for target in targets:
                usable = mode if target.prepares else mode.replace("prepared", "extended")
                samples[target.name].append(load.select_only(target, usable, clients, self.options.seconds))
                print(".", end="", file=sys.stderr, flush=True)
        figures = samples[targets[0].name][0].as_json()
        return {name: {key: median(sample.as_json()[key] for sample in runs) for key in figures} for name, runs in samples.items()}

    def idle(self) -> list[dict[str, object]]:
        """What clients that do nothing cost in memory."""
        count = self.options.idle_clients
        results, rows = [], []
        for target in (self.bouncer, self.forwarding):
            if target is None or target.pid is None:
                continue
            before = resident_kb(target.pid)
            with idle.IdleClients(target.endpoint, count):
                after = resident_kb(target.pid)
            each = (after - before) / count
            results.append({"target": target.name, "clients": count, "before_kb": before, "after_kb": after, "kb_per_client": each})
            rows.append([target.name, number(count, 0), number(before / 1024), number(after / 1024), number(each, 2)])
        print_table("Idle clients", ["target", "clients", "RSS before, MB", "RSS with them, MB", "kB each"], rows)
        return results

    def copy(self) -> list[dict[str, object]]:
        """COPY FROM into one plain server, and through Herd into three nodes."""
        rows = self.options.copy_rows
        path = self.scratch / "rows.txt"
        copy.write_rows(path, rows)
        load.psql(self.direct.endpoint, f"CREATE TABLE {copy.TABLE} ({copy.COLUMNS})")
        targets = [self.direct, self.bouncer]
        if (routing := self.routing()) is not None:
            fragmented = f"CREATE TABLE {copy.TABLE} ({copy.COLUMNS}) PARTITION BY HASH (id) WITH (herd.fragments = {ROUTED_FRAGMENTS})"
            load.psql(routing.endpoint, fragmented)
            targets.append(routing)
        samples: dict[str, list[copy.CopySample]] = {target.name: [] for target in targets}
        for _ in range(self.options.rounds):
            for target in targets:
                samples[target.name].append(copy.copy_from(target, path, rows))
        results, table = [], []
        direct = median(sample.rows_per_second for sample in samples["direct"])
        for name, runs in samples.items():
            speed = median(run.rows_per_second for run in runs)
            cpu = median(run.cpu_s_per_million for run in runs)
            results.append({"target": name, "rows": rows, "rows_per_second": speed, "cpu_s_per_million": cpu})
            table.append([name, number(speed, 0), ratio(speed, direct), number(cpu, 2)])
        header = ["target", "rows/s", "of direct", "proxy CPU s per million rows"]
        print_table(f"COPY FROM, {rows:,} rows of {copy.ROW_BYTES} bytes (Herd: into {NODES} nodes)", header, table)
        return results

    def several(self) -> list[dict[str, object]]:
        """What concerns several nodes, beside the same on one plain server."""
        if (routing := self.routing()) is None or routing.pid is None:
            return []
        rows = self.options.several_rows
        several.fill(self.direct, rows, None)
        several.fill(routing, rows, ROUTED_FRAGMENTS)
        before = resident_kb(routing.pid)
        results, table = [], []
        for work in several.works(rows, several.keys_of_two_nodes(routing.endpoint)):
            samples: dict[str, list[float]] = {"direct": [], "herd": []}
            for _ in range(self.options.rounds):
                for name, target in (("direct", self.direct), ("herd", routing)):
                    samples[name].append(several.milliseconds(target, work, self.scratch))
            direct, herd = median(samples["direct"]), median(samples["herd"])
            results.append({"work": work.name, "direct_ms": direct, "herd_ms": herd})
            table.append([work.name, number(direct, 2), number(herd, 2), ratio(herd, direct)])
        grown = (resident_kb(routing.pid) - before) / 1024
        print_table(f"Over {NODES} nodes (RSS grew by {grown:.1f} MB)", ["statement", "direct ms", "Herd ms", "of direct"], table)
        return results


def _select_rows(mode: str, clients: int, cell: dict[str, dict[str, float | None]]) -> list[list[str]]:
    bouncer = cell["pgbouncer"]["cpu_us"]
    rows = []
    for name, figures in cell.items():
        stands_in = name == "pgbouncer" and mode == "prepared"
        rows.append(
            [
                f"{mode}, {clients}",
                f"{name} (extended)" if stands_in else name,
                number(figures["cpu_us"]),
                ratio(figures["cpu_us"], bouncer) if name == "herd" else "",
                number(figures["tps"], 0),
                number(figures["p99_ms"], 2),
                number(figures["rss_mb"]),
            ]
        )
    return rows
