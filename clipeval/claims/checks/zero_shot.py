"""Pictures of an evaluation, classified by their categories' names put into prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.claims.checks.other_texts import encode_other_texts
from clipeval.core.classification import class_embeddings, rank_classes
from clipeval.core.ranks import DirectionRanks
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation

BLANK = "{}"


@dataclass(frozen=True, eq=False)
class Classified:
    """Pictures classified with one set of prompts.

    Attributes
    ----------
    pictures : ndarray of int, shape (n,)
        Items that have a category; the others ask nothing.
    ids : tuple of str
        Their ids.
    names : tuple of str
        The classes: the dataset's categories.
    right : ndarray of int, shape (n,)
        The class of each picture.
    classes : ndarray of float32, shape (n_classes, d)
        One unit row for each class.
    ranks : DirectionRanks
        Of the right class of each picture, ties by the evaluation's rule.
    """

    pictures: NDArray[np.int64]
    ids: tuple[str, ...]
    names: tuple[str, ...]
    right: NDArray[np.int64]
    classes: NDArray[np.float32]
    ranks: DirectionRanks

    def worst(self, n: int = 5, *, badness: NDArray[np.float64] | None = None) -> tuple[str, ...]:
        """Describe the pictures that speak most against the prompts, the worst first."""
        ranks = self.ranks
        ahead = np.nan_to_num(ranks.rival_score - ranks.positive_score, nan=-np.inf)
        first = np.zeros(len(ahead)) if badness is None else badness
        return tuple(self._line(int(at)) for at in np.lexsort((-ahead, -ranks.rank, -first))[:n])

    def _line(self, at: int) -> str:
        ranks = self.ranks
        rival = f"'{self.names[int(ranks.best_rival[at])]}' ({ranks.rival_score[at]:.3f})"
        got = f"got it; next {rival}" if ranks.rank[at] <= 1 else f"got {rival}, rank {ranks.rank[at]:g}"
        expected = self.names[int(self.right[at])]
        return f"{self.ids[at]}: expected '{expected}' ({ranks.positive_score[at]:.3f}), {got}"


def check_templates(templates: Sequence[str]) -> None:
    """Refuse prompts that do not say where the class name goes.

    Raises
    ------
    InvalidInputError
        No template, or one in which ``{}`` does not stand exactly once.

    Examples
    --------
    >>> check_templates(["a photo of a {}."])
    """
    if isinstance(templates, str) or not templates:
        raise InvalidInputError("there are no prompts", fix="give a list such as ['a photo of a {}.']")
    for template in templates:
        if template.count(BLANK) != 1:
            raise InvalidInputError(
                f"the prompt '{template}' has no single place for the class name",
                fix="write {} once, as in 'a photo of a {}.'",
            )


def classify_with(evaluation: Evaluation, prompts: Sequence[Sequence[str]]) -> tuple[Classified, ...] | str:
    """Classify the pictures of an evaluation, once with each set of prompts.

    Parameters
    ----------
    evaluation : Evaluation
        Its image rows are used; class prompts are encoded anew by its model, all at once.
    prompts : sequence of sequence of str
        Sets of templates with ``{}`` for the class name.

    Returns
    -------
    tuple of Classified, or str
        One for each set; or the reason why the pictures cannot be classified.

    Raises
    ------
    InvalidInputError
        See `check_templates`.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> classify_with(evaluation_of_rows([[1, 0]], [[1, 0]]), [["a {}"]])
    'classifying needs at least two categories, the dataset has 0'
    """
    for templates in prompts:
        check_templates(templates)
    dataset = evaluation.dataset
    names = dataset.categories
    if len(names) < 2:
        return f"classifying needs at least two categories, the dataset has {len(names)}"
    number = {name: at for at, name in enumerate(names)}
    rows = encode_other_texts(
        evaluation, [t.replace(BLANK, name) for templates in prompts for name in names for t in templates]
    )
    if isinstance(rows, str):
        return rows
    of_items = [-1 if item.category is None else number[item.category] for item in dataset.items]
    pictures = np.flatnonzero(np.array(of_items) >= 0)
    right = np.array(of_items, dtype=np.int64)[pictures]
    found, start = [], 0
    for templates in prompts:
        stop = start + len(names) * len(templates)
        classes = class_embeddings(rows[start:stop], np.repeat(np.arange(len(names)), len(templates)))
        ranks = rank_classes(evaluation.images[pictures], classes, right, ties=evaluation.ranks.i2t.ties)
        ids = tuple(dataset.ids[picture] for picture in pictures)
        found.append(Classified(pictures, ids, names, right, classes, ranks))
        start = stop
    return tuple(found)
