"""SCRAM and who may log in, with every step told wrongly."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator

import psycopg
import pytest

from harness.endpoint import Endpoint
from harness.wire import Message, Scram, Wire, message, query, startup

from .conftest import Open

REFUSED = ("08P01", "28P01", "28000", "0A000", "22P02")


def refusal(connection: Wire) -> Message:
    """The one error with which the server closes."""
    messages = connection.receive_all()
    assert [each.tag for each in messages if each.tag != "R"] == ["E"], messages
    assert messages[-1].fields["S"] == "FATAL"
    return messages[-1]


def started(wire: Open) -> tuple[Wire, Scram]:
    connection = wire()
    connection.start()
    assert connection.receive().tag == "R"
    return connection, Scram(connection.endpoint.password)


@pytest.fixture
def role(admin: psycopg.Connection) -> Iterator[str]:
    admin.execute("DROP ROLE IF EXISTS security_guest")
    admin.execute("CREATE ROLE security_guest LOGIN PASSWORD 'right'")
    yield "security_guest"
    admin.execute("REVOKE ALL ON DATABASE herd FROM security_guest")
    admin.execute("DROP ROLE security_guest")


def login_state(endpoint: Endpoint, user: str, password: str) -> str:
    """Empty if the login succeeds."""
    with Wire(dataclasses.replace(endpoint, user=user, password=password)) as connection:
        connection.start()
        scram = Scram(password)
        steps = [lambda _: scram.first_message(), lambda body: scram.final_message(body[4:].decode())]
        while (answer := connection.receive()).tag != "Z":
            if answer.tag == "E":
                return answer.state
            if answer.tag == "R" and steps and answer.body[:4] != b"\0\0\0\0":
                connection.send(steps.pop(0)(answer.body))
        return ""


@pytest.mark.parametrize(
    "second",
    [
        startup({"user": "postgres", "database": "postgres"}),
        query("SELECT 1"),
        message("P", b"\0SELECT 1\0\0\0"),
        message("S"),
        message("d", b"x"),
        message("X"),
        b"\0" * 50,
    ],
    ids=["startup", "query", "parse", "sync", "copy-data", "terminate", "zeros"],
)
@pytest.mark.parametrize("step", [0, 1])
def test_other_messages_in_the_middle_of_scram(wire: Open, second: bytes, step: int) -> None:
    connection, scram = started(wire)
    if step == 1:
        connection.send(scram.first_message())
        connection.receive()
    connection.send(second)
    messages = connection.receive_all()
    assert not [each for each in messages if each.tag not in "E"], "nothing but an error"
    assert all(each.state in REFUSED for each in messages)


@pytest.mark.parametrize(
    "first",
    [
        {"mechanism": "SCRAM-SHA-1"},
        {"mechanism": ""},
        {"mechanism": "SCRAM-SHA-256-PLUS"},
        {"header": "p=tls-unique,,"},
        {"header": "p=tls-server-end-point,,"},
        {"header": "x,,"},
        {"header": ""},
        {"header": "n,a=postgres,"},
        {"bare": ""},
        {"bare": "r=nonce"},
        {"bare": "m=ext,n=,r=nonce"},
        {"bare": "n=,r=" + "x" * 5000},
        {"bare": "n=,r=\x01\x02"},
        {"bare": "n=,r=nonce,x"},
        {"bare": "n=,r=žluť"},
    ],
    ids=lambda change: str(change)[:40],
)
def test_malformed_first_message(wire: Open, first: dict[str, str]) -> None:
    connection, scram = started(wire)
    connection.send(scram.first_message(**first))
    assert refusal(connection).state in REFUSED


@pytest.mark.parametrize("length", [-2, 0, 5, 2**31 - 1, -(2**31)])
def test_false_length_of_the_first_response(wire: Open, length: int) -> None:
    connection, _ = started(wire)
    connection.send(message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", length) + b"n,,n=,r=nonce"))
    assert refusal(connection).state in REFUSED


@pytest.mark.parametrize("change", [{"channel": "eSws"}, {"channel": "!!"}, {"nonce": "other"}], ids=str)
def test_malformed_final_message(wire: Open, change: dict[str, str]) -> None:
    connection, scram = started(wire)
    connection.send(scram.first_message())
    connection.send(scram.final_message(connection.receive().body[4:].decode(), **change))
    assert refusal(connection).state in REFUSED


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"c=biws", b"c=biws,r=", b"p=AAAA", b"c=biws,r=x,p=!!!", b"c=biws,r=x,p=" + b"A" * 1000, b"\xff\xfe"],
    ids=repr,
)
def test_garbage_in_place_of_the_proof(wire: Open, body: bytes) -> None:
    connection, scram = started(wire)
    connection.send(scram.first_message())
    connection.receive()
    connection.send(message("p", body))
    assert refusal(connection).state in REFUSED


@pytest.mark.parametrize("length", [0, 3, 2**20, 2**31 - 1, 2**31, 2**32 - 1])
def test_absurd_length_of_a_login_message(wire: Open, length: int) -> None:
    connection, _ = started(wire)
    connection.send(b"p", struct.pack("!I", length), b"SCRAM-SHA-256\0")
    messages = connection.receive_all()
    assert all(each.tag == "E" for each in messages)


def test_proof_cannot_be_replayed(wire: Open) -> None:
    first, scram = started(wire)
    first.send(scram.first_message())
    proof = scram.final_message(first.receive().body[4:].decode())
    second, _ = started(wire)
    second.send(scram.first_message())
    second.receive()
    second.send(proof)
    assert refusal(second).state in REFUSED


def test_unknown_user_is_offered_the_same_challenge_again(wire: Open) -> None:
    salts = set()
    for _ in range(3):
        connection = wire()
        connection.start(user="never_heard_of")
        assert connection.receive().tag == "R"
        connection.send(Scram("x").first_message())
        fields = dict(part.split("=", 1) for part in connection.receive().body[4:].decode().split(","))
        salts.add((fields["s"], fields["i"]))
    assert len(salts) == 1, "a changing salt tells that the user does not exist"


@pytest.mark.parametrize(("user", "password"), [("never_heard_of", "x"), ("never_heard_of", ""), ("herd", "wrong"), ("herd", ""), ("herd", "herd ")])
def test_wrong_credentials_are_28p01(endpoint: Endpoint, user: str, password: str) -> None:
    assert login_state(endpoint, user, password) == "28P01"


def test_changed_password_counts_at_once(endpoint: Endpoint, admin: psycopg.Connection, role: str) -> None:
    assert login_state(endpoint, role, "right") == ""
    admin.execute(f"ALTER ROLE {role} PASSWORD 'changed'")
    assert login_state(endpoint, role, "right") == "28P01"
    assert login_state(endpoint, role, "changed") == ""


def test_expired_password_is_refused(endpoint: Endpoint, admin: psycopg.Connection, role: str) -> None:
    assert login_state(endpoint, role, "right") == ""
    admin.execute(f"ALTER ROLE {role} VALID UNTIL '2001-01-01'")
    assert login_state(endpoint, role, "right") == "28P01"
    admin.execute(f"ALTER ROLE {role} VALID UNTIL 'infinity'")
    assert login_state(endpoint, role, "right") == ""


def test_role_that_may_not_log_in_is_28000(endpoint: Endpoint, admin: psycopg.Connection, role: str) -> None:
    admin.execute(f"ALTER ROLE {role} NOLOGIN")
    assert login_state(endpoint, role, "right") == "28000"


def test_role_without_a_password_is_refused(endpoint: Endpoint, admin: psycopg.Connection, role: str) -> None:
    admin.execute(f"ALTER ROLE {role} PASSWORD NULL")
    assert login_state(endpoint, role, "right") == "28P01"
    assert login_state(endpoint, role, "") == "28P01"


def test_dropped_role_is_refused(endpoint: Endpoint, admin: psycopg.Connection) -> None:
    admin.execute("CREATE ROLE security_brief LOGIN PASSWORD 'right'")
    assert login_state(endpoint, "security_brief", "right") == ""
    admin.execute("DROP ROLE security_brief")
    assert login_state(endpoint, "security_brief", "right") == "28P01"


def test_database_that_refuses_the_role_is_42501(endpoint: Endpoint, admin: psycopg.Connection, role: str) -> None:
    admin.execute("REVOKE CONNECT ON DATABASE postgres FROM public")
    try:
        assert login_state(dataclasses.replace(endpoint, dbname="postgres"), role, "right") == "42501"
    finally:
        admin.execute("GRANT CONNECT ON DATABASE postgres TO public")


def test_privileges_are_the_roles_own(endpoint: Endpoint, admin: psycopg.Connection, role: str) -> None:
    admin.execute("DROP TABLE IF EXISTS public.security_secret; CREATE TABLE public.security_secret AS SELECT 1 AS id")
    parameters = endpoint.parameters() | {"user": role, "password": "right"}
    with psycopg.connect(**parameters, autocommit=True) as connection:
        assert connection.execute("SELECT session_user, current_user").fetchone() == (role, role)
        for sql in ("SELECT * FROM public.security_secret", "SELECT rolpassword FROM pg_authid", "SET ROLE herd", "CREATE ROLE other"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql)
    admin.execute("DROP TABLE public.security_secret")


def test_superusers_setting_cannot_be_given_at_startup(endpoint: Endpoint, role: str) -> None:
    parameters = endpoint.parameters() | {"user": role, "password": "right"}
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(**parameters, options="-c log_statement=all")


@pytest.mark.parametrize("search_path", ["security_trap", "security_trap,pg_catalog", ""])
def test_hostile_search_path_hijacks_nothing(endpoint: Endpoint, admin: psycopg.Connection, role: str, search_path: str) -> None:
    admin.execute("DROP SCHEMA IF EXISTS security_trap CASCADE; CREATE SCHEMA security_trap; GRANT USAGE ON SCHEMA security_trap TO public")
    admin.execute("CREATE FUNCTION security_trap.trap(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$")
    admin.execute("CREATE OPERATOR security_trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = security_trap.trap)")
    for name in ("pg_authid", "pg_roles", "pg_database", "pg_class", "pg_namespace", "pg_prepared_xacts"):
        admin.execute(f"CREATE VIEW security_trap.{name} AS SELECT 1/0 AS trapped")
    for name in ("current_setting(text)", "set_config(text, text, bool)", "now()", "version()"):
        admin.execute(f"CREATE FUNCTION security_trap.{name} RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$")
    try:
        parameters = endpoint.parameters() | {"user": role, "password": "right"}
        for _ in range(3):
            with psycopg.connect(**parameters, options=f"-c search_path={search_path}", autocommit=True) as connection:
                connection.execute("SET work_mem = '5MB'")
                connection.execute("BEGIN; SELECT 1; COMMIT")
                assert connection.execute("SHOW search_path").fetchone() in ((search_path,), ('""',))
                connection.execute("DISCARD ALL")
        assert login_state(endpoint, role, "wrong") == "28P01"
    finally:
        admin.execute("DROP SCHEMA security_trap CASCADE")
