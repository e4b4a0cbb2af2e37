"""Herd in front of one PostgreSQL, with pools so small that clients must share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.herd import Serve

Connect = Callable[..., psycopg.Connection]
StartHerd = Callable[[str], Serve]


@pytest.fixture(scope="module")
def herd(start_herd: StartHerd) -> Serve:
    """A Herd with a single server connection: two clients at work must take turns on it."""
    return start_herd('[pool]\nsize_max = 1\nwait_max = "5s"\n')


@pytest.fixture
def connect(herd: Serve) -> Iterator[Connect]:
    """Opens connections to Herd; all are closed afterwards."""
    opened: list[psycopg.Connection] = []

    def open_one(endpoint: Endpoint = herd.endpoint, **options: object) -> psycopg.Connection:
        opened.append(psycopg.connect(**{"autocommit": True} | endpoint.parameters() | options))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
