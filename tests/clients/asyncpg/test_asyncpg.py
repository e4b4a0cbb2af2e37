"""asyncpg: everything prepared, everything binary, type introspection of its own."""

from __future__ import annotations

import asyncio
import io
import time
from decimal import Decimal

import asyncpg
import pytest

from harness.endpoint import Endpoint
from harness.samples import CASES, label

from .conftest import Connect


@pytest.mark.parametrize(("kind", "literal"), CASES, ids=label)
async def test_value_round_trips_in_binary(connection: asyncpg.Connection, kind: str, literal: str) -> None:
    value = await connection.fetchval(f"SELECT $1::text::{kind}", literal)
    assert await connection.fetchval(f"SELECT $1::{kind}::text", value) == literal


async def test_nulls_and_nested_arrays(connection: asyncpg.Connection) -> None:
    value = [[1, None], [3, 4]]
    assert await connection.fetchval("SELECT $1::int[]", value) == value
    assert await connection.fetchval("SELECT $1::text", None) is None


async def test_introspection_of_user_types(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "DROP TYPE IF EXISTS deep, pair, mood CASCADE; DROP DOMAIN IF EXISTS code;"
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN code AS text CHECK (length(VALUE) < 4);"
        "CREATE TYPE pair AS (m mood, c code, n numeric[]); CREATE TYPE deep AS (p pair, ps pair[])"
    )
    await connection.reload_schema_state()
    pair = ("glad", "abc", [Decimal("1.5"), None])
    returned = await connection.fetchval("SELECT $1::deep", (pair, [pair, None]))
    assert tuple(returned["p"]) == pair
    assert [item and tuple(item) for item in returned["ps"]] == [pair, None]
    assert await connection.fetchval("SELECT $1::mood[]", ["sad", "glad"]) == ["sad", "glad"]


async def test_custom_codec(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", encoder=str.upper, decoder=str.lower, schema="pg_catalog")
    assert await connection.fetchval("SELECT $1::json::text", '"abc"') == '"ABC"'


async def test_prepared_statement_runs_often_and_across_transactions(connection: asyncpg.Connection) -> None:
    statement = await connection.prepare("SELECT $1::int + 1 AS next")
    assert [a.name for a in statement.get_attributes()] == ["next"]
    assert [p.name for p in statement.get_parameters()] == ["int4"]
    for number in range(100):
        async with connection.transaction():
            assert await statement.fetchval(number) == number + 1


async def test_more_statements_than_the_drivers_cache(connect: Connect) -> None:
    connection = await connect(statement_cache_size=20)
    for turn in range(3):
        for number in range(100):
            assert await connection.fetchval(f"SELECT $1::int + {number}", turn) == turn + number


async def test_without_the_drivers_cache(connect: Connect) -> None:
    connection = await connect(statement_cache_size=0)
    for number in range(50):
        assert await connection.fetchval("SELECT $1::int", number) == number


async def test_statement_spoiled_by_ddl(connection: asyncpg.Connection) -> None:
    await connection.execute("DROP TABLE IF EXISTS spoiled; CREATE TABLE spoiled (id int); INSERT INTO spoiled VALUES (1)")
    assert tuple(await connection.fetchrow("SELECT * FROM spoiled")) == (1,)
    await connection.execute("ALTER TABLE spoiled ADD name text DEFAULT 'x'")
    assert tuple(await connection.fetchrow("SELECT * FROM spoiled")) == (1, "x")


async def test_transactions_and_savepoints(connection: asyncpg.Connection) -> None:
    await connection.execute("DROP TABLE IF EXISTS nested; CREATE TABLE nested (id int PRIMARY KEY)")
    async with connection.transaction():
        await connection.execute("INSERT INTO nested VALUES (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute("INSERT INTO nested VALUES (2)")
                await connection.execute("INSERT INTO nested VALUES (1)")
        await connection.execute("INSERT INTO nested VALUES (3)")
    assert [row["id"] for row in await connection.fetch("SELECT id FROM nested ORDER BY id")] == [1, 3]


@pytest.mark.parametrize("level", ["read_committed", "repeatable_read", "serializable"])
async def test_isolation_levels(connection: asyncpg.Connection, level: str) -> None:
    async with connection.transaction(isolation=level, readonly=True):
        assert await connection.fetchval("SHOW transaction_isolation") == level.replace("_", " ")
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with connection.transaction():
                await connection.execute("CREATE TABLE refused (id int)")


async def test_error_fields(connection: asyncpg.Connection, schema: str) -> None:
    await connection.execute("DROP TABLE IF EXISTS strict; CREATE TABLE strict (id int PRIMARY KEY)")
    await connection.execute("INSERT INTO strict VALUES (1)")
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await connection.execute("INSERT INTO strict VALUES ($1)", 1)
    error = caught.value
    assert (error.schema_name, error.table_name, error.constraint_name) == (schema, "strict", "strict_pkey")
    assert error.detail == "Key (id)=(1) already exists."
    with pytest.raises(asyncpg.UndefinedColumnError) as caught:
        await connection.fetch("SELECT nothing FROM strict WHERE id = $1", 1)
    assert caught.value.position == "8"
    with pytest.raises(asyncpg.DataError):
        await connection.fetch("SELECT $1::int", "not a number")
    assert await connection.fetchval("SELECT 1") == 1


async def test_task_cancellation_cancels_the_statement(connection: asyncpg.Connection) -> None:
    began = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(connection.fetch("SELECT pg_sleep(30)"), 0.2)
    assert await connection.fetchval("SELECT 'alive'") == "alive"
    assert time.monotonic() - began < 3


async def test_statement_timeout_of_the_driver(connection: asyncpg.Connection) -> None:
    for _ in range(3):
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("SELECT pg_sleep(30)", timeout=0.1)
        assert await connection.fetchval("SELECT 1") == 1


async def test_executemany_is_atomic(connection: asyncpg.Connection) -> None:
    await connection.execute("DROP TABLE IF EXISTS many; CREATE TABLE many (id int PRIMARY KEY, t text)")
    await connection.executemany("INSERT INTO many VALUES ($1, $2)", [(i, f"row {i}") for i in range(5000)])
    assert await connection.fetchval("SELECT count(*) FROM many") == 5000
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.executemany("INSERT INTO many VALUES ($1, $2)", [(9000, ""), (9001, ""), (1, "")])
    assert await connection.fetchval("SELECT count(*) FROM many") == 5000


async def test_fetchmany_returns_every_row(connection: asyncpg.Connection) -> None:
    rows = await connection.fetchmany("SELECT $1::int * 2", [(i,) for i in range(1000)])
    assert [row[0] for row in rows] == [i * 2 for i in range(1000)]


async def test_copy_records_binary(connection: asyncpg.Connection) -> None:
    await connection.execute("DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int, t text, n numeric)")
    records = [(i, None if i % 7 == 0 else f"text {i}", Decimal(i) / 4) for i in range(20_000)]
    assert await connection.copy_records_to_table("copied", records=records) == "COPY 20000"
    out = io.BytesIO()
    await connection.copy_from_query("SELECT id, t FROM copied WHERE id < $1 ORDER BY id", 3, output=out, format="csv")
    assert out.getvalue() == b"0,\n1,text 1\n2,text 2\n"
    binary = io.BytesIO()
    await connection.copy_from_table("copied", output=binary, format="binary")
    await connection.execute("TRUNCATE copied")
    binary.seek(0)
    assert await connection.copy_to_table("copied", source=binary, format="binary") == "COPY 20000"
    assert await connection.fetchval("SELECT sum(n) FROM copied") == Decimal("49997500") * Decimal(1)


async def test_copy_failure_is_reported(connection: asyncpg.Connection) -> None:
    await connection.execute("DROP TABLE IF EXISTS refused; CREATE TABLE refused (id int)")
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await connection.copy_to_table("refused", source=io.BytesIO(b"1\nx\n"))
    assert await connection.fetchval("SELECT count(*) FROM refused") == 0


async def test_cursor_uses_portals_with_row_limits(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        total = 0
        async for row in connection.cursor("SELECT generate_series(1, 10000) AS n", prefetch=100):
            total += row["n"]
        assert total == 50_005_000
        cursor = await connection.cursor("SELECT generate_series(1, $1::int)", 10)
        assert [row[0] for row in await cursor.fetch(5)] == [1, 2, 3, 4, 5]
        assert await cursor.forward(2) == 2
        assert [row[0] for row in await cursor.fetch(3)] == [8, 9, 10]
        assert await cursor.fetch(1) == []


async def test_listeners(connection: asyncpg.Connection, connect: Connect) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    await connection.add_listener("news", lambda *arguments: heard.put_nowait(arguments[3]))
    other = await connect()
    await other.execute("SELECT pg_notify('news', $1)", "hello")
    assert await asyncio.wait_for(heard.get(), 5) == "hello"


async def test_notices(connection: asyncpg.Connection) -> None:
    heard: list[str] = []
    connection.add_log_listener(lambda _, message: heard.append(message.message))
    await connection.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    await asyncio.sleep(0)
    assert heard == ["one", "two"]


async def test_pool_resets_between_users(endpoint: Endpoint, schema: str) -> None:
    async with asyncpg.create_pool(endpoint.url(), min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute("SET work_mem = '5MB'")
            await connection.execute("SELECT pg_advisory_lock(815)")
            await connection.execute("CREATE TEMP TABLE pooled (id int)")
        async with pool.acquire() as connection:
            assert await connection.fetchval("SHOW work_mem") != "5MB"


async def test_pool_of_twenty_under_load(endpoint: Endpoint) -> None:
    async with asyncpg.create_pool(endpoint.url(), min_size=20, max_size=20) as pool:
        answers = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", i) for i in range(2000)))
    assert answers == [i * 2 for i in range(2000)]


async def test_large_result(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch("SELECT i, repeat('x', 50) AS t FROM generate_series(1, 300000) i")
    assert len(rows) == 300_000 and rows[-1]["i"] == 300_000


async def test_value_of_fifty_megabytes(connection: asyncpg.Connection) -> None:
    value = b"\x00\x01\xfe\xff" * (12 * 1024 * 1024)
    assert await connection.fetchval("SELECT $1::bytea", value) == value
