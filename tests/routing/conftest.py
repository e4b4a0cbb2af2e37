"""Both servers with the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest

from harness.behind import nodes_behind
from harness.endpoint import Endpoint

from . import databases


@dataclass
class Pair:
    """A connection to the endpoint under test, and one to the oracle."""

    tested: psycopg.Connection
    oracle: psycopg.Connection
    #: Where the rows of the endpoint under test lie: its nodes, or itself.
    behind: list[psycopg.Connection]
    #: Whether the endpoint is plain PostgreSQL too, which proves the corpus and not Herd.
    proving: bool


@pytest.fixture(scope="module")
def pair(endpoint: Endpoint, oracle: Endpoint) -> Iterator[Pair]:
    """Freshly loaded servers, for one file of tests."""
    proving = endpoint == oracle
    # The suite may prove itself while it tests Herd.
    right = "proof" if proving else "oracle"
    databases.load(endpoint, "tested", herd=not proving)
    databases.load(oracle, right, herd=False)
    with ExitStack() as stack:
        tested = stack.enter_context(databases.connect(endpoint, "tested"))
        plain = stack.enter_context(databases.connect(oracle, right))
        behind = [endpoint] if proving else nodes_behind(endpoint)
        connections = [stack.enter_context(databases.connect(each, "tested")) for each in behind]
        yield Pair(tested, plain, connections, proving)
    databases.drop(endpoint, "tested")
    databases.drop(oracle, right)
