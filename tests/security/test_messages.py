"""Messages after the login that no driver would send."""

from __future__ import annotations

import struct

import pytest

from harness.wire import Wire, message, query

from .conftest import Open


def logged_in(wire: Open) -> Wire:
    connection = wire()
    connection.log_in()
    return connection


@pytest.mark.parametrize("length", [0, 1, 3, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("tag", ["Q", "P", "B", "d", "p"])
def test_absurd_length_ends_the_session(wire: Open, tag: str, length: int) -> None:
    connection = logged_in(wire)
    connection.send(tag.encode(), struct.pack("!I", length), b"SELECT 1\0")
    connection.socket.shutdown(1)
    messages = connection.receive_all()
    assert all(each.tag == "E" and each.state in ("08P01", "54000", "53200") for each in messages), messages


@pytest.mark.parametrize("tag", ["!", "\0", "\xff", "R", "Z", "p", "v"])
def test_unknown_message_ends_the_session(wire: Open, tag: str) -> None:
    connection = logged_in(wire)
    connection.send(tag.encode("latin1"), struct.pack("!I", 4))
    messages = connection.receive_all()
    assert [(each.tag, each.state) for each in messages] == [("E", "08P01")]


@pytest.mark.parametrize(
    "body",
    [
        message("Q", b"SELECT 1"),
        message("P", b"name"),
        message("P", b"\0SELECT 1\0\0\x05"),
        message("P", b"\0SELECT 1\0\xff\xff"),
        message("B", b"\0\0"),
        message("B", b"\0\0\0\0\0\x01\0\0\0\x10x"),
        message("B", b"\0\0\xff\xff"),
        message("D", b"X\0"),
        message("D", b""),
        message("E", b"\0"),
        message("C", b"Q\0"),
        message("F", b"\0"),
    ],
    ids=lambda body: repr(body)[2:40],
)
def test_malformed_message_is_a_protocol_violation(wire: Open, body: bytes) -> None:
    connection = logged_in(wire)
    connection.send(body, message("S"))
    connection.socket.shutdown(1)
    messages = connection.receive_all()
    errors = [each.state for each in messages if each.tag == "E"]
    assert errors and set(errors) <= {"08P01", "26000", "34000"}, messages


def test_copy_messages_outside_of_copy_are_ignored(wire: Open) -> None:
    connection = logged_in(wire)
    connection.send(message("d", b"1\n"), message("c"), message("f", b"no\0"))
    assert [each.tag for each in connection.ask("SELECT 1")] == ["T", "D", "C", "Z"]


def test_query_during_copy_in_ends_it(wire: Open) -> None:
    connection = logged_in(wire)
    connection.send(query("CREATE TEMP TABLE t (id int)"))
    connection.receive_until("Z")
    connection.send(query("COPY t FROM STDIN"))
    connection.receive_until("G")
    connection.send(query("SELECT 1"))
    first = connection.receive()
    assert (first.tag, first.state) == ("E", "08P01")


def test_flush_and_sync_during_copy_in_are_ignored(wire: Open) -> None:
    connection = logged_in(wire)
    connection.ask("CREATE TEMP TABLE t (id int)")
    connection.send(query("COPY t FROM STDIN"))
    connection.receive_until("G")
    connection.send(message("d", b"1\n"), message("H"), message("S"), message("d", b"2\n"), message("c"))
    messages = connection.receive_until("Z")
    assert [each.tag for each in messages] == ["C", "Z"]
    assert messages[0].body == b"COPY 2\0"
    assert [each.tag for each in connection.ask("SELECT 1")] == ["T", "D", "C", "Z"]


@pytest.mark.parametrize("ends_with_sync", [True, False])
def test_copy_in_by_the_extended_protocol(wire: Open, ends_with_sync: bool) -> None:
    """Drivers send the Sync at once, which the server ignores while it copies, and another one at the end."""
    connection = logged_in(wire)
    connection.ask("CREATE TEMP TABLE t (id int)")
    sync = message("S") if ends_with_sync else message("H")
    parse = message("P", b"\0COPY t FROM STDIN\0\0\0")
    connection.send(parse, message("B", b"\0\0\0\0\0\0\0\0"), message("E", b"\0\0\0\0\0"), sync)
    connection.receive_until("G")
    connection.send(message("d", b"1\n"), message("c"), message("S"))
    messages = connection.receive_until("Z")
    assert [each.tag for each in messages] == ["C", "Z"]
    assert messages[0].body == b"COPY 1\0"
    assert [each.tag for each in connection.ask("SELECT 1")] == ["T", "D", "C", "Z"]


def test_terminate_closes_without_a_word(wire: Open) -> None:
    connection = logged_in(wire)
    connection.send(message("X"))
    assert connection.receive_all() == []


def test_message_in_ten_thousand_pieces(wire: Open) -> None:
    connection = logged_in(wire)
    text = query("SELECT '" + "x" * 10_000 + "'")
    for start in range(0, len(text), 7):
        connection.send(text[start : start + 7])
    assert [each.tag for each in connection.receive_until("Z")] == ["T", "D", "C", "Z"]


def test_thousand_messages_in_one_piece(wire: Open) -> None:
    connection = logged_in(wire)
    connection.send(b"".join(query(f"SELECT {number}") for number in range(1000)))
    for number in range(1000):
        row = connection.receive_until("Z")[1]
        assert row.body[6:] == str(number).encode()
