"""The right pair beats every wrong one in its row (or column), for more than a share of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.region_finding import finding_of_region, rate_words
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.diagonal import diagonal_statistics
from clipeval.core.ranks import DirectionRanks
from clipeval.core.ties import Floats
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Direction, Evaluation


def diagonal_dominates(
    direction: Direction = "i2t", *, share: float = 0.5, among: int | None = None
) -> Check:
    """Make a check of one evaluation: in more than a share of rows the best positive beats every negative.

    How often that happens falls with the number of candidates. ``among`` takes that out: it asks about a
    matrix of that many candidates, the right one and others drawn at random from those at hand, so that a
    statement about 20 pictures can be tested on 500.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
        Rows (images) or columns (captions) of the matrix.
    share : float
        Between 0 and 1.
    among : int, optional
        Candidates, at least 2; all of them where there are fewer or by default.

    Returns
    -------
    Check
        Row "region" of the contract; gives a p-value.

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
        wins = dominance_among(ranks, among)
        test = rate_in_region(wins, evaluation.cluster(direction), low=share)
        pairs = diagonal_statistics(
            evaluation.images, evaluation.texts, evaluation.dataset.image_of_caption, auroc=False
        )
        lines = "rows" if direction == "i2t" else "columns"
        lines += f", among {among} candidates" if among is not None else ""
        return finding_of_region(
            test,
            sentence=f"{evaluation.model}: the right pair beats every wrong one in "
            f"{rate_words(test)} of {len(wins)} {lines}, more than {share:g} is claimed; "
            f"right pairs {pairs.mean:.3f} ± {pairs.sd:.3f}, wrong pairs {pairs.off_mean:.3f} ± "
            f"{pairs.off_sd:.3f}",
            worst=worst_items(evaluation, direction),
            unclear=f"the interval holds {share:g}",
        )

    return check


def dominance_among(ranks: DirectionRanks, among: int | None = None) -> Floats:
    """Probability that a query's best positive beats a random draw of negatives; a tie does not beat.

    ``C(w - r, m) / C(w, m)`` with w negatives at hand, r of them at or above the positive, and m drawn.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.
    among : int, optional
        Candidates in the draw, the positive included: ``m = among - 1``. All negatives by default, and where
        there are fewer.

    Returns
    -------
    ndarray of float64, shape (q,)
        0 or 1 where all negatives are taken.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> ranks = rank_scores([[1.0, 2.0, 0.0, 0.0, 0.0], *[[0.0] * 5] * 4]).i2t
    >>> dominance_among(ranks)[:1].tolist(), dominance_among(ranks, 3)[:1].tolist()
    ([0.0], [0.5])
    """
    if among is not None and among < 2:
        raise InvalidInputError(f"nothing can dominate among {among} candidates", fix="at least 2")
    wrong = ranks.n_candidates - ranks.n_positives
    rivals = ranks.better + ranks.tied
    if among is None:
        return np.asarray(rivals == 0, dtype=np.float64)
    wins = np.ones(ranks.n_queries)
    for drawn in range(among - 1):
        left = np.maximum(wrong - drawn, 1)
        # once every negative is drawn, more draws change nothing
        wins *= np.where(wrong > drawn, np.maximum(wrong - rivals - drawn, 0) / left, 1.0)
    return wins
