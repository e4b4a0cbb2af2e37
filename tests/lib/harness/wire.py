"""The frontend side of the protocol over a bare socket, for saying what no driver would say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
from dataclasses import dataclass
from functools import lru_cache

from harness.endpoint import Endpoint

PROTOCOL_3_0 = 3 << 16
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
SECONDS_MAX = 20.0


class Closed(Exception):
    """The server closed the connection."""


@dataclass(frozen=True)
class Message:
    """One message of the server."""

    tag: str
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The fields of an error or a notice, by their letters."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode("utf8", "replace") for part in parts if part}

    @property
    def state(self) -> str:
        return self.fields["C"]


def startup(parameters: dict[str, str], version: int = PROTOCOL_3_0) -> bytes:
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return packet(struct.pack("!I", version) + pairs + b"\0")


def packet(body: bytes) -> bytes:
    """Length and body, as before authentication."""
    return struct.pack("!I", len(body) + 4) + body


def message(tag: str, body: bytes = b"") -> bytes:
    return tag.encode() + packet(body)


def query(sql: str) -> bytes:
    return message("Q", sql.encode() + b"\0")


class Wire:
    """A connection that sends exactly what it is told."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self.socket = socket.create_connection((endpoint.host, endpoint.port), timeout=SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        try:
            self.socket.sendall(b"".join(parts))
        except (BrokenPipeError, ConnectionResetError):
            # What the server said before it closed can still be read.
            pass

    def receive_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                chunk = self.socket.recv(count - len(data))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise Closed(data)
            data += chunk
        return data

    def receive(self) -> Message:
        tag = self.receive_exactly(1)
        (length,) = struct.unpack("!I", self.receive_exactly(4))
        return Message(tag.decode("latin1"), self.receive_exactly(length - 4))

    def receive_until(self, tag: str) -> list[Message]:
        """Messages up to and with the first of this kind."""
        messages = [self.receive()]
        while messages[-1].tag != tag:
            messages.append(self.receive())
        return messages

    def receive_all(self) -> list[Message]:
        """Messages until the server closes."""
        messages = []
        while True:
            try:
                messages.append(self.receive())
            except Closed:
                return messages

    def receive_all_bytes(self) -> bytes:
        """Whatever the server sends until it closes."""
        try:
            while True:
                self.receive_exactly(1 << 30)
        except Closed as closed:
            return closed.args[0]

    def start(self, **parameters: str) -> None:
        given = {"user": self.endpoint.user, "database": self.endpoint.dbname} | parameters
        self.send(startup(given))

    def log_in(self, **parameters: str) -> list[Message]:
        """Start and authenticate by SCRAM; everything up to ReadyForQuery."""
        self.start(**parameters)
        self.authenticate()
        return self.receive_until("Z")

    def authenticate(self) -> None:
        scram = Scram(self.endpoint.password)
        offer = self.receive()
        assert offer.tag == "R" and offer.body[:4] == b"\0\0\0\x0a", offer
        self.send(scram.first_message())
        self.send(scram.final_message(self.receive().body[4:].decode()))
        final = self.receive()
        assert final.tag == "R", final.fields
        assert self.receive().body == b"\0\0\0\0"

    def ask(self, sql: str) -> list[Message]:
        self.send(query(sql))
        return self.receive_until("Z")


@lru_cache
def salted_password(password: bytes, salt: str, iterations: int) -> bytes:
    """The slow step, which a client need not repeat as long as its verifier stays."""
    return hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(salt), iterations)


class Scram:
    """SCRAM-SHA-256 of a client, step by step, each step open to being told wrongly."""

    def __init__(self, password: str):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n=,r={self.nonce}"

    def first_message(self, mechanism: str = "SCRAM-SHA-256", header: str = "n,,", bare: str | None = None) -> bytes:
        text = (header + (self.bare if bare is None else bare)).encode()
        return message("p", mechanism.encode() + b"\0" + struct.pack("!i", len(text)) + text)

    def final_message(self, server_first: str, channel: str = "biws", nonce: str | None = None) -> bytes:
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        salted = salted_password(self.password, fields["s"], int(fields["i"]))
        without_proof = f"c={channel},r={nonce or fields['r']}"
        signed = f"{self.bare},{server_first},{without_proof}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        return message("p", f"{without_proof},p={proof}".encode())
