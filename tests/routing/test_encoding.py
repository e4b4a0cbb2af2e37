"""Text in another encoding than the servers': keys are hashed as UTF8, so only what is the same in both may pass."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import ask, connect

NAME = "café"
BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


@pytest.fixture
def latin(endpoint: Endpoint, pair: Pair, only_herd: None) -> Iterator[psycopg.Connection]:
    """A client that speaks LATIN1, and a table whose key is text."""
    pair.tested.execute("CREATE TABLE spelled (name text PRIMARY KEY) PARTITION BY HASH (name) WITH (herd.fragments = 6)")
    pair.tested.execute("INSERT INTO spelled VALUES (%s)", [NAME])
    pair.tested.execute("INSERT INTO spelled VALUES ('tea')")
    with connect(endpoint, "tested") as connection:
        connection.execute("SET client_encoding = 'LATIN1'")
        yield connection
    pair.tested.execute("DROP TABLE spelled")


@BOTH_PROTOCOLS
def test_other_letters_are_refused(latin: psycopg.Connection, extended: bool) -> None:
    assert ask(latin, f"SELECT * FROM spelled WHERE name = '{NAME}'", extended=extended).state == "0A000"


@BOTH_PROTOCOLS
def test_ascii_passes(latin: psycopg.Connection, extended: bool) -> None:
    answer = ask(latin, "SELECT name FROM spelled WHERE name = 'tea'", extended=extended)
    assert answer.state == ""


def test_bound_letters_are_refused(latin: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        latin.execute("SELECT * FROM spelled WHERE name = %s", [NAME])
    assert latin.execute("SELECT name FROM spelled WHERE name = %s", ["tea"]).fetchall() == [("tea",)]


def test_back_in_utf8_all_letters_pass(latin: psycopg.Connection) -> None:
    latin.execute("SET client_encoding = 'UTF8'")
    assert latin.execute("SELECT name FROM spelled WHERE name = %s", [NAME]).fetchall() == [(NAME,)]
