"""A metric reproduces a published figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clipeval.claims.checks.metric_values import check_metric, metric_values
from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.region_finding import finding_of_region, rate_words
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Direction, Evaluation


def within_tolerance(
    metric: str,
    *,
    published: float,
    tolerance: float,
    direction: Direction = "i2t",
    same_items: bool = False,
) -> Check:
    """Make a check of one evaluation: its metric is the published one, give or take a tolerance.

    On other pictures than the publication's, both figures vary with the pictures: it holds where the whole
    interval lies within the tolerance and is refuted where it lies wholly beyond. On exactly the published
    pictures and captions (``same_items``) sampling plays no part, and the figure itself is compared.

    Parameters
    ----------
    metric : str
        See `better_than`.
    published : float
        The figure, in [0, 1].
    tolerance : float
        Positive; for the same weights with another library 0.005 to 0.02 are usual.
    direction : {"i2t", "t2i"}
    same_items : bool
        The evaluation is of the very items that the publication used.

    Returns
    -------
    Check
        Row "equivalence" of the contract; gives a p-value unless ``same_items``.

    Raises
    ------
    InvalidInputError
        An unknown metric, a figure outside [0, 1] or a tolerance that is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> perfect = evaluation_of_rows(np.eye(30), np.eye(30))
    >>> within_tolerance("hit_rate@1", published=0.3, tolerance=0.02)([perfect]).verdict.value
    'refuted'
    >>> within_tolerance("hit_rate@1", published=0.99, tolerance=0.02)([perfect]).verdict.value
    'undecided'
    """
    check_metric(metric)
    if not 0.0 <= published <= 1.0 or not tolerance > 0.0:
        raise InvalidInputError(
            f"cannot compare with {published!r} ± {tolerance!r}", fix="figures between 0 and 1, not percent"
        )

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        test = rate_in_region(
            metric_values(evaluation.direction(direction), metric),
            evaluation.cluster(direction),
            low=max(0.0, published - tolerance),
            high=min(1.0, published + tolerance),
        )
        finding = finding_of_region(
            test,
            sentence=f"{metric} ({DIRECTIONS_IN_WORDS[direction]}) of {evaluation.model} is "
            f"{rate_words(test)}, published {published:.4f} ± {tolerance:g}"
            + (" on the same items" if same_items else ""),
            worst=worst_items(evaluation, direction),
            origin=published,
            unclear="the interval crosses the tolerance",
        )
        if not same_items:
            return finding
        near = abs(test.rate - published) <= tolerance + 1e-12
        return replace(finding, verdict=Verdict.HOLDS if near else Verdict.REFUTED, p=None, reason="")

    return WithoutP(check) if same_items else check
