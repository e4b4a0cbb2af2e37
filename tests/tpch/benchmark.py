"""The benchmark TPC-H: its tables in several layouts, its data and its 22 queries.

The queries are those of the specification, with the parameters of its validation run.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg

from harness.endpoint import Endpoint

QUERIES = {path.stem: path for path in sorted((Path(__file__).parent / "queries").glob("q*.sql"))}
COPY_BYTES = 1 << 20

COLUMNS = {
    "region": "r_regionkey integer NOT NULL, r_name char(25) NOT NULL, r_comment varchar(152)",
    "nation": "n_nationkey integer NOT NULL, n_name char(25) NOT NULL, n_regionkey integer NOT NULL,"
    " n_comment varchar(152)",
    "supplier": "s_suppkey integer NOT NULL, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL,"
    " s_nationkey integer NOT NULL, s_phone char(15) NOT NULL, s_acctbal numeric(15, 2) NOT NULL,"
    " s_comment varchar(101) NOT NULL",
    "part": "p_partkey integer NOT NULL, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL,"
    " p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL, p_size integer NOT NULL,"
    " p_container char(10) NOT NULL, p_retailprice numeric(15, 2) NOT NULL, p_comment varchar(23) NOT NULL",
    "partsupp": "ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL, ps_availqty integer NOT NULL,"
    " ps_supplycost numeric(15, 2) NOT NULL, ps_comment varchar(199) NOT NULL",
    "customer": "c_custkey integer NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL,"
    " c_nationkey integer NOT NULL, c_phone char(15) NOT NULL, c_acctbal numeric(15, 2) NOT NULL,"
    " c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL",
    "orders": "o_orderkey integer NOT NULL, o_custkey integer NOT NULL, o_orderstatus char(1) NOT NULL,"
    " o_totalprice numeric(15, 2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL,"
    " o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL, o_comment varchar(79) NOT NULL",
    "lineitem": "l_orderkey integer NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL,"
    " l_linenumber integer NOT NULL, l_quantity numeric(15, 2) NOT NULL, l_extendedprice numeric(15, 2) NOT NULL,"
    " l_discount numeric(15, 2) NOT NULL, l_tax numeric(15, 2) NOT NULL, l_returnflag char(1) NOT NULL,"
    " l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL,"
    " l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL,"
    " l_comment varchar(44) NOT NULL",
}
KEYS = {
    "region": "r_regionkey",
    "nation": "n_nationkey",
    "supplier": "s_suppkey",
    "part": "p_partkey",
    "partsupp": "ps_partkey, ps_suppkey",
    "customer": "c_custkey",
    "orders": "o_orderkey",
    "lineitem": "l_orderkey, l_linenumber",
}
INDEXES = [
    "partsupp (ps_suppkey)",
    "customer (c_nationkey)",
    "orders (o_custkey)",
    "lineitem (l_partkey, l_suppkey)",
    "lineitem (l_suppkey)",
]


@dataclass(frozen=True)
class Layout:
    """How each table lies on the nodes: what follows its columns."""

    name: str
    placement: dict[str, str]
    #: Whether the primary keys hold the keys by which the tables are cut.
    has_keys: bool = True


def hashed(column: str, fragments: int) -> str:
    return f"PARTITION BY HASH ({column}) WITH (herd.fragments = {fragments})"


PLAIN = Layout("plain", dict.fromkeys(COLUMNS, ""))
BY_KEY = Layout(
    "by_key",
    dict.fromkeys(("region", "nation", "supplier"), "WITH (herd.reference = true)")
    | {"part": hashed("p_partkey", 6), "partsupp": hashed("ps_partkey", 6)}
    | {"orders": hashed("o_orderkey", 6), "lineitem": hashed("l_orderkey", 6)}
    | {"customer": hashed("c_custkey", 6)},
)
#: No two tables that a query joins are cut by what it joins them on.
APART = Layout(
    "apart",
    {
        "region": hashed("r_name", 3),
        "nation": hashed("n_name", 4),
        "supplier": hashed("s_phone", 5),
        "part": hashed("p_size", 6),
        "partsupp": hashed("ps_availqty", 7),
        "customer": hashed("c_name", 8),
        "orders": hashed("o_orderdate", 9),
        "lineitem": hashed("l_shipdate", 10),
    },
    has_keys=False,
)


def generate(scale: float, directory: Path) -> None:
    """The data, one file for each table."""
    generator = Path(sys.executable).with_name("tpchgen-cli")
    command = [str(generator), "csv", f"--scale-factor={scale}", f"--output-dir={directory}"]
    subprocess.run(command, check=True, capture_output=True)


def connect(endpoint: Endpoint, layout: Layout) -> psycopg.Connection:
    options = f"-c search_path=tpch_{layout.name}"
    return psycopg.connect(**endpoint.parameters(), options=options, autocommit=True)


def drop(endpoint: Endpoint, layout: Layout) -> None:
    with connect(endpoint, layout) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS tpch_{layout.name} CASCADE")


def load(endpoint: Endpoint, layout: Layout, directory: Path) -> None:
    drop(endpoint, layout)
    with connect(endpoint, layout) as connection:
        connection.execute(f"CREATE SCHEMA tpch_{layout.name}")
        for table, columns in COLUMNS.items():
            key = f", PRIMARY KEY ({KEYS[table]})" if layout.has_keys else ""
            connection.execute(f"CREATE TABLE {table} ({columns}{key}) {layout.placement[table]}")
            fill(connection, table, directory / f"{table}.csv")
        keys = [] if layout.has_keys else [f"{table} ({key})" for table, key in KEYS.items()]
        for index in [*INDEXES, *keys]:
            connection.execute(f"CREATE INDEX ON {index}")
        for table in COLUMNS:
            connection.execute(f"ANALYZE {table}")


def fill(connection: psycopg.Connection, table: str, path: Path) -> None:
    with path.open("rb") as file, connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)") as copy:
        while portion := file.read(COPY_BYTES):
            copy.write(portion)


def query(name: str, scale: float) -> str:
    return QUERIES[name].read_text().replace(":scale", str(scale))
