"""Connections of psycopg 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from harness.endpoint import Endpoint

Connect = Callable[[], Any]


@pytest.fixture
def connect(endpoint: Endpoint, schema: str) -> Iterator[Connect]:
    """Opens connections that look into the file's own schema; all are closed afterwards."""
    opened: list[Any] = []

    def open_one() -> Any:
        opened.append(psycopg2.connect(**endpoint.parameters(), options=f"-c search_path={schema}"))
        opened[-1].autocommit = True
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Connect) -> Any:
    """One connection in autocommit mode."""
    return connect()
