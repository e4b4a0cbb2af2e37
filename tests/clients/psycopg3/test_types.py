"""Every common type, there and back, in the text and in the binary format."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from harness.samples import CASES, label

BOTH_FORMATS = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])


@BOTH_FORMATS
@pytest.mark.parametrize(("kind", "literal"), CASES, ids=label)
def test_value_round_trips(connection: psycopg.Connection, kind: str, literal: str, binary: bool) -> None:
    connection.execute("SET timezone = 'UTC'")
    cursor = connection.cursor(binary=binary)
    value = cursor.execute(f"SELECT %s::text::{kind}", [literal]).fetchone()[0]
    placeholder = "%b" if binary else "%t"
    if kind in ("json", "jsonb"):
        value = psycopg.types.json.Jsonb(value) if kind == "jsonb" else psycopg.types.json.Json(value)
    returned = cursor.execute(f"SELECT ({placeholder}::{kind})::text", [value]).fetchone()[0]
    assert returned == literal


@BOTH_FORMATS
def test_null_of_every_type(connection: psycopg.Connection, binary: bool) -> None:
    kinds = sorted({kind for kind, _ in CASES})
    columns = ", ".join(f"NULL::{kind}" for kind in kinds)
    row = connection.cursor(binary=binary).execute(f"SELECT {columns}").fetchone()
    assert row == (None,) * len(kinds)


@BOTH_FORMATS
def test_arrays_with_nulls_and_dimensions(connection: psycopg.Connection, binary: bool) -> None:
    cursor = connection.cursor(binary=binary)
    value = [[1, None, 3], [4, 5, None]]
    assert cursor.execute("SELECT %s::int[]", [value]).fetchone()[0] == value
    words = [[None, "a"], ['"', "NULL"]]
    assert cursor.execute("SELECT %s::text[]", [words]).fetchone()[0] == words


@BOTH_FORMATS
def test_numeric_keeps_its_scale(connection: psycopg.Connection, binary: bool) -> None:
    value = Decimal("12345678901234567890.1234567890")
    returned = connection.cursor(binary=binary).execute("SELECT %s::numeric", [value]).fetchone()[0]
    assert str(returned) == str(value)


@BOTH_FORMATS
def test_ranges_and_multiranges(connection: psycopg.Connection, binary: bool) -> None:
    cursor = connection.cursor(binary=binary)
    value = Multirange([Range(1, 3, "[)"), Range(10, 20, "[)")])
    assert cursor.execute("SELECT %s::int4multirange", [value]).fetchone()[0] == value
    assert cursor.execute("SELECT %s::int8range", [Range(None, 5)]).fetchone()[0] == Range(None, 5)


@BOTH_FORMATS
def test_enum_and_its_array(connection: psycopg.Connection, schema: str, binary: bool) -> None:
    connection.execute("DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad')")
    info = EnumInfo.fetch(connection, "mood")
    assert info is not None and list(info.labels) == ["sad", "so so", "glad"]
    register_enum(info, connection)
    cursor = connection.cursor(binary=binary)
    value = info.enum["so so"]
    assert cursor.execute("SELECT %s::mood", [value]).fetchone()[0] == value
    assert cursor.execute("SELECT %s::mood[]", [[value]]).fetchone()[0] == [value]
    assert cursor.execute("SELECT enum_range(NULL::mood)::text").fetchone()[0] == '{sad,"so so",glad}'


@BOTH_FORMATS
def test_composite(connection: psycopg.Connection, binary: bool) -> None:
    connection.execute("DROP TYPE IF EXISTS point3; CREATE TYPE point3 AS (x int, y numeric, label text)")
    info = CompositeInfo.fetch(connection, "point3")
    register_composite(info, connection)
    value = info.python_type(1, Decimal("2.50"), "a, \"b\"")
    cursor = connection.cursor(binary=binary)
    assert cursor.execute("SELECT %s::point3", [value]).fetchone()[0] == value
    assert cursor.execute("SELECT ARRAY[%s::point3]", [value]).fetchone()[0] == [value]


@BOTH_FORMATS
def test_domain_is_its_base_type(connection: psycopg.Connection, binary: bool) -> None:
    connection.execute("DROP DOMAIN IF EXISTS positive; CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    cursor = connection.cursor(binary=binary)
    assert cursor.execute("SELECT 5::positive").fetchone()[0] == 5
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        cursor.execute("SELECT %s::positive", [-1])
    assert caught.value.diag.constraint_name == "positive_check"
    assert caught.value.diag.datatype_name == "positive"


def test_one_row_mixes_formats(connection: psycopg.Connection) -> None:
    row = connection.execute("SELECT %b::int, %t::int, %s::text, %b::bytea", [1, 2, "three", b"\x00\xff"]).fetchone()
    assert row == (1, 2, "three", b"\x00\xff")


def test_column_descriptions_are_complete(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS described; CREATE TABLE described (id int, name varchar(7), n numeric(9,2))")
    result = connection.execute("SELECT id, name, n, id + 1 AS sum FROM described").pgresult
    assert result is not None
    assert [result.fname(i) for i in range(4)] == [b"id", b"name", b"n", b"sum"]
    assert [result.ftablecol(i) for i in range(4)] == [1, 2, 3, 0]
    assert [result.fmod(i) for i in range(4)] == [-1, 11, 589830, -1]
    oid = connection.execute("SELECT 'described'::regclass::oid").fetchone()[0]
    assert [result.ftable(i) for i in range(4)] == [oid, oid, oid, 0]


def test_value_of_fifty_megabytes(connection: psycopg.Connection) -> None:
    value = bytes(range(256)) * (50 * 4096)
    cursor = connection.cursor(binary=True)
    returned = cursor.execute("SELECT %b::bytea, length(%b::bytea)", [value, value]).fetchone()
    assert returned == (value, len(value))


def test_row_of_sixteen_hundred_columns(connection: psycopg.Connection) -> None:
    columns = ", ".join(f"{i} AS c{i}" for i in range(1600))
    assert connection.execute(f"SELECT {columns}").fetchone() == tuple(range(1600))


def test_sixty_five_thousand_parameters(connection: psycopg.Connection) -> None:
    numbers = list(range(65535))
    array = ", ".join(["%s"] * len(numbers))
    assert connection.execute(f"SELECT array_length(ARRAY[{array}]::int[], 1)", numbers).fetchone() == (65535,)
