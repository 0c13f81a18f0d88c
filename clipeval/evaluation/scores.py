"""The numbers of an evaluation: every metric with its interval and its chance level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clipeval.core import metrics
from clipeval.core.bootstrap import rate_interval
from clipeval.core.diagonal import DiagonalStatistics, diagonal_statistics_by_part, dominance
from clipeval.core.ranks import DirectionRanks, Ranks
from clipeval.core.ties import Floats
from clipeval.evaluation.evaluate import DIRECTIONS, Direction, Evaluation

CUTOFFS = (1, 5, 10)
CUTOFFS_SHOWN = CUTOFFS[:2]
"""Those that tables and charts have room for."""
SEED = 42
"""Of every bootstrap and sign flip, unless told otherwise."""


@dataclass(frozen=True)
class Metric:
    """One number with what is needed to judge it.

    Attributes
    ----------
    value : float or None
        None where it is not defined (k above the number of candidates).
    low, high : float or None
        95 % interval, pictures being the independent units; None where none is computed.
    chance : float or None
        What a scorer that knows nothing gets, exactly.
    """

    value: float | None
    low: float | None
    high: float | None
    chance: float | None


@dataclass(frozen=True)
class Scores:
    """All metrics of an evaluation, or of one category of it.

    Attributes
    ----------
    n_images, n_captions : int
        Images and captions that were queries; the candidates are always the whole dataset.
    metrics : dict of str to dict of str to Metric
        By direction (``i2t``, ``t2i``), then by name.
    diagonal : DiagonalStatistics
        Positive against negative pairs.
    dominance : tuple of float
        Share of rows, and of columns, whose best positive beats every negative. At chance, without ties,
        it is ``hit_rate@1`` of i2t, and of t2i; a constant scorer has 0, since a tie does not beat.
    margin : tuple of float
        Mean over rows, and over columns, of best positive minus best negative; NaN without negatives.
    """

    n_images: int
    n_captions: int
    metrics: dict[Direction, dict[str, Metric]]
    diagonal: DiagonalStatistics
    dominance: tuple[float, float]
    margin: tuple[float, float]


def score_all(evaluation: Evaluation, *, seed: int = SEED) -> tuple[Scores, dict[str, Scores]]:
    """Compute all metrics of an evaluation, and by category: its queries only, among all candidates.

    All share one pass over the pairs.

    Parameters
    ----------
    evaluation : Evaluation
        Ranks and embeddings.
    seed : int
        Of the bootstrap.

    Returns
    -------
    whole : Scores
    categories : dict of str to Scores
        In order of the categories' first appearance; empty where the dataset has none.
    """
    dataset = evaluation.dataset
    number: dict[str | None, int] = {None: -1} | {name: at for at, name in enumerate(dataset.categories)}
    category = np.array([number[item.category] for item in dataset.items], dtype=np.int64)
    pairs, pairs_of = diagonal_statistics_by_part(
        evaluation.images, evaluation.texts, dataset.image_of_caption, part_of_image=category
    )
    queries = {direction: evaluation.image_of_query(direction) for direction in DIRECTIONS}
    clusters = {direction: evaluation.cluster(direction) for direction in DIRECTIONS}

    def scored(images: NDArray[np.bool_], diagonal: DiagonalStatistics) -> Scores:
        keep = {direction: images[queries[direction]] for direction in DIRECTIONS}
        ranks = {
            direction: metrics.select_queries(evaluation.direction(direction), keep[direction])
            for direction in DIRECTIONS
        }
        return Scores(
            n_images=int(images.sum()),
            n_captions=int(images[dataset.image_of_caption].sum()),
            metrics={
                direction: direction_metrics(
                    ranks[direction], clusters[direction][keep[direction]], seed=seed
                )
                for direction in DIRECTIONS
            },
            diagonal=diagonal,
            dominance=dominance(Ranks(ranks["i2t"], ranks["t2i"])),
            margin=(_margin(ranks["i2t"]), _margin(ranks["t2i"])),
        )

    categories = {
        name: scored(category == at, mine)
        for (at, name), mine in zip(enumerate(dataset.categories), pairs_of, strict=True)
    }
    return scored(np.ones(dataset.n_images, dtype=bool), pairs), categories


def _margin(ranks: DirectionRanks) -> float:
    return ranks.mean(ranks.positive_score - ranks.rival_score)


def direction_metrics(
    ranks: DirectionRanks, cluster: NDArray[np.int64], *, seed: int = SEED
) -> dict[str, Metric]:
    """Compute the metrics of one direction.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries, at least one.
    cluster : ndarray of int, shape (q,)
        The image of each query.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Metric
        ``hit_rate@k``, ``recall@k``, ``ndcg@10``, ``mrr``, ``map@r``, ``r_precision``, ``median_rank``.
    """
    blind = metrics.at_chance(ranks)

    def measured(values: Callable[[DirectionRanks], Floats]) -> Metric:
        mine = values(ranks)
        interval = rate_interval(np.clip(mine, 0.0, 1.0), cluster, seed=seed)
        return Metric(ranks.mean(mine), interval.low, interval.high, blind.mean(values(blind)))

    def at_most(k: int, values: Callable[[DirectionRanks], Floats]) -> Metric:
        return measured(values) if k <= ranks.n_candidates else Metric(None, None, None, None)

    table: dict[str, Metric] = {}
    for k in CUTOFFS:
        table[f"hit_rate@{k}"] = at_most(k, partial(DirectionRanks.hits, k=k))
        table[f"recall@{k}"] = at_most(k, partial(metrics.recall, k=k))
    table["ndcg@10"] = at_most(10, partial(metrics.ndcg, k=10))
    table["mrr"] = measured(DirectionRanks.reciprocal)
    table["map@r"] = measured(metrics.average_precision_at_r)
    table["r_precision"] = measured(metrics.r_precision)
    table["median_rank"] = Metric(metrics.median_rank(ranks), None, None, metrics.median_rank(blind))
    return table


def auroc(scores: Scores) -> Metric:
    """Give the AUROC of right against wrong pairs with its interval and its chance level.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.core.diagonal import diagonal_statistics
    >>> auroc(Scores(2, 2, {}, diagonal_statistics(np.eye(2), np.eye(2)), (1.0, 1.0), (1.0, 1.0))).value
    1.0
    """
    found, interval = scores.diagonal, scores.diagonal.auroc_interval
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Metric(finite(found.auroc), low, high, 0.5)


def finite(value: float) -> float | None:
    """Give None for a number that is not defined (NaN), which JSON cannot hold.

    Examples
    --------
    >>> finite(0.5), finite(float("nan"))
    (0.5, None)
    """
    return value if math.isfinite(value) else None
