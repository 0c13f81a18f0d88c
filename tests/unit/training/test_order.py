"""Batches, seeds and schedule: functions of the run's seed and the step alone."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval.training.order import epoch_batches, step_seed
from clipeval.training.schedule import rate_at


def test_every_pair_is_seen_once_and_the_incomplete_batch_is_the_last() -> None:
    batches = epoch_batches(np.repeat(np.arange(20), 5), batch_size=32, seed=1, epoch=0)
    assert [len(batch) for batch in batches] == [32, 32, 32, 4]
    assert sorted(np.concatenate(batches).tolist()) == list(range(100))


def test_one_pair_that_is_left_over_joins_the_batch_before() -> None:
    assert [len(batch) for batch in epoch_batches(np.arange(9), batch_size=4, seed=0, epoch=0)] == [4, 5]


def test_a_batch_holds_no_picture_twice_where_there_are_enough_pictures() -> None:
    image_of_text = np.repeat(np.arange(64), 5)
    for batch in epoch_batches(image_of_text, batch_size=64, seed=2, epoch=3):
        assert len(set(image_of_text[batch].tolist())) == len(batch)


def test_epochs_and_seeds_differ_and_repeat_themselves() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(np.arange(50), batch_size=8, seed=seed, epoch=epoch)).tolist()

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    assert len({step_seed(0, step, part) for step in range(50) for part in range(4)}) == 200


def test_the_rate_rises_to_its_highest_and_falls_to_nearly_nothing() -> None:
    rates = [rate_at(step, steps=100, warmup=0.1) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-3
    assert rate_at(0, steps=1, warmup=0.0) == 1.0
