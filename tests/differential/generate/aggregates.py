"""Aggregates and window functions whose values do not hang on an order that nobody asked for."""

from __future__ import annotations

from . import kinds
from .expressions import Expressions
from .kinds import Kind

LEAST_AND_GREATEST = (kinds.INT, kinds.BIG, kinds.NUMBER, kinds.FLOAT, kinds.TEXT, kinds.DATE, kinds.TIME, kinds.MOOD, kinds.VARCHAR, kinds.SMALL)
ADDED = (kinds.INT, kinds.INT, kinds.SMALL, kinds.NUMBER, kinds.FLOAT, kinds.BIG)
#: What adding up gives.
SUMS = {"int": kinds.BIG, "smallint": kinds.BIG, "bigint": kinds.NUMBER, "numeric": kinds.NUMBER, "float": kinds.FLOAT}
FRAMES = ("", "", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS UNBOUNDED PRECEDING", "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING")


def aggregate(over: Expressions) -> tuple[str, Kind]:
    """An aggregate over expressions that see no aggregate."""
    text, kind = plain(over)
    if over.chance(0.15) and not text.startswith("round") and not text.endswith("(20,2)"):
        text += f" FILTER (WHERE {over.condition(1)})"
    if kind.name in ("bigint", "numeric") and over.chance(0.12):
        return f"({text} + 1)", kind
    if kind.name in ("bigint", "numeric") and over.chance(0.08):
        return f"coalesce({text}, 0)", kind
    return text, kind


def plain(over: Expressions) -> tuple[str, Kind]:
    random = over.random
    turn = random.random()
    distinct = "DISTINCT " if over.chance(0.12) else ""
    if turn < 0.2:
        return "count(*)", kinds.BIG
    if turn < 0.35:
        return f"count({distinct}{over.of(over.any_kind(), 1)})", kinds.BIG
    if turn < 0.55:
        kind = random.choice(ADDED)
        return f"sum({distinct}{over.of(kind, 1)})", SUMS[kind.name]
    if turn < 0.63:
        kind = random.choice(ADDED)
        return f"round(avg({distinct}{over.of(kind, 1)})::numeric, 4)" if over.chance(0.5) else f"avg({distinct}{over.of(kind, 1)})", kinds.NUMBER if kind.name != "float" else kinds.FLOAT
    if turn < 0.83:
        kind = random.choice(LEAST_AND_GREATEST)
        return f"{random.choice(('min', 'max'))}({distinct}{over.of(kind, 1)})", kind
    return rarer(over)


def rarer(over: Expressions) -> tuple[str, Kind]:
    random = over.random
    number, text = over.of(kinds.INT, 1), over.of(kinds.TEXT, 1)
    return random.choice(
        (
            (f"bool_and({over.condition(1)})", kinds.BOOL),
            (f"bool_or({over.condition(1)})", kinds.BOOL),
            (f"every({over.condition(0)})", kinds.BOOL),
            (f"bit_or({number})", kinds.INT),
            (f"bit_and({number})", kinds.INT),
            (f"string_agg({text}, ',' ORDER BY {text})", kinds.TEXT),
            (f"string_agg(DISTINCT {text}, ';' ORDER BY {text} DESC)", kinds.TEXT),
            (f"array_agg({number} ORDER BY {number})", kinds.INTS),
            (f"array_agg({number} ORDER BY {number} DESC NULLS LAST)", kinds.INTS),
            (f"jsonb_agg({text} ORDER BY {text})", kinds.JSON),
            (f"round(stddev({number}), 6)", kinds.NUMBER),
            (f"round(var_pop({number}), 6)", kinds.NUMBER),
            (f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {number})", kinds.INT),
            (f"percentile_cont(0.25) WITHIN GROUP (ORDER BY {number})::numeric(20,2)", kinds.NUMBER),
            (f"mode() WITHIN GROUP (ORDER BY {number})", kinds.INT),
            (f"rank(5) WITHIN GROUP (ORDER BY {number})", kinds.BIG),
        )
    )


def window(over: Expressions) -> tuple[str, Kind]:
    """A window function; where rows of one order would count, all columns in sight make them one."""
    random = over.random
    parts = f"PARTITION BY {over.of(over.any_kind(), 1)} " if over.chance(0.5) else ""
    everything = ", ".join(f"{field.sql}{random.choice(('', '', ' DESC', ' NULLS FIRST'))}" for field in over.fields)
    first = over.of(over.any_kind(), 1)
    total = f"ORDER BY {first}{', ' if everything else ''}{everything}"
    turn = random.random()
    if turn < 0.35:
        name = random.choice(("row_number()", "rank()", "dense_rank()", "ntile(3)"))
        return f"{name} OVER ({parts}{total})", kinds.INT if name.startswith("ntile") else kinds.BIG
    if turn < 0.6:
        kind = over.any_kind()
        value = over.of(kind, 1)
        call = random.choice((f"lag({value})", f"lead({value}, 2)", f"first_value({value})", f"last_value({value})", f"nth_value({value}, 2)"))
        return f"{call} OVER ({parts}{total})", kind
    if turn < 0.7:
        return f"rank() OVER ({parts}ORDER BY {first} DESC)", kinds.BIG
    text, kind = plain(over)
    while "DISTINCT" in text or "WITHIN" in text or "ORDER BY" in text or "round" in text:
        text, kind = plain(over)
    if over.chance(0.4):
        return f"{text} OVER ({parts.strip()})", kind
    return f"{text} OVER ({parts}{total} {random.choice(FRAMES)})", kind
