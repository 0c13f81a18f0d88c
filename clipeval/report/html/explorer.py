"""What the scripts of a page need of a comparison: items, every query's record, and the matrices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.pair_scores import pair_scores
from clipeval.core.similarity import unit_rows
from clipeval.core.top_lists import TopLists
from clipeval.data.dataset import Dataset
from clipeval.evaluation import DIRECTIONS, Direction, Evaluation
from clipeval.report.figures.drawing_order import drawing_order
from clipeval.report.html.arrays import packed
from clipeval.report.html.matrix import block_shape, matrix_data
from clipeval.report.html.page import Section
from clipeval.report.html.page_part import Part, is_a_part, page_part
from clipeval.report.html.unlike import unlike
from clipeval.report.text import printable

Integers = NDArray[np.int64]


def best_model(models: Sequence[Evaluation]) -> int:
    """Find the model that finds most first, in both directions together."""
    return max(
        range(len(models)),
        key=lambda at: models[at].ranks.i2t.hit_rate(1) + models[at].ranks.t2i.hit_rate(1),
    )


def shown_images(data: Dataset, models: Sequence[Evaluation], *, first: int | None = None) -> Integers:
    """Say which items' pictures a page shows: all, or those of its part."""
    if not is_a_part(data):
        return np.arange(data.n_images)
    return page_part(data, models, first=best_model(models) if first is None else first).images


def explorer_data(
    data: Dataset,
    models: Sequence[tuple[str, Evaluation]],
    *,
    pictures: Sequence[str | None],
    first: int | None = None,
) -> dict[str, Any]:
    """Gather the data of the heat map and of the items.

    Parameters
    ----------
    data : Dataset
        Of any size: of a large one the page holds a part of the queries, and blocks of the matrix.
    models : sequence of (str, Evaluation)
        Names and evaluations on these data; at least one.
    pictures : sequence of str or None
        A small picture of each item, as a ``data:`` address.
    first : int, optional
        The model that stands first; by default the best.

    Returns
    -------
    dict
        Plain data for JSON. All texts are `printable`.
    """
    ran = [evaluation for _, evaluation in models]
    best = best_model(ran) if first is None else first
    part = page_part(data, ran, first=best)
    place = {category: at for at, category in enumerate(data.categories)}
    category = np.array([place.get(item.category or "", -1) for item in data.items])
    images, captions = _places(part.images, data.n_images), _places(part.captions, data.n_captions)
    ids = unlike(map(printable, data.ids))  # of all: what a page leaves out changes no address
    map_data, matrices = _map(data, ran, category, whole=not is_a_part(data))
    return {
        "ids": [ids[at] for at in part.images],
        "categories": [printable(name) for name in data.categories],
        "category": packed(category[part.images], "i4"),
        "captions": [printable(data.captions[at]) for at in part.captions],
        "imageOfCaption": packed(images[data.image_of_caption[part.captions]], "i4"),
        "pictures": [pictures[at] for at in part.images],
        "best": best,
        "map": map_data,
        "models": [
            {
                "name": printable(name),
                **_queries(evaluation, ran, part, lists, images, captions, category),
                "matrix": matrix,
            }
            for (name, evaluation), lists, matrix in zip(models, part.lists, matrices, strict=True)
        ],
    }


def _places(kept: Integers, length: int) -> Integers:
    """Give the place of each row among those that are kept; -1 where it is not."""
    places = np.full(length, -1, dtype=np.int64)
    places[kept] = np.arange(len(kept))
    return places


def _map(
    data: Dataset, models: Sequence[Evaluation], category: Integers, *, whole: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows, columns = drawing_order(data)
    block = block_shape(data.n_images, data.n_captions, models=len(models), single=whole)
    before = np.concatenate(
        [[0], np.cumsum(np.bincount(data.image_of_caption, minlength=data.n_images)[rows])]
    )
    starts = [next(group) for _, group in groupby(range(len(rows)), key=lambda row: category[rows[row]])]
    found = {
        # captions before each block of rows: the right pairs of a block follow from it
        "before": packed(np.append(before[:-1][:: block[0]], before[-1]), "i4"),
        "groups": [[int(category[rows[row]]), row, int(before[row])] for row in starts],
        "rows": packed(rows, "i4") if whole else None,
        "columns": packed(columns, "i4") if whole else None,
    }
    matrices = [matrix_data(model, rows, columns, block=block, models=len(models)) for model in models]
    return found, matrices


def explorer_sections(data: Dataset, names: Sequence[str], explored: dict[str, Any]) -> list[Section]:
    """Give the sections that show `explorer_data`.

    Parameters
    ----------
    data : Dataset
        What is shown.
    names : sequence of str
        Of the models, in order.
    explored : dict
        From `explorer_data`; the page keeps it under ``explorer``.

    Returns
    -------
    list of Section
    """
    most = explored["models"][0]["t2i"]["length"]
    values = {
        "data_id": "explorer",
        "models": list(names),
        "categories": data.categories,
        "n_images": data.n_images,
        "n_captions": data.n_captions,
        "part": is_a_part(data),
        "kept": {way: explored["models"][0][way]["kept"] for way in DIRECTIONS},
        "all": {way: explored["models"][0][way]["all"] for way in DIRECTIONS},
        "tops": [k for k in (3, 5, 10) if k <= most] or [most],
    }
    return [Section("map", "Similarity", "map", values), Section("items", "Items", "items", values)]


def _queries(
    evaluation: Evaluation,
    models: Sequence[Evaluation],
    part: Part,
    lists: Any,
    images: Integers,
    captions: Integers,
    category: Integers,
) -> dict[str, Any]:
    data = evaluation.dataset
    rows = data.image_of_caption
    units = unit_rows(evaluation.images), unit_rows(evaluation.texts)
    own = best_captions(pair_scores(*units, rows, np.arange(len(rows))), rows)
    found: dict[str, Any] = {}
    for way in DIRECTIONS:
        queries = evaluation.direction(way).queries[part.queries[way]]
        right = own[queries] if way == "i2t" else data.image_of_caption[queries]
        of_queries, of_candidates = (images, captions) if way == "i2t" else (captions, images)
        found[way] = {
            "queries": packed(of_queries[queries], "i4"),
            "right": packed(of_candidates[right], "i4"),
            **_records(evaluation, way, part.queries[way]),
            **_top(lists[way], of_candidates),
            "kept": len(queries),
            "all": evaluation.direction(way).n_queries,
            **({"found": _counts(evaluation, models, way, category)} if is_a_part(data) else {}),
        }
    return found


def best_captions(own: NDArray[np.float64], image_of_caption: Integers) -> Integers:
    """Find each picture's own caption with the highest score.

    Examples
    --------
    >>> best_captions(np.array([0.1, 0.3, 0.2]), np.array([0, 0, 1])).tolist()
    [1, 2]
    """
    order = np.lexsort((-own, image_of_caption))
    first = np.unique(image_of_caption[order], return_index=True)[1]
    return np.asarray(order[first], dtype=np.int64)


def _records(evaluation: Evaluation, way: Direction, queries: Integers) -> dict[str, Any]:
    ranks = evaluation.direction(way)
    return {
        "rank": packed(ranks.rank[queries], "f4"),
        "hit": packed(ranks.hits(1)[queries], "f4"),
        "score": packed(ranks.positive_score[queries], "f4"),
        "rival": packed(np.minimum(ranks.best_rival[queries], 0), "i4"),
        "rivalScore": packed(np.nan_to_num(ranks.rival_score[queries], nan=-2.0), "f4"),
    }


def _top(lists: TopLists, places: Integers) -> dict[str, Any]:
    return {
        "length": lists.candidates.shape[1],
        "top": packed(places[lists.candidates], "i4"),
        "topScore": packed(lists.scores, "f4"),
    }


def _counts(
    evaluation: Evaluation, models: Sequence[Evaluation], way: Direction, category: Integers
) -> dict[str, Any]:
    """Count what each filter finds in all data, category by category; last, what has none."""
    hits = evaluation.direction(way).hits(1)
    others = [model.direction(way).hits(1) for model in models]
    kinds = len(evaluation.dataset.categories) + 1
    of_query = category[evaluation.image_of_query(way)] % kinds

    def counted(wanted: NDArray[np.bool_]) -> dict[str, str]:
        return packed(np.bincount(of_query[wanted], minlength=kinds), "i4")

    return {
        "all": counted(np.ones(len(hits), dtype=bool)),
        "hit": counted(hits >= 1),
        "tied": counted((hits > 0) & (hits < 1)),
        "missed": counted(hits <= 0),
        "lost": [counted(other < hits) for other in others],
        "gained": [counted(other > hits) for other in others],
    }
