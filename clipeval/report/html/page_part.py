"""Which queries a page holds of data too large for it: those that models disagree on, and the worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.core.ranking import rank_retrieval
from clipeval.core.top_lists import TopLists
from clipeval.data.dataset import Dataset
from clipeval.evaluation import DIRECTIONS, Direction, Evaluation

MOST_IMAGES, MOST_CAPTIONS = 2_000, 12_000
"""Above either a page holds a part of the items: with all it would be too large to open."""

TOP = 10
"""Candidates kept for each query of a whole set; of a part, `TOP_OF_A_PART`."""

TOP_OF_A_PART = 5
QUERIES = 300
"""Of a part, in each direction, if their pictures are no more than `MOST_IMAGES`."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """What a page holds.

    Attributes
    ----------
    images, captions : ndarray of int
        Rows of the dataset, ascending.
    queries : mapping of str to ndarray of int
        By direction, places among the ranked queries, ascending.
    lists : sequence of mapping
        Of each model, by direction, the best candidates of these queries.
    """

    images: Integers
    captions: Integers
    queries: Mapping[Direction, Integers]
    lists: Sequence[Mapping[Direction, TopLists]]


def is_a_part(data: Dataset) -> bool:
    """Say whether a page cannot hold all items of a dataset."""
    return data.n_images > MOST_IMAGES or data.n_captions > MOST_CAPTIONS


def page_part(data: Dataset, models: Sequence[Evaluation], *, first: int) -> Part:
    """Choose what a page holds.

    Parameters
    ----------
    data : Dataset
        Of any size.
    models : sequence of Evaluation
        On these data; at least one.
    first : int
        The model that the others are compared with: what they win and lose against it comes first.

    Returns
    -------
    Part
        All there is, unless `is_a_part`.
    """
    ranks = {way: models[first].direction(way) for way in DIRECTIONS}
    if not is_a_part(data):
        every = {way: np.arange(one.n_queries) for way, one in ranks.items()}
        lists = [_all_lists(data, one) for one in models]
        return Part(np.arange(data.n_images), np.arange(data.n_captions), every, lists)
    wanted = {way: _wanted(models, first, way) for way in DIRECTIONS}
    lists = [{way: _lists(data, one, way, wanted[way]) for way in DIRECTIONS} for one in models]
    fit = _fitting(data, ranks["t2i"].queries[wanted["t2i"]], [one["t2i"] for one in lists])
    i2t = ranks["i2t"].queries[wanted["i2t"]]
    images = np.unique(np.concatenate([fit.images, i2t]))
    t2i = ranks["t2i"].queries[wanted["t2i"][: fit.length]]
    first_captions = np.unique(data.image_of_caption, return_index=True)[1]
    listed = [one["i2t"].candidates.ravel() for one in lists]
    own = np.flatnonzero(np.isin(data.image_of_caption, i2t))  # the best right one is among them
    captions = np.unique(np.concatenate([t2i, first_captions[images], own, *listed]))
    kept = {"i2t": wanted["i2t"], "t2i": wanted["t2i"][: fit.length]}
    order = {way: np.argsort(kept[way]) for way in DIRECTIONS}
    return Part(
        images,
        captions,
        {way: kept[way][order[way]] for way in DIRECTIONS},
        [{way: _select(one[way], order[way]) for way in DIRECTIONS} for one in lists],
    )


def _select(lists: TopLists, rows: Integers) -> TopLists:
    return TopLists(lists.candidates[rows], lists.scores[rows])


def _all_lists(data: Dataset, model: Evaluation) -> dict[Direction, TopLists]:
    length = min(TOP, data.n_images, data.n_captions)
    found = rank_retrieval(model.images, model.texts, data.image_of_caption, top=length, rivals=False)
    return {way: _there(getattr(found, way).top) for way in DIRECTIONS}


def _lists(data: Dataset, model: Evaluation, way: Direction, queries: Integers) -> TopLists:
    """Rank the candidates of some queries, by the rule by which all ranks are counted."""
    asked = model.direction(way).queries[queries]
    rows, candidates = (model.images, model.texts) if way == "i2t" else (model.texts, model.images)
    length = min(TOP_OF_A_PART, len(candidates))
    # lists are as long as the smaller side allows: of very few queries some are asked twice
    some = rows[np.resize(asked, max(len(asked), length))]
    found = rank_retrieval(candidates, some, np.zeros(len(some), dtype=np.int64), top=length, rivals=False)
    return _select(_there(found.t2i.top), np.arange(len(asked)))


def _there(lists: TopLists | None) -> TopLists:
    if lists is None:
        raise AssertionError("lists were asked for")
    return lists


def _wanted(models: Sequence[Evaluation], first: int, way: Direction) -> Integers:
    """Take in turns from all orders, so that none crowds out the others."""
    orders = list(_orders([model for at, model in enumerate(models) if at != first], models[first], way))
    found: dict[int, None] = {}
    for place in range(max(map(len, orders), default=0)):
        found |= dict.fromkeys(int(order[place]) for order in orders if place < len(order))
        if len(found) >= QUERIES:
            break
    return np.array(list(found)[:QUERIES], dtype=np.int64)


def _orders(others: Sequence[Evaluation], best: Evaluation, way: Direction) -> Iterator[Integers]:
    mine = best.direction(way)
    for other in others:
        theirs = other.direction(way)
        change = np.abs(mine.rank - theirs.rank)
        for turned in (theirs.hits(1) < mine.hits(1), theirs.hits(1) > mine.hits(1)):
            places = np.flatnonzero(turned)
            yield places[np.argsort(-change[places], kind="stable")]
    for model in (best, *others):
        ranks = model.direction(way)
        yield np.argsort(np.where(ranks.best_rival < 0, np.inf, ranks.positive_score - ranks.rival_score))


@dataclass(frozen=True, eq=False)
class _Fit:
    length: int
    images: Integers


def _fitting(data: Dataset, captions: Integers, lists: Sequence[TopLists]) -> _Fit:
    """Find how many of these queries' pictures fit; `QUERIES` pictures are left for the other direction."""
    images: set[int] = set()
    for at, caption in enumerate(captions.tolist()):
        more = {int(data.image_of_caption[caption])}.union(*(one.candidates[at].tolist() for one in lists))
        if len(images | more) > MOST_IMAGES - QUERIES:
            return _Fit(at, np.array(sorted(images), dtype=np.int64))
        images |= more
    return _Fit(len(captions), np.array(sorted(images), dtype=np.int64))
