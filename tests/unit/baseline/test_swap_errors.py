"""How often the verdict on a swap errs, simulated; the full table comes from the script used here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulate_swaps.py"


@pytest.fixture(scope="module")
def simulate() -> ModuleType:
    specification = importlib.util.spec_from_file_location("simulate_swaps", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules["simulate_swaps"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def usual_resamples(monkeypatch, simulate) -> None:
    """Put back what the script reduces."""
    monkeypatch.setattr(simulate.comparison, "sign_flip_test", simulate.sign_flip_test)
    monkeypatch.setattr(simulate.comparison, "bootstrap_interval", simulate.bootstrap_interval)


def three_errors(share: float, repetitions: int) -> float:
    """Monte-Carlo noise allowed above a true share."""
    return 3 * (share * (1 - share) / repetitions) ** 0.5


@pytest.mark.parametrize("captions", [1, 3])
def test_counting_wrong_answers_gives_what_an_evaluation_gives(simulate, captions: int) -> None:
    ((images, texts),) = simulate.encoders(np.random.default_rng(0), 40, captions, 1)
    kept = simulate.kept(images.astype("f4"), texts.astype("f4"), captions)
    counted = simulate.counted(images, texts, captions)
    number = {item.id: int(item.id.split()[1]) for item in kept.items}
    for direction in ("i2t", "t2i"):
        expected = {(number[q.item], q.caption): q for q in kept.direction(direction).queries}
        for query in counted.direction(direction).queries:
            other = expected[int(query.item), query.caption]
            assert (query.better, query.tied, query.positives_tied) == (other.better, 0, 1)
            assert (query.score, query.rival_score) == pytest.approx(
                (other.score, other.rival_score), abs=1e-6
            )


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize(
    "name", ["two equally good encoders", "the same, some items hard", "the same, margin 0", "noise of 0.01"]
)
def test_a_swap_without_a_true_loss_is_refuted_at_most_one_time_in_twenty(
    simulate, n: int, name: str
) -> None:
    (case,) = (case for case in simulate.CASES if case.name == name)
    found, hits = simulate.rates(case, n, 1, 50)
    assert found.get("refuted", 0.0) <= 0.05 + three_errors(0.05, 50)
    assert 0.3 < hits < 0.8  # there is something to lose


@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("gain", [0.0, 0.03])
def test_a_loss_of_the_margin_in_one_direction_holds_at_most_one_time_in_twenty(
    simulate, n: int, gain: float
) -> None:
    case = simulate.Case("a", lambda *size: simulate.losing(*size, loss=0.05, gain=gain), None, 0.05, True)
    found, _ = simulate.rates(case, n, 1, 50)
    assert found.get("holds", 0.0) <= 0.05 + three_errors(0.05, 50)


def test_a_loss_of_five_margins_is_refuted_with_three_hundred_pictures(simulate) -> None:
    case = simulate.Case("a", lambda *size: simulate.losing(*size, loss=0.1, to=10, also_i2t=True), slow=True)
    found, _ = simulate.rates(case, 300, 1, 10)
    assert found["refuted"] >= 0.9


def test_noise_far_below_the_tolerance_holds_by_identity_at_any_size(simulate) -> None:
    (case,) = (case for case in simulate.CASES if case.name == "noise of 1e-5")
    assert simulate.rates(case, 20, 5, 20)[0] == {"holds": 1.0}
