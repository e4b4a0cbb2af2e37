"""Query strings of several statements: every message as plain PostgreSQL sends it, over all kinds of tables."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.endpoint import Endpoint
from harness.process import wait_until
from harness.wire import CANCEL_REQUEST, Message, Wire, message, packet, query

from .conftest import Pair
from .databases import REFUSED, contents

#: In front of a string, makes Herd run its statements one by one; PostgreSQL does so with any.
ONE_BY_ONE = "COMMIT; "
COMPARED = ("users", "settings")
SECONDS_MAX = 10
WRITES_AND_SLEEPS = "UPDATE settings SET value = 'x'; SELECT pg_sleep(60); SELECT 1"
SLEEPING = "query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()"

#: `{a}` and `{b}` are keys of users on one node, `{c}` is one on another, `{e}` one on the home node.
PLAIN = (
    "SELECT 1; SELECT 2",
    "SELECT name FROM users WHERE uid = {a}; SELECT name FROM users WHERE uid = {b};;",
    "SELECT name FROM settings WHERE id = 1; SELECT name FROM users WHERE uid = {e}",
    "UPDATE users SET age = 1 WHERE uid = {a}; UPDATE users SET age = 2 WHERE uid = {b}; SELECT 1/0",
    "UPDATE users SET age = 3 WHERE uid = {a}; SELECT age FROM users WHERE uid = {a}",
    "SELECT 'žluť', nope; SELECT 2",
    "SELECT 'žluť'; SELECT nope",
    "SELECT 1; SELECT 'ž' FROM users WHERE nope = 1 AND uid = {a}",
    "UPDATE users SET age = 4 WHERE uid = {a}; SELEC 1",
    "UPDATE users SET age = 4 WHERE uid = {a}; COMMIT; SELECT (",
    "SELECT 1; SELECT 1 1; SELECT 2",
    "SELECT 'x; SELECT 1",
)
BLOCKS = (
    "COMMIT; SELECT 1",
    "SELECT 1; COMMIT; SELECT 2",
    "UPDATE users SET age = 5 WHERE uid = {a}; COMMIT; SELECT 1/0",
    "UPDATE users SET age = 6 WHERE uid = {a}; ROLLBACK; SELECT age FROM users WHERE uid = {a}",
    "UPDATE users SET age = 7 WHERE uid = {a}; COMMIT AND CHAIN; SELECT 2",
    "UPDATE users SET age = 7 WHERE uid = {a}; ROLLBACK AND CHAIN; SELECT 2",
    "SELECT 1; SAVEPOINT s; SELECT 2",
    "SELECT 1; RELEASE s; SELECT 2",
    "SELECT 1; ROLLBACK TO s; SELECT 2",
    "UPDATE users SET age = 8 WHERE uid = {a}; BEGIN; SELECT 2; ROLLBACK; SELECT age FROM users WHERE uid = {a}",
    "BEGIN; UPDATE users SET age = 9 WHERE uid = {a}; COMMIT; BEGIN; UPDATE users SET age = 9 WHERE uid = {c}; COMMIT",
    "BEGIN; UPDATE users SET age = 10 WHERE uid = {a}; COMMIT; UPDATE users SET age = 10 WHERE uid = {c}; SELECT 1/0",
    "SELECT 1; BEGIN; BEGIN; COMMIT; COMMIT",
    "SELECT 1; START TRANSACTION ISOLATION LEVEL SERIALIZABLE; COMMIT",
    "BEGIN ISOLATION LEVEL SERIALIZABLE; SHOW transaction_isolation; COMMIT; SHOW transaction_isolation",
    "SET LOCAL work_mem = '1MB'; BEGIN READ ONLY; SHOW transaction_read_only; SHOW work_mem; COMMIT; SHOW work_mem",
    "BEGIN READ ONLY; UPDATE users SET age = 11 WHERE uid = {a}; COMMIT",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SHOW transaction_isolation",
    "SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "BEGIN; SELECT 1/0; SELECT 2; ROLLBACK",
    "BEGIN; UPDATE users SET age = 12 WHERE uid = {a}; SAVEPOINT s; UPDATE users SET age = 13 WHERE uid = {a};"
    " ROLLBACK TO s; RELEASE s; COMMIT AND CHAIN; UPDATE users SET age = 14 WHERE uid = {b}; COMMIT; SELECT 1",
    "SET search_path = pg_catalog; ROLLBACK; SELECT name FROM users WHERE uid = {a}",
    "BEGIN; SET search_path = pg_catalog; ROLLBACK; SELECT name FROM users WHERE uid = {a}",
    "BEGIN; SET work_mem = '3MB'; COMMIT; SHOW work_mem; SELECT 1/0",
    "SELECT 1; COMMIT PREPARED 'query_string'",
    "INSERT INTO settings VALUES (102, 'late'); INSERT INTO later VALUES (1); INSERT INTO later VALUES (1)",
    "BEGIN; INSERT INTO later VALUES (2); INSERT INTO later VALUES (2); COMMIT; SELECT 1",
    "INSERT INTO later VALUES (3); COMMIT; INSERT INTO later VALUES (3); COMMIT; SELECT 1",
)
COMMANDS = (
    "SELECT 1; VACUUM settings",
    "VACUUM settings; SELECT 1",
    "SELECT 1; CREATE INDEX CONCURRENTLY ON settings (value)",
    "SELECT 1; CREATE DATABASE query_strings",
    "UPDATE users SET age = 15 WHERE uid = {a}; DISCARD ALL",
    "DISCARD ALL; SELECT 1",
    "SELECT 1; DISCARD TEMP; SELECT 2",
    "SELECT 1; LOCK TABLE settings; SELECT 2",
    "SELECT 1; DECLARE c CURSOR FOR SELECT name FROM settings WHERE id < 4 ORDER BY id; FETCH 2 FROM c; CLOSE c",
    "SELECT 1; FETCH c",
    "LISTEN x; NOTIFY y; SELECT 1; UNLISTEN *",
    "PREPARE p AS SELECT 7; EXECUTE p; DEALLOCATE p; SELECT 2",
    "PREPARE p(bigint) AS SELECT name FROM users WHERE uid = $1; EXECUTE p({a}); EXECUTE p({b})",
    "SELECT 1; PREPARE p AS SELECT 7; SELECT 1/0",
    "SELECT 1; DEALLOCATE ALL; EXECUTE p",
    "SELECT 1; DEALLOCATE nope; SELECT 2",
    "SELECT 1; EXECUTE nope(1)",
    "SELECT pg_notify('x', 'y'); DO $$ BEGIN RAISE NOTICE 'noted'; END $$; SELECT 1",
    "SET search_path = pg_catalog; SELECT relname FROM pg_class WHERE relname = 'pg_class'; RESET search_path",
    "CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t; DROP TABLE t",
    "CREATE TABLE new_home (a int PRIMARY KEY, b text); CREATE INDEX ON new_home (b); INSERT INTO new_home VALUES (1);"
    " SELECT * FROM new_home; DROP TABLE new_home",
    "CREATE TABLE new_home (a int); SELECT 1/0",
    "DROP TABLE IF EXISTS new_home; SELECT 1; SELECT * FROM new_home",
)
COPIES = (
    ("SELECT 1; COPY settings FROM STDIN; SELECT count(*) FROM settings", b"201\tcopied\tv\n"),
    ("COPY settings FROM STDIN; COPY settings (id) FROM STDIN; SELECT 1/0", b"202\tx\ty\n", b"203\n"),
    ("COPY settings (id, name) FROM STDIN; SELECT 1", b"204\twrong\tcolumns\n"),
    ("COPY settings (id) FROM STDIN; COMMIT; SELECT 1", b"205\n"),
    ("SELECT 1; COPY settings TO STDOUT; SELECT 2",),
    ("DELETE FROM users WHERE uid = {a}; COPY users (uid, region) FROM STDIN; SELECT 1", b"{a}\tcz\n"),
    ("DELETE FROM users WHERE uid = {b}; COPY users (uid, region) FROM STDIN; SELECT 1", b"{b}\n"),
)
#: `[…]` is what only Herd understands; to PostgreSQL it is white space.
DEFINITIONS = (
    "CREATE TABLE made (k int PRIMARY KEY, v text) [PARTITION BY HASH (k) WITH (herd.fragments = 6)];"
    " CREATE INDEX made_by_v ON made (v); SET statement_timeout = '1min'; SELECT count(*) FROM settings;"
    " BEGIN; INSERT INTO settings VALUES (301, 'made'); COMMIT; SELECT v FROM made WHERE k = 1",
    "SELECT v FROM made WHERE k = 1; COMMIT; ALTER TABLE made ADD COLUMN w int; SELECT 'ž'; SELECT nope",
    "ALTER TABLE made ADD COLUMN w int; COMMIT; SELECT w FROM made WHERE k = 1",
    "DROP TABLE made; SELECT name FROM settings WHERE id = 1; SELECT 1/0",
    "DROP TABLE made; CREATE TABLE made (k text PRIMARY KEY) [PARTITION BY HASH (k) WITH (herd.fragments = 6)]; SELEC",
    "BEGIN; DROP TABLE made; ROLLBACK; SELECT v FROM made WHERE k = 1",
    "DROP TABLE made; ROLLBACK; SELECT v FROM made WHERE k = 1",
    "CREATE TABLE made (k int)",
    "SELECT 1; CREATE TABLE made (k int); SELECT 2",
    "DROP TABLE made; CREATE TABLE made (k text PRIMARY KEY) [PARTITION BY HASH (k) WITH (herd.fragments = 6)];"
    " COMMIT; SELECT k FROM made WHERE k = 'x'; SELECT 1/0",
    "SELECT k FROM made WHERE k = 'y'; COMMIT; DROP TABLE made; SELECT 1",
    "CREATE TABLE made (k int PRIMARY KEY) [PARTITION BY HASH (k) WITH (herd.fragments = 6)]; INSERT INTO later VALUES (7);"
    " INSERT INTO later VALUES (7)",
    "INSERT INTO later VALUES (8); CREATE TABLE made (k int) [PARTITION BY HASH (k) WITH (herd.fragments = 6)];"
    " INSERT INTO later VALUES (8); COMMIT; SELECT 1",
    "SELECT 1; COMMIT; SELECT * FROM made",
    "SELECT 1; SAVEPOINT s; CREATE TABLE made (k int) [PARTITION BY HASH (k) WITH (herd.fragments = 6)]",
    "CREATE TABLE made (k int) [PARTITION BY HASH (k) WITH (herd.fragments = 6)]; SAVEPOINT s",
    "CREATE TABLE made (k int) [PARTITION BY HASH (k) WITH (herd.fragments = 6)]; PREPARE p AS SELECT 1; EXECUTE p; SELECT 1/0",
    "CREATE TYPE made_mood AS ENUM ('good'); CREATE TABLE made (k int PRIMARY KEY, m made_mood)"
    " [PARTITION BY HASH (k) WITH (herd.fragments = 6)]; INSERT INTO settings VALUES (303, 'mood')",
    "DROP TABLE made; DROP TYPE made_mood; SELECT name FROM settings WHERE id = 303",
)
#: In a transaction that the client began in a message of its own.
WITHIN = (
    ("BEGIN", "SELECT 1; SELECT nope", "SELECT 1; SELECT 2", "SELECT 1; ROLLBACK; SELECT name FROM users WHERE uid = {a}"),
    ("BEGIN", "UPDATE users SET age = 20 WHERE uid = {a}; COMMIT; UPDATE users SET age = 21 WHERE uid = {c}"),
    ("BEGIN; UPDATE users SET age = 22 WHERE uid = {a}", "SELECT 1; COMMIT; SELECT age FROM users WHERE uid = {c}"),
    ("BEGIN; UPDATE users SET age = 23 WHERE uid = {a}", "SELECT 1/0", "ROLLBACK; SELECT name FROM users WHERE uid = {c}"),
    ("BEGIN; UPDATE users SET age = 24 WHERE uid = {a}", "SAVEPOINT s; SELECT 1/0", "ROLLBACK TO s; SELECT 1; COMMIT; SELECT 2"),
    ("BEGIN", "SELECT 1; PREPARE p AS SELECT 1; SELEC", "SELECT 1; SELEC", "DEALLOCATE p; ROLLBACK; SELECT 1"),
    ("BEGIN; UPDATE users SET age = 25 WHERE uid = {a}", "PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p", "ROLLBACK; SELECT 1; BEGIN"),
    ("SET search_path = pg_catalog; SELECT 1", "SELECT uid FROM users", "RESET search_path; SELECT name FROM users WHERE uid = {a}"),
    ("PREPARE p AS SELECT 1; SELECT 1/0", "EXECUTE p; EXECUTE p", "SHOW work_mem; SET work_mem = '5MB'; SELECT 1/0", "SHOW work_mem"),
    ("BEGIN; SET work_mem = '6MB'; COMMIT; SELECT 1/0", "SHOW work_mem"),
    ("BEGIN; DISCARD ALL", "ROLLBACK; ROLLBACK; DISCARD ALL"),
    ("BEGIN", "RESET search_path; SELECT name FROM users WHERE uid = {a}", "SET search_path = x; COMMIT; SELECT 1"),
    ("SET timezone = 'CET'; RESET timezone; SHOW timezone", "BEGIN; RESET ALL; SHOW timezone; ROLLBACK; SHOW timezone"),
    ("SELECT name FROM country WHERE code = 'cz'; SELECT name FROM users WHERE uid = {c}",),
    ("BEGIN; SELECT name FROM country WHERE code = 'cz'; UPDATE users SET age = 30 WHERE uid = {c}; COMMIT",),
)
#: What needs rows of several nodes in one transaction.
SEVERAL_NODES = (
    "UPDATE users SET age = 90 WHERE uid = {a}; UPDATE users SET age = 90 WHERE uid = {c}",
    "BEGIN; UPDATE users SET age = 91 WHERE uid = {a}; UPDATE users SET age = 91 WHERE uid = {c}; COMMIT",
    "PREPARE p AS UPDATE users SET age = 92 WHERE uid = {a}; EXECUTE p; UPDATE users SET age = 92 WHERE uid = {c}",
    "BEGIN; UPDATE users SET age = 93 WHERE uid = {a}; COMMIT; SELECT 1; UPDATE users SET age = 93 WHERE uid = {a};"
    " UPDATE users SET age = 93 WHERE uid = {c}",
    "INSERT INTO settings VALUES (401, 'x'); UPDATE users SET age = 94 WHERE uid = {a}",
    "CREATE TABLE made (k int PRIMARY KEY) PARTITION BY HASH (k) WITH (herd.fragments = 6); UPDATE users SET age = 95 WHERE uid = {a}",
    "INSERT INTO settings VALUES (402, 'x'); COPY users (uid, region) FROM STDIN",
)


@dataclass
class Talk:
    """One client's connections to both servers, and what each has said."""

    tested: Wire
    right: Wire
    keys: dict[str, int]
    proving: bool

    def fill(self, text: str) -> str:
        return text.format(**self.keys)

    def assert_alike(self, sql: str, *data: bytes) -> None:
        sql = re.sub(r"\[(.*?)\]", r"\1", self.fill(sql))
        given = [self.fill(each.decode()).encode() for each in data]
        tested = answers(self.tested, plain(sql) if self.proving else sql, given)
        right = answers(self.right, plain(sql), given)
        assert tested == right, sql


def plain(sql: str) -> str:
    """The text for PostgreSQL, with everything else in its place."""
    return re.sub(r"PARTITION BY HASH \(\w+\) WITH \([^)]*\)", lambda found: " " * len(found[0]), sql)


def answers(wire: Wire, sql: str, data: list[bytes]) -> list[tuple]:
    """The messages of the answer, without what may differ; COPYs from the client take one of `data` each."""
    wire.send(query(sql))
    given = iter(data)
    heard = []
    while True:
        found = wire.receive()
        if found.tag == "G":
            wire.send(message("d", next(given)), message("c"))
        if found.tag != "S":
            heard.append(comparable(found))
        if found.tag == "Z":
            return heard


def comparable(found: Message) -> tuple:
    if found.tag in "EN":
        fields = found.fields
        return (found.tag, *(fields.get(name) for name in "SCMP"))
    if found.tag == "T":
        return (found.tag, *column_names(found.body))
    if found.tag == "A":
        return (found.tag, found.body[4:])
    return (found.tag, found.body)


def column_names(body: bytes) -> Iterator[bytes]:
    (count,) = struct.unpack("!H", body[:2])
    at = 2
    for _ in range(count):
        end = body.index(b"\0", at)
        yield body[at:end]
        at = end + 19


@pytest.fixture(scope="module")
def keys(pair: Pair) -> dict[str, int]:
    """Keys of users, by where they lie."""
    home, here, there = (pair.behind * 3)[:3]
    of = {
        server: [key for (key,) in server.execute("SELECT uid FROM users WHERE uid < 60 ORDER BY uid")]
        for server in (home, here, there)
    }
    return {"a": of[here][0], "b": of[here][1], "c": of[there][2], "e": of[home][3]}


@pytest.fixture(scope="module", autouse=True)
def constrained(pair: Pair) -> None:
    for server in (pair.tested, pair.oracle):
        server.execute("CREATE TABLE later (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")


@pytest.fixture
def talk(pair: Pair, endpoint: Endpoint, oracle: Endpoint, keys: dict[str, int]) -> Iterator[Talk]:
    right = "proof" if pair.proving else "oracle"
    with Wire(endpoint) as tested, Wire(oracle) as other:
        tested.log_in(options="-c search_path=routing_tested -c timezone=UTC")
        other.log_in(options=f"-c search_path=routing_{right} -c timezone=UTC")
        yield Talk(tested, other, keys, pair.proving)
    for table in COMPARED:
        assert contents(pair.behind, table) == contents([pair.oracle], table), table


@pytest.mark.parametrize("prefix", ["", ONE_BY_ONE], ids=["as-it-is", "one-by-one"])
@pytest.mark.parametrize("sql", [*PLAIN, *BLOCKS, *COMMANDS])
def test_messages_are_those_of_postgresql(talk: Talk, sql: str, prefix: str) -> None:
    talk.assert_alike(prefix + sql)
    talk.assert_alike("SELECT current_setting('search_path') LIKE 'routing%'")
    talk.assert_alike("SHOW work_mem")


@pytest.mark.parametrize("prefix", ["", ONE_BY_ONE], ids=["as-it-is", "one-by-one"])
@pytest.mark.parametrize("case", COPIES, ids=lambda case: case[0])
def test_copy_among_others(talk: Talk, case: tuple, prefix: str) -> None:
    sql, *data = case
    talk.assert_alike(prefix + sql, *data)
    talk.assert_alike("DELETE FROM settings WHERE id > 200; SELECT 1")


@pytest.mark.parametrize("case", WITHIN, ids=" / ".join)
def test_strings_one_after_the_other(talk: Talk, case: tuple[str, ...]) -> None:
    for sql in case:
        talk.assert_alike(sql)


def test_definitions_among_others(talk: Talk) -> None:
    for sql in DEFINITIONS:
        talk.assert_alike(sql)


@pytest.mark.parametrize("sql", SEVERAL_NODES)
def test_several_nodes_in_one_transaction_do_all_or_nothing(pair: Pair, talk: Talk, only_herd: None, sql: str) -> None:
    before = {table: contents(pair.behind, table) for table in COMPARED}
    data = [b"900\tcz\n901\tcz\n902\tcz\n"]
    said = answers(talk.tested, talk.fill(sql), data)
    answers(talk.tested, "ROLLBACK", [])
    if [each[2] for each in said if each[0] == "E"] == [REFUSED]:
        assert said[-1] == ("Z", b"I"), said
        assert {table: contents(pair.behind, table) for table in COMPARED} == before
        assert all(node.execute("SELECT to_regclass('made')").fetchone() == (None,) for node in pair.behind)
        return
    assert said == answers(talk.right, plain(talk.fill(sql)), data)
    answers(talk.right, "ROLLBACK", [])
    for table in COMPARED:
        assert contents(pair.behind, table) == contents([pair.oracle], table), sql


def test_settings_hold_for_the_next_statement(talk: Talk, only_herd: None) -> None:
    sql = "SET herd.auto_fragment = 'hash:4'; CREATE TABLE made_auto (k int PRIMARY KEY); COMMIT; SHOW tables"
    said = answers(talk.tested, sql, [])
    assert any(each[0] == "D" and b"made_auto" in each[1] for each in said), said
    answers(talk.tested, "DROP TABLE made_auto", [])
    talk.assert_alike("SET search_path = pg_temp; SELECT 1 AS a INTO mine_too; COMMIT; SELECT a FROM mine_too")
    talk.assert_alike("SELECT a FROM mine_too")


def test_copy_from_several_nodes_among_others(talk: Talk, only_herd: None) -> None:
    sql = "SELECT 1; COPY users (uid) TO STDOUT; SELECT 2"
    said, right = answers(talk.tested, sql, []), answers(talk.right, sql, [])
    assert sorted(each for each in said if each[0] == "d") == sorted(each for each in right if each[0] == "d")
    assert [each for each in said if each[0] != "d"] == [each for each in right if each[0] != "d"]


@pytest.mark.parametrize("prefix", ["", ONE_BY_ONE], ids=["as-it-is", "one-by-one"])
def test_prepare_transaction_ends_it(talk: Talk, only_herd: None, prefix: str) -> None:
    talk.assert_alike(prefix + "INSERT INTO settings VALUES (101); PREPARE TRANSACTION 'string'; SELECT 1/0")
    talk.assert_alike(prefix + "SELECT 1; COMMIT PREPARED 'string'")
    talk.assert_alike("ROLLBACK PREPARED 'string'")
    talk.assert_alike(prefix + "SET work_mem = '9MB'; PREPARE TRANSACTION 'string'; SELECT 1/0")
    talk.assert_alike("SHOW work_mem")
    talk.assert_alike("ROLLBACK PREPARED 'string'")


def test_passwords_are_not_logged(pair: Pair, talk: Talk, only_herd: None) -> None:
    talk.assert_alike("SELECT 1; COMMIT; CREATE ROLE query_string PASSWORD 'zaměstnanec'; DROP ROLE query_string")
    for node in pair.behind:
        (directory,) = node.execute("SHOW data_directory").fetchone()
        log = Path(f"{directory}.log").read_text(errors="replace")
        assert "multiple commands" in log or node is not pair.behind[0]
        assert "zaměstnanec" not in log


def test_commands_of_herd_among_others(talk: Talk, only_herd: None) -> None:
    sql = "SHOW version; SELECT count(*) > 0 FROM herd.nodes; EXPLAIN (HERD) SELECT name FROM users WHERE uid = {a}; SELECT 1/0"
    said = answers(talk.tested, talk.fill(sql), [])
    completed = [each[1] for each in said if each[0] == "C"]
    assert completed == [b"SHOW\0", b"SELECT 1\0", b"EXPLAIN\0"], said
    assert said[-2][2] == "22012" and said[-1] == ("Z", b"I")


def test_temporary_tables_and_settings_stay_with_their_client(talk: Talk, endpoint: Endpoint) -> None:
    talk.assert_alike("CREATE TEMP TABLE mine (a int); SET work_mem = '7MB'; COMMIT; SELECT 1/0")
    talk.assert_alike("SELECT * FROM mine; SHOW work_mem")
    with Wire(endpoint) as other:
        other.log_in()
        for _ in range(3):
            assert [each for each in answers(other, "SHOW work_mem; SELECT 1 FROM mine", []) if each[0] == "E"]


@pytest.mark.parametrize("prefix", ["", ONE_BY_ONE], ids=["as-it-is", "one-by-one"])
def test_cancel_rolls_all_of_it_back(pair: Pair, endpoint: Endpoint, prefix: str) -> None:
    before = contents(pair.behind, "settings")
    with Wire(endpoint) as wire:
        key = next(found.body for found in wire.log_in() if found.tag == "K")
        wire.ask("SET search_path = routing_tested")
        wire.send(query(prefix + WRITES_AND_SLEEPS))
        wait_until(lambda: sleeps(pair), SECONDS_MAX, "it sleeps")
        with Wire(endpoint) as canceller:
            canceller.send(packet(struct.pack("!I", CANCEL_REQUEST) + key))
        said = wire.receive_until("Z")
    assert said[-1].body == b"I" and said[-2].state == "57014"
    assert contents(pair.behind, "settings") == before


def test_cancel_between_two_statements_is_heard(endpoint: Endpoint, pair: Pair) -> None:
    with Wire(endpoint) as wire:
        key = next(found.body for found in wire.log_in() if found.tag == "K")
        wire.send(query(ONE_BY_ONE + "SELECT pg_sleep(0.001); SELECT 1; " * 5000))
        wire.receive_until("D")
        with Wire(endpoint) as canceller:
            canceller.send(packet(struct.pack("!I", CANCEL_REQUEST) + key))
        said = wire.receive_until("Z")
        assert said[-2].state == "57014"
        assert wire.ask("SELECT 1; SELECT 2")[-2].tag == "C"


def test_what_is_refused_undoes_a_pipeline_before_it(pair: Pair, endpoint: Endpoint, only_herd: None) -> None:
    before = contents(pair.behind, "settings")
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.ask("SET search_path = routing_tested")
        parse = message("P", b"\0INSERT INTO settings VALUES (501)\0\0\0")
        wire.send(parse, message("B", bytes(8)), message("E", bytes(5)), query(ONE_BY_ONE + "SELECT 1"))
        said = wire.receive_until("Z")
        assert said[-2].state == REFUSED and said[-1].body == b"I"
        wire.send(message("S"))
        assert [found.tag for found in wire.receive_until("Z")] == ["Z"]
        assert wire.ask("SELECT 1")[-1].body == b"I"
    assert contents(pair.behind, "settings") == before


@pytest.mark.parametrize("prefix", ["", ONE_BY_ONE], ids=["as-it-is", "one-by-one"])
def test_a_client_that_leaves_takes_it_along(pair: Pair, endpoint: Endpoint, prefix: str) -> None:
    before = contents(pair.behind, "settings")
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.ask("SET search_path = routing_tested")
        wire.send(query(prefix + WRITES_AND_SLEEPS))
        wait_until(lambda: sleeps(pair), SECONDS_MAX, "it sleeps")
    pair.behind[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + SLEEPING)
    wait_until(lambda: not sleeps(pair), SECONDS_MAX, "it is gone")
    assert contents(pair.behind, "settings") == before


def test_a_node_that_breaks_off_is_told(pair: Pair, endpoint: Endpoint, only_herd: None) -> None:
    before = contents(pair.behind, "settings")
    with Wire(endpoint) as wire:
        wire.log_in()
        wire.ask("SET search_path = routing_tested")
        wire.send(query(ONE_BY_ONE + WRITES_AND_SLEEPS))
        wait_until(lambda: sleeps(pair), SECONDS_MAX, "it sleeps")
        pair.behind[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + SLEEPING)
        said = wire.receive_until("Z")
        assert [found.tag for found in said][-2:] == ["E", "Z"] and said[-1].body == b"I", [found.fields for found in said]
        assert wire.ask("SELECT 1; SELECT 2")[-1].body == b"I"
    assert contents(pair.behind, "settings") == before


def sleeps(pair: Pair) -> bool:
    return pair.behind[0].execute("SELECT 1 FROM pg_stat_activity WHERE " + SLEEPING).fetchone() is not None
