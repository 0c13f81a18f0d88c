"""Error rates of the ready-made checks, simulated; the full table is in docs/claims.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
REPETITIONS = 200
SIZES = [(20, 1), (20, 5), (100, 1), (100, 5)]


@pytest.fixture(scope="module")
def simulate() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        import simulate_claims
        import simulated_cases

        few = {20: 300, 50: 200, 100: 150, 300: 50, 1000: 20}
        patch.setattr(simulated_cases, "TRUTH_DRAWS", few)
        yield simulate_claims


def allowed(repetitions: int) -> float:
    """Three standard errors of Monte-Carlo noise above one in twenty."""
    return 0.05 + 3 * (0.05 * 0.95 / repetitions) ** 0.5


def judged(simulate: ModuleType, world: str, n: int, captions: int, repetitions: int) -> dict:
    return simulate.simulate(simulate.Chunk(world, n, captions, 0, repetitions))


def err_too_often(found: dict) -> list:
    """A two-sided error is one error: both verdicts are added up."""
    return [
        (name, counts)
        for name, counts in found.items()
        if counts.share("holds") > allowed(counts.n)
        or counts.share("refuted") > allowed(counts.n)
        or (name[1] in ("equal", "share = claimed") and _either(counts) > allowed(counts.n))
    ]


def _either(counts) -> float:
    return counts.share("holds") + counts.share("refuted")


@pytest.mark.parametrize(("n", "captions"), SIZES)
def test_equal_encoders_are_hardly_ever_called_better_or_worse(simulate, n, captions) -> None:
    found = judged(simulate, "main", n, captions, REPETITIONS)
    assert len(found) == 2
    assert not err_too_often(found)


@pytest.mark.parametrize(
    ("world", "n", "captions", "repetitions"),
    [
        *(
            (world, n, captions, 60)
            for world in ("rates", "pairs", "dominance", "blind")
            for n, captions in SIZES[:3]
        ),
        ("spaces", 20, 1, 40),
        ("spaces", 100, 1, 60),
        ("spaces", 300, 1, 20),
        ("gaps", 50, 1, 100),
        ("gaps", 100, 1, 100),
    ],
)
def test_a_statement_at_the_edge_of_truth_is_hardly_ever_decided(
    simulate, world, n, captions, repetitions
) -> None:
    found = judged(simulate, world, n, captions, repetitions)
    assert found
    assert not err_too_often(found)


def test_twenty_pictures_never_show_that_a_model_is_at_chance_within_two_points(simulate) -> None:
    found = judged(simulate, "statements", 20, 1, 40)
    assert found["`at_chance` i2t", "chance, margin 0.02"].holds == 0


def test_a_large_true_difference_is_found(simulate) -> None:
    found = judged(simulate, "differences", 100, 1, 40)
    assert found["`better_than` i2t", "noise + 0.4"].share("holds") > 0.9


def test_a_check_that_always_says_holds_would_be_noticed(simulate) -> None:
    from clipeval.core.verdict import Verdict

    counts = simulate.Counts()
    for _ in range(100):
        counts.add(Verdict.HOLDS, 0.0)
    assert err_too_often({("`careless`", "equal"): counts})


def test_a_stopped_run_goes_on_where_it_was_and_gives_the_same_tables(simulate, tmp_path) -> None:
    chunks = [simulate.Chunk("main", 20, 1, start, start + 5) for start in (0, 5)]
    whole = {chunk: simulate.simulate(chunk) for chunk in chunks}
    kept = simulate.Kept(tmp_path / "kept.jsonl")
    kept.add(chunks[0], whole[chunks[0]])
    with kept.path.open("a", encoding="utf-8") as file:
        file.write('{"chunk": ["main", 20')  # stopped while this line was written
    again = simulate.Kept(kept.path)
    again.read()
    assert list(again.done) == chunks[:1]
    again.add(chunks[1], simulate.simulate(chunks[1]))
    third = simulate.Kept(kept.path)
    third.read()
    assert list(third.done) == chunks
    assert simulate.tables(again.done) == simulate.tables(whole)
    by_hand = defaultdict(int)
    for result in whole.values():
        for name, counts in result.items():
            by_hand[name] += counts.n
    assert set(by_hand.values()) == {10}
