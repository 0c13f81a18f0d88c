"""The first model loses less than a margin against the second."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.claims.checks.metric_values import check_metric, metric_values
from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS, with_interval
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.clusters import group
from clipeval.core.noninferiority import non_inferiority_test
from clipeval.core.power import minimum_detectable_effect
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction, Evaluation


def non_inferior(metric: str = "hit_rate@1", direction: Direction = "i2t", *, margin: float = 0.02) -> Check:
    """Make a check of two evaluations: new, then old; the new one is not worse by more than a margin.

    Row "non-inferiority" of the contract: the interval is the test, so there is no p-value.

    Parameters
    ----------
    metric : str
        See `better_than`.
    direction : {"i2t", "t2i"}
    margin : float
        Largest acceptable loss, not negative.

    Returns
    -------
    Check

    Raises
    ------
    InvalidInputError
        An unknown metric; from the check: a negative margin, evaluations of different items.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> e = evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    >>> non_inferior()([e, e]).verdict.value
    'holds'
    """
    check_metric(metric)

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        new, old = evaluations
        after = metric_values(new.direction(direction), metric)
        before = metric_values(old.direction(direction), metric)
        clusters = new.cluster(direction)
        result = non_inferiority_test(
            after, before, clusters, margin=margin, identical_embeddings=same_embeddings(new, old)
        )
        interval = result.interval
        sums = group(clusters, len(after)).sums(after - before)
        shown = with_interval(result.difference, interval.low, interval.high, signed=True)
        return Finding(
            verdict=result.verdict,
            sentence=f"{metric} ({DIRECTIONS_IN_WORDS[direction]}): {new.model} minus {old.model} is "
            f"{shown}; a loss of up to {margin:g} is accepted ({interval.method})",
            effect=result.difference,
            low=interval.low,
            high=interval.high,
            accepted=(-margin, 1.0),
            n=len(sums),
            discordant=(int((sums > 1e-12).sum()), int((sums < -1e-12).sum())),
            minimum_detectable_effect=minimum_detectable_effect(after - before, clusters),
            worst=worst_items(new, direction, badness=before - after),
            reason=f"the interval holds -{margin:g}" if result.verdict is Verdict.UNDECIDED else "",
        )

    return WithoutP(check)
