"""How often do clipeval's checks say something wrong about encoders that are made to be equal?

Encoders are simulated as embeddings: pictures and captions share a meaning, each encoder adds noise of its
own, hits come from the whole matrix of cosines, so hubs and dependence between queries are in. Every error is
measured where it is largest: at equality, or exactly at the margin. Run from the repository's root:

    python tests/benchmarks/simulate_claims.py [REPETITIONS [CAPTIONS ...]]

It prints the table of ``docs/claims.md`` (2,000 repetitions: about ten minutes on one core).
``tests/unit/claims/test_error_rates.py`` runs a reduced version of the same functions.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipeval.claims.checks.at_chance import at_chance as check_at_chance
from clipeval.claims.checks.chance_null import permutation_p
from clipeval.claims.checks.closer_pairs import closer_pairs
from clipeval.claims.checks.confusions_inside_category import inside_by_chance
from clipeval.claims.checks.fewer_antihubs import fewer_antihubs
from clipeval.claims.checks.intersection import all_hold
from clipeval.claims.checks.rate_region import rate_in_region, region_p
from clipeval.claims.checks.smaller_gap import smaller_gap
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.bootstrap import rate_interval
from clipeval.core.comparison import PairedTest, compare_paired
from clipeval.core.noninferiority import non_inferiority_test
from clipeval.core.paired import exact_mcnemar, sign_flip_test
from clipeval.core.verdict import Verdict

Array = np.ndarray
WIDTH = 24
NOISE = {20: 1.05, 100: 0.85, 1000: 0.68}
"""Noise at which about half of the queries hit at each number of pictures."""
CATEGORIES = 4


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def embeddings(rng: np.random.Generator, n: int, captions: int, models: int, *, extra: float = 0.0):
    """Draw encoders of one set of pictures and captions; all but the first have ``extra`` noise."""
    meaning = rng.standard_normal((n, WIDTH), dtype=np.float32)
    owner = np.repeat(np.arange(n), captions)
    noise = NOISE[n]
    pictures = meaning + 0.5 * noise * rng.standard_normal((n, WIDTH), dtype=np.float32)
    words = meaning[owner] + 0.5 * noise * rng.standard_normal((len(owner), WIDTH), dtype=np.float32)
    for model in range(models):
        own = noise + (extra if model else 0.0)
        yield (
            unit(pictures + own * rng.standard_normal((n, WIDTH), dtype=np.float32)),
            unit(words + own * rng.standard_normal((len(owner), WIDTH), dtype=np.float32)),
        )


@dataclass
class Hits:
    """What two encoders got right in every repetition, and what else the checks look at (of the first)."""

    n: int
    captions: int
    i2t: Array  # (2, repetitions, n)
    t2i: Array  # (2, repetitions, n * captions)
    beaten: Array  # (repetitions, n * captions)
    winner: Array  # (repetitions, n): image whose caption came first

    @property
    def owner(self) -> Array:
        return np.repeat(np.arange(self.n), self.captions)

    def of(self, direction: str) -> tuple[Array, Array]:
        return (self.i2t, np.arange(self.n)) if direction == "i2t" else (self.t2i, self.owner)


def draw(n: int, captions: int, repetitions: int, *, extra: float = 0.0, seed: int = 0) -> Hits:
    rng = np.random.default_rng([seed, n, captions])
    owner = np.repeat(np.arange(n), captions)
    hits = Hits(
        n,
        captions,
        np.zeros((2, repetitions, n), dtype=bool),
        np.zeros((2, repetitions, len(owner)), dtype=bool),
        np.zeros((repetitions, len(owner)), dtype=np.float32),
        np.zeros((repetitions, n), dtype=np.int64),
    )
    for at in range(repetitions):
        for model, (pictures, words) in enumerate(embeddings(rng, n, captions, 2, extra=extra)):
            scores = words @ pictures.T
            hits.t2i[model, at] = scores.argmax(axis=1) == owner
            first = owner[scores.argmax(axis=0)]
            hits.i2t[model, at] = first == np.arange(n)
            if model == 0:
                right = scores[np.arange(len(owner)), owner]
                hits.beaten[at] = 1.0 - (scores > right[:, None]).sum(axis=1) / (n - 1)
                hits.winner[at] = first
    return hits


def better(a: Array, b: Array, clusters: Array) -> PairedTest | None:
    """Compare two encoders, or give None at once where p alone leaves it undecided."""
    d = a.astype(float) - b
    if len(np.unique(clusters)) == len(clusters):
        p = exact_mcnemar(int((d > 0).sum()), int((d < 0).sum()))
    else:
        p = sign_flip_test(d, clusters)
    return compare_paired(a.astype(float), b.astype(float), clusters) if p <= 0.05 + 1e-12 else None


def verdict_of(test: PairedTest | None) -> Verdict:
    return Verdict.UNDECIDED if test is None else test.verdict


def region(values: Array, clusters: Array, low: float = 0.0, high: float = 1.0) -> Verdict:
    x = np.asarray(values, dtype=float)
    if region_p(x, clusters, low=low, high=high) > 0.05 + 1e-12:
        return Verdict.UNDECIDED
    return rate_in_region(x, clusters, low=low, high=high).verdict


def shares(verdicts: list[Verdict]) -> tuple[float, float]:
    """Share of ``holds`` and of ``refuted``."""
    count = Counter(verdicts)
    return count[Verdict.HOLDS] / len(verdicts), count[Verdict.REFUTED] / len(verdicts)


def better_than(hits: Hits, direction: str) -> tuple[float, float]:
    values, clusters = hits.of(direction)
    return shares([verdict_of(better(a, b, clusters)) for a, b in zip(*values, strict=True)])


def non_inferior(hits: Hits, direction: str, margin: float, seed: int = 1) -> tuple[float, float]:
    """Judge a new encoder that loses whole pictures, on average exactly the margin."""
    rng = np.random.default_rng(seed)
    values, clusters = hits.of(direction)
    lose = margin / values.mean()
    verdicts = []
    for old, equal in zip(*values, strict=True):
        new = equal & ~(rng.random(hits.n) < lose)[clusters]
        verdicts.append(
            non_inferiority_test(new.astype(float), old.astype(float), clusters, margin=margin).verdict
        )
    return shares(verdicts)


def within_tolerance(hits: Hits, direction: str, tolerance: float, side: int) -> tuple[float, float]:
    """Judge a published figure that is off by exactly the tolerance."""
    values, clusters = hits.of(direction)
    truth = float(values.mean())
    published = truth + side * tolerance
    low, high = max(0.0, published - tolerance), min(1.0, published + tolerance)
    return shares([region(a, clusters, low, high) for a in values[0]])


def ordering(hits: Hits, direction: str, *, all_equal: bool, seed: int = 2) -> tuple[float, float]:
    """Judge three encoders of which two (the first being far better), or all three, are equal."""
    rng = np.random.default_rng(seed)
    values, clusters = hits.of(direction)
    none = compare_paired([1.0], [1.0])
    verdicts = []
    for at in range(values.shape[1]):
        a, b = values[0, at], values[1, at]
        tests = [better(a, b, clusters) or none]
        if all_equal:
            tests.append(better(b, values[0, at - 1], clusters) or none)
        elif tests[0] is not none:  # without this step nothing is decided
            tests.append(better(a | (rng.random(hits.n) < 0.8)[clusters], a, clusters) or none)
        verdicts.append(all_hold(tests)[0])
    return shares(verdicts)


def diagonal_dominates(hits: Hits, direction: str) -> tuple[float, float]:
    values, clusters = hits.of(direction)
    return shares([region(a, clusters, float(values.mean())) for a in values[0]])


def better_on_pictures(hits: Hits) -> tuple[float, float]:
    """Judge "better on more than half of the pictures" of equal encoders, by hits."""
    a, b = hits.i2t.astype(float)
    return shares([region(wins, np.arange(hits.n), 0.5) for wins in (a - b + 1.0) / 2])


def dominance_among_20(hits: Hits) -> tuple[float, float]:
    """Judge dominance among 20 candidates (text to image), when exactly the claimed share dominates."""
    wrong = hits.n - 1
    above = np.rint((1.0 - hits.beaten) * wrong)
    wins = np.ones(above.shape)
    for drawn in range(min(19, wrong)):
        wins *= np.maximum(wrong - above - drawn, 0) / (wrong - drawn)
    truth = float(wins.mean())
    return shares([region(np.clip(values, 0, 1), hits.owner, truth) for values in wins])


def positives_above_negatives(hits: Hits) -> tuple[float, float]:
    truth = float(hits.beaten.mean())
    return shares([region(values, hits.owner, truth) for values in hits.beaten])


def confused(categories: Array, wrong: Array, won: Array) -> Verdict:
    """Judge as the check does, from who was taken for whom."""
    inside = (categories[won] == categories[wrong]).astype(float)
    dealt = inside_by_chance(categories, wrong, won, n_permutations=199)
    if permutation_p(float(inside.mean()), dealt) > 0.05:
        return Verdict.UNDECIDED
    interval, chance = rate_interval(inside, wrong), float(dealt.mean())
    if interval.low <= chance <= interval.high:
        return Verdict.UNDECIDED
    return Verdict.HOLDS if inside.mean() > chance else Verdict.REFUTED


def confusions_inside_category(hits: Hits, seed: int = 3, *, hub: bool = False) -> tuple[float, float]:
    """Judge categories dealt at random, to which confusions owe nothing.

    With ``hub``, four in five pictures have one category, and one caption is taken for all others.
    """
    rng = np.random.default_rng(seed)
    verdicts = []
    numbers = np.arange(hits.n)
    for winner in hits.winner:
        category = rng.permutation((numbers >= 0.8 * hits.n).astype(int) if hub else numbers % CATEGORIES)
        won = np.full(hits.n, rng.integers(hits.n)) if hub else winner
        wrong = np.flatnonzero(won != numbers)
        verdicts.append(confused(category, wrong, won[wrong]) if len(wrong) else Verdict.UNDECIDED)
    return shares(verdicts)


@dataclass
class Blind:
    """Ranks that encoders give which know nothing but have hubs (1 is best)."""

    n: int
    captions: int
    i2t: Array  # (repetitions, n)
    t2i: Array  # (repetitions, n * captions)

    def chance(self, direction: str, k: int) -> float:
        candidates, positives = (self.n * self.captions, self.captions) if direction == "i2t" else (self.n, 1)
        return 1.0 - float(np.prod([(candidates - positives - t) / (candidates - t) for t in range(k)]))

    def of(self, direction: str, k: int) -> tuple[Array, Array]:
        clusters = np.arange(self.n) if direction == "i2t" else np.repeat(np.arange(self.n), self.captions)
        return (self.i2t if direction == "i2t" else self.t2i) <= k, clusters


def draw_blind(n: int, captions: int, repetitions: int, *, seed: int = 4) -> Blind:
    rng = np.random.default_rng([seed, n, captions])
    owner = np.repeat(np.arange(n), captions)
    ranks = Blind(
        n, captions, np.zeros((repetitions, n), np.int32), np.zeros((repetitions, len(owner)), np.int32)
    )
    for at in range(repetitions):
        pictures = unit(rng.standard_normal((n, WIDTH), dtype=np.float32) + 0.5)
        words = unit(rng.standard_normal((len(owner), WIDTH), dtype=np.float32) + 0.5)
        scores = words @ pictures.T
        right = scores[np.arange(len(owner)), owner]
        best = right.reshape(n, captions).max(axis=1)
        ranks.t2i[at] = 1 + (scores > right[:, None]).sum(axis=1)
        ranks.i2t[at] = 1 + (scores > best[None, :]).sum(axis=0)
    return ranks


def at_chance(ranks: Blind, direction: str, margin: float, *, at_margin: bool) -> tuple[float, float]:
    """Judge encoders at chance, or that know just enough to stand at the margin."""
    rng = np.random.default_rng(7)
    values, clusters = ranks.of(direction, 1)
    chance = ranks.chance(direction, 1)
    know = margin / (1.0 - chance) if at_margin else 0.0
    low, high = max(0.0, chance - margin), min(1.0, chance + margin)
    # the second look, by permutation, can only take `refuted` back
    return shares([region(x | (rng.random(ranks.n) < know)[clusters], clusters, low, high) for x in values])


def not_collapsed(ranks: Blind, direction: str) -> tuple[float, float]:
    values, clusters = ranks.of(direction, 10)
    return shares([region(x, clusters, ranks.chance(direction, 10)) for x in values])


def spaces(n: int, captions: int, repetitions: int, seed: int = 5) -> dict[str, tuple[float, float]]:
    """Judge the shape of two equally good spaces."""
    rng = np.random.default_rng([seed, n, captions])
    checks = {
        "closer_pairs": closer_pairs(),
        "fewer_antihubs": fewer_antihubs("i2t", k=10),
        "smaller_gap": smaller_gap(),
    }
    verdicts: dict[str, list[Verdict]] = {name: [] for name in checks}
    dataset = None
    for _ in range(repetitions):
        pair = []
        for pictures, words in embeddings(rng, n, captions, 2):
            rows = (pictures + 0.2, words - 0.2)
            pair.append(evaluation_of_rows(*rows, dataset=dataset, per_image=captions))
            dataset = pair[-1].dataset
        for name, check in checks.items():
            verdicts[name].append(check(pair).verdict)
    return {name: shares(found) for name, found in verdicts.items()}


def equal_gaps(n: int, captions: int, repetitions: int, gap: float, seed: int = 8) -> tuple[float, float]:
    """Judge spaces with exactly the same gap, of which the second spreads 4.5 times as widely."""
    rng = np.random.default_rng([seed, n, captions])
    check, width = smaller_gap(), 256
    dataset, verdicts = None, []
    for _ in range(repetitions):
        pair = []
        for spread in (0.2, 0.9):
            towers = []
            for side, rows in ((1, n), (-1, n * captions)):
                around = rng.standard_normal((rows, width))
                around[:, :2] = 0.0
                around *= spread / np.linalg.norm(around, axis=1, keepdims=True)
                # along the gap too; what fills up to unit length has one mean in both modalities
                around[:, 1] = side * gap / 2 + rng.uniform(-spread / 4, spread / 4, rows)
                around[:, 0] = (1.0 - spread**2 - around[:, 1] ** 2) ** 0.5
                towers.append(around)
            pair.append(evaluation_of_rows(*towers, dataset=dataset, per_image=captions))
            dataset = pair[-1].dataset
        verdicts.append(check(pair).verdict)
    return shares(verdicts)


def superhubs(n: int, captions: int, repetitions: int, seed: int = 10) -> tuple[float, float]:
    """Judge spaces of one kind, in each of which about ten captions of their own head all lists."""
    rng = np.random.default_rng([seed, n, captions])
    check = fewer_antihubs("i2t", k=10)
    dataset, verdicts = None, []
    for _ in range(repetitions):
        pair = []
        for _ in range(2):
            pictures = rng.standard_normal((n, WIDTH))
            words = 0.05 * rng.standard_normal((n * captions, WIDTH))
            pictures[:, 0], words[:, 0] = 8.0, 0.0
            words[rng.random(len(words)) < 10 / len(words), 0] = 5.0
            pair.append(evaluation_of_rows(pictures, words, dataset=dataset, per_image=captions))
            dataset = pair[-1].dataset
        verdicts.append(check(pair).verdict)
    return shares(verdicts)


def at_chance_whole(n: int, repetitions: int, margin: float, seed: int = 6) -> tuple[float, float]:
    """Judge random embeddings by the check as it ships, permutations and all."""
    rng = np.random.default_rng([seed, n])
    check = check_at_chance("i2t", k=1, margin=margin)
    rows = (rng.standard_normal((n, WIDTH)) for _ in range(2 * repetitions))
    return shares([check([evaluation_of_rows(next(rows), next(rows))]).verdict for _ in range(repetitions)])


@dataclass(frozen=True)
class Line:
    """One result: a check on so many pictures with so many captions each."""

    check: str
    truth: str
    n: int
    captions: int
    cell: str


def error(name: str, truth: str, size: tuple[int, int], result: tuple[float, float]) -> Line:
    sys.stderr.write(f"{name}, {truth}, {size}: {result}\n")
    return Line(name, truth, *size, f"{100 * result[0]:.1f} / {100 * result[1]:.1f}")


def power(name: str, truth: str, size: tuple[int, int], holds: float, gap: str = "") -> Line:
    sys.stderr.write(f"{name}, {truth}, {size}: {holds} {gap}\n")
    return Line(name, truth, *size, f"{100 * holds:.0f}{gap}")


def table(lines: list[Line]) -> str:
    """Write results as Markdown: a row for each check and truth, a column for each size of the data."""
    sizes = sorted({(one.n, one.captions) for one in lines}, key=lambda size: (size[1], size[0]))
    rows = dict.fromkeys((one.check, one.truth) for one in lines)
    cells = {(one.check, one.truth, one.n, one.captions): one.cell for one in lines}
    head = ["check", "what is true", *(f"{n} x {captions}" for n, captions in sizes)]
    text = [head, ["---"] * len(head)]
    text += [[*row, *(cells.get((*row, *size), "") for size in sizes)] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in text)


def main(repetitions: int, captions_for_each: tuple[int, ...]) -> None:
    """Print the tables."""
    wrong, found = [], []
    for captions in captions_for_each:
        for n in NOISE:
            size = (n, captions)
            wrong += errors(draw(n, captions, repetitions))
            ranks = draw_blind(n, captions, repetitions)
            for direction in ("i2t", "t2i"):
                for margin in (0.02, 0.1):
                    result = at_chance(ranks, direction, margin, at_margin=True)
                    wrong.append(error(f"`at_chance` {direction}", f"chance + margin {margin}", size, result))
                result = not_collapsed(ranks, direction)
                wrong.append(error(f"`not_collapsed` {direction}", "at chance", size, result))
        for n, share in ((20, 2), (100, 4)):
            result = superhubs(n, captions, max(50, repetitions // share))
            wrong.append(error("`fewer_antihubs`", "equal spaces with superhubs", (n, captions), result))
            for gap in (0.0, 0.3):
                result = equal_gaps(n, captions, max(50, repetitions // share), gap)
                wrong.append(error("`smaller_gap`", f"both {gap}, spreads .2, .9", (n, captions), result))
            for name, result in spaces(n, captions, max(50, repetitions // share)).items():
                wrong.append(error(f"`{name}`", "equal spaces", (n, captions), result))
    for captions in captions_for_each:
        for n in NOISE:
            found += powers(n, captions, max(50, repetitions // 10))
    sys.stdout.write(f"{table(wrong)}\n{table(found)}")


def powers(n: int, captions: int, repetitions: int) -> list[Line]:
    """Collect how often a true statement is found to hold."""
    lines = []
    for extra in (0.05, 0.1, 0.2, 0.4):
        hits = draw(n, captions, repetitions, extra=extra, seed=9)
        for direction in ("i2t", "t2i"):
            values, _ = hits.of(direction)
            gap = f" at {values[0].mean() - values[1].mean():+.2f}"
            holds, _ = better_than(hits, direction)
            lines.append(power(f"`better_than` {direction}", f"noise + {extra}", (n, captions), holds, gap))
    ranks = draw_blind(n, captions, repetitions)
    for direction in ("i2t", "t2i"):
        for margin in (0.02, 0.1):
            holds, _ = at_chance(ranks, direction, margin, at_margin=False)
            lines.append(power(f"`at_chance` {direction}", f"chance, margin {margin}", (n, captions), holds))
    return lines


def errors(hits: Hits) -> list[Line]:
    """Collect every error that two drawn encoders can show."""
    size = (hits.n, hits.captions)
    both: list[tuple[str, Callable[[str], tuple[float, float]], str]] = [
        ("better_than", lambda d: better_than(hits, d), "equal"),
        ("non_inferior", lambda d: non_inferior(hits, d, 0.02), "loss = margin .02"),
        ("non_inferior", lambda d: non_inferior(hits, d, 0.1), "loss = margin .1"),
        ("within_tolerance", lambda d: within_tolerance(hits, d, 0.05, 1), "tolerance .05 below"),
        ("within_tolerance", lambda d: within_tolerance(hits, d, 0.05, -1), "tolerance .05 above"),
        ("ordering", lambda d: ordering(hits, d, all_equal=False), "second = third"),
        ("ordering", lambda d: ordering(hits, d, all_equal=True), "all equal"),
        ("diagonal_dominates", lambda d: diagonal_dominates(hits, d), "share = claimed"),
    ]
    one: list[tuple[str, Callable[[Hits], tuple[float, float]], str]] = [
        ("`diagonal_dominates` among 20, t2i", dominance_among_20, "share = claimed"),
        ("`better_on_pictures` i2t", better_on_pictures, "equal"),
        ("`positives_above_negatives`", positives_above_negatives, "share = claimed"),
        ("`confusions_inside_category`", confusions_inside_category, "categories at random"),
        (
            "`confusions_inside_category`",
            lambda h: confusions_inside_category(h, hub=True),
            "one hub, categories 4 : 1",
        ),
    ]
    return [
        error(f"`{name}` {direction}", truth, size, run(direction))
        for name, run, truth in both
        for direction in ("i2t", "t2i")
    ] + [error(name, truth, size, check(hits)) for name, check, truth in one]


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(numbers[0] if numbers else 2000, tuple(numbers[1:]) or (1, 5))
