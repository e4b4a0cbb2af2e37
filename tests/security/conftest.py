"""What every attack has in common: afterwards, the server serves the next client as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.wire import Wire

Open = Callable[[], Wire]


@pytest.fixture
def wire(endpoint: Endpoint) -> Iterator[Open]:
    """Opens bare connections; in the end, an honest client must get through."""
    opened: list[Wire] = []

    def open_one() -> Wire:
        opened.append(Wire(endpoint))
        return opened[-1]

    yield open_one
    for each in opened:
        each.socket.close()
    with psycopg.connect(**endpoint.parameters()) as connection:
        assert connection.execute("SELECT 'still here'").fetchone() == ("still here",)


@pytest.fixture(scope="module")
def admin(endpoint: Endpoint) -> Iterator[psycopg.Connection]:
    """A superuser's connection, for making the roles that attack."""
    with psycopg.connect(**endpoint.parameters(), autocommit=True) as connection:
        yield connection
