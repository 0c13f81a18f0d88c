"""The first model ranks the right answer better than the second on more than a share of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.region_finding import finding_of_region, rate_words
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.evaluation import Direction, Evaluation


def better_on_pictures(direction: Direction = "i2t", *, share: float = 0.9) -> Check:
    """Make a check of two evaluations: the first is better on more than a share of the queries.

    "Better on every picture" can be refuted by one picture but shown by no number of them; a share can be
    shown. A rank that is equal counts half.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
    share : float
        Between 0 and 1.

    Returns
    -------
    Check
        Row "region" of the contract; gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(60)
    >>> right, wrong = evaluation_of_rows(rows, rows), evaluation_of_rows(rows, np.roll(rows, 1, axis=0))
    >>> better_on_pictures()([right, wrong]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        a, b = first.direction(direction).rank, second.direction(direction).rank
        wins = (np.sign(b - a) + 1.0) / 2
        test = rate_in_region(wins, first.cluster(direction), low=share)
        way = DIRECTIONS_IN_WORDS[direction]
        counts = f"{int((a < b).sum())} better, {int((a == b).sum())} equal, {int((a > b).sum())} worse"
        return finding_of_region(
            test,
            sentence=f"{first.model} ranks the right answer better than {second.model} on "
            f"{rate_words(test)} of {len(wins)} queries ({way}; "
            f"{counts}); more than {share:g} is claimed",
            worst=worst_items(first, direction, badness=a - b),
            unclear=f"the interval holds {share:g}",
        )

    return check
