"""Herd and its oracle, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness import herd
from harness.behind import nodes_behind
from harness.endpoint import Endpoint

from .duel import Duel


class Duels:
    """A duel for each number of nodes: with the Herd that is there, or with one of the suite's own."""

    def __init__(self, endpoint: Endpoint, oracle: Endpoint, scratch: Path, stack: ExitStack):
        self.endpoint, self.oracle, self.scratch, self.stack = endpoint, oracle, scratch, stack
        self.proving = endpoint == oracle
        self._made: dict[int, Duel] = {}
        self._there = 0 if self.proving else len(nodes_behind(endpoint))

    def of(self, count: int) -> Duel:
        key = 0 if self.proving else count
        if key not in self._made:
            self._made[key] = self._make(count)
        return self._made[key]

    def _make(self, count: int) -> Duel:
        if self.proving:
            duel = Duel(self.endpoint, self.oracle, "differential_proof", [], proving=True)
        else:
            endpoint = self.endpoint
            if count != self._there:
                endpoint = self.stack.enter_context(herd.Demo(self.scratch / f"demo-{count}", count)).endpoint
            duel = Duel(endpoint, self.oracle, f"differential_{count}", nodes_behind(endpoint), proving=False)
        self.stack.callback(duel.close)
        return duel


@pytest.fixture(scope="session")
def duels(endpoint: Endpoint, oracle: Endpoint, scratch: Path) -> Iterator[Duels]:
    with ExitStack() as stack:
        yield Duels(endpoint, oracle, scratch, stack)
