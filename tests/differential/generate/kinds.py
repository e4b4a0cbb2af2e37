"""Types, and values of them: few enough to repeat, with NULL, extremes, unicode and nothing among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

NULL_SHARE = 0.15


@dataclass(frozen=True)
class Kind:
    """A type of columns and expressions."""

    name: str
    sql: str
    values: tuple[str, ...]
    collation: str = ""
    #: Whether a number of this kind may stand in the text as it is.
    bare: bool = False

    @property
    def declared(self) -> str:
        return f'{self.sql} COLLATE "{self.collation}"' if self.collation else self.sql

    def literal(self, random: Random) -> str:
        return self.spelled(random.choice(self.values), random)

    def spelled(self, value: str, random: Random) -> str:
        if self.bare and not value.startswith("-") and random.random() < 0.6:
            return value
        return f"{quoted(value)}::{self.sql}"

    def is_like(self, other: Kind) -> bool:
        return self.name == other.name


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


SMALL = Kind("smallint", "smallint", ("0", "1", "2", "7", "-5", "32767", "-32768"))
INT = Kind("int", "int", ("0", "1", "2", "3", "5", "8", "13", "-1", "-40", "100", "2147483647", "-2147483648"), bare=True)
BIG = Kind("bigint", "bigint", ("0", "1", "2", "3", "5", "44", "-7", "9223372036854775807", "-9223372036854775808", "4294967296"))
NUMBER = Kind("numeric", "numeric(12,2)", ("0.00", "1.00", "1.50", "2.25", "-3.75", "10.00", "9999999999.99", "0.01"))
FLOAT = Kind("float", "float8", ("0", "0.25", "1.5", "-2.75", "1024", "8", "NaN", "Infinity"))
TEXT = Kind("text", "text", ("", "a", "A", "b", "aa", "a b", "Ab", "ž", "z", "Žluť", "羊", "it's", "100", "\\x", "%", "a_b"))
VARCHAR = Kind("varchar", "varchar(12)", ("", "a", "B", "b", "ab", "é", "e", "zz", "Zz"))
BOOL = Kind("bool", "boolean", ("true", "false"))
DATE = Kind("date", "date", ("2024-01-01", "2024-02-29", "2024-12-31", "1999-12-31", "2030-06-15", "infinity", "0001-01-01"))
TIME = Kind("timestamptz", "timestamptz", ("2024-01-01 00:00:00+00", "2024-01-01 12:30:00.5+00", "1970-01-01 00:00:00+00", "2031-07-08 09:10:11+00"))
UUID = Kind("uuid", "uuid", ("00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff", "12345678-1234-1234-1234-123456789abc"))
JSON = Kind("jsonb", "jsonb", ("{}", "[]", "null", "1", '"a"', '{"a": 1}', '{"a": [1, null, true]}', '{"b": {"c": "ž"}}'))
BYTES = Kind("bytea", "bytea", ("\\x", "\\x00", "\\x00ff", "\\xdeadbeef"))
INTS = Kind("int[]", "int[]", ("{}", "{1}", "{1,2}", "{2,1}", "{NULL}", "{3,NULL,3}"))
MOOD = Kind("mood", "mood", ("sad", "ok", "happy"))
# Of these there are columns only, and what takes any type.
ANY_NUMBER = Kind("any numeric", "numeric", ("0", "1", "NaN", "Infinity", "-Infinity", "0.000001", "123456789012345678901234567890.5"))
STAMP = Kind("timestamp", "timestamp", ("2024-01-01 00:00:00", "2024-06-30 23:59:59.999999", "infinity", "1900-01-01 01:02:03"))
CLOCK = Kind("time", "time", ("00:00:00", "12:30:00", "23:59:59.999999", "24:00:00"))
SPAN = Kind("interval", "interval", ("00:00:01", "1 day", "1 mon", "-3 days", "2 years 04:05:06.7"))
ADDRESS = Kind("inet", "inet", ("127.0.0.1", "10.0.0.0/8", "::1", "10.1.2.3/32"))
RANGE = Kind("int4range", "int4range", ("empty", "[1,10)", "(,5)", "[7,)", "(,)"))
WORDS = Kind("text[]", "text[]", ("{}", '{a,"b c"}', '{NULL,""}', "{{a,b},{c,d}}", "{ž}"))
PADDED = Kind("char", "char(5)", ("a", "ab", "", "zzzzz", "ž"))
BITS = Kind("bit varying", "bit varying(8)", ("", "0", "101", "11111111"))
SHORT = Kind("domain", "short", ("", "a", "bb", "ccc"))
PAIR = Kind("composite", "pair", ("(1,a)", "(,)", '(2,"b c")', "(-1,ž)"))
RARE_KINDS = (ANY_NUMBER, STAMP, CLOCK, SPAN, ADDRESS, RANGE, WORDS, PADDED, BITS, SHORT, PAIR)
TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) <= 3)",
    "CREATE TYPE pair AS (number int, word text)",
)

COLUMN_KINDS = (SMALL, INT, INT, INT, BIG, NUMBER, FLOAT, TEXT, TEXT, VARCHAR, BOOL, DATE, TIME, UUID, JSON, BYTES, INTS, MOOD)
KEY_KINDS = (INT, INT, BIG, TEXT, TEXT, DATE, UUID, SMALL, NUMBER, VARCHAR, TIME)
#: What expressions are made of beyond columns of their own kind.
EXPRESSION_KINDS = (INT, INT, BIG, NUMBER, TEXT, TEXT, BOOL, DATE)
COLLATIONS = ("", "", "C", "C.utf8", "en-x-icu", "und-x-icu", "cs-x-icu", "POSIX")
TEXTS = ("text", "varchar")


def with_collation(kind: Kind, collation: str) -> Kind:
    return replace(kind, collation=collation) if kind.name in TEXTS and collation else kind


def for_copy(value: str | None) -> str:
    """A value in a line of COPY's text format."""
    if value is None:
        return "\\N"
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
