"""Several models stand in a stated order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from clipeval.claims.checks.better_than import compare_on
from clipeval.claims.checks.intersection import all_hold
from clipeval.claims.checks.metric_values import check_metric, metric_values
from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS, with_interval
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Direction, Evaluation


def ordering(metric: str = "hit_rate@1", direction: Direction = "i2t") -> Check:
    """Make a check of several evaluations, best first: each is better than the next.

    An intersection-union test over adjacent pairs (`all_hold`): it holds only where every pair does.

    Parameters
    ----------
    metric : str
        See `better_than`.
    direction : {"i2t", "t2i"}

    Returns
    -------
    Check
        Rows "paired-binary" and "paired-clustered" of the contract; gives a p-value. Its effect and
        interval are those of the closest pair.

    Raises
    ------
    InvalidInputError
        An unknown metric; from the check: fewer than two evaluations, or different items.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(24)
    >>> half = np.concatenate([rows[:12], np.roll(rows[12:], 1, axis=0)])
    >>> models = [evaluation_of_rows(rows, texts) for texts in (rows, half, np.roll(rows, 1, axis=0))]
    >>> ordering()(models).verdict.value, ordering()(models[::-1]).verdict.value
    ('holds', 'refuted')
    """
    check_metric(metric)

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        if len(evaluations) < 2:
            raise InvalidInputError("an ordering needs at least two models")
        check_same_queries(evaluations, expected=len(evaluations))
        adjacent = list(pairwise(evaluations))
        tests = [compare_on(first, second, metric, direction) for first, second in adjacent]
        verdict, p = all_hold(tests)
        closest = min(range(len(tests)), key=lambda at: tests[at].difference)
        first, second = adjacent[closest]
        test = tests[closest]
        rates = [metric_values(e.direction(direction), metric).mean() for e in evaluations]
        order = " > ".join(f"{e.model} {rate:.3f}" for e, rate in zip(evaluations, rates, strict=True))
        shown = with_interval(test.difference, test.interval.low, test.interval.high, signed=True)
        loss = metric_values(second.direction(direction), metric) - metric_values(
            first.direction(direction), metric
        )
        return Finding(
            verdict=verdict,
            sentence=f"{metric} ({DIRECTIONS_IN_WORDS[direction]}), claimed order {order}; "
            f"closest step {first.model} minus {second.model} {shown}",
            p=p,
            effect=test.difference,
            low=test.interval.low,
            high=test.interval.high,
            n=test.n_clusters,
            discordant=test.discordant,
            minimum_detectable_effect=test.minimum_detectable_effect,
            worst=worst_items(first, direction, badness=loss),
            reason=f"{sum(t.verdict is Verdict.HOLDS for t in tests)} of {len(tests)} steps are shown"
            if verdict is Verdict.UNDECIDED
            else "",
        )

    return check
