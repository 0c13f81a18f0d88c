"""Right pairs lie closer together than wrong ones, and more so in one space than in another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.paired import finding_of
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.comparison import compare_paired
from clipeval.core.similarity import unit_rows
from clipeval.core.ties import Floats
from clipeval.evaluation import Evaluation


def closer_pairs() -> Check:
    """Make a check of two evaluations: the first space has its right pairs closer than its wrong ones.

    Alignment of Wang & Isola 2020 (arXiv 2005.10242), ``‖x - y‖²`` of unit rows, falls to 0 where an encoder
    maps everything to one point. Each right pair is therefore compared with the wrong pairs of its caption:
    mean ``‖x' - y‖²`` over the other images minus ``‖x - y‖²``, which is 0 for such an encoder, mapped from
    [-4, 4] to [0, 1].

    Returns
    -------
    Check
        Row "paired-clustered" of the contract; gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(20)
    >>> near, far = evaluation_of_rows(rows, rows), evaluation_of_rows(rows, np.roll(rows, 1, axis=0))
    >>> closer_pairs()([near, far]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        a, b = _closeness(first), _closeness(second)
        test = compare_paired(a, b, first.cluster("t2i"), identical_embeddings=same_embeddings(first, second))
        return finding_of(
            test,
            what=f"closeness of right pairs next to wrong ones (nearer by {8 * a.mean() - 4:.3f} and "
            f"{8 * b.mean() - 4:.3f})",
            names=(first.model, second.model),
            worst=worst_items(first, "t2i", badness=b - a),
        )

    return check


def _closeness(evaluation: Evaluation) -> Floats:
    images = unit_rows(evaluation.images).astype(np.float64)
    texts = unit_rows(evaluation.texts).astype(np.float64)
    right = np.einsum("nd,nd->n", images[evaluation.dataset.image_of_caption], texts)
    # ‖x' - y‖² - ‖x - y‖² of unit rows is 2 (cos(x, y) - cos(x', y))
    wrong = (texts @ images.sum(axis=0) - right) / max(len(images) - 1, 1)
    return np.asarray(np.clip((2.0 + right - wrong) / 4, 0.0, 1.0), dtype=np.float64)
