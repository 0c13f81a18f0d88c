"""One number for each query: what every check compares, by the metric's name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipeval.core import metrics
from clipeval.core.ranks import DirectionRanks
from clipeval.core.ties import Floats
from clipeval.errors import InvalidInputError, near

_AT_K: dict[str, Callable[[DirectionRanks, int], Floats]] = {
    "hit_rate": DirectionRanks.hits,
    "recall": lambda ranks, k: metrics.recall(ranks, k=k),
    "ndcg": lambda ranks, k: metrics.ndcg(ranks, k=k),
}
_WHOLE: dict[str, Callable[[DirectionRanks], Floats]] = {
    "mrr": DirectionRanks.reciprocal,
    "map@r": metrics.average_precision_at_r,
    "r_precision": metrics.r_precision,
}
METRICS = ("hit_rate@K", "recall@K", "ndcg@K", *_WHOLE)


def check_metric(metric: str) -> None:
    """Refuse a metric name that cannot be computed for each query.

    Parameters
    ----------
    metric : str
        ``hit_rate@K``, ``recall@K``, ``ndcg@K``, ``mrr``, ``map@r`` or ``r_precision``.

    Raises
    ------
    InvalidInputError
        Any other name (near matches named).

    Examples
    --------
    >>> check_metric("hit_rate@5")
    """
    name, at, k = metric.partition("@")
    if metric in _WHOLE or (at and name in _AT_K and k.isdecimal() and int(k) >= 1):
        return
    raise InvalidInputError(f"there is no metric '{metric}' for each query", fix=near(metric, METRICS))


def metric_values(ranks: DirectionRanks, metric: str) -> Floats:
    """Give a metric's value for every query; the mean is the metric.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.
    metric : str
        See `check_metric`.

    Returns
    -------
    ndarray of float64, shape (q,)
        Between 0 and 1, clipped where rounding leaves it.

    Raises
    ------
    InvalidInputError
        An unknown metric, or K above the number of candidates.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> metric_values(rank_scores([[3.0, 1.0], [2.0, 1.0]]).i2t, "hit_rate@1").tolist()
    [1.0, 0.0]
    """
    check_metric(metric)
    if metric in _WHOLE:
        values = _WHOLE[metric](ranks)
    else:
        name, _, k = metric.partition("@")
        values = _AT_K[name](ranks, int(k))
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float64)
