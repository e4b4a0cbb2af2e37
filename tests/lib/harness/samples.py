"""Values of every common type, written as PostgreSQL prints them, for round trips through a driver."""

from __future__ import annotations

#: Type name → literals in the server's own output form (DateStyle ISO, TimeZone UTC).
SAMPLES: dict[str, list[str]] = {
    "boolean": ["true", "false"],
    "smallint": ["0", "-32768", "32767"],
    "integer": ["0", "-2147483648", "2147483647"],
    "bigint": ["0", "-9223372036854775808", "9223372036854775807"],
    "real": ["0", "1.5", "-3.4028235e+38", "Infinity", "NaN"],
    "double precision": ["0", "0.1", "1.7976931348623157e+308", "-Infinity", "5e-324"],
    "numeric": [
        "0",
        "1.10",
        "-0.000000000000000000000000000001",
        "123456789012345678901234567890123456789.123456789",
        "NaN",
    ],
    "text": ["", "plain", "O'Reilly \\ \"quoted\"", "žluťoučký 🐑 羊群 \u200f", "tab\tand\nnewline", "x" * 9000],
    "character varying(10)": ["", "ten chars!"],
    "character(6)": ["padded"],
    "bytea": ["\\x", "\\x00ff10", "\\x" + "deadbeef" * 2000],
    "date": ["2000-01-01", "1970-01-01", "9999-12-30"],
    "time without time zone": ["00:00:00", "23:59:59.999999"],
    "timestamp without time zone": ["2000-01-01 00:00:00", "2026-11-21 13:14:15.123456"],
    "timestamp with time zone": ["2000-01-01 00:00:00+00", "1969-07-20 20:17:40.5+00"],
    "interval": ["00:00:00", "3 days 04:05:06.789", "-1 days"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "jsonb": ["{}", "[1, 2.5, null, true]", '{"a": {"b": "ž"}}', '"text"'],
    "json": ["{}", '{"b": 1, "a": [2]}'],
    "inet": ["192.168.0.1/32", "10.1.2.3/8", "::1/128"],
    "cidr": ["10.0.0.0/8"],
    "integer[]": ["{}", "{1,2,3}", "{-1,0}"],
    "text[]": ["{}", "{a,b}", '{"with space","comma,","quote\\""}'],
    "int4range": ["empty", "[1,10)"],
    "numrange": ["[1.5,2.5]"],
    "daterange": ["[2026-01-01,2027-01-01)"],
    "tstzrange": ['["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")'],
}

CASES = [(kind, literal) for kind, literals in SAMPLES.items() for literal in literals]


def label(case: object) -> str:
    """A short name of a case for the test's title."""
    return str(case)[:24].encode("ascii", "replace").decode()
