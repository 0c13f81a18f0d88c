"""From a paired test to a finding: what every check that compares two models shares."""

from __future__ import annotations

from clipeval.claims.checks.phrases import p_words, with_interval
from clipeval.claims.claim import Finding
from clipeval.core.comparison import PairedTest
from clipeval.core.verdict import Verdict


def finding_of(test: PairedTest, *, what: str, names: tuple[str, str], worst: tuple[str, ...]) -> Finding:
    """Write a paired test as a finding.

    Parameters
    ----------
    test : PairedTest
        First model against second.
    what : str
        What was compared, in words.
    names : tuple of str
        The two models.
    worst : tuple of str
        Items that speak most against the first model.

    Returns
    -------
    Finding

    Examples
    --------
    >>> from clipeval.core.comparison import compare_paired
    >>> test = compare_paired([1] * 8, [0] * 8)
    >>> finding_of(test, what="hits", names=("a", "b"), worst=()).verdict.value
    'holds'
    """
    ahead, behind = test.discordant
    sentence = (
        f"{what}: {names[0]} minus {names[1]} is "
        f"{with_interval(test.difference, test.interval.low, test.interval.high, signed=True)} on "
        f"{test.n_clusters} images, {ahead} better and {behind} worse; {p_words(test.p)} ({test.method})"
    )
    if test.note:
        sentence += f"; {test.note}"
    return Finding(
        verdict=test.verdict,
        sentence=sentence,
        p=test.p,
        effect=test.difference,
        low=test.interval.low,
        high=test.interval.high,
        n=test.n_clusters,
        discordant=test.discordant,
        minimum_detectable_effect=test.minimum_detectable_effect,
        worst=worst,
        reason=_why(test) if test.verdict is Verdict.UNDECIDED else "",
    )


def _why(test: PairedTest) -> str:
    differ = sum(test.discordant)
    if differ < 6:
        return f"{differ} images differ; fewer than six cannot decide"
    detectable = test.minimum_detectable_effect
    more = f"; a true difference of {detectable:.3f} would be found" if detectable is not None else ""
    return f"{p_words(test.p)} or an interval that holds 0{more}"
