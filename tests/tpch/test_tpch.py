"""All queries of TPC-H, answered as one PostgreSQL answers them, however the tables lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from . import benchmark
from .benchmark import APART, BY_KEY, PLAIN, QUERIES, Layout
from harness.endpoint import Endpoint

SCALE = 0.01
#: So few orders are large, suppliers few or parts bought rarely, that nothing is selected of this little data.
MAY_BE_EMPTY = {"q02", "q08", "q18", "q20"}


@dataclass
class Pair:
    tested: psycopg.Connection
    oracle: psycopg.Connection


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tpch")
    benchmark.generate(SCALE, directory)
    return directory


@pytest.fixture(scope="module")
def right(oracle: Endpoint, data: Path) -> Iterator[psycopg.Connection]:
    benchmark.load(oracle, PLAIN, data)
    with benchmark.connect(oracle, PLAIN) as connection:
        yield connection
    benchmark.drop(oracle, PLAIN)


@pytest.fixture(scope="module", params=[BY_KEY, APART], ids=lambda layout: layout.name)
def pair(
    request: pytest.FixtureRequest, endpoint: Endpoint, oracle: Endpoint, right: psycopg.Connection, data: Path
) -> Iterator[Pair]:
    layout: Layout = request.param
    if endpoint == oracle:
        layout = Layout(f"proof_{layout.name}", PLAIN.placement, layout.has_keys)
    benchmark.load(endpoint, layout, data)
    with benchmark.connect(endpoint, layout) as connection:
        yield Pair(connection, right)
    benchmark.drop(endpoint, layout)


@pytest.mark.parametrize("name", QUERIES)
def test_query_is_answered_as_by_one_server(pair: Pair, name: str) -> None:
    sql = benchmark.query(name, SCALE)
    (right, columns), (rows, told) = answer(pair.oracle, sql), answer(pair.tested, sql)
    assert right or name in MAY_BE_EMPTY
    assert (rows, told) == (right, columns)


def answer(connection: psycopg.Connection, sql: str) -> tuple[list[tuple], list[tuple[str, int]]]:
    """The rows, and names and types of the columns."""
    cursor = connection.execute(sql)
    return cursor.fetchall(), [(column.name, column.type_code) for column in cursor.description or ()]
