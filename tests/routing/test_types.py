"""Types that users made have other numbers on every node; clients see and send those of the home node only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from enum import Enum

import asyncpg
import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import connect

SCHEMA = "routing_tested"
KEYS = range(1, 31)


class Mood(Enum):
    calm = "calm"
    wild = "wild"


MOODS = [(key, (Mood.calm, Mood.wild)[key % 2]) for key in KEYS]


@pytest.fixture(scope="module")
def animals(endpoint: Endpoint, pair: Pair, only_herd: None) -> Iterator[Endpoint]:
    home, *others = pair.behind
    for _ in range(5):
        # The home node has counted on, so that no number is the same by chance.
        home.execute("CREATE TYPE counted_on AS (a int)")
        home.execute("DROP TYPE counted_on")
    pair.tested.execute("CREATE TYPE mood AS ENUM ('calm', 'wild')")
    pair.tested.execute("CREATE TYPE spot AS (x int, colour text)")
    pair.tested.execute(
        "CREATE TABLE animals (id int PRIMARY KEY, mood mood, moods mood[], spot spot)"
        " PARTITION BY HASH (id) WITH (herd.fragments = 6)"
    )
    for key, mood in MOODS:
        pair.tested.execute(f"INSERT INTO animals VALUES ({key}, '{mood.value}', '{{calm,wild}}', '({key},red)')")
    numbers = {node.execute("SELECT 'mood'::regtype::oid, 'animals'::regclass::oid").fetchone() for node in pair.behind}
    assert len(numbers) > 1, "all nodes have the same numbers by chance"
    yield endpoint
    pair.tested.execute("DROP TABLE animals")
    pair.tested.execute("DROP TYPE mood, spot")


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
def test_columns_are_described_in_the_numbers_of_home(animals: Endpoint, pair: Pair, extended: bool) -> None:
    home = pair.behind[0]
    wanted = home.execute("SELECT 'animals'::regclass::oid, 'mood'::regtype::oid, 'mood[]'::regtype::oid").fetchone()
    with connect(animals, "tested") as connection:
        for key in KEYS:
            protocol = connection.pgconn
            sql = f"SELECT mood, moods FROM animals WHERE id = {key}".encode()
            result = protocol.exec_params(sql, []) if extended else protocol.exec_(sql)
            assert (result.ftable(0), result.ftype(0), result.ftype(1)) == wanted


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_driver_that_registers_a_type_gets_it_from_every_node(animals: Endpoint, binary: bool) -> None:
    with connect(animals, "tested") as connection:
        register_enum(EnumInfo.fetch(connection, "mood"), connection, Mood)
        register_composite(CompositeInfo.fetch(connection, "spot"), connection)
        cursor = connection.cursor(binary=binary)
        for key, mood in MOODS:
            row = cursor.execute("SELECT mood, spot FROM animals WHERE id = %s", [key]).fetchone()
            assert row[0] is mood
            assert (row[1].x, row[1].colour) == (key, "red")


@pytest.mark.parametrize("prepare", [False, True], ids=["unnamed", "named"])
def test_a_parameter_of_the_type_is_understood_by_every_node(animals: Endpoint, prepare: bool) -> None:
    with connect(animals, "tested") as connection:
        register_enum(EnumInfo.fetch(connection, "mood"), connection, Mood)
        for key, mood in MOODS:
            # The driver says of the parameter which type it has, by its number.
            sql = "SELECT pg_typeof(%s)::text, mood = %s FROM animals WHERE id = %s"
            row = connection.execute(sql, [mood, mood, key], prepare=prepare).fetchone()
            assert row == ("mood", True)


def test_a_number_that_is_a_type_elsewhere_but_not_at_home_is_refused(animals: Endpoint, pair: Pair) -> None:
    home, *others = (numbers_of_types(node) for node in pair.behind)
    strange = set.union(*others) - home
    assert strange
    for key in KEYS:
        sql = f"SELECT $1 FROM animals WHERE id = {key}".encode()
        result = pair.tested.pgconn.exec_params(sql, [b"calm"], param_types=[min(strange)])
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"XX000"


def numbers_of_types(node: psycopg.Connection) -> set[int]:
    return {number for (number,) in node.execute("SELECT oid FROM pg_type WHERE oid >= 16384")}


def test_a_type_made_later_is_learnt(animals: Endpoint, pair: Pair) -> None:
    with connect(animals, "tested") as connection:
        for turn in range(3):
            connection.execute(f"CREATE TYPE turn AS ENUM ('t{turn}')")
            number = connection.execute("SELECT 'turn'::regtype::oid").fetchone()[0]
            for key in KEYS:
                sql = f"SELECT 't{turn}'::turn FROM animals WHERE id = {key}"
                assert connection.pgconn.exec_(sql.encode()).ftype(0) == number
            connection.execute("DROP TYPE turn")


def test_asyncpg_reads_enums_arrays_and_composites_from_every_node(animals: Endpoint) -> None:
    async def read() -> None:
        connection = await asyncpg.connect(animals.url(), server_settings={"search_path": SCHEMA})
        try:
            for key, mood in MOODS:
                row = await connection.fetchrow("SELECT * FROM animals WHERE id = $1 AND mood = $2", key, mood.value)
                assert (row["mood"], row["moods"], tuple(row["spot"])) == (mood.value, ["calm", "wild"], (key, "red"))
        finally:
            await connection.close()

    asyncio.run(read())
