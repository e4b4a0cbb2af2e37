"""Cursors and portals over rows of several nodes: read in any form and any order, as by plain PostgreSQL."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.wire import Wire, message

from .conftest import Pair
from .databases import REFUSED, ask, connect
from .test_over_brought import spread as spread  # the fixture

BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


@pytest.fixture
def both(endpoint: Endpoint, oracle: Endpoint, pair: Pair) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two fresh sessions: of the endpoint under test, and of the oracle."""
    right = "proof" if pair.proving else "oracle"
    with connect(endpoint, "tested") as tested, connect(oracle, right) as plain:
        yield tested, plain
        tested.rollback()
        plain.rollback()


@pytest.fixture
def client(endpoint: Endpoint, spread: Pair) -> Iterator[psycopg.Connection]:
    with connect(endpoint, "tested") as connection:
        yield connection
        connection.rollback()


SCRIPTS = {
    "every form of FETCH and MOVE": """
        BEGIN;
        DECLARE c SCROLL CURSOR FOR SELECT uid, name FROM users ORDER BY uid;
        FETCH c; FETCH NEXT FROM c; FETCH 3 c; FETCH FORWARD 2 IN c; FETCH PRIOR FROM c; FETCH BACKWARD 2 FROM c;
        FETCH ABSOLUTE 10 c; FETCH ABSOLUTE -1 c; FETCH RELATIVE -3 c; FETCH RELATIVE 0 c; FETCH FIRST c; FETCH LAST c;
        MOVE BACKWARD 5 IN c; MOVE c; MOVE FORWARD ALL c; FETCH c; FETCH BACKWARD ALL c; FETCH ALL c; FETCH 0 c; MOVE ABSOLUTE 0 c;
        FETCH FORWARD ALL FROM c; CLOSE c; FETCH c; ROLLBACK
    """,
    "NO SCROLL goes forward only": """
        BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT uid FROM users ORDER BY uid; FETCH 2 c; FETCH PRIOR c; ROLLBACK
    """,
    "joins, aggregates and home tables": """
        BEGIN;
        DECLARE "Odd ""name" CURSOR FOR SELECT u.uid, o.id FROM users u JOIN orders o ON o.user_id = u.uid ORDER BY 1, 2;
        DECLARE b CURSOR WITHOUT HOLD FOR SELECT region, count(*) FROM users GROUP BY region ORDER BY 1;
        DECLARE d INSENSITIVE CURSOR FOR SELECT s.id, u.name FROM settings s JOIN users u ON u.uid = s.id ORDER BY 1;
        FETCH 3 FROM "Odd ""name"; FETCH b; FETCH 2 d; FETCH 3 FROM "Odd ""name"; FETCH ALL b; FETCH 100 d;
        CLOSE b; FETCH 1 d; CLOSE ALL; FETCH d; COMMIT
    """,
    "one on a node beside one over several": """
        BEGIN;
        DECLARE one CURSOR FOR SELECT id FROM orders WHERE user_id = 7 ORDER BY id;
        DECLARE two CURSOR FOR SELECT id FROM orders WHERE user_id = 3 ORDER BY id;
        DECLARE three CURSOR FOR SELECT id FROM orders WHERE user_id = 11 ORDER BY id;
        DECLARE all_of CURSOR FOR SELECT uid FROM users ORDER BY uid;
        DECLARE at_home CURSOR FOR SELECT id FROM settings ORDER BY id;
        FETCH one; FETCH two; FETCH three; FETCH all_of; FETCH at_home; FETCH 2 one; FETCH 2 two; FETCH 2 three; FETCH 2 all_of; FETCH 2 at_home;
        CLOSE two; FETCH one; FETCH all_of; CLOSE ALL; COMMIT
    """,
    "a name is taken once": """
        BEGIN; DECLARE c CURSOR FOR SELECT uid FROM users; DECLARE c CURSOR FOR SELECT uid FROM users; ROLLBACK;
        BEGIN; DECLARE c CURSOR FOR SELECT uid FROM users; DECLARE c CURSOR FOR SELECT 1; ROLLBACK;
        BEGIN; DECLARE c CURSOR FOR SELECT uid FROM users ORDER BY uid; CLOSE c; DECLARE c CURSOR FOR SELECT uid + 1 FROM users ORDER BY uid; FETCH c; COMMIT
    """,
    "savepoints": """
        BEGIN; SAVEPOINT a;
        DECLARE c CURSOR FOR SELECT uid FROM users ORDER BY uid; FETCH 2 c; SAVEPOINT b;
        DECLARE d CURSOR FOR SELECT uid FROM users ORDER BY uid DESC; FETCH 2 d; ROLLBACK TO b; FETCH c; ROLLBACK TO a;
        DECLARE c CURSOR FOR SELECT uid + 100 FROM users ORDER BY uid; FETCH c; SAVEPOINT e; FETCH d; ROLLBACK TO e; FETCH c; RELEASE a; FETCH c; COMMIT
    """,
    "an error in a cursor fails the transaction": """
        BEGIN; DECLARE c CURSOR FOR SELECT 1 / (uid - 3) FROM users ORDER BY uid; FETCH ALL c; FETCH c; SELECT 1; COMMIT; SELECT 1
    """,
    "settings that were changed since": """
        BEGIN; DECLARE c CURSOR FOR SELECT placed FROM orders ORDER BY user_id, id; FETCH c;
        SET LOCAL timezone TO 'Asia/Tokyo'; FETCH c; SAVEPOINT a; SET datestyle TO 'SQL, DMY'; FETCH c; ROLLBACK TO a; FETCH c; COMMIT;
        SHOW timezone
    """,
    "outside of a transaction": """
        DECLARE c CURSOR FOR SELECT uid FROM users; FETCH c
    """,
    "WITH HOLD": """
        DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT uid FROM users ORDER BY uid; FETCH 3 c; FETCH BACKWARD 1 c; BEGIN; FETCH 2 c; COMMIT;
        FETCH c; CLOSE c; FETCH c
    """,
    "BINARY": """
        BEGIN; DECLARE c BINARY CURSOR FOR SELECT uid, name FROM users ORDER BY uid; FETCH 3 c; COMMIT
    """,
    "mistakes": """
        BEGIN; DECLARE c CURSOR FOR SELECT nothing FROM users; ROLLBACK;
        BEGIN; DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT uid FROM users; ROLLBACK;
        BEGIN; FETCH c; ROLLBACK; BEGIN; CLOSE c; ROLLBACK; BEGIN; CLOSE ALL; COMMIT; CLOSE ALL
    """,
}


@BOTH_PROTOCOLS
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_script_is_answered_as_by_postgresql(both: tuple[psycopg.Connection, psycopg.Connection], script: str, extended: bool) -> None:
    for sql in filter(None, map(str.strip, script.split(";"))):
        tested, right = (ask(connection, sql, extended=extended) for connection in both)
        assert tested.comparable(ordered=True) == right.comparable(ordered=True), f"{tested.message}\nfor {sql}"


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_script_in_one_string_is_answered_as_by_postgresql(
    pair: Pair, both: tuple[psycopg.Connection, psycopg.Connection], script: str
) -> None:
    tested, right = (ask(connection, script, extended=False) for connection in both)
    if tested.state == REFUSED and not pair.proving:
        return
    assert tested.comparable(ordered=True) == right.comparable(ordered=True), tested.message
    assert both[0].info.transaction_status == both[1].info.transaction_status


def test_a_cursor_reads_on_while_its_transaction_writes_everywhere(spread: Pair, client: psycopg.Connection) -> None:
    keys = [node.execute("SELECT min(id) FROM spread").fetchone()[0] for node in spread.behind]
    client.execute("BEGIN")
    client.execute("UPDATE spread SET note = 'before' WHERE id = %s", [keys[1]])
    client.execute("DECLARE c CURSOR FOR SELECT note FROM spread ORDER BY note = 'before' DESC, id")
    assert client.execute("FETCH 1 FROM c").fetchall() == [("before",)]
    for key in keys:
        client.execute("UPDATE spread SET note = 'after' WHERE id = %s", [key])
        assert len(client.execute("FETCH 10 FROM c").fetchall()) == 10
    assert ("after",) not in client.execute("FETCH ALL FROM c").fetchall()
    assert client.execute("SELECT count(*) FROM spread WHERE note = 'after'").fetchone() == (len(set(keys)),)
    client.execute("COMMIT")
    assert spread.tested.execute("SELECT count(*) FROM spread WHERE note = 'after'").fetchone() == (len(set(keys)),)
    spread.tested.execute("SELECT 1")


def test_nothing_is_left_of_cursors(spread: Pair, client: psycopg.Connection) -> None:
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
    for end in ("COMMIT", "ROLLBACK"):
        client.execute("BEGIN")
        for number in range(3):
            client.execute(f"DECLARE c{number} CURSOR FOR SELECT id FROM spread")
        client.execute("CLOSE c1")
        client.execute(end)
        assert spread.behind[0].execute(busy).fetchone() == (0,)
    assert spread.behind[0].execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'herd brought%'").fetchone() == (0,)


def test_too_many_cursors_are_refused(client: psycopg.Connection, only_herd: None) -> None:
    client.execute("BEGIN")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
        for number in range(17):
            client.execute(f"DECLARE c{number} CURSOR FOR SELECT id FROM spread")


def test_a_held_cursor_in_a_transaction_is_refused(client: psycopg.Connection, only_herd: None) -> None:
    client.execute("BEGIN")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="WITH HOLD"):
        client.execute("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM spread")


def test_a_session_with_a_temporary_table_of_its_own(client: psycopg.Connection, only_herd: None) -> None:
    client.execute("CREATE TEMP TABLE own AS SELECT 1 AS one")
    client.execute("BEGIN")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cannot be declared in this session"):
        client.execute("DECLARE c CURSOR FOR SELECT id FROM spread")
    client.execute("ROLLBACK")
    client.execute("BEGIN")
    client.execute("SELECT one FROM own")
    client.execute("DECLARE c CURSOR FOR SELECT id FROM spread ORDER BY id")
    assert client.execute("FETCH 2 FROM c").fetchall() == [(0,), (1,)]
    assert client.execute("SELECT one FROM own").fetchone() == (1,)
    client.execute("COMMIT")


@pytest.mark.parametrize("scrollable", [None, True])
def test_a_server_side_cursor_of_a_driver(spread: Pair, client: psycopg.Connection, scrollable: bool | None) -> None:
    with client.transaction(), client.cursor("named", scrollable=scrollable) as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT id FROM spread WHERE kind <> %s ORDER BY id", [3])
        right = [row[0] for row in spread.oracle.execute("SELECT id FROM spread WHERE kind <> 3 ORDER BY id")]
        assert [row[0] for row in cursor] == right
        if scrollable:
            cursor.scroll(0, mode="absolute")
            assert cursor.fetchmany(3) == [(row,) for row in right[:3]]


def execute(name: bytes, rows: int) -> bytes:
    return message("E", name + b"\0" + struct.pack("!I", rows))


def bind(portal: bytes, sql: bytes) -> list[bytes]:
    return [message("P", b"\0" + sql + b"\0\0\0"), message("B", portal + b"\0\0\0\0\0\0\0\0")]


@pytest.mark.parametrize("name", [b"", b"portal"])
def test_a_portal_is_read_in_portions_from_sync_to_sync(endpoint: Endpoint, spread: Pair, name: bytes) -> None:
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.send(message("Q", b"BEGIN\0"))
        wire.receive_until("Z")
        wire.send(*bind(name, b"SELECT id FROM routing_tested.spread ORDER BY id"), execute(name, 250), message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == ["1", "2", *["D"] * 250, "s", "Z"]
        if name:
            wire.send(message("Q", b"UPDATE routing_tested.spread SET kind = kind WHERE id = 1\0"))
            assert [each.tag for each in wire.receive_until("Z")] == ["C", "Z"]
        wire.send(execute(name, 250), message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == [*["D"] * 250, "s", "Z"]
        wire.send(message("D", b"P" + name + b"\0"), execute(name, 0), message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == ["T", *["D"] * 100, "C", "Z"]
        wire.send(message("C", b"P" + name + b"\0"), message("Q", b"COMMIT\0"))
        assert [each.tag for each in wire.receive_until("Z")] == ["3", "C", "Z"]


def test_two_portals_are_read_in_turn_beside_other_statements(endpoint: Endpoint, spread: Pair) -> None:
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.send(message("Q", b"BEGIN\0"))
        wire.receive_until("Z")
        wire.send(
            *bind(b"a", b"SELECT id FROM routing_tested.spread ORDER BY id"),
            *bind(b"b", b"SELECT id FROM routing_tested.spread ORDER BY id DESC"),
            *bind(b"", b"UPDATE routing_tested.spread SET kind = kind WHERE id = 5"),
            execute(b"a", 2),
            execute(b"", 0),
            execute(b"b", 2),
            execute(b"a", 1),
            message("S"),
        )
        tags = [each.tag for each in wire.receive_until("Z")]
        assert tags == ["1", "2", "1", "2", "1", "2", "D", "D", "s", "C", "D", "D", "s", "D", "s", "Z"]
        wire.send(execute(b"b", 1), message("C", b"Pa\0"), execute(b"b", 1), message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == ["D", "s", "3", "D", "s", "Z"]
        wire.send(execute(b"a", 1), message("S"))
        assert [each.tag for each in wire.receive_until("Z")] == ["E", "Z"]
        wire.send(message("Q", b"ROLLBACK\0"))
        wire.receive_until("Z")
