"""Idle clients: connected, authenticated by SCRAM, one statement behind them, then silent."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
import socket
import struct

from harness.endpoint import Endpoint

#: Waiting for one answer while thousands of others connect.
ANSWER_SECONDS_MAX = 30.0


class IdleClients:
    """Holds `count` connections open until it is closed."""

    def __init__(self, endpoint: Endpoint, count: int):
        self._sockets: list[socket.socket] = []
        try:
            for _ in range(count):
                self._sockets.append(_connect(endpoint))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> IdleClients:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()


def _connect(endpoint: Endpoint) -> socket.socket:
    connection = socket.create_connection((endpoint.host, endpoint.port), timeout=ANSWER_SECONDS_MAX)
    parameters = f"user\0{endpoint.user}\0database\0{endpoint.dbname}\0\0".encode()
    connection.sendall(struct.pack("!ii", len(parameters) + 8, 196608) + parameters)
    _authenticate(connection, endpoint.password)
    _until_ready(connection)
    connection.sendall(_frame(b"Q", b"SELECT 1\0"))
    _until_ready(connection)
    return connection


def _frame(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("!i", len(body) + 4) + body


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("the server closed the connection")
        data += more
    return data


def _message(connection: socket.socket) -> tuple[bytes, bytes]:
    header = _read(connection, 5)
    (length,) = struct.unpack("!i", header[1:])
    body = _read(connection, length - 4)
    if header[:1] == b"E":
        raise ConnectionError(body.replace(b"\0", b" ").decode(errors="replace"))
    return header[:1], body


def _until_ready(connection: socket.socket) -> None:
    while _message(connection)[0] != b"Z":
        pass


def _authenticate(connection: socket.socket, password: str) -> None:
    """SCRAM-SHA-256 without channel binding; the server's signature is not checked."""
    nonce = secrets.token_urlsafe(18)
    first = f"n=,r={nonce}"
    challenge = _authentication(connection)
    if challenge == struct.pack("!i", 0):
        return
    initial = f"n,,{first}".encode()
    connection.sendall(_frame(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(initial)) + initial))
    server_first = _authentication(connection)[4:].decode()
    attributes = dict(part.split("=", 1) for part in server_first.split(","))
    salted = _salted_password(password, attributes["s"], int(attributes["i"]))
    final = f"c=biws,r={attributes['r']}"
    signed = f"{first},{server_first},{final}".encode()
    client_key = _hmac(salted, b"Client Key")
    signature = _hmac(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    connection.sendall(_frame(b"p", f"{final},p={base64.b64encode(proof).decode()}".encode()))
    _authentication(connection)
    _authentication(connection)


def _authentication(connection: socket.socket) -> bytes:
    tag, body = _message(connection)
    if tag != b"R":
        raise ConnectionError(f"expected an authentication message, got {tag!r}")
    return body


@functools.cache
def _salted_password(password: str, salt: str, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), iterations)


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")
