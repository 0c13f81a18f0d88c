"""The first model is better than the second, on the same queries."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.claims.checks.metric_values import check_metric, metric_values
from clipeval.claims.checks.paired import finding_of
from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.comparison import PairedTest, compare_paired
from clipeval.evaluation import Direction, Evaluation


def better_than(metric: str = "hit_rate@1", direction: Direction = "i2t") -> Check:
    """Make a check of two evaluations: the first is better than the second.

    Rows "paired-binary" and "paired-clustered" of the contract; see `compare_paired` in the core.

    Parameters
    ----------
    metric : str
        ``hit_rate@K``, ``recall@K``, ``ndcg@K``, ``mrr``, ``map@r`` or ``r_precision``.
    direction : {"i2t", "t2i"}

    Returns
    -------
    Check
        Gives a p-value.

    Raises
    ------
    InvalidInputError
        An unknown metric; from the check: evaluations of different items.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(8)
    >>> right, wrong = evaluation_of_rows(rows, rows), evaluation_of_rows(rows, np.roll(rows, 1, axis=0))
    >>> better_than()([right, wrong]).verdict.value
    'holds'
    """
    check_metric(metric)

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        a = metric_values(first.direction(direction), metric)
        b = metric_values(second.direction(direction), metric)
        return finding_of(
            compare_on(first, second, metric, direction),
            what=f"{metric} ({DIRECTIONS_IN_WORDS[direction]})",
            names=(first.model, second.model),
            worst=worst_items(first, direction, badness=b - a),
        )

    return check


def compare_on(first: Evaluation, second: Evaluation, metric: str, direction: Direction) -> PairedTest:
    """Compare two evaluations of the same queries on one metric.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> e = evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    >>> compare_on(e, e, "mrr", "i2t").note
    'identical embeddings: the difference is 0 by identity'
    """
    return compare_paired(
        metric_values(first.direction(direction), metric),
        metric_values(second.direction(direction), metric),
        first.cluster(direction),
        identical_embeddings=same_embeddings(first, second),
    )
