"""Several prompts for each class name classify better than one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.paired import finding_of
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.zero_shot import check_templates, classify_with
from clipeval.claims.claim import Check, Finding
from clipeval.core.comparison import compare_paired
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Evaluation


def ensemble_beats_single(templates: Sequence[str], *, single: str = "a photo of a {}.") -> Check:
    """Make a check of one evaluation: an ensemble of prompts classifies its pictures better than one prompt.

    Classes are the dataset's categories, their names as they stand there; see `class_embeddings` for the
    ensemble. The same pictures are classified twice: rows "paired-binary" and "paired-clustered" of the
    contract, each picture its own cluster.

    Parameters
    ----------
    templates : sequence of str
        The ensemble, with ``{}`` for the class name.
    single : str
        The one prompt.

    Returns
    -------
    Check
        Row "paired-binary" of the contract; gives a p-value; ``not_run`` for frozen embeddings, which hold no
        encoder for prompts, for weights that are not here, and for datasets without two categories.

    Raises
    ------
    InvalidInputError
        A template without a place for the class name.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> frozen = evaluation_of_rows(
    ...     [[1, 0], [0, 1]], [[1, 0], [0, 1]], categories=["cat", "dog"], model="frozen:rows.npy"
    ... )
    >>> ensemble_beats_single(["a {}.", "the {}."])([frozen]).reason
    'frozen embeddings hold no encoder for other texts'
    """
    several = tuple(templates)
    check_templates(several)
    check_templates([single])

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        found = classify_with(evaluation, [several, [single]])
        if isinstance(found, str):
            return Finding(Verdict.NOT_RUN, f"{evaluation.model} cannot classify by prompts", reason=found)
        ensemble, one = found
        a, b = ensemble.ranks.hits(1), one.ranks.hits(1)
        test = compare_paired(
            a, b, ensemble.pictures, identical_embeddings=np.array_equal(ensemble.classes, one.classes)
        )
        return finding_of(
            test,
            what=f"accuracy of {evaluation.model} over {len(ensemble.names)} categories",
            names=(f"{len(several)} prompts ({a.mean():.3f})", f"'{single}' ({b.mean():.3f})"),
            worst=ensemble.worst(badness=b - a),
        )

    return check
