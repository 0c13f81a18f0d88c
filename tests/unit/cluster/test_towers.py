"""What is spread, and the lines that a job says of batches that come back from more than one pipeline."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from clipeval.cluster import ClusterSettings, stream, towers
from clipeval.cluster.settings import Room
from clipeval.cluster.tasks import Encoding, TowerRecipe, decoded
from clipeval.cluster.timing import Timing
from clipeval.data.load import load_dataset
from clipeval.encoders.joined_towers import JoinedTower
from clipeval.encoders.towers import Towers
from clipeval.evaluation.store import embed_to_store

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


class Mean:
    """An image tower whose rows are the mean colour, one power of it."""

    def __init__(self, power: int) -> None:
        self.fingerprint = {"power": str(power)}
        self.width, self._power = 3, power

    def encode_images(self, pictures: Any) -> np.ndarray:
        return np.array([np.asarray(p).mean((0, 1)) ** self._power for p in pictures], dtype=np.float32)


class Texts:
    width = 6
    fingerprint = {"weights": "none"}  # noqa: RUF012

    def encode_texts(self, texts: Any) -> np.ndarray:
        return np.array([[len(text), 1, 2, 3, 4, 5] for text in texts], dtype=np.float32)


def joined(*_: Any, **__: Any) -> Towers:
    return Towers("joined", JoinedTower((Mean(1), Mean(2))), Texts())


def test_the_pictures_of_a_store_of_joined_towers_are_encoded_by_the_workers(monkeypatch, tmp_path) -> None:
    sides: list[tuple[str, int | None]] = []

    def through(rows: list[dict[str, Any]], recipe: TowerRecipe, **_: Any) -> Any:
        sides.append((recipe.side, recipe.part))
        worker = Encoding(recipe)
        clocks = dict.fromkeys(("decode_s", "forward_s", "loading_s"), 0.0)
        for row in rows:
            new = {**row, **clocks, "failure": b"", "item": "", "machine": ""}
            yield worker(decoded(new) if recipe.side == "images" else new)

    monkeypatch.setattr(stream, "_through", through)
    monkeypatch.setattr(towers, "machines", lambda: [Room(2)])
    monkeypatch.setattr("clipeval.encoders.load.load_encoder", joined)
    data = load_dataset("embedded")
    there = towers.spread(joined(), spec="joined", options={}, settings=ClusterSettings(), timing=Timing())
    found = embed_to_store(there, data, tmp_path / "there")
    alone = embed_to_store(joined(), data, tmp_path / "here")
    assert sides == [("texts", None), ("images", None)]
    assert found.manifest.sha256 == alone.manifest.sha256
