"""Connections of psycopg 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint

Connect = Callable[..., psycopg.Connection]


@pytest.fixture
def connect(endpoint: Endpoint, schema: str) -> Iterator[Connect]:
    """Opens connections that look into the file's own schema; all are closed afterwards."""
    opened: list[psycopg.Connection] = []

    def open_one(**options: object) -> psycopg.Connection:
        arguments = {"autocommit": True, "options": f"-c search_path={schema}"} | endpoint.parameters() | options
        opened.append(psycopg.connect(**arguments))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Connect) -> psycopg.Connection:
    """One connection in autocommit mode."""
    return connect()
