"""The first bytes of a connection, from those who mean harm or know no better."""

from __future__ import annotations

import struct
import time

import pytest

from harness.wire import GSS_REQUEST, PROTOCOL_3_0, SSL_REQUEST, Closed, Wire, packet, startup

from .conftest import Open

SSL = packet(struct.pack("!I", SSL_REQUEST))
GSS = packet(struct.pack("!I", GSS_REQUEST))


def last_error(connection: Wire) -> str:
    """The SQLSTATE with which the server closed, empty if it said nothing."""
    errors = [each.state for each in connection.receive_all() if each.tag == "E"]
    return errors[-1] if errors else ""


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 10_005, 2**24, 2**31 - 1, 2**31, 2**32 - 1])
def test_absurd_length_closes_the_connection(wire: Open, length: int) -> None:
    connection = wire()
    connection.send(struct.pack("!I", length), struct.pack("!I", PROTOCOL_3_0), b"user\0herd\0\0")
    began = time.monotonic()
    assert last_error(connection) in ("", "08P01")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, b"\xff" * 9000],
    ids=["http", "tls-without-asking", "noise"],
)
def test_other_protocols_are_turned_away(wire: Open, data: bytes) -> None:
    connection = wire()
    connection.send(data)
    assert last_error(connection) in ("", "08P01", "0A000")


@pytest.mark.parametrize("major", [0, 1, 2, 4, 1234, 65535])
def test_unknown_major_version_is_refused(wire: Open, major: int) -> None:
    connection = wire()
    connection.send(startup({"user": "herd"}, version=major << 16))
    assert last_error(connection) in ("", "0A000", "08P01")


def test_newer_minor_version_is_negotiated(wire: Open) -> None:
    connection = wire()
    connection.send(startup({"user": "herd", "database": "herd", "_pq_.unheard_of": "1"}, version=PROTOCOL_3_0 + 9))
    answer = connection.receive()
    assert answer.tag == "v"
    (minor, count) = struct.unpack("!II", answer.body[:8])
    assert minor & 0xFFFF < 9 and count == 1
    assert b"_pq_.unheard_of" in answer.body


def test_missing_user_is_28000(wire: Open) -> None:
    connection = wire()
    connection.send(startup({"database": "herd"}))
    assert last_error(connection) == "28000"


@pytest.mark.parametrize(
    "body",
    [b"user\0herd\0", b"user\0herd", b"user\0herd\0\0extra", b"user\0herd\0database", b"\0", b""],
    ids=["no-end", "no-terminator", "more-after-end", "name-without-value", "nothing", "empty"],
)
def test_malformed_parameters_are_refused(wire: Open, body: bytes) -> None:
    connection = wire()
    connection.send(packet(struct.pack("!I", PROTOCOL_3_0) + body))
    assert last_error(connection) in ("08P01", "28000")


@pytest.mark.parametrize("requests", [[SSL], [GSS], [GSS, SSL], [SSL, GSS]], ids=["ssl", "gss", "gss-ssl", "ssl-gss"])
def test_declined_encryption_is_followed_by_plain_startup(wire: Open, requests: list[bytes]) -> None:
    connection = wire()
    for each in requests:
        connection.send(each)
        if connection.receive_exactly(1) != b"N":
            return
    connection.start()
    assert connection.receive().tag == "R"


@pytest.mark.parametrize("request_", [SSL, GSS], ids=["ssl", "gss"])
def test_same_encryption_request_twice_is_refused(wire: Open, request_: bytes) -> None:
    connection = wire()
    connection.send(request_)
    if connection.receive_exactly(1) == b"N":
        connection.send(request_)
        assert last_error(connection) in ("", "0A000", "08P01")


def test_data_sent_ahead_of_tls_is_never_taken_for_the_clients(wire: Open) -> None:
    connection = wire()
    connection.send(SSL, startup({"user": "herd", "database": "herd"}))
    if connection.receive_exactly(1) == b"S":
        with pytest.raises(Closed):
            while True:
                assert connection.receive_exactly(1) != b"R"


def test_byte_by_byte_startup_works(wire: Open) -> None:
    connection = wire()
    for byte in startup({"user": "herd", "database": "herd"}):
        connection.send(bytes([byte]))
    connection.authenticate()
    connection.receive_until("Z")


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 5, 8, 12])
def test_client_that_leaves_early_is_forgotten(wire: Open, cut: int) -> None:
    for _ in range(50):
        connection = wire()
        connection.send(startup({"user": "herd", "database": "herd"})[:cut])
        connection.socket.close()


def test_silent_connections_do_not_block_others(wire: Open) -> None:
    silent = [wire() for _ in range(100)]
    began = time.monotonic()
    connection = wire()
    connection.log_in()
    assert time.monotonic() - began < 5
    assert len(silent) == 100


@pytest.mark.parametrize("name", ["user", "database", "application_name", "client_encoding"])
def test_overlong_parameter_is_an_error_or_is_cut(wire: Open, name: str) -> None:
    connection = wire()
    connection.start(**{name: "x" * 5000})
    answer = connection.receive()
    assert answer.tag in ("R", "E")


@pytest.mark.parametrize("mode", ["true", "database", "on", "1"])
def test_replication_is_refused_clearly(only_herd: None, wire: Open, mode: str) -> None:
    connection = wire()
    connection.start(replication=mode)
    answer = connection.receive()
    if answer.tag == "R":
        pytest.fail("a replication connection was let in")
    assert (answer.tag, answer.state) == ("E", "0A000")


def test_cancel_requests_with_wrong_keys_do_nothing(wire: Open) -> None:
    target = wire()
    target.log_in()
    for length in (0, 4, 8, 32, 256, 300, 5000):
        connection = wire()
        connection.send(packet(struct.pack("!I", 80877102) + b"\x01" * length))
        assert all(each.tag == "E" for each in connection.receive_all())
    assert [each.tag for each in target.ask("SELECT 1")] == ["T", "D", "C", "Z"]
