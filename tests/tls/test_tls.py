"""Encryption, channel binding, and certificates of clients."""

from __future__ import annotations

import signal
import ssl
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import psycopg
import pytest

from harness.herd import Serve
from harness.process import wait_until
from harness.wire import SSL_REQUEST, Closed, Wire, packet, startup

from .conftest import Authority

SSL = packet(struct.pack("!I", SSL_REQUEST))


@pytest.fixture(scope="module")
def herd(start_with_tls: Callable[..., Serve]) -> Serve:
    return start_with_tls()


@pytest.fixture(scope="module")
def strict(start_with_tls: Callable[..., Serve], authority: Authority) -> Serve:
    """Nobody without TLS and a certificate."""
    return start_with_tls(
        f'required = true\nclient_certificates = "required"\nclient_authority = "{authority.certificate}"\n'
        # Who shows a certificate gives no password, so Herd needs one of its own for the node.
        '[[auth.users]]\nname = "herd"\npassword = "herd"\n'
    )


def encrypted(connection: psycopg.Connection) -> bool:
    return connection.pgconn.ssl_in_use


def test_certificate_is_verified_and_the_connection_encrypted(herd: Serve, authority: Authority) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": str(authority.certificate)}
    with psycopg.connect(**herd.endpoint.parameters(), **options) as connection:
        assert encrypted(connection)
        assert connection.execute("SELECT repeat('x', 10000000)").fetchone()[0].count("x") == 10_000_000


def test_wrong_authority_is_noticed_by_the_client(herd: Serve, authority: Authority) -> None:
    other, _ = authority.sign("other")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(**herd.endpoint.parameters(), sslmode="verify-full", sslrootcert=str(other))


@pytest.mark.parametrize("binding", ["require", "prefer", "disable"])
def test_channel_binding(herd: Serve, binding: str) -> None:
    with psycopg.connect(**herd.endpoint.parameters(), sslmode="require", channel_binding=binding) as connection:
        assert encrypted(connection)


def test_channel_binding_needs_tls(herd: Serve) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**herd.endpoint.parameters(), sslmode="disable", channel_binding="require")


def test_plain_connections_stay_possible(herd: Serve) -> None:
    with psycopg.connect(**herd.endpoint.parameters(), sslmode="disable") as connection:
        assert not encrypted(connection)


@pytest.mark.skipif(psycopg.pq.version() < 170000, reason="libpq negotiates directly since 17")
def test_direct_negotiation(herd: Serve, authority: Authority) -> None:
    options = {"sslmode": "verify-full", "sslrootcert": str(authority.certificate), "sslnegotiation": "direct"}
    with psycopg.connect(**herd.endpoint.parameters(), **options) as connection:
        assert encrypted(connection)


def test_cancel_over_tls(herd: Serve) -> None:
    with psycopg.connect(**herd.endpoint.parameters(), sslmode="require", autocommit=True) as connection:
        with ThreadPoolExecutor() as pool:
            sleeping = pool.submit(connection.execute, "SELECT pg_sleep(20)")
            time.sleep(0.2)
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                sleeping.result(timeout=5)


def test_copy_over_tls(herd: Serve) -> None:
    with psycopg.connect(**herd.endpoint.parameters(), sslmode="require", autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE encrypted (t text)")
        with connection.cursor().copy("COPY encrypted FROM STDIN") as copy:
            for _ in range(1000):
                copy.write("y" * 10_000 + "\n")
        with connection.cursor().copy("COPY encrypted TO STDOUT") as copy:
            assert sum(len(chunk) for chunk in copy) == 10_001_000


async def test_asyncpg_over_tls(herd: Serve, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    connection = await asyncpg.connect(herd.endpoint.url(), ssl=context)
    assert await connection.fetchval("SELECT $1::int", 7) == 7
    await connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_of_tls(herd: Serve, authority: Authority, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.minimum_version = context.maximum_version = version
    connection = await asyncpg.connect(herd.endpoint.url(), ssl=context)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


def test_plaintext_sent_ahead_of_the_handshake_is_not_obeyed(herd: Serve) -> None:
    with Wire(herd.endpoint) as connection:
        connection.send(SSL, startup({"user": "herd", "database": "herd"}))
        answer = connection.receive_exactly(1)
        assert answer in (b"S", b"E")
        with pytest.raises(Closed) as closed:
            while True:
                connection.receive_exactly(1)
        assert b"SCRAM" not in closed.value.args[0]


def test_failed_handshake_closes(herd: Serve) -> None:
    with Wire(herd.endpoint) as connection:
        connection.send(SSL)
        assert connection.receive_exactly(1) == b"S"
        connection.send(b"this is no handshake" * 10)
        connection.receive_all_bytes()
    with psycopg.connect(**herd.endpoint.parameters(), sslmode="require") as after:
        assert encrypted(after)


def test_second_request_for_tls_inside_tls_is_refused(herd: Serve, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with Wire(herd.endpoint) as connection:
        connection.send(SSL)
        assert connection.receive_exactly(1) == b"S"
        connection.socket = context.wrap_socket(connection.socket, server_hostname="localhost")
        connection.send(SSL)
        assert all(each.tag == "E" for each in connection.receive_all())


def test_strict_herd_wants_tls(strict: Serve) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**strict.endpoint.parameters(), sslmode="disable")


def test_strict_herd_wants_a_certificate_of_its_authority(strict: Serve, authority: Authority) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**strict.endpoint.parameters(), sslmode="require", sslcert="", sslkey="").execute("SELECT 1")
    certificate, key = authority.sign("herd")
    options = {"sslmode": "require", "sslcert": str(certificate), "sslkey": str(key)}
    with psycopg.connect(**strict.endpoint.parameters(), **options) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("herd",)


def shown_certificate(herd: Serve, authority: Authority) -> bytes:
    """What Herd shows to whoever connects now."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with Wire(herd.endpoint) as connection:
        connection.send(SSL)
        assert connection.receive_exactly(1) == b"S"
        connection.socket = context.wrap_socket(connection.socket, server_hostname="localhost")
        return connection.socket.getpeercert(binary_form=True)


def test_new_certificate_is_shown_after_a_reload(start_herd: Callable[[str], Serve], authority: Authority) -> None:
    certificate, key = authority.sign("renewed")
    herd = start_herd(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    first = shown_certificate(herd, authority)
    with psycopg.connect(**herd.endpoint.parameters(), sslmode="require", autocommit=True) as connection:
        authority.sign("renewed")
        assert shown_certificate(herd, authority) == first
        herd.process.send(signal.SIGHUP)
        wait_until(lambda: shown_certificate(herd, authority) != first, 10, "the new certificate is shown")
        second = shown_certificate(herd, authority)
        key.write_text("no key")
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="not reloaded"):
            connection.execute("RELOAD")
        assert shown_certificate(herd, authority) == second
        assert connection.execute("SELECT 1").fetchone() == (1,), "old connections live on"
    options = {"sslmode": "verify-full", "sslrootcert": str(authority.certificate), "channel_binding": "require"}
    psycopg.connect(**herd.endpoint.parameters(), **options).close()
