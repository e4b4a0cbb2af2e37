"""psql's own output: the same script through the endpoint and through plain PostgreSQL, byte for byte."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

import pytest

from harness.endpoint import Endpoint

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.sql"))


def psql(endpoint: Endpoint, script: Path) -> str:
    """What psql prints for the script, errors among the results, as a file would have them."""
    command = ["psql", "-X", "--echo-all", "--file", str(script)]
    environment = endpoint.libpq_environment() | {"PGTZ": "UTC", "PAGER": "", "LC_ALL": "C.UTF-8"}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    assert ran.returncode == 0
    return ran.stdout.decode()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_output_is_the_same(endpoint: Endpoint, oracle: Endpoint, script: Path) -> None:
    expected, printed = (psql(each, script).splitlines() for each in (oracle, endpoint))
    assert len(expected) > 10
    difference = list(difflib.unified_diff(expected, printed, "PostgreSQL", "endpoint", lineterm="", n=2))
    assert not difference, "\n".join(difference)


def test_connection_string_variants(endpoint: Endpoint) -> None:
    for target in (endpoint.url(), f"{endpoint.url()}?application_name=x&client_encoding=UTF8"):
        ran = subprocess.run(["psql", "-XAtc", "SELECT 1", target], capture_output=True, text=True, timeout=20)
        assert (ran.returncode, ran.stdout) == (0, "1\n"), ran.stderr


def test_wrong_password_says_so(endpoint: Endpoint) -> None:
    environment = endpoint.libpq_environment() | {"PGPASSWORD": "wrong"}
    ran = subprocess.run(["psql", "-XAtc", "SELECT 1"], env=environment, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 2
    assert 'FATAL:  password authentication failed for user "herd"' in ran.stderr


def test_listing_of_databases(endpoint: Endpoint) -> None:
    environment = endpoint.libpq_environment()
    listed = subprocess.run(["psql", "-XlAt"], env=environment, capture_output=True, text=True, timeout=20)
    assert listed.returncode == 0
    assert {"herd", "postgres", "template0", "template1"} <= {line.split("|")[0] for line in listed.stdout.splitlines()}


def test_single_transaction_stops_at_the_first_error(endpoint: Endpoint, schema: str) -> None:
    script = f"SET search_path = {schema}; CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\nSELECT nothing;\nSELECT 1;"
    command = ["psql", "-X", "-1", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    environment = endpoint.libpq_environment()
    ran = subprocess.run(command, input=script, env=environment, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 3
    check = ["psql", "-XAtc", f"SELECT to_regclass('{schema}.half') IS NULL"]
    assert subprocess.run(check, env=environment, capture_output=True, text=True, timeout=20).stdout == "t\n"
