"""A server with a schema of its own: made anew for every case, and asked with a deadline."""

from __future__ import annotations

import select
import time
from collections.abc import Iterable
from dataclasses import replace

from psycopg import pq
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

from harness.endpoint import Endpoint

from .answers import HANGS, LOST, Answer, Column
from .cases import Case, Statement, for_plain_postgresql

STATEMENT_SECONDS_MAX = 30.0
FIRST_OF_USERS = 16384
FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)
#: How PostgreSQL plans when it is to find the same answer in another way.
OTHERWISE = ("enable_hashagg=off", "enable_hashjoin=off", "enable_indexscan=off", "enable_bitmapscan=off", "enable_material=off")


class Broken(Exception):
    """A definition or rows that were meant to work did not."""


class Side:
    """One session in one schema of one server."""

    def __init__(self, endpoint: Endpoint, schema: str, *, herd: bool, settings: Iterable[str] = ()):
        self.endpoint = endpoint
        self.schema = schema
        self.herd = herd
        self._options = " ".join(f"-c {each}" for each in (f"search_path={schema}", "timezone=UTC", "jit=off", *settings))
        self._types: dict[int, str] = {}
        self._session: pq.PGconn | None = None
        #: Names of prepared statements, by their texts.
        self._prepared: dict[str, str] = {}

    @property
    def session(self) -> pq.PGconn:
        if self._session is None or self._session.status != ConnStatus.OK:
            self._session = self._connect()
        return self._session

    def _connect(self) -> pq.PGconn:
        parameters = self.endpoint.parameters() | {"options": self._options}
        info = " ".join(f"{key}='{value}'" for key, value in parameters.items())
        session = pq.PGconn.connect(info.encode())
        if session.status != ConnStatus.OK:
            raise Broken(session.get_error_message())
        self._prepared = {}
        return session

    def close(self) -> None:
        if self._session is not None:
            self._session.finish()
            self._session = None

    def reset(self, case: Case, *, backwards: bool = False) -> None:
        """The schema with nothing but what the case defines and loads, in a new session."""
        self.close()
        self.must(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        self.must(f"CREATE SCHEMA {self.schema}")
        for text in case.definitions:
            self.must(text if self.herd else for_plain_postgresql(text))
        for load in case.loads:
            self.load(load.table, load.rows[::-1] if backwards else load.rows)
        numbers = self.must(f"SELECT oid, typname FROM pg_catalog.pg_type WHERE oid >= {FIRST_OF_USERS}")
        self._types = {int(number): name.decode() for number, name in numbers.rows}

    def drop(self) -> None:
        self.must(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        self.close()

    def must(self, sql: str) -> Answer:
        answer = self.ask(Statement(sql))
        if answer.state:
            raise Broken(f"{answer.message}\nfor {sql}")
        return answer

    def load(self, table: str, rows: Iterable[str]) -> None:
        session = self.session
        started = session.exec_(f"COPY {table} FROM STDIN".encode())
        if started.status != ExecStatus.COPY_IN:
            raise Broken(session.get_error_message())
        session.put_copy_data("".join(f"{row}\n" for row in rows).encode())
        session.put_copy_end()
        while (result := session.get_result()) is not None:
            if result.status in FAILED:
                raise Broken(f"{result.error_message.decode()}\nfor COPY {table}")

    def ask(self, statement: Statement) -> Answer:
        """The answer of the statement, or of the last one of its query string."""
        session = self.session
        if statement.named and statement.sql not in self._prepared:
            name = f"s{len(self._prepared)}"
            session.send_prepare(name.encode(), statement.sql.encode())
            prepared = self._received()
            if prepared.state:
                return prepared
            self._prepared[statement.sql] = name
        self._send(session, statement)
        return self._received()

    def _send(self, session: pq.PGconn, statement: Statement) -> None:
        text = statement.sql.encode()
        values = [None if value is None else value.encode() for value in statement.parameters]
        if statement.named:
            session.send_query_prepared(self._prepared[statement.sql].encode(), values, result_format=int(statement.binary))
        elif statement.extended:
            session.send_query_params(text, values, result_format=int(statement.binary))
        else:
            session.send_query(text)

    def _received(self) -> Answer:
        """What comes until the session is ready for more: an error, or the answers of all statements in a row."""
        session = self.session
        answers: list[Answer] = []
        deadline = time.monotonic() + STATEMENT_SECONDS_MAX
        while _arrives(session, deadline):
            result = session.get_result()
            if result is None:
                answer = _together(answers)
                if session.status == ConnStatus.OK:
                    return replace(answer, transaction=int(session.transaction_status))
                self.close()
                return Answer(LOST, f"{answer.state} {answer.message}")
            if result.status == ExecStatus.COPY_IN:
                break
            if result.status == ExecStatus.COPY_OUT:
                rows = tuple((bytes(data),) for _, data in iter(lambda: session.get_copy_data(0), (-1, b"")))
                answers.append(Answer(rows=rows))
            else:
                answers.append(self._read(result))
        self.close()
        return Answer(HANGS, "no answer")

    def _read(self, result: pq.PGresult) -> Answer:
        if result.status in FAILED:
            state = result.error_field(DiagnosticField.SQLSTATE) or b"?"
            return Answer(state.decode(), result.error_message.decode(errors="replace"))
        width = result.nfields
        columns = tuple(
            Column((result.fname(i) or b"").decode(), self._type(result.ftype(i)), result.fmod(i), bool(result.fformat(i)))
            for i in range(width)
        )
        rows = tuple(tuple(result.get_value(row, i) for i in range(width)) for row in range(result.ntuples))
        return Answer(tag=(result.command_status or b"").decode(), columns=columns, rows=rows)

    def _type(self, number: int) -> str:
        return str(number) if number < FIRST_OF_USERS else self._types.get(number, "unknown")


def _together(answers: list[Answer]) -> Answer:
    if failed := next((answer for answer in answers if answer.state), None):
        return failed
    rows = tuple(row for answer in answers for row in answer.rows)
    return Answer(tag=" ".join(answer.tag for answer in answers), columns=answers[-1].columns if answers else (), rows=rows)


def _arrives(session: pq.PGconn, deadline: float) -> bool:
    """Whether the next result is there in time, or the end of the session is."""
    while session.is_busy():
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([session.socket], [], [], left)[0]:
            return False
        try:
            session.consume_input()
        except Exception:  # noqa: BLE001 — libpq says no more than that the session is gone
            return True
    return True
