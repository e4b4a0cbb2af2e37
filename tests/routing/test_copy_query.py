"""COPY (query) TO STDOUT of queries over several nodes: the stream that plain PostgreSQL would send."""

from __future__ import annotations

import psycopg
import pytest

from harness.endpoint import Endpoint

from .conftest import Pair
from .databases import connect
from .test_copy_out import copy_out

BOTH_PROTOCOLS = pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])


@BOTH_PROTOCOLS
@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT uid, name, score FROM users ORDER BY uid) TO STDOUT",
        "COPY (SELECT * FROM orders ORDER BY user_id, id) TO STDOUT WITH (FORMAT csv, HEADER)",
        "COPY (SELECT * FROM orders ORDER BY user_id, id) TO STDOUT WITH (FORMAT binary)",
        "COPY (SELECT uid, name FROM users ORDER BY uid) TO STDOUT WITH (FORMAT csv, NULL '-', FORCE_QUOTE *, DELIMITER ';')",
        "COPY (SELECT uid, name FROM users ORDER BY uid) TO STDOUT DELIMITER '|' NULL 'none' CSV HEADER",
        "COPY (SELECT count(*), sum(amount) FROM orders) TO STDOUT",
        "COPY (SELECT region, count(*) FROM users GROUP BY region ORDER BY region) TO STDOUT (FORMAT csv)",
        "COPY (SELECT u.name, o.id FROM users u JOIN orders o ON o.user_id = u.uid ORDER BY 1, 2, u.uid) TO STDOUT",
        "COPY (SELECT s.id, u.name FROM settings s JOIN users u ON u.uid = s.id ORDER BY 1) TO STDOUT",
        "COPY (SELECT uid FROM users ORDER BY uid DESC LIMIT 5) TO STDOUT",
        "COPY ((SELECT uid FROM users UNION SELECT id FROM orders ORDER BY 1)) TO STDOUT",
        "COPY (WITH t AS (SELECT * FROM users) SELECT max(uid), 'x)(' FROM t) TO STDOUT",
        "COPY (TABLE ranks) TO STDOUT (FORMAT csv, HEADER) -- TABLE is a query",
        "COPY (VALUES ((SELECT count(*) FROM users))) TO STDOUT",
        "COPY (SELECT uid FROM users WHERE uid = 7) TO STDOUT",
        "COPY (SELECT nothing FROM users) TO STDOUT",
        "COPY (SELECT 1 / (age - age) FROM users) TO STDOUT",
        "COPY (SELECT uid FROM users WHERE age > $1) TO STDOUT",
        "COPY (SELECT uid FROM users) TO STDOUT (FORMAT unheard_of)",
        "COPY (SELECT uid FROM users) TO STDOUT (FORCE_QUOTE (uid))",
    ],
)
def test_copies_what_the_query_gives(pair: Pair, sql: str, extended: bool) -> None:
    right = copy_out(pair.oracle, sql)
    tested = copy_out(pair.tested, sql, extended=extended)
    if "order by" not in sql.lower():
        right, tested = ((tag, b"".join(sorted(data.splitlines(keepends=True)))) for tag, data in (right, tested))
    assert tested == right


def test_a_mistake_is_told_where_it_is(pair: Pair) -> None:
    for sql in ("COPY (SELECT nothing FROM users) TO STDOUT", "COPY /* žluť */ (SELECT uid FROM users WHERE kid = 1) TO STDOUT"):
        told = []
        for connection in (pair.tested, pair.oracle):
            result = connection.pgconn.exec_(sql.encode())
            fields = (psycopg.pq.DiagnosticField.SQLSTATE, psycopg.pq.DiagnosticField.STATEMENT_POSITION)
            told.append([result.error_field(field) for field in fields])
        assert told[0] == told[1], sql


def test_a_transaction_copies_what_it_has_written(endpoint: Endpoint, pair: Pair) -> None:
    count = "COPY (SELECT count(*) FROM users WHERE name = 'mine') TO STDOUT"
    with connect(endpoint, "tested") as client:
        client.execute("BEGIN")
        for uid in (1, 2, 3, 4):
            client.execute(f"UPDATE users SET name = 'mine' WHERE uid = {uid}")
        assert copy_out(client, count) == ("COPY 1", b"4\n")
        assert copy_out(pair.tested, count) == ("COPY 1", b"0\n")
        client.execute("ROLLBACK")
        assert copy_out(client, count) == ("COPY 1", b"0\n")


def test_one_of_several_statements_is_a_copy(pair: Pair) -> None:
    sql = "SELECT count(*) FROM users; COPY (SELECT max(uid) FROM users) TO STDOUT; SELECT sum(id) FROM orders"
    for connection in (pair.tested, pair.oracle):
        protocol = connection.pgconn
        protocol.send_query(sql.encode())
        assert protocol.get_result().get_value(0, 0) == b"60"
        assert protocol.get_result().status == psycopg.pq.ExecStatus.COPY_OUT
        assert bytes(protocol.get_copy_data(0)[1]) == b"60\n"
        assert protocol.get_copy_data(0)[0] == -1
        assert protocol.get_result().command_status == b"COPY 1"
        assert protocol.get_result().command_status == b"SELECT 1"
        assert protocol.get_result() is None


def test_a_file_of_the_server_is_refused(pair: Pair, only_herd: None) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="file or program"):
        pair.tested.execute("COPY (SELECT count(*) FROM users) TO '/dev/null'")
