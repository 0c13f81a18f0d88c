"""Swaps: show that a new encoder is not worse than the old one by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.clusters import group, unit_interval_vector
from clipeval.core.intervals import Interval, conservative_score_interval, paired_score_interval
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError


@dataclass(frozen=True)
class NonInferiority:
    """Answer to "the new encoder loses less than the margin".

    Attributes
    ----------
    difference : float
        Mean of new - old over queries.
    interval : Interval
        For that mean.
    margin : float
        Largest loss that would be accepted.
    verdict : Verdict
    row : str
        Row of the contract: "non-inferiority".
    """

    difference: float
    interval: Interval
    margin: float
    verdict: Verdict
    row: str = "non-inferiority"


def judge_non_inferiority(interval: Interval, *, margin: float) -> Verdict:
    """Read a verdict from an interval for new - old.

    Parameters
    ----------
    interval : Interval
        From a score or exact method where n is small: with 20 queries, margin 0.02 and a true loss of 0.05
        a percentile bootstrap says ``holds`` in 37 % of simulations.
    margin : float
        Not negative.

    Returns
    -------
    Verdict
        ``holds`` if the lower bound is above -margin, ``refuted`` if the upper bound is below it, else
        ``undecided``.

    Raises
    ------
    InvalidInputError
        A negative margin.

    Examples
    --------
    >>> judge_non_inferiority(Interval(-0.01, 0.03, 0.95, "made up"), margin=0.02).value
    'holds'
    """
    if not margin >= 0.0:
        raise InvalidInputError(f"margin must not be negative, got {margin!r}", fix="write the loss as 0.02")
    if interval.low > -margin:
        return Verdict.HOLDS
    return Verdict.REFUTED if interval.high < -margin else Verdict.UNDECIDED


def non_inferiority_test(
    new: ArrayLike,
    old: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    margin: float,
    level: float = 0.95,
    identical_embeddings: bool = False,
) -> NonInferiority:
    """Test that a new encoder is not worse than an old one by more than a margin, on the same queries.

    Hits with one query in each cluster get Tango's score interval, all else `conservative_score_interval`;
    never a bootstrap. The simulated share of false ``holds`` is at most 5 % at every n tried from 20 up
    (``tests/benchmarks/simulate_errors.py``).

    Parameters
    ----------
    new, old : array-like, shape (n,)
        Per-query scores in [0, 1] of the two encoders.
    clusters : array-like, shape (n,), optional
        Label of each query's image.
    margin : float
        Largest acceptable loss, not negative.
    level : float
        Level of the two-sided interval in (0, 1).
    identical_embeddings : bool
        The caller knows that both encoders gave the same bytes: the difference is 0 by identity.

    Returns
    -------
    NonInferiority

    Raises
    ------
    InvalidInputError
        Scores outside [0, 1] or of different lengths, a negative margin, embeddings said to be identical
        whose scores differ.

    Examples
    --------
    >>> non_inferiority_test([1.0] * 200, [1.0] * 200, margin=0.02).verdict.value
    'holds'
    >>> non_inferiority_test([1.0] * 20, [1.0] * 20, margin=0.02).verdict.value
    'undecided'
    """
    difference = paired_differences(new, old)
    grouped = group(clusters, len(difference))
    if identical_embeddings:
        interval = identity_interval(difference, level=level)
    elif grouped.single and np.isin(difference, (-1.0, 0.0, 1.0)).all():
        gains, losses = int((difference > 0).sum()), int((difference < 0).sum())
        interval = paired_score_interval(gains, losses, len(difference), level=level)
    else:
        interval = conservative_score_interval(difference, clusters, level=level)
    verdict = judge_non_inferiority(interval, margin=margin)
    if identical_embeddings and not difference.any():
        verdict = Verdict.HOLDS  # also at margin 0: nothing was lost
    return NonInferiority(float(difference.mean()), interval, float(margin), verdict)


def paired_differences(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Subtract two vectors of per-query scores.

    Parameters
    ----------
    a, b : array-like, shape (n,)
        Scores in [0, 1] of two encoders on the same queries.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    InvalidInputError
        Scores outside [0, 1], or vectors of different lengths.

    Examples
    --------
    >>> paired_differences([1, 0], [0, 0]).tolist()
    [1.0, 0.0]
    """
    first, second = unit_interval_vector(a, name="a"), unit_interval_vector(b, name="b")
    if len(first) != len(second):
        raise InvalidInputError(
            f"{len(first)} and {len(second)} scores are not pairs",
            fix="score both encoders on the same queries",
        )
    return first - second


def identity_interval(differences: np.ndarray, *, level: float) -> Interval:
    """Give the interval of a difference that is 0 because both encoders gave the same bytes.

    Parameters
    ----------
    differences : ndarray, shape (n,)
        All zero.
    level : float
        Copied into the interval.

    Returns
    -------
    Interval
        [0, 0].

    Raises
    ------
    InvalidInputError
        A difference is not zero, so the embeddings were not identical.

    Examples
    --------
    >>> import numpy as np
    >>> identity_interval(np.zeros(3), level=0.95).high
    0.0
    """
    if differences.any():
        raise InvalidInputError("the embeddings are said to be identical, but the scores differ")
    return Interval(0.0, 0.0, level, "identity")
