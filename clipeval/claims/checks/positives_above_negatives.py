"""Right pairs score far above wrong ones of the same query."""

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
from clipeval.evaluation import Direction, Evaluation


def positives_above_negatives(direction: Direction = "t2i", *, at_least: float = 0.75) -> Check:
    """Make a check of one evaluation: a right pair beats more than a share of the wrong pairs of its query.

    The share is the area under the ROC curve within one row, averaged over rows; chance is 0.5, and 0.75 is a
    distance of about one standard deviation between right and wrong pairs (``AUROC = Φ(d' / √2)``). Pairs are
    compared within their query only, because scores of different queries are not comparable.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
        Captions as queries by default: each has one right image, so that chance is 0.5 with any number of
        captions for an image.
    at_least : float
        Between 0 and 1.

    Returns
    -------
    Check
        Row "region" of the contract; gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(20)
    >>> positives_above_negatives()([evaluation_of_rows(rows, rows)]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        values = negatives_beaten(evaluation.direction(direction))
        test = rate_in_region(values, evaluation.cluster(direction), low=at_least)
        pairs = diagonal_statistics(
            evaluation.images, evaluation.texts, evaluation.dataset.image_of_caption, auroc=False
        )
        return finding_of_region(
            test,
            sentence=f"{evaluation.model}: a right pair ({pairs.mean:.3f} ± {pairs.sd:.3f}) scores above "
            f"{rate_words(test)} of the wrong pairs of its query "
            f"({pairs.off_mean:.3f} ± {pairs.off_sd:.3f}); more than {at_least:g} is claimed",
            worst=worst_items(evaluation, direction),
            unclear=f"the interval holds {at_least:g}",
        )

    return check


def negatives_beaten(ranks: DirectionRanks) -> Floats:
    """Share of wrong candidates that score below the best positive, ties counted half.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.

    Returns
    -------
    ndarray of float64, shape (q,)
        1 for queries without wrong candidates.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> negatives_beaten(rank_scores([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]).i2t).tolist()
    [0.5, 1.0, 0.5]
    """
    wrong = ranks.n_candidates - ranks.n_positives
    return np.asarray(1.0 - (ranks.better + ranks.tied / 2) / np.maximum(wrong, 1), dtype=np.float64)
