"""pg_dump through the endpoint says what plain PostgreSQL would say, and restores what it saved."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.endpoint import Endpoint

SCHEMA = "dumped_objects"
FIXTURE = Path(__file__).parents[1] / "psql" / "scripts" / "fixture.psql"
FORMATS = pytest.mark.parametrize("kind", ["custom", "tar", "directory"])


def run(endpoint: Endpoint, *command: str) -> bytes:
    ran = subprocess.run(command, env=endpoint.libpq_environment(), capture_output=True, timeout=100)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


def dump(endpoint: Endpoint, *options: str) -> list[bytes]:
    """A plain dump's lines without the key that makes each dump unique."""
    lines = run(endpoint, "pg_dump", f"--schema={SCHEMA}", *options).splitlines()
    return [line for line in lines if not line.startswith((b"\\restrict", b"\\unrestrict"))]


@pytest.fixture(scope="module", autouse=True)
def objects(endpoint: Endpoint, oracle: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    script = tmp_path_factory.mktemp("fixture") / "fixture.psql"
    script.write_text(FIXTURE.read_text().replace("psql_objects", SCHEMA))
    for each in {endpoint, oracle}:
        run(each, "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", str(script))
    yield
    for each in {endpoint, oracle}:
        run(each, "psql", "-qXc", f"DROP SCHEMA {SCHEMA} CASCADE")


@pytest.mark.parametrize("options", [(), ("--inserts",), ("--schema-only",), ("--data-only", "--column-inserts"), ("--clean", "--if-exists")], ids=" ".join)
def test_dump_is_the_same(endpoint: Endpoint, oracle: Endpoint, options: tuple[str, ...]) -> None:
    expected = dump(oracle, *options)
    assert len(expected) > 50
    assert dump(endpoint, *options) == expected


@FORMATS
def test_restore_brings_everything_back(endpoint: Endpoint, kind: str, tmp_path: Path) -> None:
    before = dump(endpoint)
    archive = str(tmp_path / "archive")
    run(endpoint, "pg_dump", f"--format={kind}", f"--schema={SCHEMA}", f"--file={archive}")
    run(endpoint, "psql", "-qXc", f"DROP SCHEMA {SCHEMA} CASCADE")
    run(endpoint, "pg_restore", "--exit-on-error", "--dbname=herd", archive)
    assert dump(endpoint) == before


def test_parallel_dump_and_restore(endpoint: Endpoint, tmp_path: Path) -> None:
    before = dump(endpoint)
    archive = str(tmp_path / "archive")
    run(endpoint, "pg_dump", "--jobs=2", "--format=directory", f"--schema={SCHEMA}", f"--file={archive}")
    run(endpoint, "pg_restore", "--clean", "--jobs=2", "--exit-on-error", "--dbname=herd", archive)
    assert dump(endpoint) == before


def test_restore_of_everything_in_a_single_transaction(endpoint: Endpoint, tmp_path: Path) -> None:
    before = dump(endpoint)
    archive = str(tmp_path / "archive")
    run(endpoint, "pg_dump", "--format=custom", f"--schema={SCHEMA}", f"--file={archive}")
    run(endpoint, "psql", "-qXc", f"DROP SCHEMA {SCHEMA} CASCADE")
    run(endpoint, "pg_restore", "--single-transaction", "--dbname=herd", archive)
    assert dump(endpoint) == before


def test_script_in_a_single_transaction(endpoint: Endpoint, tmp_path: Path) -> None:
    before = dump(endpoint)
    script = str(tmp_path / "script")
    run(endpoint, "pg_dump", "--clean", "--if-exists", f"--schema={SCHEMA}", f"--file={script}")
    run(endpoint, "psql", "-1qX", "-v", "ON_ERROR_STOP=1", "-f", script)
    assert dump(endpoint) == before


def test_restore_of_data_in_a_single_transaction(endpoint: Endpoint, tmp_path: Path) -> None:
    before = dump(endpoint)
    archive = str(tmp_path / "archive")
    run(endpoint, "pg_dump", "--format=custom", f"--schema={SCHEMA}", f"--file={archive}")
    run(endpoint, "psql", "-qXc", f"TRUNCATE {SCHEMA}.author, {SCHEMA}.article")
    run(endpoint, "pg_restore", "--data-only", "--single-transaction", "--disable-triggers", "--dbname=herd", archive)
    assert dump(endpoint) == before
