"""Random programs, from a fresh seed each time: every statement is answered as by PostgreSQL, or refused.

HERD_DIFFERENTIAL_SEED, HERD_DIFFERENTIAL_SECONDS and HERD_DIFFERENTIAL_NODES (such as "2,3,5") say what else
to do than a short run over three nodes.
"""

from __future__ import annotations

import os
import secrets

import pytest

from .campaign import Campaign
from .conftest import Duels

SEED = int(os.environ.get("HERD_DIFFERENTIAL_SEED", secrets.randbelow(10**9)))
SECONDS = float(os.environ.get("HERD_DIFFERENTIAL_SECONDS", "30"))
#: When the suite proves itself on plain PostgreSQL.
PROVING_SECONDS = 10.0
NODES = [int(count) for count in os.environ.get("HERD_DIFFERENTIAL_NODES", "3").split(",")]
SHRINK_SECONDS = 60.0


@pytest.mark.timeout(SECONDS + 5 * SHRINK_SECONDS)
@pytest.mark.parametrize("nodes", NODES)
def test_random_programs_are_answered_as_by_postgresql_or_refused(duels: Duels, nodes: int, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = Campaign(duels.of(nodes), nodes, shrink_seconds=SHRINK_SECONDS)
    report = campaign.run(SEED, min(SECONDS, PROVING_SECONDS) if duels.proving else SECONDS)
    with capsys.disabled():
        print(f"\nseed {SEED}, {nodes} nodes:", *report.lines(), sep="\n")
    assert report.verdicts["same"] > 0
    assert not report.failures, "\n".join(failure.text() for failure in report.failures)
