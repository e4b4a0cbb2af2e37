"""The page about what is answered tells of every statement, and nothing on it is answered wrongly."""

from __future__ import annotations

from .conftest import Duels
from .support import ANSWERED, PAGE, line, page, sections


def test_the_page_has_a_line_for_every_statement() -> None:
    lines = [each for each in PAGE.read_text().splitlines() if each.endswith(" |") and "` | " in each]
    entries = [entry for section in sections() for entry in section.entries]
    assert [each.rpartition("` |")[0] for each in lines] == [line(entry, "").rpartition("` |")[0] for entry in entries]
    for each in lines:
        verdict = each.rpartition("` | ")[2]
        assert verdict.startswith((ANSWERED, "refused: ")), each


def test_every_statement_is_answered_as_by_postgresql_or_refused(duels: Duels) -> None:
    page(duels.of(3))
