"""A node that crashes or hangs: its statements end in a defined error or wait, the others go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from harness.herd import Demo, Node
from harness.process import wait_until

from .conftest import RECOVERY_SECONDS_MAX, Connect, settled

#: What a client may hear when a node is lost: connection trouble, shutdown, not yet ready, outcome unknown.
LOST = ("08000", "08001", "08003", "08006", "08007", "57P01", "57P02", "57P03")
ERROR_SECONDS_MAX = 15.0


@pytest.fixture(scope="module")
def by_node(demo: Demo) -> Iterator[dict[str, int]]:
    """A key of each node in a fragmented table: node name → id."""
    with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as connection:
        connection.execute("CREATE TABLE spread (id int PRIMARY KEY, n int DEFAULT 0) PARTITION BY LIST (id) WITH (herd.fragmented = true)")
        for number in (1, 2, 3):
            connection.execute(f"CREATE TABLE spread_{number} PARTITION OF spread FOR VALUES IN ({number}) WITH (herd.node = 'n{number}')")
            connection.execute(f"INSERT INTO spread VALUES ({number})")
        yield {f"n{number}": number for number in (1, 2, 3)}


@pytest.fixture(params=["n2", "n1"], ids=["other-node", "home-node"])
def victim(demo: Demo, request: pytest.FixtureRequest) -> Iterator[tuple[str, Node]]:
    """A node to hurt; afterwards it runs again and Herd uses it."""
    node = demo.nodes()[int(request.param[1]) - 1]
    yield request.param, node
    node.resume()
    time.sleep(1)
    if not node.processes():
        node.start()
    wait_until(lambda: answers(demo), RECOVERY_SECONDS_MAX, "every node serves again")
    settled(demo)


def answers(demo: Demo) -> bool:
    try:
        with psycopg.connect(**demo.endpoint.parameters(), autocommit=True) as connection:
            return all(read(connection, key) is not None for key in (1, 2, 3))
    except psycopg.Error:
        return False


def read(connection: psycopg.Connection, key: int, *, prepare: bool = False) -> int | None:
    row = connection.execute("SELECT n FROM spread WHERE id = %s", [key], prepare=prepare).fetchone()
    return row and row[0]


def shown(connection: psycopg.Connection, name: str) -> dict[str, str | None]:
    """A node in SHOW NODES."""
    cursor = connection.execute("SHOW NODES")
    columns = [column.name for column in cursor.description]
    return next(row for row in (dict(zip(columns, row, strict=True)) for row in cursor) if row["name"] == name)


def test_crash_gives_a_defined_error_and_spares_the_others(connect: Connect, by_node: dict[str, int], victim: tuple[str, Node]) -> None:
    name, node = victim
    connections = {key: connect() for key in by_node.values()}
    for key, connection in connections.items():
        assert read(connection, key) is not None
    node.kill()
    began = time.monotonic()
    try:
        read(connections[by_node[name]], by_node[name])
    except psycopg.Error as lost:
        assert lost.sqlstate in LOST, lost
    assert time.monotonic() - began < ERROR_SECONDS_MAX
    for key, connection in connections.items():
        if key != by_node[name]:
            assert read(connection, key) is not None


def test_crash_in_a_transaction(connect: Connect, by_node: dict[str, int], victim: tuple[str, Node]) -> None:
    name, node = victim
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("UPDATE spread SET n = n + 1000 WHERE id = %s", [by_node[name]])
    node.kill()
    with pytest.raises(psycopg.Error) as lost:
        connection.execute("UPDATE spread SET n = n + 1000 WHERE id = %s", [by_node[name]])
    assert lost.value.sqlstate in LOST or connection.closed
    if not connection.closed:
        connection.execute("ROLLBACK")


def test_crash_in_a_copy(connect: Connect, victim: tuple[str, Node]) -> None:
    connection = connect()
    connection.execute("DROP TABLE IF EXISTS copied_while_dying")
    connection.execute("CREATE TABLE copied_while_dying (id int) PARTITION BY HASH (id) WITH (herd.fragments = 6)")
    with pytest.raises(psycopg.Error) as lost, connection.cursor().copy("COPY copied_while_dying FROM STDIN") as copy:
        for number in range(2_000_000):
            copy.write(f"{number}\n")
            if number == 50_000:
                victim[1].kill()
    assert lost.value.sqlstate in LOST or connection.closed


@pytest.mark.parametrize("hurt", ["kill", "pause"])
def test_node_that_does_not_answer_is_down_in_show_nodes(connect: Connect, by_node: dict[str, int], victim: tuple[str, Node], hurt: str) -> None:
    name, node = victim
    connection = connect()

    wait_until(lambda: shown(connection, name)["status"] == "active", RECOVERY_SECONDS_MAX, "it is up at first")
    getattr(node, hurt)()
    wait_until(lambda: shown(connection, name)["status"] == "down", RECOVERY_SECONDS_MAX, "SHOW NODES tells that the node is down")
    assert shown(connection, name)["error"]
    assert float(shown(connection, name)["status_seconds"]) < RECOVERY_SECONDS_MAX
    if name != "n1":
        rows = connection.execute("SELECT name FROM herd.nodes WHERE status = 'down' AND error IS NOT NULL").fetchall()
        assert rows == [(name,)]


def test_hanging_node_holds_up_only_its_own_statements(demo: Demo, connect: Connect, by_node: dict[str, int], victim: tuple[str, Node]) -> None:
    name, node = victim
    connections = {key: connect() for key in by_node.values()}
    for key, connection in connections.items():
        read(connection, key)
    node.pause()
    stuck = connections.pop(by_node[name])
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(read(stuck, by_node[name]))
        except psycopg.Error as error:
            outcome.append(error.sqlstate)

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(20):
        for key, connection in connections.items():
            began = time.monotonic()
            assert read(connection, key) is not None
            assert time.monotonic() - began < 2
        assert connections[next(iter(connections))].execute("SHOW NODES").fetchall()
        time.sleep(0.05)
    any_other = next(iter(connections.values()))
    wait_until(lambda: shown(any_other, name)["status"] == "down", RECOVERY_SECONDS_MAX, "SHOW NODES tells that the node hangs")
    for key, connection in connections.items():
        # Prepared by itself, before its key is known, a statement goes to home if that answers.
        assert read(connection, key, prepare=True) is not None
    node.resume()
    thread.join(RECOVERY_SECONDS_MAX)
    assert not thread.is_alive()
    assert isinstance(outcome[0], int) or outcome[0] in LOST


def test_cancel_gets_through_while_a_node_hangs(connect: Connect, by_node: dict[str, int], victim: tuple[str, Node]) -> None:
    name, node = victim
    stuck, other = connect(), connect()
    read(stuck, by_node[name])
    node.pause()
    stuck.pgconn.send_query(b"SELECT n FROM spread WHERE id = %d" % by_node[name])
    time.sleep(0.2)
    began = time.monotonic()
    stuck.pgconn.get_cancel().cancel()
    assert time.monotonic() - began < 5, "the cancel request itself is answered"
    key = next(key for each, key in by_node.items() if each != name)
    assert read(other, key) is not None
    node.resume()
    assert stuck.pgconn.get_result() is not None
