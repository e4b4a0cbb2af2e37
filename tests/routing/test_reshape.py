"""An existing table is fragmented, made a reference table and brought together again, while it is in use: nothing of it
is lost, doubled or changed, and nobody who reads it sees anything else."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import ask, connect

ROWS = 3000

MADE = (
    "CREATE TYPE made_mood AS ENUM ('good', 'so so', 'bad')",
    """CREATE FUNCTION made_shout() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN NEW.said := upper(NEW.said); RETURN NEW; END $$""",
    """CREATE TABLE made (
         user_id bigint NOT NULL,
         id bigserial,
         number int GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 10),
         said varchar(40) COLLATE "C" DEFAULT 'nothing',
         mood made_mood,
         amount numeric(12,3) CONSTRAINT made_amount_positive CHECK (amount >= 0),
         twice numeric GENERATED ALWAYS AS (amount * 2) STORED,
         at timestamptz DEFAULT '2026-01-01 00:00+00',
         tags text[],
         details jsonb,
         PRIMARY KEY (user_id, id))""",
    "CREATE INDEX made_by_mood ON made (mood) WHERE said <> 'x'",
    "CREATE UNIQUE INDEX made_once ON made (number, user_id) INCLUDE (at)",
    "CREATE TRIGGER made_loud BEFORE INSERT OR UPDATE ON made FOR EACH ROW EXECUTE FUNCTION made_shout()",
    "COMMENT ON TABLE made IS 'it''s made'",
    "COMMENT ON COLUMN made.said IS 'words'",
    "COMMENT ON INDEX made_by_mood IS 'moods'",
    "ALTER TABLE made ALTER said SET STATISTICS 300",
    "GRANT SELECT, INSERT ON made TO PUBLIC",
    "GRANT UPDATE (said) ON made TO PUBLIC",
    f"""INSERT INTO made (user_id, said, mood, amount, tags, details)
        SELECT n % 500, E'row\\t' || n || E'\\n\\\\N ü', (enum_range(NULL::made_mood))[1 + n % 3], n / 7.0,
               CASE WHEN n % 5 > 0 THEN ARRAY['a', NULL, n::text] END, jsonb_build_object('n', n)
        FROM generate_series(1, {ROWS}) n""",
)
DROPPED = (
    "DROP TABLE IF EXISTS made, made_country CASCADE",
    "DROP FUNCTION IF EXISTS made_shout() CASCADE",
    "DROP TYPE IF EXISTS made_mood CASCADE",
)
COMPARED = (
    "SELECT * FROM made ORDER BY user_id, id",
    "SELECT count(*), sum(amount), min(number), max(number) FROM made",
    "SELECT mood, count(*) FROM made GROUP BY mood ORDER BY mood",
    "SELECT * FROM made WHERE user_id = 77 ORDER BY id",
    "INSERT INTO made (user_id, amount) VALUES (77, -1)",
    "INSERT INTO made (user_id, id) SELECT user_id, id FROM made WHERE user_id = 77 LIMIT 1",
    "INSERT INTO made (user_id, id, mood) VALUES (77, 100001, 'dreadful')",
    "INSERT INTO made (user_id, id, said) VALUES (77, 100002, 'quiet') RETURNING said, at",
    "UPDATE made SET said = 'changed' WHERE user_id = 77 AND id = 100002 RETURNING said",
    "DELETE FROM made WHERE user_id = 77 AND id = 100002",
    "SELECT obj_description('made'::regclass, 'pg_class'), obj_description('made_by_mood'::regclass, 'pg_class')",
    "SELECT attname, atttypid::regtype, attnotnull, attidentity, attgenerated, attstattarget, col_description(attrelid, attnum), attacl IS NULL "
    "FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0 ORDER BY attnum",
    "SELECT c.relname, i.indisunique, i.indisprimary FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'made'::regclass ORDER BY 1",
    "SELECT conname, contype FROM pg_constraint WHERE conrelid = 'made'::regclass ORDER BY 1",
    "SELECT tgname FROM pg_trigger WHERE tgrelid = 'made'::regclass AND NOT tgisinternal ORDER BY 1",
    "SELECT pg_get_serial_sequence('made', 'id') ~ 'made_id_seq$', pg_get_serial_sequence('made', 'number') ~ 'made_number_seq$'",
    "SELECT e.grantee::regrole::text = '-', privilege_type FROM pg_class, aclexplode(relacl) e WHERE oid = 'made'::regclass AND e.grantee = 0 ORDER BY 2",
)
LEFT_OVER = "SELECT count(*) FROM pg_class WHERE relname LIKE 'herd\\_reshape%'"
FRAGMENT = "SELECT herd.fragment_table('made', key => 'user_id', fragments => 6)"
UNFRAGMENT = "SELECT herd.unfragment_table('made')"


@pytest.fixture
def made(pair: Pair, only_herd: None) -> Iterator[Pair]:
    for connection in (pair.tested, pair.oracle):
        for sql in (*DROPPED, *MADE):
            connection.execute(sql)
    yield pair
    for connection in (pair.tested, pair.oracle):
        for sql in DROPPED:
            connection.execute(sql)


def assert_alike(pair: Pair) -> None:
    for sql in COMPARED:
        tested, plain = ask(pair.tested, sql, extended=False), ask(pair.oracle, sql, extended=False)
        assert tested.comparable(ordered=True) == plain.comparable(ordered=True), sql


def assert_nothing_left(pair: Pair) -> None:
    assert [node.execute(LEFT_OVER).fetchone()[0] for node in pair.behind] == [0, 0, 0]


def kind(pair: Pair) -> str | None:
    found = pair.tested.execute("SELECT kind FROM herd.tables WHERE name = 'made' AND schema = current_schema").fetchone()
    return found[0] if found else None


def on_nodes(pair: Pair) -> list[int]:
    return [node.execute("SELECT count(*) FROM made").fetchone()[0] for node in pair.behind]


def test_fragmented_table_is_what_it_was(made: Pair) -> None:
    assert made.tested.execute(FRAGMENT).fetchall() == [("",)]
    assert kind(made) == "fragmented"
    counts = on_nodes(made)
    assert sum(counts) == ROWS and all(counts)
    assert_alike(made)
    assert_nothing_left(made)


def test_numbers_go_on_and_never_come_twice(made: Pair) -> None:
    made.tested.execute(FRAGMENT)
    before = made.tested.execute("SELECT max(id), max(number) FROM made").fetchone()
    for user in range(60):
        made.tested.execute("INSERT INTO made (user_id) VALUES (%s)", [user])
    ids = made.tested.execute("SELECT count(id), count(DISTINCT id), count(DISTINCT number) FROM made").fetchone()
    assert ids == (ROWS + 60, ROWS + 60, ROWS + 60)
    after = made.tested.execute("SELECT min(id), min(number) FROM made WHERE id > %s", [before[0]]).fetchone()
    assert after[0] > before[0] and after[1] > before[1]
    made.tested.execute(UNFRAGMENT)
    made.tested.execute("INSERT INTO made (user_id) VALUES (1)")
    ids = made.tested.execute("SELECT count(id), count(DISTINCT id), count(DISTINCT number) FROM made").fetchone()
    assert ids == (ROWS + 61, ROWS + 61, ROWS + 61)


def test_unfragmented_table_is_what_it_was(made: Pair) -> None:
    made.tested.execute(FRAGMENT)
    assert made.tested.execute(UNFRAGMENT).fetchall() == [("",)]
    assert kind(made) is None
    assert made.behind[0].execute("SELECT count(*) FROM made").fetchone() == (ROWS,)
    for node in made.behind[1:]:
        with pytest.raises(errors.UndefinedTable):
            node.execute("SELECT FROM made")
    assert_alike(made)
    assert_nothing_left(made)


def test_reference_table_is_whole_everywhere_and_home_again(made: Pair) -> None:
    made.tested.execute("CALL herd.reference_table('made')")
    assert kind(made) == "reference"
    assert on_nodes(made) == [ROWS] * 3
    rows = [node.execute("SELECT * FROM made ORDER BY user_id, id").fetchall() for node in made.behind]
    assert rows[0] == rows[1] == rows[2]
    made.tested.execute(UNFRAGMENT)
    assert kind(made) is None
    assert_alike(made)
    assert_nothing_left(made)


@pytest.mark.parametrize(
    ("before", "call", "told"),
    [
        ("CREATE VIEW made_view AS SELECT * FROM made", FRAGMENT, "made_view"),
        ("CREATE TABLE made_country (made_id int PRIMARY KEY)", "SELECT herd.fragment_table('made_country', key => 'nothing', fragments => 2)", "nothing"),
        ("ALTER TABLE made ADD CONSTRAINT lonely UNIQUE (id)", FRAGMENT, "user_id"),
        ("CREATE UNIQUE INDEX lonely ON made (id)", FRAGMENT, "user_id"),
        ("ALTER TABLE made ADD EXCLUDE USING btree (user_id WITH =, id WITH =)", FRAGMENT, "exclusion"),
        ("CREATE TRIGGER loud AFTER DELETE ON made FOR EACH STATEMENT EXECUTE FUNCTION made_shout()", FRAGMENT, "trigger"),
        ("CREATE TABLE made_country (id int REFERENCES made_country, PRIMARY KEY (id))", FRAGMENT.replace("user_id", "mood"), "mood"),
        ("CREATE FUNCTION made_reads() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM made'", FRAGMENT, "made_reads"),
        ("SELECT 1", "SELECT herd.fragment_table('nowhere', key => 'k', fragments => 2)", "nowhere"),
        ("SELECT 1", "SELECT herd.fragment_table('made')", "key"),
        ("SELECT 1", "SELECT herd.fragment_table('made', key => 'user_id')", "fragments"),
        ("SELECT 1", "SELECT herd.unfragment_table('made')", "neither"),
        ("SELECT 1", "SELECT herd.fragment_table('country', key => 'code', fragments => 2)", "reference"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(made: Pair, before: str, call: str, told: str) -> None:
    made.tested.execute(before)
    try:
        with pytest.raises(psycopg.Error) as refusal:
            made.tested.execute(call)
        diagnosis = refusal.value.diag
        assert told in f"{diagnosis.message_primary} {diagnosis.message_detail}"
        assert kind(made) is None
        assert_nothing_left(made)
        assert made.tested.execute("SELECT count(*) FROM made").fetchone() == (ROWS,)
    finally:
        made.tested.execute("DROP FUNCTION IF EXISTS made_reads")


def test_it_is_refused_in_a_transaction_block(made: Pair) -> None:
    with pytest.raises(errors.FeatureNotSupported, match="transaction block"):
        with made.tested.transaction():
            made.tested.execute(FRAGMENT)
    assert kind(made) is None


def test_it_is_for_the_owner(made: Pair) -> None:
    schema = made.tested.execute("SELECT current_schema").fetchone()[0]
    made.tested.execute("DROP ROLE IF EXISTS made_stranger")
    made.tested.execute("CREATE ROLE made_stranger")
    made.tested.execute(f"GRANT USAGE ON SCHEMA {schema} TO made_stranger")
    made.tested.execute("SET ROLE made_stranger")
    try:
        with pytest.raises(errors.InsufficientPrivilege, match="owner"):
            made.tested.execute(FRAGMENT)
    finally:
        made.tested.execute("RESET ROLE")
        made.tested.execute(f"REVOKE USAGE ON SCHEMA {schema} FROM made_stranger")
        made.tested.execute("DROP ROLE made_stranger")
    assert kind(made) is None


class Clients:
    """Threads that work until they are told to stop, and must not fail."""

    def __init__(self, endpoint: Endpoint, *works: Callable[[psycopg.Connection], None]) -> None:
        self.endpoint, self.stopping, self.failures = endpoint, threading.Event(), []
        self.rounds = [0] * len(works)
        self.threads = [threading.Thread(target=self.run, args=(place, work)) for place, work in enumerate(works)]

    def run(self, place: int, work: Callable[[psycopg.Connection], None]) -> None:
        try:
            with connect(self.endpoint, "tested") as connection:
                while not self.stopping.is_set():
                    work(connection)
                    self.rounds[place] += 1
        except Exception as failure:
            self.failures.append(repr(failure))

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("call", [FRAGMENT, "SELECT herd.reference_table('made')"], ids=["fragmented", "reference"])
def test_readers_and_writers_go_on_meanwhile(made: Pair, endpoint: Endpoint, call: str) -> None:
    """Writers move amounts within one key, so that sum and count never change, whoever looks and when; what each writer
    was told is there at the end."""
    tested = made.tested
    tested.execute("DELETE FROM made WHERE user_id >= 0")
    tested.execute("INSERT INTO made (user_id, id, amount) SELECT n, k, 100 FROM generate_series(0, 99) n, generate_series(1, 2) k")
    total = (200, 20000)
    written: dict[int, int] = {}
    is_reference = "reference" in call

    def read(connection: psycopg.Connection) -> None:
        seen = connection.execute("SELECT count(*), sum(amount) FROM made WHERE id < 3").fetchone()
        assert seen == total, seen

    def look(connection: psycopg.Connection) -> None:
        user = random.randrange(100)
        seen = connection.execute("SELECT count(*), sum(amount) FROM made WHERE user_id = %s AND id < 3", [user]).fetchone()
        assert seen == (2, 200), seen

    def write(connection: psycopg.Connection) -> None:
        user = random.randrange(100)
        connection.execute(
            f"UPDATE made SET amount = amount + CASE id WHEN 1 THEN m.change ELSE -m.change END "
            f"FROM (SELECT CASE WHEN min(amount) >= 1 THEN 1 ELSE 0 END AS change FROM made WHERE user_id = {user} AND id < 3) AS m "
            f"WHERE user_id = {user} AND id < 3"
        )

    def count(connection: psycopg.Connection) -> None:
        user, place = random.randrange(100), len(written) + 10
        connection.execute(f"INSERT INTO made (user_id, id, amount) VALUES ({user}, {place}, 1)")
        written[place] = user
        if place % 3 == 0:
            connection.execute(f"DELETE FROM made WHERE user_id = {user} AND id = {place}")
            written[place] = -1

    # Writes to reference tables are another matter than this one.
    works = [read, look] if is_reference else [read, look, write, count]
    with Clients(endpoint, *works) as clients:
        tested.execute(call)
        threading.Event().wait(0.5)
    assert clients.failures == []
    assert all(clients.rounds)
    assert tested.execute("SELECT count(*), sum(amount) FROM made WHERE id < 3").fetchone() == total
    found = dict(tested.execute("SELECT id, user_id FROM made WHERE id >= 10").fetchall())
    assert found == {place: user for place, user in written.items() if user >= 0}
    assert sum(on_nodes(made)) == (3 * 200 if is_reference else 200 + len(found))
    assert_nothing_left(made)
    tested.execute(UNFRAGMENT)
    assert tested.execute("SELECT count(*), sum(amount) FROM made WHERE id < 3").fetchone() == total


def test_truncating_meanwhile_is_not_undone(made: Pair, endpoint: Endpoint) -> None:
    def truncate() -> None:
        with connect(endpoint, "tested") as connection:
            threading.Event().wait(0.4)
            connection.execute("TRUNCATE made")
            connection.execute("INSERT INTO made (user_id) VALUES (1), (2)")

    truncating = threading.Thread(target=truncate)
    truncating.start()
    made.tested.execute(FRAGMENT)
    truncating.join()
    assert made.tested.execute("SELECT count(*) FROM made").fetchone() == (2,)


def test_tables_without_a_primary_key_keep_their_doubles(pair: Pair, only_herd: None) -> None:
    pair.tested.execute("DROP TABLE IF EXISTS made")
    pair.tested.execute("CREATE TABLE made (k int, v text)")
    pair.tested.execute("INSERT INTO made SELECT nullif(n % 7, 0), 'same' FROM generate_series(1, 70) n")
    pair.tested.execute("SELECT herd.fragment_table('made', key => 'k', fragments => 4)")
    assert pair.tested.execute("SELECT count(*), count(k), count(DISTINCT k) FROM made").fetchone() == (70, 60, 6)
    pair.tested.execute("DROP TABLE made")
