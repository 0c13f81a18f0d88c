"""A device whose work goes on after the call that asked for it returned, and a clock that only it moves."""

from __future__ import annotations

import pytest


class FakeDevice:
    """Work is queued; waiting for it moves the clock. ``launch_cost`` passes while the call runs."""

    name = "fake"

    def __init__(self) -> None:
        self.time = 0.0
        self.queued = 0.0
        self.waits = 0

    def now(self) -> float:
        return self.time

    def launch(self, work: float, *, cost: float = 0.001) -> None:
        self.time += cost
        self.queued += work

    def synchronise(self) -> None:
        self.waits += 1
        self.time += self.queued
        self.queued = 0.0


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()
