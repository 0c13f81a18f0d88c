"""The lines that a job says, of batches that come back from more than one pipeline."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from clipeval.cluster import ClusterSettings, stream, towers
from clipeval.cluster.settings import Room
from clipeval.cluster.tasks import TowerRecipe
from clipeval.cluster.timing import Timing

pytest.importorskip("ray", reason="needs clipeval[ray]: ray not installed")


def test_workers_that_start_for_the_next_wave_are_not_said_to_stand_for_dead_ones(monkeypatch) -> None:
    monkeypatch.setattr(stream, "WAVE", 3)
    monkeypatch.setattr(towers, "machines", lambda: [Room(2)])
    numbers, workers = [], []

    def through(rows: list[dict[str, Any]], _: Any, **more: Any) -> Any:
        workers.append(more["workers"])
        for at, row in enumerate(rows):
            numbers.append(row["number"])
            loading = 1.0 if at < more["workers"] else 0.0  # the first batch of each
            done = {"failure": b"", "item": "", "machine": "m", "decode_s": 0.0, "forward_s": 1.0}
            content = pickle.dumps(np.ones((1, 2), np.float32))
            yield {**row, **done, "content": content, "loading_s": loading}

    monkeypatch.setattr(stream, "_through", through)
    told: list[str] = []
    timing = Timing()
    tower = towers.SpreadTextTower(
        None, TowerRecipe("none", {}, "texts", {}), ClusterSettings(), timing, told.append
    )
    found = list(tower.encode_batches([["a"], None, ["b"], ["c"], ["d"], ["e"], ["f"]]))
    assert [rows is None for rows in found] == [False, True, False, False, False, False, False]
    assert told == []
    assert numbers == [0, 2, 3, 4, 5, 6]
    assert workers == [2, 2, 1]  # no more than there are batches for
    assert timing.sides["texts"].workers == 2
