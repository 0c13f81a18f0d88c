"""From a rate tested against a region to a finding: what every check of one rate shares."""

from __future__ import annotations

from clipeval.claims.checks.phrases import with_interval
from clipeval.claims.checks.rate_region import RegionTest
from clipeval.claims.claim import Finding
from clipeval.core.verdict import Verdict


def rate_words(test: RegionTest) -> str:
    """Write a rate with its interval.

    Examples
    --------
    >>> from clipeval.claims.checks.rate_region import rate_in_region
    >>> rate_words(rate_in_region([1] * 19 + [0]))
    '0.950 [0.764, 0.991]'
    """
    return with_interval(test.rate, test.interval.low, test.interval.high)


def finding_of_region(
    test: RegionTest, *, sentence: str, unclear: str, worst: tuple[str, ...], origin: float = 0.0
) -> Finding:
    """Write a test of a rate as a finding.

    Parameters
    ----------
    test : RegionTest
        The test.
    sentence : str
        What a person reads.
    unclear : str
        Why, where the verdict is ``undecided``.
    worst : tuple of str
        Items that speak most against the claim.
    origin : float
        What the effect is counted from: chance, a published figure.

    Returns
    -------
    Finding

    Examples
    --------
    >>> from clipeval.claims.checks.rate_region import rate_in_region
    >>> test = rate_in_region([1] * 19 + [0], low=0.5)
    >>> finding_of_region(test, sentence="most hit", unclear="", worst=(), origin=0.5).verdict.value
    'holds'
    """
    return Finding(
        verdict=test.verdict,
        sentence=sentence,
        p=test.p,
        effect=test.rate - origin,
        low=test.interval.low - origin,
        high=test.interval.high - origin,
        accepted=(test.region[0] - origin, test.region[1] - origin),
        n=test.n_clusters,
        worst=worst,
        reason=unclear if test.verdict is Verdict.UNDECIDED else "",
    )
