"""What the scripts of a page need of a comparison: items, every query's record, and the matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.ranking import rank_retrieval
from clipeval.core.ranks import DirectionRanks
from clipeval.core.top_lists import TopLists
from clipeval.data.dataset import Dataset
from clipeval.evaluation import Evaluation
from clipeval.report.figures.drawing_order import drawing_order
from clipeval.report.html.arrays import packed
from clipeval.report.html.matrix import matrix_data
from clipeval.report.html.page import Section
from clipeval.report.text import printable

TOP = 10
"""Candidates kept for each query."""

MOST_IMAGES = 2_000
MOST_CAPTIONS = 12_000
"""Above either, a page holds no items and no heat map: it would be too large to open."""


def too_large_to_explore(dataset: Dataset) -> bool:
    """Say whether a dataset has more items than a page can hold."""
    return dataset.n_images > MOST_IMAGES or dataset.n_captions > MOST_CAPTIONS


def explorer_data(
    data: Dataset, models: Sequence[tuple[str, Evaluation]], *, pictures: Sequence[str | None]
) -> dict[str, Any]:
    """Gather the data of the heat map and of the items.

    Parameters
    ----------
    data : Dataset
        Not `too_large_to_explore`.
    models : sequence of (str, Evaluation)
        Names and evaluations on these data; at least one.
    pictures : sequence of str or None
        A small picture of each item, as a ``data:`` address.

    Returns
    -------
    dict
        Plain data for JSON. All texts are `printable`.
    """
    ran = [evaluation for _, evaluation in models]
    rows, columns = drawing_order(data)
    place = {category: at for at, category in enumerate(data.categories)}
    return {
        "ids": [printable(name) for name in data.ids],
        "categories": [printable(name) for name in data.categories],
        "category": packed([place.get(item.category or "", -1) for item in data.items], "i4"),
        "captions": [printable(caption) for caption in data.captions],
        "imageOfCaption": packed(data.image_of_caption, "i4"),
        "pictures": list(pictures),
        "best": max(range(len(ran)), key=lambda at: _found_first(ran[at])),
        "rows": packed(rows, "i4"),
        "columns": packed(columns, "i4"),
        "models": [
            {
                "name": printable(name),
                **_queries(evaluation, scores),
                "matrix": matrix_data(scores[rows][:, columns], models=len(ran)),
            }
            for name, evaluation, scores in (
                (name, evaluation, evaluation.similarity()) for name, evaluation in models
            )
        ],
    }


def _found_first(evaluation: Evaluation) -> float:
    return evaluation.ranks.i2t.hit_rate(1) + evaluation.ranks.t2i.hit_rate(1)


def explorer_sections(data: Dataset, names: Sequence[str], *, data_id: str = "explorer") -> list[Section]:
    """Give the sections that show `explorer_data`.

    Parameters
    ----------
    data : Dataset
        What is shown.
    names : sequence of str
        Of the models, in order.
    data_id : str
        Under which the page keeps the data.

    Returns
    -------
    list of Section
    """
    most = min(TOP, data.n_images, data.n_captions)
    values = {
        "data_id": data_id,
        "models": list(names),
        "categories": data.categories,
        "n_images": data.n_images,
        "n_captions": data.n_captions,
        "tops": [k for k in (3, 5, TOP) if k <= most] or [most],
    }
    return [Section("map", "Similarity", "map", values), Section("items", "Items", "items", values)]


def _queries(evaluation: Evaluation, scores: NDArray[np.float64]) -> dict[str, Any]:
    data = evaluation.dataset
    length = min(TOP, data.n_images, data.n_captions)
    found = rank_retrieval(
        evaluation.images, evaluation.texts, data.image_of_caption, top=length, rivals=False
    )
    ranks = evaluation.ranks
    own = best_captions(scores, data.image_of_caption)
    return {
        "i2t": _of_direction(ranks.i2t, found.i2t.top, own[ranks.i2t.queries]),
        "t2i": _of_direction(ranks.t2i, found.t2i.top, data.image_of_caption[ranks.t2i.queries]),
    }


def best_captions(scores: NDArray[np.float64], image_of_caption: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find each picture's own caption with the highest score.

    Examples
    --------
    >>> best_captions(np.array([[0.1, 0.3, 0.9], [0.0, 0.5, 0.2]]), np.array([0, 0, 1])).tolist()
    [1, 2]
    """
    own = scores[image_of_caption, np.arange(len(image_of_caption))]
    order = np.lexsort((-own, image_of_caption))
    first = np.unique(image_of_caption[order], return_index=True)[1]
    return np.asarray(order[first], dtype=np.int64)


def _of_direction(ranks: DirectionRanks, top: TopLists | None, right: NDArray[np.int64]) -> dict[str, Any]:
    if top is None:
        raise AssertionError("lists were asked for")
    return {
        "queries": packed(ranks.queries, "i4"),
        "rank": packed(ranks.rank, "f4"),
        "hit": packed(ranks.hits(1), "f4"),
        "score": packed(ranks.positive_score, "f4"),
        "rival": packed(ranks.best_rival, "i4"),
        "rivalScore": packed(np.nan_to_num(ranks.rival_score, nan=-2.0), "f4"),
        "right": packed(right, "i4"),
        "length": top.candidates.shape[1],
        "top": packed(top.candidates, "i4"),
        "topScore": packed(top.scores, "f4"),
    }
