"""Connections of asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest_asyncio

from harness.endpoint import Endpoint

Connect = Callable[..., Awaitable[asyncpg.Connection]]


@pytest_asyncio.fixture
async def connect(endpoint: Endpoint, schema: str) -> AsyncIterator[Connect]:
    """Opens connections that look into the file's own schema; all are closed afterwards."""
    opened: list[asyncpg.Connection] = []

    async def open_one(**options: object) -> asyncpg.Connection:
        settings = {"search_path": schema, "timezone": "UTC"}
        opened.append(await asyncpg.connect(endpoint.url(), server_settings=settings, **options))
        return opened[-1]

    yield open_one
    for connection in opened:
        await connection.close()


@pytest_asyncio.fixture
async def connection(connect: Connect) -> asyncpg.Connection:
    """One connection."""
    return await connect()
