"""Getting in, and being told no."""

from __future__ import annotations

import psycopg
import pytest

from harness.endpoint import Endpoint


def test_scram_login_reports_the_server(connection: psycopg.Connection) -> None:
    info = connection.info
    assert info.server_version >= 150000
    assert info.parameter_status("server_encoding") == "UTF8"
    assert info.parameter_status("client_encoding") == "UTF8"
    assert info.parameter_status("standard_conforming_strings") == "on"
    assert info.parameter_status("integer_datetimes") == "on"
    assert connection.execute("SELECT current_user, current_database()").fetchone() == ("herd", "herd")


def test_scram_is_what_the_server_asks_for(endpoint: Endpoint) -> None:
    with psycopg.connect(**endpoint.parameters(), require_auth="scram-sha-256") as connection:
        assert connection.pgconn.used_password


def test_wrong_password_is_28p01(endpoint: Endpoint) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed for user \"herd\""):
        psycopg.connect(**endpoint.parameters() | {"password": "wrong"})


def test_unknown_user_looks_like_a_wrong_password(endpoint: Endpoint) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed for user \"nobody\""):
        psycopg.connect(**endpoint.parameters() | {"user": "nobody"})


def test_unknown_database_is_3d000(endpoint: Endpoint) -> None:
    with pytest.raises(psycopg.OperationalError, match="database \"nowhere\" does not exist"):
        psycopg.connect(**endpoint.parameters() | {"dbname": "nowhere"})


def test_startup_parameters_apply(endpoint: Endpoint) -> None:
    arguments = endpoint.parameters() | {
        "application_name": "clients: ž",
        "options": "-c statement_timeout=12345 -c search_path=pg_catalog,public",
    }
    with psycopg.connect(**arguments) as connection:
        row = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('search_path')"
        ).fetchone()
        assert row == ("12345ms", "pg_catalog,public")
        name = connection.execute("SHOW application_name").fetchone()
        assert name is not None and name[0].startswith("clients: ")


def test_unknown_startup_option_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(psycopg.OperationalError, match="no_such_setting"):
        psycopg.connect(**endpoint.parameters(), options="-c no_such_setting=1")


def test_bad_startup_value_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(psycopg.OperationalError, match="statement_timeout"):
        psycopg.connect(**endpoint.parameters(), options="-c statement_timeout=soon")


def test_client_encoding_is_honoured(endpoint: Endpoint) -> None:
    with psycopg.connect(**endpoint.parameters(), client_encoding="latin1") as connection:
        assert connection.info.parameter_status("client_encoding") == "LATIN1"
        assert connection.execute("SELECT %s::text || 'é'", ["ü"]).fetchone() == ("üé",)
        with pytest.raises(psycopg.errors.UntranslatableCharacter):
            connection.execute("SELECT U&'\\017E'")


def test_many_connections_one_after_the_other(endpoint: Endpoint) -> None:
    for number in range(100):
        with psycopg.connect(**endpoint.parameters()) as connection:
            assert connection.execute("SELECT %s::int", [number]).fetchone() == (number,)
