"""What more pairs are worth: every bridge learns from subsets of the training pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.bridges.contest import NAMES
from clipeval.core.bridges.fit import KINDS, Wish, fit_bridge
from clipeval.core.ranking import rank_retrieval
from clipeval.data.dataset import Dataset
from clipeval.encoders.learned import Towers
from clipeval.errors import InvalidInputError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.learning import Learner, training_rows

METRIC = "hit_rate@1"


@dataclass(frozen=True)
class Point:
    """One bridge, learned from one subset.

    Attributes
    ----------
    name : str
        Of the bridge.
    n_images, n_captions : int
        Training pictures, and their captions.
    seed : int
        Of the subset.
    i2t, t2i : float
        hit_rate@1 on the held-out items.
    """

    name: str
    n_images: int
    n_captions: int
    seed: int
    i2t: float
    t2i: float


def learning_curve(
    towers: Towers,
    train: Dataset,
    test: Dataset,
    *,
    sizes: Sequence[int],
    seeds: Sequence[int],
    kinds: Sequence[str] = KINDS,
    learners: Mapping[str, Callable[[int], Learner]] | None = None,
    cache: EmbeddingCache | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Point, ...]:
    """Learn every bridge from subsets of the training pictures, and score it on the held-out items.

    That ``test`` holds no item of ``train`` is the caller's affair: `contest` looks for it.

    Parameters
    ----------
    towers : Towers
        Loaded.
    train, test : Dataset
        As for `contest`.
    sizes : sequence of int
        Numbers of training pictures. Those above what there is are all there is, once.
    seeds : sequence of int
        Each draws its own subset, the smaller inside the larger ones. All pictures make one subset.
    kinds : sequence of str
        Of `clipeval.core.bridges.fit.KINDS`; parameters are chosen inside each subset.
    learners : mapping of str to callable, optional
        Other ways to learn: from a seed to a `Learner`.
    cache : EmbeddingCache, optional
        Where rows are kept.
    progress : callable, optional
        Told the bridge and the size, how many points are done, and of how many.

    Returns
    -------
    tuple of Point
        A bridge that cannot learn from so few pairs (five-fold choice needs ten) has no point there.
    """
    images, texts = training_rows(towers, train, cache=cache)
    asked, captions = training_rows(towers, test, cache=cache)
    ways: dict[str, Callable[[int], Learner]] = {NAMES[kind]: _closed(kind) for kind in kinds}
    ways |= dict(learners or {})
    subsets = [
        (size, seed, _subset(train, size, seed))
        for size in sorted({min(size, train.n_images) for size in sizes})
        for seed in (seeds[:1] if size == train.n_images else seeds)
    ]
    points: list[Point] = []
    done, total = 0, len(ways) * len(subsets)
    for size, seed, rows in subsets:
        take = np.flatnonzero(np.isin(train.image_of_caption, rows))
        owner = np.searchsorted(rows, train.image_of_caption[take])
        for name, way in ways.items():
            if progress:
                progress(f"{name}, {size} pictures, seed {seed}", done, total)
            done += 1
            try:
                bridge = way(seed)(images[rows], texts[take], owner, _units(train, rows))
            except (InvalidInputError, NotAvailableError):
                continue
            ranks = rank_retrieval(
                bridge.images(asked), bridge.texts(captions), test.image_of_caption, rivals=False
            )
            points.append(Point(name, size, len(take), seed, ranks.i2t.hit_rate(1), ranks.t2i.hit_rate(1)))
    if progress:
        progress("", total, total)
    return tuple(points)


def _closed(kind: str) -> Callable[[int], Learner]:
    def way(seed: int) -> Learner:
        wish = Wish(kind, seed=seed)
        return lambda images, texts, owner, units: fit_bridge(wish, images, texts, owner, units=units)

    return way


def _subset(train: Dataset, size: int, seed: int) -> NDArray[np.int64]:
    order = np.random.Generator(np.random.PCG64(seed)).permutation(train.n_images)
    return np.sort(order[:size])


def _units(train: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(train.units[rows])
