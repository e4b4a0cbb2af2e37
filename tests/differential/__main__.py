"""Long campaigns by hand, and single cases again.

  python -m differential campaign [--seed N] [--seconds S] [--nodes N] [--failures DIRECTORY]
  python -m differential replay FILE…
  python -m differential support           writes docs/sql-support.md

Run it in tests/, with lib in PYTHONPATH. It starts a Herd (HERD_BINARY, else what cargo built last) and a
plain PostgreSQL of its own.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import herd
from harness.behind import nodes_behind
from harness.postgres import Postgres
from harness.process import scratch_directory

from . import support
from .campaign import Campaign
from .cases import Case
from .duel import Duel, Verdict

SHRINK_SECONDS = 40.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    campaign = commands.add_parser("campaign")
    campaign.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    campaign.add_argument("--seconds", type=float, default=600)
    campaign.add_argument("--nodes", type=int, default=3)
    campaign.add_argument("--failures", type=Path, default=Path("/tmp/herd-differential"))
    campaign.set_defaults(perform=run_campaign)
    replay = commands.add_parser("replay")
    replay.add_argument("files", nargs="+", type=Path)
    replay.set_defaults(perform=replay_files)
    commands.add_parser("support").set_defaults(perform=write_support)
    arguments = parser.parse_args()
    return arguments.perform(arguments)


@contextmanager
def duel(nodes: int) -> Iterator[Duel]:
    with scratch_directory("herd-differential") as directory, Postgres(directory / "oracle") as oracle:
        with herd.Demo(directory / "demo", nodes) as demo:
            behind = nodes_behind(demo.endpoint)
            yield Duel(demo.endpoint, oracle.endpoint, "differential", behind, proving=False)


def run_campaign(arguments: argparse.Namespace) -> int:
    print(f"seed {arguments.seed}", flush=True)
    arguments.failures.mkdir(parents=True, exist_ok=True)

    with duel(arguments.nodes) as fight:
        campaign = Campaign(fight, arguments.nodes, shrink_seconds=SHRINK_SECONDS, announce=lambda text: print(text, flush=True))
        with suppress(KeyboardInterrupt):
            campaign.run(arguments.seed, arguments.seconds)
    report = campaign.report
    for failure in report.failures:
        (arguments.failures / f"{failure.seed}.sql").write_text(failure.text())
    print(*report.lines(), sep="\n")
    return 1 if report.failures else 0


def replay_files(arguments: argparse.Namespace) -> int:
    wrong = 0
    for path in arguments.files:
        case = Case.read(path)
        with duel(case.nodes) as fight:
            for outcome in fight.run(case):
                print(outcome.verdict.value, outcome.what, outcome.statement.sql, *outcome.shown, sep="\n  ")
                wrong += outcome.verdict is Verdict.DIFFERENT
    return 1 if wrong else 0


def write_support(_: argparse.Namespace) -> int:
    with duel(nodes=3) as fight:
        support.PAGE.write_text(support.page(fight))
    return 0


if __name__ == "__main__":
    sys.exit(main())
