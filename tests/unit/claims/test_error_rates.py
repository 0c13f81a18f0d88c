"""Error rates of the ready-made checks, simulated; the full table is in docs/claims.md."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulate_claims.py"
REPETITIONS = 200
SIZES = [(20, 1), (20, 5), (100, 1), (100, 5)]


@pytest.fixture(scope="module")
def simulate() -> dict:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def equal(request, simulate):
    """Two equally good encoders, drawn anew many times."""
    return simulate["draw"](*request.param, REPETITIONS)


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def blind(request, simulate):
    return simulate["draw_blind"](*request.param, REPETITIONS)


def at_most_one_in_twenty(share: float, repetitions: int = REPETITIONS) -> bool:
    """Allow three standard errors of Monte-Carlo noise."""
    return share <= 0.05 + 3 * (0.05 * 0.95 / repetitions) ** 0.5


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_equal_encoders_are_hardly_ever_called_better_or_worse(simulate, equal, direction) -> None:
    assert at_most_one_in_twenty(sum(simulate["better_than"](equal, direction)))
    assert at_most_one_in_twenty(sum(simulate["better_on_pictures"](equal)))


@pytest.mark.parametrize("margin", [0.02, 0.1])
def test_a_loss_of_the_margin_hardly_ever_counts_as_not_inferior(simulate, equal, margin) -> None:
    assert at_most_one_in_twenty(simulate["non_inferior"](equal, "i2t", margin)[0])


@pytest.mark.parametrize("side", [-1, 1])
def test_a_figure_at_the_edge_of_its_tolerance_is_hardly_ever_confirmed(simulate, equal, side) -> None:
    assert at_most_one_in_twenty(simulate["within_tolerance"](equal, "i2t", 0.05, side)[0])


@pytest.mark.parametrize("all_equal", [False, True])
def test_equal_neighbours_hardly_ever_stand_in_order(simulate, equal, all_equal) -> None:
    holds, refuted = simulate["ordering"](equal, "i2t", all_equal=all_equal)
    assert at_most_one_in_twenty(holds)
    assert at_most_one_in_twenty(refuted)


def test_dominance_of_exactly_the_claimed_share_is_hardly_ever_decided(simulate, equal) -> None:
    assert at_most_one_in_twenty(sum(simulate["diagonal_dominates"](equal, "i2t")))
    assert at_most_one_in_twenty(sum(simulate["dominance_among_20"](equal)))
    assert at_most_one_in_twenty(sum(simulate["positives_above_negatives"](equal)))


def test_random_categories_hardly_ever_hold_their_confusions(simulate, equal) -> None:
    assert at_most_one_in_twenty(simulate["confusions_inside_category"](equal)[0])
    assert at_most_one_in_twenty(sum(simulate["confusions_inside_category"](equal, hub=True)))


@pytest.mark.parametrize("margin", [0.02, 0.1])
@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_an_encoder_at_the_margin_is_hardly_ever_called_at_chance(simulate, blind, direction, margin) -> None:
    assert at_most_one_in_twenty(simulate["at_chance"](blind, direction, margin, at_margin=True)[0])


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_an_encoder_at_chance_is_hardly_ever_called_collapsed_or_sound(simulate, blind, direction) -> None:
    assert at_most_one_in_twenty(sum(simulate["not_collapsed"](blind, direction)))


@pytest.mark.parametrize("n", [20, 100])
def test_equal_spaces_hardly_ever_differ_in_shape(simulate, n) -> None:
    for name, result in simulate["spaces"](n, 1, 40).items():
        assert at_most_one_in_twenty(sum(result), 40), name


@pytest.mark.parametrize("n", [100, 300])
def test_hubs_by_luck_hardly_ever_make_a_space_of_fewer_antihubs(simulate, n) -> None:
    assert at_most_one_in_twenty(sum(simulate["superhubs"](n, 1, 100)), 100)


@pytest.mark.parametrize("gap", [0.0, 0.3])
@pytest.mark.parametrize("n", [50, 100])
def test_equal_gaps_hardly_ever_differ_where_one_space_is_wider(simulate, n, gap) -> None:
    assert at_most_one_in_twenty(sum(simulate["equal_gaps"](n, 1, 100, gap)), 100)


def test_the_check_as_it_ships_never_calls_twenty_random_pictures_at_chance(simulate) -> None:
    holds, refuted = simulate["at_chance_whole"](20, 60, 0.02)
    assert holds == 0
    assert at_most_one_in_twenty(refuted, 60)


def test_a_large_true_difference_is_found(simulate) -> None:
    assert simulate["better_than"](simulate["draw"](100, 1, 60, extra=0.4), "i2t")[0] > 0.9
