"""What more pairs are worth: every bridge learns from subsets of the training pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.bridges.contest import NAMES
from clipeval.core.bridges.fit import KINDS, Wish, fit_bridge
from clipeval.core.ranking import rank_retrieval
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.towers import Towers
from clipeval.errors import InvalidInputError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.distinct import has_fingerprint
from clipeval.evaluation.learning import Learner, training_rows

# raised whenever the same subset would give other points
_RECIPE = "1"


@dataclass(frozen=True)
class Way:
    """A way to learn a bridge, for each seed.

    Attributes
    ----------
    learner : callable
        From a seed to a `Learner`.
    words : str
        Everything that can change what it learns: points are kept under these words.
    """

    learner: Callable[[int], Learner]
    words: str


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
    learners: Mapping[str, Way] | None = None,
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
    learners : mapping of str to Way, optional
        Other ways to learn.
    cache : EmbeddingCache, optional
        Where rows are kept, and points: a job that was interrupted goes on where it was.
    progress : callable, optional
        Told the bridge and the size, how many points are done, and of how many.

    Returns
    -------
    tuple of Point
        A bridge that cannot learn from so few pairs (five-fold choice needs ten) has no point there.
    """
    images, texts = training_rows(towers, train, cache=cache)
    asked, captions = training_rows(towers, test, cache=cache)
    ways = {NAMES[kind]: Way(_closed(kind), kind) for kind in kinds} | dict(learners or {})
    kept = _Kept(cache, towers, train, test)
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
            found = kept.get(way, size, seed)
            if found is None:
                try:
                    bridge = way.learner(seed)(images[rows], texts[take], owner, train.units[rows])
                except (InvalidInputError, NotAvailableError):
                    continue
                ranks = rank_retrieval(
                    bridge.images(asked), bridge.texts(captions), test.image_of_caption, rivals=False
                )
                found = ranks.i2t.hit_rate(1), ranks.t2i.hit_rate(1)
                kept.put(way, size, seed, found)
            points.append(Point(name, size, len(take), seed, *found))
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


class _Kept:
    """Points in a cache of rows: the bytes of two numbers, which it holds exactly."""

    def __init__(self, cache: EmbeddingCache | None, towers: Towers, train: Dataset, test: Dataset) -> None:
        words = (towers.image.fingerprint, towers.text.fingerprint)
        self._cache = cache if all(has_fingerprint(one) for one in words) else None
        self._of = {
            **towers.fingerprint,
            "curve": _RECIPE,
            "train": dataset_hash(train),
            "test": dataset_hash(test),
        }

    def get(self, way: Way, size: int, seed: int) -> tuple[float, float] | None:
        rows = self._cache.get(self._of, "curve", [f"{way.words} {size} {seed}"]) if self._cache else None
        if rows is None or rows.shape[1] != struct.calcsize("<2d"):
            return None
        i2t, t2i = struct.unpack("<2d", rows[0].astype(np.uint8).tobytes())
        return i2t, t2i

    def put(self, way: Way, size: int, seed: int, found: tuple[float, float]) -> None:
        if self._cache:
            rows = np.frombuffer(struct.pack("<2d", *found), dtype=np.uint8).astype(np.float32)[None]
            self._cache.put(self._of, "curve", [f"{way.words} {size} {seed}"], rows)
