"""pgbench: initialisation, and its three protocol modes with the built-in and other scripts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.endpoint import Endpoint

MODES = pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
CLIENTS = 8
TRANSACTIONS = 50


def pgbench(endpoint: Endpoint, *arguments: str) -> str:
    command = ["pgbench", *arguments]
    environment = endpoint.libpq_environment()
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


def psql(endpoint: Endpoint, sql: str) -> str:
    environment = endpoint.libpq_environment()
    return subprocess.run(["psql", "-XAtc", sql], env=environment, capture_output=True, text=True, check=True).stdout.strip()


def run_all(endpoint: Endpoint, *arguments: str, transactions: int = TRANSACTIONS) -> None:
    """A run in which no transaction fails."""
    printed = pgbench(endpoint, f"--client={CLIENTS}", "--jobs=2", f"--transactions={transactions}", *arguments)
    total = CLIENTS * transactions
    assert f"number of transactions actually processed: {total}/{total}" in printed
    assert "number of failed transactions: 0 (0.000%)" in printed


@pytest.fixture(scope="module", autouse=True)
def tables(endpoint: Endpoint) -> Iterator[None]:
    pgbench(endpoint, "--initialize", "--init-steps=dtgvpf", "--scale=1", "--quiet")
    yield
    pgbench(endpoint, "--initialize", "--init-steps=d")


@pytest.mark.parametrize("steps", ["dtgvp", "dtGvpf"], ids=["client-side", "server-side"])
def test_initialisation_fills_the_tables(endpoint: Endpoint, steps: str) -> None:
    printed = pgbench(endpoint, "--initialize", f"--init-steps={steps}", "--scale=1")
    assert "done in" in printed
    assert psql(endpoint, "SELECT count(*) FROM pgbench_accounts") == "100000"


def test_initialisation_of_a_partitioned_table(endpoint: Endpoint) -> None:
    pgbench(endpoint, "--initialize", "--scale=1", "--partitions=3", "--partition-method=hash", "--quiet")
    assert psql(endpoint, "SELECT count(*) FROM pgbench_accounts") == "100000"
    run_all(endpoint)


@MODES
def test_money_is_neither_made_nor_lost(endpoint: Endpoint, mode: str) -> None:
    run_all(endpoint, f"--protocol={mode}")
    sums = psql(
        endpoint,
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)"
        " AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)",
    )
    assert sums == "t"


@MODES
def test_select_only(endpoint: Endpoint, mode: str) -> None:
    run_all(endpoint, "--builtin=select-only", f"--protocol={mode}")


@MODES
def test_new_connection_for_every_transaction(endpoint: Endpoint, mode: str) -> None:
    run_all(endpoint, "--builtin=select-only", "--connect", f"--protocol={mode}", transactions=10)


@pytest.mark.parametrize("mode", ["extended", "prepared"])
def test_pipeline(endpoint: Endpoint, mode: str, tmp_path: Path) -> None:
    script = tmp_path / "pipeline.sql"
    script.write_text(
        "\\set aid random(1, 100000)\n\\startpipeline\n"
        + "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n" * 10
        + "\\endpipeline\n"
    )
    run_all(endpoint, f"--file={script}", f"--protocol={mode}")


def test_serialisation_failures_are_retried(endpoint: Endpoint, tmp_path: Path) -> None:
    script = tmp_path / "serializable.sql"
    script.write_text(
        "BEGIN ISOLATION LEVEL SERIALIZABLE;\n"
        "UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1;\nCOMMIT;\n"
    )
    before = int(psql(endpoint, "SELECT bbalance FROM pgbench_branches"))
    printed = pgbench(endpoint, "--no-vacuum", "--client=4", "--transactions=20", "--max-tries=1000", f"--file={script}")
    assert re.search(r"processed: 80/80", printed)
    assert int(psql(endpoint, "SELECT bbalance FROM pgbench_branches")) == before + 80
