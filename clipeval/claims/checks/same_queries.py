"""Paired checks need the same queries in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation


def check_same_queries(evaluations: Sequence[Evaluation], *, expected: int) -> None:
    """Refuse evaluations that cannot be compared query by query.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        What a claim was given.
    expected : int
        How many the check compares.

    Raises
    ------
    InvalidInputError
        Another number of evaluations, or datasets with other items or captions.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> check_same_queries([evaluation_of_rows([[1, 0]], [[1, 0]])] * 2, expected=2)
    """
    if len(evaluations) != expected:
        raise InvalidInputError(f"the check compares {expected} evaluations, got {len(evaluations)}")
    first = evaluations[0].dataset
    for other in evaluations[1:]:
        if (other.dataset.caption_ids, other.dataset.captions) != (first.caption_ids, first.captions):
            raise InvalidInputError(
                f"'{other.model}' and '{evaluations[0].model}' were evaluated on different items",
                where=f"{other.dataset.name}, {first.name}",
                fix="evaluate both on the same dataset",
            )


def same_embeddings(a: Evaluation, b: Evaluation) -> bool:
    """Say whether two evaluations hold the same bytes, so that they are equal by identity.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> e = evaluation_of_rows([[1, 0]], [[1, 0]])
    >>> same_embeddings(e, e)
    True
    """
    return np.array_equal(a.images, b.images) and np.array_equal(a.texts, b.texts)
