"""Zero-shot classification reproduces a published accuracy on the published pictures."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.claims.checks.phrases import with_interval
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.zero_shot import check_templates, classify_with
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation


def accuracy_as_published(templates: Sequence[str], *, published: float, tolerance: float) -> Check:
    """Make a check of one evaluation: its zero-shot accuracy is the published one, give or take a tolerance.

    The evaluation must be of the publication's pictures, with its class names as categories (ask for that in
    `Claim.requires`): sampling then plays no part, and the figure itself is compared. Accuracy is the share
    of pictures whose own class comes first, ties by the evaluation's rule.

    Parameters
    ----------
    templates : sequence of str
        The publication's prompts, with ``{}`` for the class name.
    published : float
        The figure, in [0, 1].
    tolerance : float
        Positive.

    Returns
    -------
    Check
        Row "equivalence" of the contract: ``holds``, ``refuted`` or ``not_run``; no p-value. The
        interval says how far the accuracy could be from it on other pictures.

    Raises
    ------
    InvalidInputError
        A template without a place for the class name, a figure outside [0, 1], a tolerance that is not
        positive.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> check = accuracy_as_published(["a photo of a {}."], published=0.9, tolerance=0.01)
    >>> check([evaluation_of_rows([[1, 0]], [[1, 0]])]).reason
    'classifying needs at least two categories, the dataset has 0'
    """
    prompts = tuple(templates)
    check_templates(prompts)
    if not 0.0 <= published <= 1.0 or not tolerance > 0.0:
        raise InvalidInputError(
            f"cannot compare with {published!r} ± {tolerance!r}", fix="figures between 0 and 1, not percent"
        )

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        found = classify_with(evaluation, [prompts])
        if isinstance(found, str):
            return Finding(Verdict.NOT_RUN, f"{evaluation.model} cannot classify by prompts", reason=found)
        (classified,) = found
        test = rate_in_region(classified.ranks.hits(1), classified.pictures)
        low, high = test.interval.low, test.interval.high
        near = abs(test.rate - published) <= tolerance + 1e-12
        return Finding(
            verdict=Verdict.HOLDS if near else Verdict.REFUTED,
            sentence=f"accuracy of {evaluation.model} over {len(classified.names)} categories is "
            f"{with_interval(test.rate, low, high)}, published {published:.4f} ± {tolerance:g}",
            effect=test.rate - published,
            low=low - published,
            high=high - published,
            accepted=(-tolerance, tolerance),
            n=test.n_clusters,
            worst=classified.worst(),
        )

    return WithoutP(check)
