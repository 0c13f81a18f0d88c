"""What is kept of one evaluation, so that a later one can be compared with it, query by query.

Everything is in one canonical order, whatever the dataset's own: items by id, the captions of an item by
their text. Two evaluations of the same data in another order therefore give the same snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval._version import __version__
from clipeval.core.ranking import rank_retrieval
from clipeval.core.ranks import DirectionRanks
from clipeval.core.ties import Floats, expected_reciprocal, miss_probability
from clipeval.data.content import connected_units, item_hashes
from clipeval.encoders.base import Rows
from clipeval.evaluation import Direction, Evaluation


@dataclass(frozen=True)
class ItemRecord:
    """One item of the data: enough to say later whether it is still the same.

    Attributes
    ----------
    id : str
        Of the item.
    picture : str
        SHA-256 of the encoded picture (`clipeval.data.content.picture_hash`).
    captions : tuple of str
        Sorted.
    category : str or None
        If it has one.
    """

    id: str
    picture: str
    captions: tuple[str, ...]
    category: str | None = None


@dataclass(frozen=True)
class QueryResult:
    """What one query got. Any hit rate under any tie rule follows from the three counts.

    Attributes
    ----------
    item : str
        Id of the query's item.
    caption : int or None
        Its place among the item's sorted captions (t2i); None where the picture is the query (i2t).
    better : int
        Wrong candidates that score higher than the best right answer (G).
    tied : int
        Wrong candidates that score the same (e).
    positives_tied : int
        Right answers that share the best score (w, at least 1).
    score : float
        Of the best right answer.
    rival : tuple of (str, int or None), or None
        The best wrong candidate, as item and caption like those of the query.
    rival_score : float or None
        Its similarity.
    """

    item: str
    caption: int | None
    better: int
    tied: int
    positives_tied: int
    score: float
    rival: tuple[str, int | None] | None = None
    rival_score: float | None = None


@dataclass(frozen=True)
class DirectionSnapshot:
    """The queries of one direction, in canonical order.

    Attributes
    ----------
    n_candidates : int
        Among which every query searched.
    queries : tuple of QueryResult
        Ranked queries only.
    """

    n_candidates: int
    queries: tuple[QueryResult, ...]

    def _counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        counts = np.array([(q.better, q.tied, q.positives_tied) for q in self.queries], dtype=np.int64)
        better, tied, positives = counts.reshape(-1, 3).T
        return better, tied, positives

    def hits(self, k: int) -> Floats:
        """Give the expected hit of each query in its top k, between 0 and 1, shape ``(q,)``."""
        better, tied, positives = self._counts()
        return 1.0 - miss_probability(k, better, tied, positives)

    def reciprocal(self) -> Floats:
        """Give the expected 1 / rank of each query, shape ``(q,)``."""
        return expected_reciprocal(*self._counts())

    def ranks(self) -> Floats:
        """Give the expected rank of each query, shape ``(q,)``."""
        better, tied, positives = self._counts()
        return np.asarray(1 + better + tied / (positives + 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One evaluation, kept.

    Attributes
    ----------
    model : str
        The model spec.
    data : str
        Where the data were, as the user named them.
    fingerprint : mapping of str to str
        `clipeval.baseline.fingerprint.full_fingerprint`.
    items : tuple of ItemRecord
        By id.
    i2t, t2i : DirectionSnapshot
        Both directions, in canonical order.
    images_sha256, texts_sha256 : str
        Of the float32 rows in canonical order: equal hashes are equal embeddings.
    images : ndarray of float32, shape (n_images, d), or None
        The rows in canonical order, where they are kept.
    texts : ndarray of float32, shape (n_captions, d), or None
        Likewise.
    precomputed : bool
        The rows were shipped with clipeval, not computed.
    clipeval : str
        Version that made the snapshot.
    notes : tuple of str
        What a reader must know besides (what probes warned of, rows that are not there); not kept in a file.
    """

    model: str
    data: str
    fingerprint: Mapping[str, str]
    items: tuple[ItemRecord, ...]
    i2t: DirectionSnapshot
    t2i: DirectionSnapshot
    images_sha256: str
    texts_sha256: str
    images: Rows | None = None
    texts: Rows | None = None
    precomputed: bool = False
    clipeval: str = __version__
    notes: tuple[str, ...] = ()

    def direction(self, direction: Direction) -> DirectionSnapshot:
        """Give the queries of ``i2t`` or ``t2i``."""
        found: DirectionSnapshot = getattr(self, direction)
        return found

    def rows_of(self, direction: Direction) -> NDArray[np.int64]:
        """Give the place, in ``items``, of each query's item, shape ``(q,)``."""
        place = {item.id: row for row, item in enumerate(self.items)}
        return np.array([place[query.item] for query in self.direction(direction).queries], dtype=np.int64)

    def clusters(self, direction: Direction) -> NDArray[np.int64]:
        """Give the independent unit of each query, which every interval and test resamples whole."""
        found: NDArray[np.int64] = self._units[self.rows_of(direction)]
        return found

    @cached_property
    def _units(self) -> NDArray[np.int64]:
        return connected_units([item.picture for item in self.items], [item.captions for item in self.items])

    @property
    def caption_texts(self) -> tuple[str, ...]:
        """All captions in canonical order, one for each row of ``texts``."""
        return tuple(caption for item in self.items for caption in item.captions)


def take_snapshot(evaluation: Evaluation, *, fingerprint: Mapping[str, str], data: str) -> Snapshot:
    """Keep an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Its rows are ranked again in canonical order.
    fingerprint : mapping of str to str
        Of the encoder, whole.
    data : str
        Where the data were, as the user named them.

    Returns
    -------
    Snapshot
        With its embeddings.

    Raises
    ------
    PictureError
        A picture cannot be read any more.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> kept = take_snapshot(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]), fingerprint={}, data="")
    >>> kept.t2i.hits(1).tolist(), kept.t2i.queries[0].rival_score
    ([1.0, 1.0], 0.0)
    """
    dataset = evaluation.dataset
    order = sorted(range(dataset.n_images), key=lambda row: dataset.ids[row])
    first = np.concatenate([[0], np.cumsum([len(item.captions) for item in dataset.items])])
    caption_rows: list[int] = []  # of the dataset, in canonical order
    pictures: list[tuple[str, int | None]] = [(dataset.ids[row], None) for row in order]
    captions: list[tuple[str, int | None]] = []
    for row in order:
        item = dataset.items[row]
        by_text = sorted(range(len(item.captions)), key=lambda at: item.captions[at])
        caption_rows.extend(int(first[row]) + at for at in by_text)
        captions.extend((item.id, number) for number in range(len(by_text)))
    hashes = item_hashes(dataset)
    images = np.ascontiguousarray(evaluation.images[order], dtype=np.float32)
    texts = np.ascontiguousarray(evaluation.texts[caption_rows], dtype=np.float32)
    owner = np.repeat(np.arange(len(order)), [len(dataset.items[row].captions) for row in order])
    # ranked again, since of rivals with equal scores (equal captions) the first one is named
    ranks = rank_retrieval(images, texts, owner)
    return Snapshot(
        model=evaluation.model,
        data=data,
        fingerprint=dict(sorted(fingerprint.items())),
        items=tuple(
            ItemRecord(
                dataset.ids[row],
                hashes[row],
                tuple(sorted(dataset.items[row].captions)),
                dataset.items[row].category,
            )
            for row in order
        ),
        i2t=_direction(ranks.i2t, pictures, captions),
        t2i=_direction(ranks.t2i, captions, pictures),
        images_sha256=rows_sha256(images),
        texts_sha256=rows_sha256(texts),
        images=images,
        texts=texts,
        precomputed=evaluation.precomputed,
    )


def rows_sha256(rows: NDArray[np.floating[Any]]) -> str:
    """Hash embeddings: their shape, and their values as little-endian float32.

    Examples
    --------
    >>> import numpy as np
    >>> rows_sha256(np.zeros((1, 2))) == rows_sha256(np.zeros((2, 1)))
    False
    """
    values = np.ascontiguousarray(rows, dtype="<f4")
    return hashlib.sha256(f"{values.shape[0]} x {values.shape[1]}\n".encode() + values.tobytes()).hexdigest()


def _direction(
    ranks: DirectionRanks,
    queries: Sequence[tuple[str, int | None]],
    candidates: Sequence[tuple[str, int | None]],
) -> DirectionSnapshot:
    better, tied, positives_tied = ranks.better, ranks.tied, ranks.positives_tied
    found: list[QueryResult] = []
    for at, row in enumerate(ranks.queries.tolist()):
        item, caption = queries[row]
        rival = int(ranks.best_rival[at])
        found.append(
            QueryResult(
                item=item,
                caption=caption,
                better=int(better[at]),
                tied=int(tied[at]),
                positives_tied=int(positives_tied[at]),
                score=float(ranks.positive_score[at]),
                rival=candidates[rival] if rival >= 0 else None,
                rival_score=float(ranks.rival_score[at]) if rival >= 0 else None,
            )
        )
    return DirectionSnapshot(ranks.n_candidates, tuple(found))
