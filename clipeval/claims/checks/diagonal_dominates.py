"""The right pair beats every wrong one in its row (or column), for more than a share of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.phrases import with_interval
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.diagonal import diagonal_statistics
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction, Evaluation


def diagonal_dominates(direction: Direction = "i2t", *, share: float = 0.5) -> Check:
    """Make a check of one evaluation: in more than a share of rows the best positive beats every negative.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
        Rows (images) or columns (captions) of the matrix.
    share : float
        Between 0 and 1.

    Returns
    -------
    Check
        Gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(10)
    >>> diagonal_dominates()([evaluation_of_rows(rows, rows)]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        ranks = evaluation.direction(direction)
        wins = (ranks.pessimistic == 1).astype(np.float64)
        test = rate_in_region(wins, evaluation.cluster(direction), low=share)
        pairs = diagonal_statistics(evaluation.images, evaluation.texts, evaluation.dataset.image_of_caption)
        low, high = test.interval.low, test.interval.high
        lines = "rows" if direction == "i2t" else "columns"
        return Finding(
            verdict=test.verdict,
            sentence=f"{evaluation.model}: the right pair beats every wrong one in "
            f"{with_interval(test.rate, low, high)} of {len(wins)} {lines}, more than {share:g} is claimed; "
            f"right pairs {pairs.mean:.3f} ± {pairs.sd:.3f}, wrong pairs {pairs.off_mean:.3f} ± "
            f"{pairs.off_sd:.3f}",
            p=test.p,
            effect=test.rate,
            low=low,
            high=high,
            n=test.n_clusters,
            worst=worst_items(evaluation, direction),
            reason=f"the interval holds {share:g}" if test.verdict is Verdict.UNDECIDED else "",
        )

    return check
