"""A model is not collapsed: its embeddings differ, and it finds more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.region_finding import finding_of_region, rate_words
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.metrics import at_chance
from clipeval.core.similarity import unit_rows
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction, Evaluation

CONSTANT = 1e-6
"""Embeddings whose directions all lie closer to their mean than this, in cosine, are one embedding."""


def not_collapsed(direction: Direction = "i2t", *, k: int = 10) -> Check:
    """Make a check of one evaluation: embeddings differ, and the top k hold more than chance would.

    A trained model below chance (0.10 % in a top 100 that chance fills to 0.23 %, say) is not
    bad at its task but broken: collapsed, or its pictures and captions are shifted or swapped.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
    k : int
        Length of the lists; 1 where there are no more than k candidates.

    Returns
    -------
    Check
        Row "region" of the contract, the threshold being chance: ``holds`` above it, ``refuted`` below it or
        where all images or all captions have one embedding, ``undecided`` at chance. Gives a p-value unless
        the embeddings are constant.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(30)
    >>> not_collapsed()([evaluation_of_rows(rows, rows)]).verdict.value
    'holds'
    >>> not_collapsed()([evaluation_of_rows(rows, -rows)]).verdict.value
    'refuted'
    >>> not_collapsed()([evaluation_of_rows(np.ones((30, 4)), np.ones((30, 4)))]).sentence
    'rows: all images have one embedding; constant?'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        for what, rows in (("images", evaluation.images), ("captions", evaluation.texts)):
            if len(rows) > 1 and spread(rows) < CONSTANT:
                return Finding(
                    Verdict.REFUTED,
                    f"{evaluation.model}: all {what} have one embedding; constant?",
                    n=evaluation.dataset.n_images,
                    worst=worst_items(evaluation, direction),
                )
        ranks = evaluation.direction(direction)
        length = k if k < ranks.n_candidates else 1
        chance = at_chance(ranks).hit_rate(length)
        test = rate_in_region(ranks.hits(length), evaluation.cluster(direction), low=chance)
        sentence = (
            f"{evaluation.model}: hit_rate@{length} ({DIRECTIONS_IN_WORDS[direction]}) is "
            f"{rate_words(test)}, chance is {chance:.4f}"
        )
        if test.verdict is Verdict.REFUTED:
            sentence += "; worse than chance, constant or swapped?"
        return finding_of_region(
            test,
            sentence=sentence,
            worst=worst_items(evaluation, direction),
            origin=chance,
            unclear="the interval holds chance",
        )

    return check


def spread(rows: ArrayLike) -> float:
    """Give the largest ``1 - cosine`` between a row and the mean direction; 0 for a constant encoder.

    Parameters
    ----------
    rows : array-like, shape (n, d)

    Returns
    -------
    float
        In [0, 2].

    Examples
    --------
    >>> spread([[1, 0], [2, 0]]), spread([[1, 0], [-1, 0]])
    (0.0, 1.0)
    """
    unit = unit_rows(rows).astype(np.float64)
    if not unit.any():
        return 0.0
    centre = unit.mean(axis=0)
    length = float(np.linalg.norm(centre))
    return 1.0 if length < CONSTANT else max(0.0, float((1.0 - unit @ centre / length).max()))
