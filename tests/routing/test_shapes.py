"""Prepared statements whose result a definition gives another shape: said as PostgreSQL says it, whichever
server connection has prepared what, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from psycopg.pq import DiagnosticField, ExecStatus

from harness.endpoint import Endpoint
from harness.wire import Wire, message, query

from .conftest import Pair
from .databases import connect, plain

CUT = " PARTITION BY HASH (id) WITH (herd.fragments = 4)"
TABLES = {"home": "", "fragmented": CUT}
#: So many clients hold server connections while others work.
CROWD = 2
FIRST_OF_USERS = 16384
CHANGED = "0A000"
ROUTINE = "RevalidateCachedQuery"


def same_everywhere(number: int) -> int:
    """A type's number, as far as servers agree on it."""
    return min(number, FIRST_OF_USERS)


class Scene:
    """Clients of one endpoint, and what each was told."""

    def __init__(self, endpoint: Endpoint, schema: str, cut: str, herd: bool):
        self.stack = ExitStack()
        self.open = lambda: self.stack.enter_context(connect(endpoint, schema))
        self.endpoint = endpoint
        self.herd = herd
        self.cut = cut
        self.schema = schema
        self.crowd: list[psycopg.Connection] = []
        self.told: list[tuple] = []
        self.clients: dict[str, psycopg.Connection] = {}
        self.define("DROP TABLE IF EXISTS shape, shape_crowd CASCADE")
        for table in ("shape", "shape_crowd"):
            self.define(f"CREATE TABLE {table} (id int PRIMARY KEY, name varchar(10)){cut}")
        self.define("INSERT INTO shape VALUES (1, 'one')")

    def client(self, name: str) -> psycopg.Connection:
        if name not in self.clients:
            self.clients[name] = self.open()
        return self.clients[name]

    def shuffle(self) -> None:
        """Let the next statement meet another server connection than the last."""
        leaving, self.crowd = self.crowd, [self.open() for _ in range(CROWD)]
        for each in self.crowd:
            each.execute("BEGIN")
            each.execute("SELECT * FROM shape_crowd WHERE id = 1")
        for each in leaving:
            each.execute("ROLLBACK")
            each.close()

    def define(self, sql: str, by: str = "definer") -> None:
        self.client(by).execute(sql if self.herd else plain(sql))

    def note(self, result: psycopg.pq.PGresult) -> None:
        if result.status == ExecStatus.FATAL_ERROR:
            state, routine, severity = (
                (result.error_field(field) or b"").decode()
                for field in (DiagnosticField.SQLSTATE, DiagnosticField.SOURCE_FUNCTION, DiagnosticField.SEVERITY)
            )
            self.told.append((state, severity, routine if state == CHANGED else ""))
            return
        names = [result.fname(i) for i in range(result.nfields)]
        fields = [(name, same_everywhere(result.ftype(i)), result.fmod(i)) for i, name in enumerate(names)]
        rows = [[result.get_value(row, i) for i in range(result.nfields)] for row in range(result.ntuples)]
        self.told.append((fields, rows))

    def prepare(self, by: str, name: str, sql: str) -> None:
        self.note(self.client(by).pgconn.prepare(name.encode(), sql.encode()))

    def describe(self, by: str, name: str) -> None:
        result = self.client(by).pgconn.describe_prepared(name.encode())
        self.note(result)
        if result.status == ExecStatus.COMMAND_OK:
            self.told.append(tuple(same_everywhere(result.param_type(i)) for i in range(result.nparams)))

    def run(self, by: str, name: str, *parameters: str, binary: bool = False) -> None:
        given = [parameter.encode() for parameter in parameters]
        self.note(self.client(by).pgconn.exec_prepared(name.encode(), given, result_format=int(binary)))

    def say(self, by: str, sql: str) -> None:
        """By the simple protocol."""
        self.note(self.client(by).pgconn.exec_(sql.encode()))

    @contextmanager
    def wire(self, by: str) -> Iterator[Wire]:
        with Wire(self.endpoint) as wire:
            wire.log_in(options=f"-c search_path=routing_{self.schema}")
            yield wire

    def hear(self, wire: Wire, *parts: tuple[str, bytes] | bytes) -> None:
        """Everything that comes in one answer, save for what differs between right servers."""
        wire.send(*(part if isinstance(part, bytes) else message(*part) for part in parts))
        for each in wire.receive_until("Z"):
            if each.tag == "E":
                # PostgreSQL describes the parameters before it fails to describe the result.
                if self.told and self.told[-1][0] == "t":
                    self.told.pop()
                state = each.state
                self.told.append((state, each.fields.get("R", each.fields["M"]) if state == CHANGED else ""))
            elif each.tag == "T":
                self.told.append(("T", columns(each.body)))
            elif each.tag not in "NS":
                self.told.append((each.tag, each.body))

    def run_often(self, by: str, name: str, *parameters: str) -> None:
        for binary in (False, True, False, True):
            self.run(by, name, *parameters, binary=binary)
            self.shuffle()


def columns(row: bytes) -> list[tuple[bytes, bytes]]:
    """Names of a RowDescription, and what comes behind the number of the table."""
    found, at = [], 2
    while at < len(row):
        end = row.index(b"\0", at)
        found.append((row[at:end], row[end + 5 : end + 19]))
        at = end + 19
    return found


ALL = "SELECT * FROM shape WHERE id = 1"
ONE = "SELECT * FROM shape WHERE id = $1"


def column_is_added(scene: Scene) -> None:
    scene.prepare("a", "s", ONE)
    scene.describe("a", "s")
    scene.run_often("a", "s", "1")
    scene.define("ALTER TABLE shape ADD COLUMN extra int DEFAULT 7")
    scene.run_often("a", "s", "1")
    scene.describe("a", "s")
    scene.prepare("b", "s", ONE)
    scene.run_often("b", "s", "1")
    scene.run_often("a", "s", "1")
    scene.say("a", "DEALLOCATE s")
    scene.prepare("a", "s", ONE)
    scene.run_often("a", "s", "1")


def no_description_was_asked_for(scene: Scene) -> None:
    scene.prepare("a", "s", ALL)
    scene.shuffle()
    scene.define("ALTER TABLE shape ADD COLUMN extra int DEFAULT 7")
    scene.run_often("a", "s")


def type_is_changed(scene: Scene) -> None:
    for client in ("a", "b"):
        scene.prepare(client, "s", ALL)
        scene.run_often(client, "s")
    scene.define("ALTER TABLE shape ALTER COLUMN name TYPE varchar(20)")
    scene.run_often("a", "s")
    scene.define("ALTER TABLE shape ALTER COLUMN name TYPE text")
    scene.run_often("b", "s")
    scene.prepare("c", "s", ALL)
    scene.run_often("c", "s")


def name_is_changed_and_given_back(scene: Scene) -> None:
    scene.prepare("a", "s", ALL)
    scene.run_often("a", "s")
    scene.define("ALTER TABLE shape RENAME COLUMN name TO called")
    scene.prepare("b", "s", ALL)
    scene.run_often("a", "s")
    scene.define("ALTER TABLE shape RENAME COLUMN called TO name")
    scene.run_often("a", "s")
    scene.run_often("b", "s")


def result_stays_as_it_was(scene: Scene) -> None:
    scene.prepare("a", "s", "SELECT id, name FROM shape WHERE id = $1")
    scene.describe("a", "s")
    for column in ("extra", "more"):
        scene.define(f"ALTER TABLE shape ADD COLUMN {column} int")
        scene.run_often("a", "s", "1")
    scene.describe("a", "s")


def definition_is_rolled_back(scene: Scene) -> None:
    scene.prepare("a", "s", ALL)
    scene.run_often("a", "s")
    scene.define("BEGIN")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.prepare("definer", "within", ALL)
    scene.run("definer", "within")
    scene.define("ROLLBACK")
    scene.run_often("a", "s")
    scene.run_often("definer", "within")
    scene.prepare("b", "s", ALL)
    scene.run_often("b", "s")


def definer_runs_its_own_statement(scene: Scene) -> None:
    scene.prepare("definer", "s", ALL)
    scene.run_often("definer", "s")
    scene.define("BEGIN")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.run("definer", "s")
    scene.run("definer", "s")
    scene.define("ROLLBACK")
    scene.run_often("definer", "s")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.run_often("definer", "s")


def transaction_fails_with_it(scene: Scene) -> None:
    scene.prepare("a", "s", ALL)
    scene.run_often("a", "s")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.say("a", "BEGIN")
    scene.say("a", "INSERT INTO shape (id, name) VALUES (1000, 'lost')")
    scene.run("a", "s")
    scene.run("a", "s")
    scene.say("a", "SELECT 1")
    scene.say("a", "COMMIT")
    scene.say("a", "SELECT count(*) FROM shape WHERE id = 1000")
    scene.run("a", "s")


def unnamed_statement_is_used_again(scene: Scene) -> None:
    scene.prepare("a", "", ALL)
    scene.describe("a", "")
    scene.shuffle()
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.run_often("a", "")
    scene.prepare("a", "", ALL)
    scene.run_often("a", "")


def table_is_dropped_and_made_again(scene: Scene) -> None:
    scene.prepare("a", "s", ALL)
    scene.run_often("a", "s")
    scene.define("ALTER TABLE shape RENAME TO shape_away")
    scene.run_often("a", "s")
    scene.define("ALTER TABLE shape_away RENAME TO shape")
    scene.run_often("a", "s")


def statement_of_sql(scene: Scene) -> None:
    scene.say("a", f"PREPARE s (int) AS {ONE}")
    scene.say("a", "EXECUTE s(1)")
    scene.shuffle()
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    for _ in range(3):
        scene.say("a", "EXECUTE s(1)")
        scene.shuffle()
    scene.run_often("a", "s", "1")
    scene.say("a", "BEGIN")
    scene.say("a", "EXECUTE s(1)")
    scene.say("a", "SELECT 1")
    scene.say("a", "ROLLBACK")
    scene.define("ALTER TABLE shape DROP COLUMN extra")
    scene.say("a", "EXECUTE s(1)")
    scene.define("ALTER TABLE shape RENAME TO shape_away")
    scene.say("a", "EXECUTE s(1)")
    scene.define("ALTER TABLE shape_away RENAME TO shape")
    scene.say("a", "EXECUTE s(1)")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.say("a", "DEALLOCATE s")
    scene.say("a", f"PREPARE s (int) AS {ONE}")
    scene.say("a", "EXECUTE s(1)")
    scene.say("a", "PREPARE broken AS SELECT nothing FROM shape")
    scene.say("a", "EXECUTE broken")


def execute_by_the_extended_protocol(scene: Scene) -> None:
    scene.prepare("a", "inside", ALL)
    scene.prepare("a", "outside", "EXECUTE inside")
    scene.run_often("a", "outside")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    scene.run_often("a", "outside")
    scene.define("ALTER TABLE shape DROP COLUMN extra")
    scene.run_often("a", "outside")


def parse(name: str, sql: str) -> tuple[str, bytes]:
    return "P", f"{name}\0{sql}\0".encode() + b"\0\0"


def bind(name: str) -> tuple[str, bytes]:
    return "B", b"\0" + name.encode() + b"\0" + b"\0\0" * 3


EXECUTE = ("E", b"\0\0\0\0\0")
SYNC = ("S", b"")


def pipelines(scene: Scene) -> None:
    with scene.wire("a") as wire:
        scene.hear(wire, parse("s", ALL), SYNC)
        scene.hear(wire, bind("s"), EXECUTE, bind("s"), EXECUTE, SYNC)
        scene.shuffle()
        scene.define("ALTER TABLE shape ADD COLUMN extra int")
        scene.hear(wire, parse("t", ALL), bind("t"), EXECUTE, bind("s"), EXECUTE, bind("t"), EXECUTE, SYNC)
        # What stands before it in the pipeline is undone with it, or fails first.
        update = parse("", "UPDATE shape SET name = 'lost' WHERE id = 1")
        scene.hear(wire, update, bind(""), EXECUTE, bind("s"), EXECUTE, SYNC)
        insert = parse("", "INSERT INTO shape (id) VALUES (1)")
        scene.hear(wire, insert, bind(""), EXECUTE, bind("s"), EXECUTE, SYNC)
        scene.hear(wire, parse("t2", ALL), bind("t2"), EXECUTE, bind("t"), EXECUTE, SYNC)
        scene.hear(wire, ("D", b"St\0"), ("D", b"Ss\0"), SYNC)
        scene.hear(wire, ("C", b"Ss\0"), parse("s", ALL), ("D", b"Ss\0"), SYNC)
        scene.hear(wire, bind("s"), EXECUTE, SYNC)
        scene.shuffle()
        scene.hear(wire, bind("s"), EXECUTE, bind("t"), EXECUTE, SYNC)


def definition_within_a_pipeline(scene: Scene) -> None:
    with scene.wire("a") as wire:
        scene.hear(wire, parse("s", ALL), SYNC)
        scene.hear(wire, bind("s"), EXECUTE, SYNC)
        alter = parse("", "ALTER TABLE shape ADD COLUMN extra int")
        scene.hear(wire, alter, bind(""), EXECUTE, parse("t", ALL), bind("t"), EXECUTE, SYNC)
        scene.hear(wire, bind("t"), EXECUTE, SYNC)
        scene.hear(wire, bind("s"), EXECUTE, SYNC)
        scene.hear(wire, query("BEGIN"))
        alter = parse("", "ALTER TABLE shape ADD COLUMN more int")
        scene.hear(wire, alter, bind(""), EXECUTE, parse("u", ALL), bind("u"), EXECUTE, bind("t"), EXECUTE, SYNC)
        scene.hear(wire, query("ROLLBACK"))
        scene.shuffle()
        scene.hear(wire, bind("t"), EXECUTE, SYNC)
        scene.hear(wire, bind("u"), EXECUTE, SYNC)


def savepoint_is_rolled_back(scene: Scene) -> None:
    scene.prepare("a", "s", ALL)
    scene.say("a", "BEGIN")
    scene.say("a", "SAVEPOINT before")
    scene.say("a", "ALTER TABLE shape ADD COLUMN extra int")
    scene.prepare("a", "within", ALL)
    scene.run("a", "within")
    scene.say("a", "ROLLBACK TO before")
    scene.prepare("a", "after", ALL)
    scene.run("a", "after")
    scene.run("a", "s")
    scene.run("a", "within")
    scene.say("a", "ROLLBACK")
    for name in ("s", "within", "after"):
        scene.run_often("a", name)


def parameters_keep_their_types(scene: Scene) -> None:
    scene.prepare("a", "s", "SELECT id FROM shape WHERE id = 1 AND name = $1")
    scene.prepare("a", "t", "UPDATE shape SET name = $1 WHERE id = 1")
    for name in ("s", "t"):
        scene.describe("a", name)
        scene.run_often("a", name, "1")
    scene.define("ALTER TABLE shape ALTER COLUMN name TYPE int USING name::int")
    for name in ("s", "t"):
        scene.run_often("a", name, "1")
    scene.describe("a", "s")


def type_is_the_users_own(scene: Scene) -> None:
    scene.define("DROP TYPE IF EXISTS shape_mood CASCADE")
    scene.define("CREATE TYPE shape_mood AS ENUM ('glad', 'sad')")
    scene.define("ALTER TABLE shape ADD COLUMN mood shape_mood")
    insert, select = "INSERT INTO shape VALUES ($1, $2, $3)", "SELECT * FROM shape WHERE id = $1 AND mood = $2"
    for name, sql in (("i", insert), ("s", select)):
        scene.prepare("a", name, sql)
        scene.describe("a", name)
    for key in range(2, 10):
        scene.run("a", "i", str(key), f"name {key}", "sad")
        scene.run("a", "s", str(key), "sad")
    scene.define("ALTER TYPE shape_mood ADD VALUE 'calm'")
    for key in range(2, 10):
        scene.run("a", "i", str(key + 10), f"name {key}", "calm")
        scene.run("a", "s", str(key + 10), "calm", binary=True)
        scene.shuffle()
    scene.define("ALTER TABLE shape ALTER COLUMN mood TYPE text")
    for key in range(2, 10):
        scene.say("a", select.replace("$1", str(key)).replace("$2", "'sad'"))
    scene.prepare("b", "s", "SELECT * FROM shape WHERE id = $1")
    scene.define("ALTER TABLE shape ALTER COLUMN mood TYPE shape_mood USING mood::shape_mood")
    for key in range(2, 10):
        scene.run("b", "s", str(key))
    scene.define("ALTER TABLE shape DROP COLUMN mood")
    scene.define("DROP TYPE shape_mood")


def statement_without_rows(scene: Scene) -> None:
    scene.prepare("a", "s", "UPDATE shape SET name = $1 WHERE id = 1")
    scene.prepare("a", "t", "UPDATE shape SET name = $1 WHERE id = 1 RETURNING *")
    for name in ("s", "t"):
        scene.run_often("a", name, "x")
    scene.define("ALTER TABLE shape ADD COLUMN extra int")
    for name in ("s", "t"):
        scene.run_often("a", name, "y")
    scene.say("a", ALL)


def temporary_table_stands_before_it(scene: Scene) -> None:
    for client in ("a", "b"):
        scene.prepare(client, "s", ALL)
        scene.run_often(client, "s")
    scene.define("CREATE TEMP TABLE shape (id int, stranger date)", by="a")
    scene.prepare("a", "own", ALL)
    scene.run("a", "own")
    scene.run("a", "s")
    scene.run_often("b", "s")
    scene.prepare("b", "new", ALL)
    scene.run_often("b", "new")
    scene.define("DROP TABLE pg_temp.shape", by="a")
    scene.run_often("a", "s")
    scene.run_often("b", "new")
    scene.run("a", "own")


def search_path_leads_elsewhere(scene: Scene) -> None:
    path = f"routing_{scene.schema}"
    scene.define("DROP SCHEMA IF EXISTS routing_shape_other CASCADE")
    scene.define("CREATE SCHEMA routing_shape_other")
    scene.define("CREATE TABLE routing_shape_other.shape (id int, stranger date)")
    for client in ("a", "b"):
        scene.prepare(client, "s", ALL)
        scene.run_often(client, "s")
    scene.say("a", f"SET search_path = routing_shape_other, {path}")
    scene.run_often("a", "s")
    scene.prepare("a", "new", ALL)
    for _ in range(2):
        scene.run_often("a", "new")
        scene.run_often("b", "s")
    scene.prepare("b", "new", ALL)
    scene.run_often("b", "new")
    scene.say("a", f"SET search_path = {path}")
    scene.run_often("a", "s")
    scene.run_often("a", "new")
    scene.define("DROP SCHEMA routing_shape_other CASCADE")


#: What Herd refuses to run on a fragmented table: see docs/open-work.md.
HOME_ONLY = [
    definition_is_rolled_back,
    definer_runs_its_own_statement,
    definition_within_a_pipeline,
    savepoint_is_rolled_back,
    temporary_table_stands_before_it,
]
SCENARIOS = [
    *HOME_ONLY,
    pipelines,
    column_is_added,
    no_description_was_asked_for,
    type_is_changed,
    name_is_changed_and_given_back,
    result_stays_as_it_was,
    transaction_fails_with_it,
    unnamed_statement_is_used_again,
    table_is_dropped_and_made_again,
    statement_of_sql,
    execute_by_the_extended_protocol,
    parameters_keep_their_types,
    type_is_the_users_own,
    statement_without_rows,
    search_path_leads_elsewhere,
]


@pytest.fixture
def scenes(pair: Pair, endpoint: Endpoint, oracle: Endpoint) -> Iterator[Callable[[str], list[Scene]]]:
    opened: list[Scene] = []

    def open_both(cut: str) -> list[Scene]:
        opened.append(Scene(endpoint, "tested", cut, herd=not pair.proving))
        opened.append(Scene(oracle, "proof" if pair.proving else "oracle", cut, herd=False))
        return opened

    yield open_both
    for scene in opened:
        scene.stack.close()


@pytest.mark.parametrize("cut", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.__name__ for scenario in SCENARIOS])
def test_clients_are_told_what_one_postgresql_tells(
    scenes: Callable[[str], list[Scene]], scenario: Callable[[Scene], None], cut: str
) -> None:
    if cut and scenario in HOME_ONLY:
        pytest.skip("not for a fragmented table")
    tested, oracle = scenes(cut)
    for scene in (tested, oracle):
        scenario(scene)
    for at, (ours, theirs) in enumerate(zip(tested.told, oracle.told, strict=True)):
        assert ours == theirs, f"answer {at} differs"


READERS = 6
DEFINITIONS = 12


def read_until(scene: Scene, done: threading.Event, name: str) -> str:
    """Prepares, describes and runs over and over; says what was wrong, if anything was."""
    client = scene.client(name).pgconn
    while not done.is_set():
        client.exec_(b"DEALLOCATE ALL")
        prepared = client.prepare(b"s", ALL.encode())
        described = client.describe_prepared(b"s")
        for result in (prepared, described):
            if result.status != ExecStatus.COMMAND_OK and result.error_field(DiagnosticField.SQLSTATE) != CHANGED.encode():
                return result.get_error_message()
        told = [described.fname(i) for i in range(described.nfields)]
        while described.status == ExecStatus.COMMAND_OK and not done.is_set():
            result = client.exec_prepared(b"s", [])
            if result.status == ExecStatus.FATAL_ERROR:
                if result.error_field(DiagnosticField.SOURCE_FUNCTION) != ROUTINE.encode():
                    return result.get_error_message()
                break
            found = [result.fname(i) for i in range(result.nfields)]
            if found != told:
                return f"told of {told}, given {found}"
    return ""


@pytest.mark.parametrize("cut", TABLES.values(), ids=TABLES)
def test_readers_are_never_given_a_shape_of_which_they_were_not_told(
    scenes: Callable[[str], list[Scene]], cut: str
) -> None:
    scene = scenes(cut)[0]
    done = threading.Event()
    names = [f"reader {at}" for at in range(READERS)]
    for name in names:
        scene.client(name)
    with ThreadPoolExecutor(READERS) as pool:
        readings = [pool.submit(read_until, scene, done, name) for name in names]
        try:
            for at in range(DEFINITIONS):
                verb = "ADD COLUMN extra int" if at % 2 == 0 else "DROP COLUMN extra"
                scene.define(f"ALTER TABLE shape {verb}")
        finally:
            done.set()
    assert [reading.result() for reading in readings] == [""] * READERS
