"""Pair scores can be compared within a row only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.paired import finding_of
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.comparison import compare_paired
from clipeval.core.ties import Floats
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Evaluation


def rows_beat_threshold() -> Check:
    """Make a check of one evaluation: each row's best pair is right more often than the best pairs overall.

    Both ways pick as many pairs as there are images: the first of every row, or the best-scoring of the whole
    matrix, which is what one threshold for all rows does. An image counts where a pair picked for it is
    right.

    Returns
    -------
    Check
        Row "paired-binary" of the contract; gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> e = evaluation_of_rows(np.eye(4), np.eye(4))
    >>> rows_beat_threshold()([e]).verdict.value
    'undecided'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        by_row = evaluation.ranks.i2t.hits(1)
        overall = right_above_threshold(evaluation)
        return finding_of(
            compare_paired(by_row, overall),
            what=f"right pairs of {evaluation.model} among {len(by_row)} picked",
            names=("best of each row", "best of the whole matrix"),
            worst=worst_items(evaluation, "i2t", badness=overall - by_row),
        )

    return check


def right_above_threshold(evaluation: Evaluation) -> Floats:
    """Mark the images with a right pair among the n best-scoring pairs of all, n being the number of images.

    Returns
    -------
    ndarray of float64, shape (n_images,)
        0 or 1. Pairs that tie with the n-th are not picked.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> right_above_threshold(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [1, 1]])).tolist()
    [1.0, 0.0]
    """
    scores = evaluation.similarity()
    n = evaluation.dataset.n_images
    beyond = scores.size - n - 1
    bar = np.partition(scores, beyond, axis=None)[beyond] if beyond >= 0 else -np.inf
    owner = evaluation.dataset.image_of_caption
    picked = scores[owner, np.arange(len(owner))] > bar + 1e-12
    return np.asarray(np.bincount(owner, weights=picked, minlength=n) > 0, dtype=np.float64)


def scores_below(limit: float) -> Check:
    """Make a check of one evaluation: every pair score, right or wrong, lies below a limit.

    Parameters
    ----------
    limit : float
        A cosine.

    Returns
    -------
    Check
        Row "exact" of the contract: ``holds`` or ``refuted``; no p-value.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> scores_below(0.5)([evaluation_of_rows([[1, 0]], [[1, 0]])]).verdict.value
    'refuted'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        scores = evaluation.similarity()
        image, caption = np.unravel_index(int(scores.argmax()), scores.shape)
        highest = float(scores[image, caption])
        dataset = evaluation.dataset
        return Finding(
            Verdict.HOLDS if highest < limit else Verdict.REFUTED,
            f"{evaluation.model}: the highest of {scores.size} pair scores is {highest:.3f}, below {limit:g} "
            "is claimed",
            effect=highest,
            n=dataset.n_images,
            worst=(f"{dataset.ids[image]} with {dataset.captions[caption]!r}: {highest:.3f}",),
        )

    return WithoutP(check)
