"""Failing cases become small and stay failures."""

from __future__ import annotations

from dataclasses import replace

from .answers import is_ordered
from .cases import Case, Load, Statement
from .generate.programs import program
from .shrink import Shrinker, shorter_texts

TABLE = "CREATE TABLE t (\n  k int NOT NULL,\n  a text,\n  b int,\n  PRIMARY KEY (k)\n)"
QUERY = "SELECT k, upper(a), (SELECT max(b) FROM t s WHERE s.k = t.k) FROM t WHERE b > 3 AND length(a) > 1 ORDER BY 1"


def test_what_does_not_matter_is_left_out() -> None:
    rows = tuple(f"{number}\tx\t{number}" for number in range(40))
    steps = (Statement("DELETE FROM t"), Statement("SELECT 1"), Statement(QUERY, extended=True))
    case = Case((TABLE, "CREATE TABLE other (\n  k int\n)"), (Load("t", rows),), steps)

    def fails(smaller: Case) -> bool:
        in_row = any(row.split("\t")[0] == "17" for load in smaller.loads for row in load.rows)
        return in_row and any("max(b)" in step.sql and "FROM t" in step.sql for step in smaller.steps)

    small = Shrinker(fails).shrink(case)
    assert fails(small)
    assert [len(load.rows) for load in small.loads] == [1]
    assert len(small.steps) == len(small.definitions) == 1
    assert len(small.steps[0].sql) < 30
    assert not small.steps[0].extended


def test_every_shorter_text_is_shorter_or_simpler() -> None:
    for shorter in shorter_texts(QUERY):
        assert shorter != QUERY
        assert shorter.count("(") == shorter.count(")")


def test_a_seed_says_all() -> None:
    assert program(5, 3) == program(5, 3)
    assert program(5, 3) != replace(program(6, 3), nodes=3)


def test_only_an_order_outside_of_parentheses_orders_the_result() -> None:
    assert is_ordered(QUERY)
    assert not is_ordered("SELECT ' order by ', \"order by\" FROM (SELECT 1 ORDER BY 1) s")
