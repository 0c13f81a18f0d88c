"""Encoders made of random numbers, of which it is known how good they are: what the simulations judge.

Pictures and captions share a meaning, each encoder adds noise of its own, and hits come from the whole matrix
of cosines: hubs and dependence between queries are in. Pictures are exchangeable, so one dataset with
fixed categories serves all draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from clipeval.claims.checks.diagonal_dominates import dominance_among
from clipeval.claims.checks.positives_above_negatives import negatives_beaten
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.ranks import DirectionRanks
from clipeval.data.dataset import Dataset, Item
from clipeval.evaluation import Direction, Evaluation

Array = np.ndarray
WIDTH = 24
NOISE = {20: 1.05, 50: 0.95, 100: 0.85, 300: 0.75, 1000: 0.68}
"""Noise at which about half of the queries hit at each number of pictures."""


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@cache
def data(n: int, captions: int, kinds: str = "even") -> Dataset:
    """Pictures by number: four categories of one size, or (``skewed``) four in five in one of two."""
    category = (lambda row: str(row % 4)) if kinds == "even" else (lambda row: str(int(row >= 0.8 * n)))
    items = (
        Item(f"picture {row}", tuple(f"caption {c} of {row}" for c in range(captions)), None, category(row))
        for row in range(n)
    )
    return Dataset(f"{n} x {captions}", tuple(items))


@dataclass
class Pair:
    """Encoders of one set of pictures: ``first``, ``second`` and ``third`` equally good, ``best`` far better.

    ``extra`` is noise that all but the first have more.
    """

    n: int
    captions: int
    rng: np.random.Generator
    extra: float = 0.0

    def __post_init__(self) -> None:
        self.dataset = data(self.n, self.captions)
        noise = NOISE[self.n]
        meaning = self._draw(self.n)
        self._pictures = meaning + 0.5 * noise * self._draw(self.n)
        owner = self.dataset.image_of_caption
        self._words = meaning[owner] + 0.5 * noise * self._draw(len(owner))

    def _draw(self, rows: int) -> Array:
        return self.rng.standard_normal((rows, WIDTH), dtype=np.float32)

    def _encoder(self, noise: float) -> Evaluation:
        images = unit(self._pictures + noise * self._draw(self.n))
        texts = unit(self._words + noise * self._draw(len(self._words)))
        return evaluation_of_rows(images, texts, dataset=self.dataset)

    @cached_property
    def first(self) -> Evaluation:
        return self._encoder(NOISE[self.n])

    @cached_property
    def second(self) -> Evaluation:
        return self._encoder(NOISE[self.n] + self.extra)

    @cached_property
    def third(self) -> Evaluation:
        return self._encoder(NOISE[self.n] + self.extra)

    @cached_property
    def best(self) -> Evaluation:
        return self._encoder(0.0)


@dataclass(frozen=True)
class Truth:
    """What is true of every encoder of a `Pair`, from draws of its own: the edge that checks are put on."""

    hits: dict[str, float]
    dominance: float
    beaten: float


@cache
def truth(n: int, captions: int, draws: int) -> Truth:
    """Average over encoders that nobody judges."""
    sums = np.zeros(4)
    for at in range(draws):
        one = Pair(n, captions, np.random.default_rng([11, n, captions, at])).first
        t2i = one.ranks.t2i
        sums += [
            one.ranks.i2t.hit_rate(1),
            t2i.hit_rate(1),
            dominance_among(t2i, 20).mean(),
            negatives_beaten(t2i).mean(),
        ]
    i2t, t2i_rate, dominance, beaten = sums / draws
    return Truth({"i2t": float(i2t), "t2i": float(t2i_rate)}, float(dominance), float(beaten))


def losing(evaluation: Evaluation, direction: Direction, images: Array) -> Evaluation:
    """Let all queries of the marked images miss the first place, and leave every other query as it is."""
    ranks = evaluation.direction(direction)
    lost = images[evaluation.image_of_query(direction)]
    start = ranks.groups.start.copy()
    start[np.searchsorted(ranks.groups.query, np.flatnonzero(lost))] += 1
    poorer: DirectionRanks = replace(ranks, groups=replace(ranks.groups, start=start))
    return replace(evaluation, ranks=replace(evaluation.ranks, **{direction: poorer}))


@dataclass
class Blind:
    """Encoders that know nothing but have hubs, and such that know a share of the pictures."""

    n: int
    captions: int
    rng: np.random.Generator

    def knowing(self, share: float) -> Evaluation:
        """Give known pictures and their captions one row; the share is of chances, one for each picture."""
        dataset = data(self.n, self.captions)
        owner = dataset.image_of_caption
        pictures = unit(self.rng.standard_normal((self.n, WIDTH), dtype=np.float32) + 0.5)
        words = unit(self.rng.standard_normal((len(owner), WIDTH), dtype=np.float32) + 0.5)
        known = (self.rng.random(self.n) < share)[owner]
        words[known] = pictures[owner][known]
        return evaluation_of_rows(pictures, words, dataset=dataset)


def chance(n: int, captions: int, direction: Direction, k: int) -> float:
    """Chance of hit_rate@k, written out."""
    candidates, positives = (n * captions, captions) if direction == "i2t" else (n, 1)
    return 1.0 - float(np.prod([(candidates - positives - t) / (candidates - t) for t in range(k)]))


def equal_spaces(n: int, captions: int, rng: np.random.Generator) -> list[Evaluation]:
    """Draw two equally good encoders with the same gap between the modalities."""
    pair = Pair(n, captions, rng)
    return [
        evaluation_of_rows(e.images + 0.2, e.texts - 0.2, dataset=pair.dataset)
        for e in (pair.first, pair.second)
    ]


def equal_gaps(n: int, captions: int, gap: float, rng: np.random.Generator) -> list[Evaluation]:
    """Draw spaces with exactly the same gap, of which the second spreads 4.5 times as widely."""
    pair, width = [], 256
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
        pair.append(evaluation_of_rows(*towers, dataset=data(n, captions)))
    return pair


def superhubs(n: int, captions: int, hubs: float, rng: np.random.Generator) -> Evaluation:
    """Draw a space in which about so many captions head all lists; below one, exactly one does."""
    pictures = rng.standard_normal((n, WIDTH))
    words = 0.05 * rng.standard_normal((n * captions, WIDTH))
    pictures[:, 0], words[:, 0] = 8.0, 0.0
    chosen = rng.random(len(words)) < hubs / len(words) if hubs >= 1 else np.zeros(len(words), dtype=bool)
    if hubs < 1:
        chosen[rng.integers(len(words))] = True
    words[chosen, 0] = 5.0
    return evaluation_of_rows(pictures, words, dataset=data(n, captions, "even" if hubs >= 1 else "skewed"))
