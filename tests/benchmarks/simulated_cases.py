"""What is simulated: a check as it ships, a truth at which it errs most, and how often it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from simulated_worlds import (
    Blind,
    Pair,
    Truth,
    chance,
    equal_gaps,
    equal_spaces,
    losing,
    superhubs,
    truth,
)

from clipeval.claims import checks
from clipeval.claims.claim import Finding

DIRECTIONS = ("i2t", "t2i")
TOLERANCE = 0.05
TRUTH_DRAWS = {20: 2000, 50: 2000, 100: 1000, 300: 300, 1000: 200}

Named = tuple[str, str]
Judged = Iterator[tuple[Named, Finding]]


@dataclass(frozen=True)
class World:
    """Draws that several checks judge.

    ``repetitions`` says how often at each size of the data; with ``power`` they are of true statements.
    """

    name: str
    judge: Callable[[int, int, np.random.Generator], Judged]
    repetitions: dict[tuple[int, int], int]
    power: bool = False


def main_pairs(n: int, captions: int, rng: np.random.Generator) -> Judged:
    pair = Pair(n, captions, rng)
    for direction in DIRECTIONS:
        check = checks.better_than("hit_rate@1", direction)
        yield (f"`better_than` {direction}", "equal"), check([pair.first, pair.second])


def other_pairs(n: int, captions: int, rng: np.random.Generator) -> Judged:
    pair, known = Pair(n, captions, rng), truth(n, captions, TRUTH_DRAWS[n])
    for direction in DIRECTIONS:
        yield from _of_direction(pair, known, direction, rng)
    check = checks.better_on_pictures("i2t", share=0.5)
    yield ("`better_on_pictures` i2t", "equal"), check([pair.first, pair.second])
    check = checks.confusions_inside_category("i2t")
    yield ("`confusions_inside_category` i2t", "categories at random"), check([pair.first])


def _of_direction(pair: Pair, known: Truth, direction: str, rng: np.random.Generator) -> Judged:
    rate = known.hits[direction]
    for margin in (0.02, 0.1):
        lossy = losing(pair.second, direction, rng.random(pair.n) < margin / rate)
        check = checks.non_inferior("hit_rate@1", direction, margin=margin)
        yield (f"`non_inferior` {direction}", f"loss = margin {margin:g}"), check([lossy, pair.first])
    check = checks.ordering("hit_rate@1", direction)
    yield (f"`ordering` {direction}", "second = third"), check([pair.best, pair.first, pair.second])
    yield (f"`ordering` {direction}", "all equal"), check([pair.first, pair.second, pair.third])
    elsewhere = np.array([item.category != "0" for item in pair.dataset.items])
    check = checks.better_in_every_category("hit_rate@1", direction)
    poor = losing(pair.second, direction, elsewhere)
    yield (f"`better_in_every_category` {direction}", "equal in one"), check([pair.first, poor])


def rates(n: int, captions: int, rng: np.random.Generator) -> Judged:
    pair, known = Pair(n, captions, rng), truth(n, captions, TRUTH_DRAWS[n])
    for direction in DIRECTIONS:
        rate = known.hits[direction]
        for side, word in ((1, "below"), (-1, "above")):
            check = checks.within_tolerance(
                "hit_rate@1", published=rate + side * TOLERANCE, tolerance=TOLERANCE, direction=direction
            )
            truly = f"tolerance {TOLERANCE:g} {word}"
            yield (f"`within_tolerance` {direction}", truly), check([pair.first])
        check = checks.diagonal_dominates(direction, share=rate)
        yield (f"`diagonal_dominates` {direction}", "share = claimed"), check([pair.first])


def dominance(n: int, captions: int, rng: np.random.Generator) -> Judged:
    pair, known = Pair(n, captions, rng), truth(n, captions, TRUTH_DRAWS[n])
    check = checks.diagonal_dominates("t2i", share=known.dominance, among=20)
    yield ("`diagonal_dominates` among 20, t2i", "share = claimed"), check([pair.first])
    check = checks.positives_above_negatives("t2i", at_least=known.beaten)
    yield ("`positives_above_negatives` t2i", "share = claimed"), check([pair.first])


def blind(n: int, captions: int, rng: np.random.Generator) -> Judged:
    world = Blind(n, captions, rng)
    nothing = world.knowing(0.0)
    for margin in (0.02, 0.1):
        knowing = world.knowing(margin / (1 - chance(n, captions, "t2i", 1)))
        for direction in DIRECTIONS:
            check = checks.at_chance(direction, k=1, margin=margin)
            yield (f"`at_chance` {direction}", f"chance + margin {margin:g}"), check([knowing])
    for direction in DIRECTIONS:
        yield (
            (f"`not_collapsed` {direction}", "at chance"),
            checks.not_collapsed(direction, k=10)([nothing]),
        )
    check = checks.rows_beat_threshold()
    # known pairs fill half of what is picked, whichever way
    known = world.knowing(0.5 / captions)
    yield ("`rows_beat_threshold`", "some known, the rest at chance"), check([known])
    check = checks.confusions_inside_category("i2t")
    hub = superhubs(n, captions, 0, rng)
    yield ("`confusions_inside_category` i2t", "one hub, categories 4 : 1"), check([hub])


def spaces(n: int, captions: int, rng: np.random.Generator) -> Judged:
    pair = equal_spaces(n, captions, rng)
    yield ("`closer_pairs`", "equal spaces"), checks.closer_pairs()(pair)
    yield ("`fewer_antihubs`", "equal spaces"), checks.fewer_antihubs("i2t", k=10)(pair)
    hubs = [superhubs(n, captions, 10, rng) for _ in range(2)]
    yield ("`fewer_antihubs`", "equal spaces with superhubs"), checks.fewer_antihubs("i2t", k=10)(hubs)
    yield ("`smaller_gap`", "equal spaces"), checks.smaller_gap()(pair)


def gaps(n: int, captions: int, rng: np.random.Generator) -> Judged:
    for gap in (0.0, 0.3):
        pair = equal_gaps(n, captions, gap, rng)
        yield ("`smaller_gap`", f"both {gap:g}, spreads .2, .9"), checks.smaller_gap()(pair)


def true_differences(n: int, captions: int, rng: np.random.Generator) -> Judged:
    for extra in (0.05, 0.1, 0.2, 0.4):
        pair = Pair(n, captions, rng, extra=extra)
        for direction in DIRECTIONS:
            check = checks.better_than("hit_rate@1", direction)
            yield (f"`better_than` {direction}", f"noise + {extra:g}"), check([pair.first, pair.second])


def true_statements(n: int, captions: int, rng: np.random.Generator) -> Judged:
    pair, known = Pair(n, captions, rng), truth(n, captions, TRUTH_DRAWS[n])
    nothing = Blind(n, captions, rng).knowing(0.0)
    for direction in DIRECTIONS:
        for margin in (0.02, 0.1):
            check = checks.at_chance(direction, k=1, margin=margin)
            yield (f"`at_chance` {direction}", f"chance, margin {margin:g}"), check([nothing])
        for margin in (0.02, 0.1):
            check = checks.non_inferior("hit_rate@1", direction, margin=margin)
            words = f"equal, margin {margin:g}"
            yield (f"`non_inferior` {direction}", words), check([pair.first, pair.second])
        check = checks.within_tolerance(
            "hit_rate@1", published=known.hits[direction], tolerance=TOLERANCE, direction=direction
        )
        yield (f"`within_tolerance` {direction}", f"the figure, tolerance {TOLERANCE:g}"), check([pair.first])
        yield (
            (f"`not_collapsed` {direction}", "about half hit"),
            checks.not_collapsed(direction, k=10)([pair.first]),
        )


def times(small: int, middle: int, *large: int) -> dict[tuple[int, int], int]:
    """Give the repetitions at 20 and 100 pictures, and at 1,000 with one and with five captions each."""
    found = {(n, c): count for n, count in ((20, small), (100, middle)) for c in (1, 5)}
    return found | {(1000, c): count for c, count in zip((1, 5), large, strict=False)}


WORLDS = (
    World("main", main_pairs, times(2000, 2000, 2000, 2000)),
    World("rates", rates, times(2000, 2000, 1000, 100)),
    World("pairs", other_pairs, times(2000, 500, 200, 100)),
    World("dominance", dominance, times(2000, 500, 60, 40)),
    World("blind", blind, times(2000, 500, 100, 60)),
    World("spaces", spaces, times(1000, 500, 40, 20)),
    World("gaps", gaps, times(1000, 500)),
    World("differences", true_differences, times(200, 200, 100, 40), power=True),
    World("statements", true_statements, times(200, 200, 100, 40), power=True),
)
