"""Queries that nobody would write, from sqlsmith: nothing crashes, hangs or loses its place in the protocol.

HERD_SQLSMITH_QUERIES and HERD_SQLSMITH_SEED make a longer run, or the same one again.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from harness.endpoint import Endpoint

ROLE = "smith"
QUERIES = int(os.environ.get("HERD_SQLSMITH_QUERIES", "150"))
SEED = int(os.environ.get("HERD_SQLSMITH_SEED", random.randrange(1 << 31)))
STATEMENT_TIMEOUT = "5s"
#: What Herd says of a statement that it cannot answer.
REFUSED = "0A000"
#: A statement that ran into its timeout, here or there: how long one takes is not compared.
CANCELLED = "57014"
#: Errors that no statement is to bring about: lost connections, crashes, and what should not be possible.
NEVER = re.compile("08...|57P..|XX...|58...")

TABLES = [
    "users (uid bigint PRIMARY KEY, region text, name text, age int, score numeric, born date, tags text[], extra jsonb)"
    " PARTITION BY HASH (uid) WITH (herd.fragments = 6)",
    "orders (user_id bigint NOT NULL, id int NOT NULL, amount numeric(12, 2), note text, placed timestamptz,"
    " PRIMARY KEY (user_id, id)) PARTITION BY HASH (user_id) WITH (herd.fragments = 6)",
    "docs (key text PRIMARY KEY, body text, size int) PARTITION BY HASH (key) WITH (herd.fragments = 5)",
    "country (code text PRIMARY KEY, name text, rank int) WITH (herd.reference = true)",
    "settings (id int PRIMARY KEY, name text, value text)",
]
ROWS = {
    "users": [f"{n}\tr{n % 3}\tname {n % 7}\t{n % 50}\t{n}.5\t1990-01-{1 + n % 28:02d}\t{{a,b{n}}}\t{{}}" for n in range(60)],
    "orders": [f"{n % 60}\t{n}\t{n}.25\tnote {n % 5}\t2026-01-01 12:00+00" for n in range(120)],
    "docs": [f"d{n}\tbody {n}\t{n}" for n in range(40)],
    "country": [f"r{n}\tcountry {n}\t{n}" for n in range(3)],
    "settings": [f"{n}\tsetting {n}\tvalue {n}" for n in range(20)],
}


@pytest.fixture(scope="module", autouse=True)
def sqlsmith() -> str:
    program = shutil.which("sqlsmith")
    if program is None:
        pytest.skip("sqlsmith is not installed: apt-get install sqlsmith")
    print(f"sqlsmith: seed {SEED}, {QUERIES} queries")
    return program


@pytest.fixture(scope="module")
def smith(endpoint: Endpoint, oracle: Endpoint) -> Iterator[Endpoint]:
    """Who sees the tables, and not the fragments that they are made of."""
    for server in {endpoint, oracle}:
        make(server, herd=server == endpoint and endpoint != oracle)
    yield replace(endpoint, user=ROLE, password=ROLE)
    for server in {endpoint, oracle}:
        drop(server)


def make(server: Endpoint, *, herd: bool) -> None:
    drop(server)
    with psycopg.connect(**server.parameters(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'")
        connection.execute("CREATE SCHEMA smith")
        connection.execute(f"GRANT USAGE ON SCHEMA smith TO {ROLE}")
        for table in TABLES:
            plain = re.sub(r" (PARTITION BY HASH \(\w+\) )?WITH \(.*\)$", "", table)
            connection.execute(f"CREATE TABLE smith.{table if herd else plain}")
        for table, rows in ROWS.items():
            with connection.cursor().copy(f"COPY smith.{table} FROM STDIN") as copy:
                copy.write("".join(f"{row}\n" for row in rows))
            connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON smith.{table} TO {ROLE}")


def drop(server: Endpoint) -> None:
    with psycopg.connect(**server.parameters(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS smith CASCADE")
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")


def run(program: str, server: Endpoint, *options: str) -> subprocess.CompletedProcess[str]:
    target = f"host={server.host} port={server.port} user={server.user} password={server.password} dbname={server.dbname}"
    command = [program, f"--target={target}", "--exclude-catalog", f"--seed={SEED}", f"--max-queries={QUERIES}", *options]
    environment = os.environ | {"PGOPTIONS": f"-c statement_timeout={STATEMENT_TIMEOUT}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def state(connection: psycopg.Connection, sql: str) -> str:
    """How a statement ended; what it did is undone."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate or "08000"
    return "00000"


@pytest.mark.timeout(0)
def test_sqlsmith_runs_to_its_end(sqlsmith: str, smith: Endpoint) -> None:
    ended = run(sqlsmith, smith, "--verbose")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert re.search(r"^queries: \d+", ended.stderr, re.MULTILINE)
    assert not re.search("(connection|server) .*(lost|closed|terminated)|internal error", ended.stderr), ended.stderr


@pytest.mark.timeout(0)
def test_every_statement_ends_as_on_one_server_or_is_refused(sqlsmith: str, smith: Endpoint, oracle: Endpoint) -> None:
    right = replace(oracle, user=ROLE, password=ROLE)
    printed = run(sqlsmith, right, "--dump-all-queries", "--dry-run").stdout
    statements = [statement for statement in re.split(r";\s*\n", printed) if statement.strip()]
    assert len(statements) >= QUERIES
    different = []
    options = {"options": f"-c statement_timeout={STATEMENT_TIMEOUT}", "autocommit": True}
    with (
        psycopg.connect(**smith.parameters(), **options) as tested,
        psycopg.connect(**right.parameters(), **options) as plain,
    ):
        for number, statement in enumerate(statements):
            told = state(tested, statement)
            assert tested.execute(f"SELECT {number}").fetchone() == (number,)
            if told in (REFUSED, CANCELLED):
                continue
            expected = state(plain, statement)
            if told != expected and (NEVER.fullmatch(told) or expected == "00000"):
                different.append(f"{told} instead of {expected}: {statement}")
    assert not different, f"seed {SEED}\n" + "\n".join(different)
