"""LISTEN and NOTIFY between connections, inside and outside of transactions."""

from __future__ import annotations

import psycopg

from .conftest import Connect

PATIENCE_SECONDS = 5.0


def received(connection: psycopg.Connection, count: int) -> list[tuple[str, str]]:
    return [(n.channel, n.payload) for n in connection.notifies(timeout=PATIENCE_SECONDS, stop_after=count)]


def silent(connection: psycopg.Connection) -> bool:
    return not list(connection.notifies(timeout=0.3))


def test_notification_reaches_an_idle_listener(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("LISTEN news")
    connect().execute("NOTIFY news, 'žlutá'")
    assert received(connection, 1) == [("news", "žlutá")]


def test_notifications_arrive_at_commit_only(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("LISTEN committed")
    other = connect()
    other.execute("BEGIN")
    other.execute("SELECT pg_notify('committed', 'kept')")
    assert silent(connection)
    other.execute("COMMIT")
    assert received(connection, 1) == [("committed", "kept")]
    other.execute("BEGIN; NOTIFY committed, 'undone'; ROLLBACK")
    assert silent(connection)


def test_own_notification_comes_back(connection: psycopg.Connection) -> None:
    connection.execute("LISTEN mine")
    connection.execute("NOTIFY mine")
    assert received(connection, 1) == [("mine", "")]


def test_unlisten_stops_them(connection: psycopg.Connection, connect: Connect) -> None:
    connection.execute("LISTEN one")
    connection.execute("LISTEN two")
    connection.execute("UNLISTEN one")
    other = connect()
    other.execute("NOTIFY one")
    other.execute("NOTIFY two")
    assert received(connection, 1) == [("two", "")]
    connection.execute("UNLISTEN *")
    other.execute("NOTIFY two")
    assert silent(connection)


def test_many_listeners_hear_the_same(connection: psycopg.Connection, connect: Connect) -> None:
    listeners = [connect() for _ in range(5)]
    for listener in listeners:
        listener.execute("LISTEN everyone")
    for number in range(100):
        connection.execute("SELECT pg_notify('everyone', %s)", [str(number)])
    expected = [("everyone", str(number)) for number in range(100)]
    for listener in listeners:
        assert received(listener, 100) == expected


def test_channel_names_keep_their_case(connection: psycopg.Connection) -> None:
    connection.execute('LISTEN "With Case"')
    connection.execute("LISTEN WithoutCase")
    assert connection.execute("SELECT * FROM pg_listening_channels() ORDER BY 1").fetchall() == [
        ("With Case",),
        ("withoutcase",),
    ]


def test_closing_a_listener_ends_its_listening(connection: psycopg.Connection, connect: Connect) -> None:
    listener = connect()
    listener.execute("LISTEN leaking")
    listener.close()
    for _ in range(10):
        assert connect().execute("SELECT count(*) FROM pg_listening_channels()").fetchone() == (0,)
