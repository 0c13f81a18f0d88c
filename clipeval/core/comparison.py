"""Two encoders on the same queries, from difference to verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.bootstrap import bootstrap_interval, enough_for_bootstrap
from clipeval.core.clusters import group, open_unit
from clipeval.core.intervals import Interval, conservative_score_interval, paired_score_interval
from clipeval.core.noninferiority import identity_interval, paired_differences
from clipeval.core.paired import exact_mcnemar, sign_flip_test
from clipeval.core.power import minimum_detectable_effect
from clipeval.core.verdict import Verdict


@dataclass(frozen=True)
class PairedTest:
    """Comparison of encoder a with encoder b.

    Attributes
    ----------
    difference : float
        Mean over queries of a - b.
    interval : Interval
        For that mean. A verdict needs it and p to agree.
    p : float
        Two-sided, not corrected for other comparisons.
    n : int
        Queries.
    n_clusters : int
        Independent units.
    discordant : tuple of int
        Clusters in which a is better, and in which b is better (queries, where each stands alone).
    minimum_detectable_effect : float or None
        True difference that would be found with power 0.8; None where all differences are equal.
    verdict : Verdict
        For "a is better than b".
    method : str
        Test and interval in words.
    row : str
        Row of the contract: "paired-binary" or "paired-clustered".
    note : str
        What a reader must know besides; empty if nothing.
    """

    difference: float
    interval: Interval
    p: float
    n: int
    n_clusters: int
    discordant: tuple[int, int]
    minimum_detectable_effect: float | None
    verdict: Verdict
    method: str
    row: str
    note: str = ""


def compare_paired(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
    identical_embeddings: bool = False,
) -> PairedTest:
    """Compare two encoders on the same queries; the statement judged is "a is better than b".

    Where each cluster holds one query and all scores are 0 or 1: exact McNemar and Tango's score interval
    (row "paired-binary" of the contract). Otherwise (row "paired-clustered") the clustered sign-flip, with a
    percentile bootstrap over clusters where there are enough of them (`enough_for_bootstrap`) and the
    conservative score interval over clusters where not.

    The verdict is ``holds`` if ``p <= 1 - level`` and the whole interval lies above 0, ``refuted`` if
    ``p <= 1 - level`` and it lies below 0, else ``undecided``; at level 0.95 fewer than six discordant
    clusters are always ``undecided``. The sign-flip alone would decide too often where differences are skewed
    (15 % instead of 5 % in simulations with 20 images); with the interval it does not.

    Parameters
    ----------
    a, b : array-like, shape (n,)
        Per-query scores in [0, 1] (hits, expected hits, reciprocal ranks ...), same queries, same order.
    clusters : array-like, shape (n,), optional
        Label of each query's image; by default every query stands alone.
    level : float
        Confidence level in (0, 1).
    seed : int
        For Monte-Carlo sign flips and the bootstrap.
    identical_embeddings : bool
        The caller knows that both encoders gave the same bytes. Then the difference is 0 by identity, the
        interval is [0, 0] and no test is run. Equal *scores* alone do not say that: two different
        encoders that answer the same 20 queries may still differ on others, and the interval shows by how
        much.

    Returns
    -------
    PairedTest

    Raises
    ------
    InvalidInputError
        Scores outside [0, 1] or of different lengths, labels that do not fit, embeddings said to be
        identical whose scores differ.

    Examples
    --------
    >>> result = compare_paired([1, 1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 1, 0])
    >>> result.p, result.discordant, result.verdict.value
    (0.03125, (6, 0), 'holds')
    """
    open_unit(level, name="level")
    d = paired_differences(a, b)
    grouped = group(clusters, len(d))
    sums = grouped.sums(d)
    ahead = (int((sums > 1e-12).sum()), int((sums < -1e-12).sum()))
    binary = grouped.single and np.isin(np.concatenate([np.asarray(a), np.asarray(b)]), (0.0, 1.0)).all()
    row = "paired-binary" if binary else "paired-clustered"
    note = ""
    if identical_embeddings:
        interval, p, test = identity_interval(d, level=level), 1.0, "no test"
        note = "identical embeddings: the difference is 0 by identity"
    elif binary:
        interval, p = paired_score_interval(*ahead, len(d), level=level), exact_mcnemar(*ahead)
        test = "exact McNemar"
    else:
        interval = (
            bootstrap_interval(d, clusters, level=level, seed=seed)
            if enough_for_bootstrap(grouped.n, *ahead)
            else conservative_score_interval(d, clusters, level=level)
        )
        p, test = sign_flip_test(d, clusters, seed=seed), "sign-flip of clusters"
    if not note and not d.any():
        note = "the same score on every query: the difference is 0 by identity on these queries"
    verdict = Verdict.UNDECIDED
    # 1 - 0.95 is not 0.05 in binary: a p of exactly 0.05 must not depend on that
    if p <= 1 - level + 1e-12 and 0.0 not in interval:
        verdict = Verdict.HOLDS if interval.low > 0 else Verdict.REFUTED
    return PairedTest(
        difference=float(d.mean()),
        interval=interval,
        p=p,
        n=len(d),
        n_clusters=grouped.n,
        discordant=ahead,
        minimum_detectable_effect=minimum_detectable_effect(d, clusters, level=level),
        verdict=verdict,
        method=f"{test}; {interval.method}",
        row=row,
        note=note,
    )
