"""A number of an evaluation is the published one, on the published data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation


def as_published(
    measure: Callable[[Evaluation], float | str], *, words: str, low: float, high: float, tolerance: float
) -> Check:
    """Make a check of one evaluation: a number lies where it was published, give or take a tolerance.

    For the very data of the publication, on which sampling plays no part: ``Claim.requires`` says which.

    Parameters
    ----------
    measure : callable
        Gives the number, or the reason why there is none.
    words : str
        What it is called.
    low, high : float
        Published; equal unless it was a range.
    tolerance : float
        Not negative.

    Returns
    -------
    Check
        Row "equivalence" of the contract, on the published items: ``holds``, ``refuted`` or ``not_run``; no
        p-value.

    Raises
    ------
    InvalidInputError
        A range or tolerance that holds nothing.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> one = evaluation_of_rows([[1, 0]], [[1, 0]])
    >>> as_published(lambda _: 0.31, words="mean", low=0.3, high=0.3, tolerance=0.02)([one]).verdict.value
    'holds'
    """
    if not low <= high or not tolerance >= 0:
        raise InvalidInputError(f"nothing lies within {low} to {high} ± {tolerance}")

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        value = measure(evaluation)
        if isinstance(value, str):
            return Finding(Verdict.NOT_RUN, f"{words} is not defined here", reason=value)
        near = low - tolerance - 1e-12 <= value <= high + tolerance + 1e-12
        published = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        return Finding(
            Verdict.HOLDS if near else Verdict.REFUTED,
            f"{words} of {evaluation.model} is {value:.4g}, published {published} ± {tolerance:g}",
            effect=value,
            n=evaluation.dataset.n_images,
        )

    return WithoutP(check)
