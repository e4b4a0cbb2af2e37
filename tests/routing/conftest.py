"""Both servers with the same data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from harness.endpoint import Endpoint

from . import databases


@dataclass
class Pair:
    """A connection to the endpoint under test, and one to the oracle."""

    tested: psycopg.Connection
    oracle: psycopg.Connection
    #: Whether the endpoint is plain PostgreSQL too, which proves the corpus and not Herd.
    proving: bool


@pytest.fixture(scope="module")
def pair(endpoint: Endpoint, oracle: Endpoint) -> Iterator[Pair]:
    """Freshly loaded servers, for one file of tests."""
    proving = endpoint == oracle
    databases.load(endpoint, "tested", herd=not proving)
    databases.load(oracle, "oracle", herd=False)
    with databases.connect(endpoint, "tested") as tested, databases.connect(oracle, "oracle") as plain:
        yield Pair(tested, plain, proving)
    databases.drop(endpoint, "tested")
    databases.drop(oracle, "oracle")
