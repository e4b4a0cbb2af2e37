"""The fixture on both servers, and one way to run a statement on either so that answers compare."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus

from harness.endpoint import Endpoint

FOLDER = Path(__file__).parent
#: What Herd says of a statement that it cannot answer from one node.
REFUSED = "0A000"
KEYED = ("users", "orders", "docs", "parts", "events", "ranks")
REFERENCE = ("country",)
HOME = ("settings",)
TABLES = (*KEYED, *REFERENCE, *HOME)


@dataclass
class Answer:
    """Everything that a client can see of one statement's outcome."""

    state: str = ""
    message: str = ""
    tag: str = ""
    columns: list[bytes] = field(default_factory=list)
    rows: list[tuple[bytes | None, ...]] = field(default_factory=list)

    def comparable(self, ordered: bool) -> tuple:
        """Without what may differ between right answers: texts of errors, an order not asked for."""
        rows = self.rows if ordered else sorted(self.rows, key=repr)
        return (self.state, self.tag, self.columns, rows)


def statements(path: Path) -> list[str]:
    """The statements of a file; each ends with a semicolon at the end of a line."""
    text = re.sub(r"^--.*$", "", path.read_text(), flags=re.MULTILINE)
    return [statement.strip() for statement in re.split(r";[ \t]*$", text, flags=re.MULTILINE) if statement.strip()]


def plain(statement: str) -> str:
    """The statement as PostgreSQL without Herd understands it."""
    without_options = re.sub(r"\s+WITH \(herd\.[^)]*\)", "", statement)
    return re.sub(r"\s+PARTITION BY HASH \([^)]*\)", "", without_options)


def connect(endpoint: Endpoint, schema: str) -> psycopg.Connection:
    options = f"-c search_path=routing_{schema} -c timezone=UTC"
    return psycopg.connect(**endpoint.parameters(), options=options, autocommit=True)


def drop(endpoint: Endpoint, schema: str) -> None:
    with connect(endpoint, schema) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS routing_{schema} CASCADE")


def load(endpoint: Endpoint, schema: str, *, herd: bool) -> None:
    """Make the schema and fill it, row by row where rows have keys: one statement, one node."""
    drop(endpoint, schema)
    with connect(endpoint, schema) as connection:
        connection.execute(f"CREATE SCHEMA routing_{schema}")
        for statement in statements(FOLDER / "fixture.sql"):
            connection.execute(statement if herd else plain(statement))
        with connection.cursor().copy("COPY country FROM STDIN") as copy:
            copy.write("cz\tCzechia\t1\njp\tJapan\t2\npe\tPeru\t3\n")
        for table, rows in keyed_rows().items():
            places = ", ".join(["%s"] * len(rows[0]))
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({places})", row)


def keyed_rows() -> dict[str, list[tuple]]:
    """The rows of the fragmented tables."""
    regions = ("cz", "jp", "pe")
    users = [
        (
            uid,
            regions[uid % 3],
            f"user {uid % 7}" if uid % 11 else None,
            18 + uid % 50 if uid % 13 else None,
            None if uid % 17 == 0 else f"{uid * 37 % 1000}.{uid % 100:02d}",
            f"19{50 + uid % 50}-0{1 + uid % 9}-1{uid % 10}",
            ("new", "known", "trusted")[uid % 3],
            [f"t{uid % 4}", f"t{uid % 5}"],
            f'{{"uid": {uid}, "even": {str(uid % 2 == 0).lower()}}}',
        )
        for uid in range(1, 61)
    ]
    orders = [
        (uid, number, f"{uid * number}.50", f"note {number}" if number % 2 else None, f"2026-0{number}-01 12:00+00")
        for uid in range(1, 61)
        for number in range(1, 1 + uid % 4)
    ]
    docs = [(f"doc-{number}", f"body {number}", number * 10) for number in range(40)]
    docs += [("123", "a number as text", 1), ("žluť", "unicode", 2), ("it's", "quoted", 3), ("", "empty", 4)]
    parts = [(tenant, f"d{doc}", tenant * doc) for tenant in range(1, 6) for doc in range(6)]
    events = [(f"{2024 + number % 3}-{1 + number % 12:02d}-15", number, ("a", "b")[number % 2]) for number in range(36)]
    ranks = [
        (granularity, f"2026-01-{day:02d}", [day, day * 2])
        for granularity in ("daily", "weekly", "monthly")
        for day in range(1, 8)
    ]
    return {"users": users, "orders": orders, "docs": docs, "parts": parts, "events": events, "ranks": ranks}


def ask(connection: psycopg.Connection, sql: str, parameters: list[str | None] | None = None, *, extended: bool) -> Answer:
    """Run one text by the simple or by the extended protocol; the answer of its last statement or of its error."""
    protocol = connection.pgconn
    if extended:
        values = [None if value is None else value.encode() for value in parameters or []]
        protocol.send_query_params(sql.encode(), values)
    else:
        protocol.send_query(sql.encode())
    answer = Answer()
    while (result := protocol.get_result()) is not None:
        if result.status == ExecStatus.FATAL_ERROR:
            state = result.error_field(DiagnosticField.SQLSTATE) or b"?"
            return finish(protocol, Answer(state=state.decode(), message=result.error_message.decode()))
        answer = Answer(
            tag=(result.command_status or b"").decode(),
            columns=[result.fname(i) or b"" for i in range(result.nfields)],
            rows=[tuple(result.get_value(r, c) for c in range(result.nfields)) for r in range(result.ntuples)],
        )
    return answer


def finish(protocol: psycopg.pq.abc.PGconn, answer: Answer) -> Answer:
    while protocol.get_result() is not None:
        pass
    return answer


def stored(connection: psycopg.Connection, table: str) -> list[bytes]:
    """All rows of a table on one server."""
    with connection.cursor().copy(f"COPY (TABLE {table}) TO STDOUT") as copy:
        return sorted(b"".join(bytes(chunk) for chunk in copy).splitlines())


def contents(servers: list[psycopg.Connection], table: str) -> list[bytes]:
    """All rows of a logical table, from where they lie."""
    parts = [stored(server, table) for server in (servers if table not in HOME else servers[:1])]
    if table in REFERENCE:
        assert all(part == parts[0] for part in parts), f"the copies of {table} differ"
        return parts[0]
    return sorted(row for part in parts for row in part)
