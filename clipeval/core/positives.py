"""Which candidates are right answers to which query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.errors import InvalidInputError

Integers: TypeAlias = NDArray[np.int64]
PositivesLike: TypeAlias = ArrayLike | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Positives:
    """For every query the candidates that answer it, in compressed rows.

    Query q owns ``candidates[offsets[q]:offsets[q + 1]]``; an empty slice declares a query without a right
    answer, which is not ranked but whose item stays a candidate.
    """

    offsets: Integers
    candidates: Integers
    n_candidates: int

    @property
    def n_queries(self) -> int:
        """Number of queries, those without positives included."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> Integers:
        """Positives of each query, shape ``(n_queries,)``."""
        return np.diff(self.offsets)

    @property
    def query_of_pair(self) -> Integers:
        """Query of each entry of ``candidates``."""
        return np.repeat(np.arange(self.n_queries), self.counts)

    def inverted(self) -> Positives:
        """Look at the same pairs from the other side."""
        order = np.argsort(self.candidates, kind="stable")
        counts = np.bincount(self.candidates, minlength=self.n_candidates)
        return Positives(_offsets(counts), self.query_of_pair[order], self.n_queries)


def _offsets(counts: ArrayLike) -> Integers:
    return np.concatenate([[0], np.cumsum(np.asarray(counts, dtype=np.int64))]).astype(np.int64)


def parse_positives(values: PositivesLike, *, n_queries: int, n_candidates: int, name: str) -> Positives:
    """Read an integer vector (one positive for each query) or a list of lists (any number).

    Parameters
    ----------
    values : array-like of int, shape (n_queries,), or sequence of sequences of int
        Candidate indices, counted from 0.
    n_queries, n_candidates : int
        The sizes they must fit.
    name : str
        What an error calls the argument.

    Returns
    -------
    Positives

    Raises
    ------
    InvalidInputError
        Wrong length, not integers, out of range, or the same candidate named twice for one query; the row
        is named.

    Examples
    --------
    >>> parse_positives([[0, 2], []], n_queries=2, n_candidates=3, name="demo").counts.tolist()
    [2, 0]
    """
    rows: list[Integers] = []
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        flat, counts = values.astype(np.int64), np.ones(len(values), dtype=np.int64)
    else:
        if isinstance(values, np.ndarray) and (values.ndim != 1 or values.dtype.kind == "f"):
            raise InvalidInputError(
                f"{name} must be an integer vector or a list of lists, got {values.dtype} {values.shape}"
            )
        if isinstance(values, Mapping | Set):
            # listing a dict would take its keys for positives without a word; a set has no order of rows
            raise InvalidInputError(
                f"{name} must be an integer vector or a list of lists, got a {type(values).__name__}",
                fix="give one entry for each row, in the order of the rows",
            )
        try:
            listed = list(values)  # type: ignore[arg-type]
        except TypeError:
            raise InvalidInputError(f"{name} must be an integer vector or a list of lists") from None
        for row, value in enumerate(listed):
            try:
                entry = np.atleast_1d(np.asarray(value))
            except ValueError:  # ragged
                entry = np.empty((0, 0))
            if entry.ndim != 1 or (entry.size and entry.dtype.kind not in "iu"):
                raise InvalidInputError(f"{name} must hold integers, got {value!r}", where=f"row {row}")
            if len(entry) > 1 and len(np.unique(entry)) != len(entry):
                raise InvalidInputError(f"{name} names a candidate twice: {value!r}", where=f"row {row}")
            rows.append(entry.astype(np.int64))
        counts = np.array([len(entry) for entry in rows], dtype=np.int64)
        flat = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    if len(counts) != n_queries:
        raise InvalidInputError(
            f"{name} has {len(counts)} rows for {n_queries} embeddings",
            fix="give one entry for each row, in the same order",
        )
    wrong = np.flatnonzero((flat < 0) | (flat >= n_candidates))
    if wrong.size:
        row = int(np.searchsorted(np.cumsum(counts), wrong[0], side="right"))
        raise InvalidInputError(
            f"{name} points to {int(flat[wrong[0]])}, but there are {n_candidates} candidates",
            where=f"row {row}",
            fix="count from 0; an empty list declares a query without a right answer",
        )
    return Positives(_offsets(counts), flat, n_candidates)


def both_directions(
    image_of_caption: PositivesLike | None,
    captions_of_image: PositivesLike | None,
    *,
    n_images: int,
    n_captions: int,
) -> tuple[Positives, Positives]:
    """Positives of both directions, the second derived from the first unless it is given.

    Parameters
    ----------
    image_of_caption : see `parse_positives`, or None
        The images that each caption describes; None takes the reverse of `captions_of_image`, or, where
        that is None too, pairs row i with row i.
    captions_of_image : see `parse_positives`, or None
        The captions of each image, where they are not simply the reverse (ECCV Caption).
    n_images, n_captions : int
        The sizes of the two sides.

    Returns
    -------
    i2t, t2i : Positives

    Raises
    ------
    InvalidInputError
        See `parse_positives`; also when pairs are left to be guessed and the counts differ.
    """
    i2t = None
    if captions_of_image is not None:
        i2t = parse_positives(
            captions_of_image, n_queries=n_images, n_candidates=n_captions, name="captions_of_image"
        )
        if image_of_caption is None:
            return i2t, i2t.inverted()
    if image_of_caption is None:
        if n_images != n_captions:
            raise InvalidInputError(
                f"{n_images} images and {n_captions} captions do not pair up one to one",
                fix="pass image_of_caption: for each caption the index of its image",
            )
        image_of_caption = np.arange(n_captions)
    t2i = parse_positives(
        image_of_caption, n_queries=n_captions, n_candidates=n_images, name="image_of_caption"
    )
    return (t2i.inverted() if i2t is None else i2t), t2i
