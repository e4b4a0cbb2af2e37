"""What was once answered otherwise than by PostgreSQL; a file is what a campaign has printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cases import Case
from .conftest import Duels
from .duel import Verdict

FILES = sorted((Path(__file__).parent / "regressions").glob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_answered_as_by_postgresql(duels: Duels, path: Path) -> None:
    case = Case.read(path)
    outcomes = list(duels.of(case.nodes).run(case))
    wrong = [outcome for outcome in outcomes if outcome.verdict is Verdict.DIFFERENT]
    assert not wrong, "\n".join(line for outcome in wrong for line in (outcome.what, outcome.statement.sql, *outcome.shown))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_all_of_a_case(path: Path, tmp_path: Path) -> None:
    case = Case.read(path)
    again = tmp_path / "again.sql"
    again.write_text(case.text())
    assert Case.read(again) == case
