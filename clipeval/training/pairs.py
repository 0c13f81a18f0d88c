"""The pairs of a run: who belongs to whom, who looks the same, and who is held out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from clipeval.core.positives import Integers
from clipeval.data.content import connected_units
from clipeval.data.dataset import Dataset
from clipeval.data.held_out import held_out
from clipeval.errors import InvalidInputError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.pixels import pixel_hashes


@dataclass(frozen=True, eq=False)
class Pairs:
    """Captions and their pictures, by number.

    Attributes
    ----------
    image_of_text : ndarray of int, shape (n_texts,)
    image_labels : ndarray of int, shape (n_images,)
        Equal numbers: equal pictures.
    text_labels : ndarray of int, shape (n_texts,)
        Equal numbers: equal captions.
    train, held_out : ndarray of int
        Numbers of captions.
    """

    image_of_text: Integers
    image_labels: Integers
    text_labels: Integers
    train: Integers
    held_out: Integers

    def __post_init__(self) -> None:
        if len(np.unique(self.image_labels[self.image_of_text[self.train]])) < 2:
            raise InvalidInputError(
                f"{len(self.train)} pairs are too few to train on", fix="two different pictures or more"
            )

    def glimpse(self) -> Integers:
        """Give captions of as many training pictures as are held out, for a fair look at both."""
        held, seen = (np.unique(self.image_of_text[which]) for which in (self.held_out, self.train))
        chosen = seen[np.linspace(0, len(seen) - 1, min(len(held), len(seen))).astype(np.int64)]
        return self.train[np.isin(self.image_of_text[self.train], chosen)]


def labels(values: Sequence[Hashable]) -> Integers:
    """Give each value a number, equal ones the same.

    Examples
    --------
    >>> labels(["cat", "dog", "cat"]).tolist()
    [0, 1, 0]
    """
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def pairs_of(dataset: Dataset, *, share: float, cache: EmbeddingCache | None = None) -> Pairs:
    """Take the pairs of a dataset, a share of its independent units held out.

    Parameters
    ----------
    dataset : Dataset
        Its pictures are decoded for the hashes of their pixels: the same picture in another file is the same.
    share : float
        See `clipeval.data.held_out.held_out`.
    cache : EmbeddingCache, optional
        As in `clipeval.evaluation.pixels.pixel_hashes`.

    Returns
    -------
    Pairs

    Raises
    ------
    InvalidInputError
        Too few pairs, or nothing to hold out.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> items = tuple(Item(f"{n}.jpg", (f"caption {n}",)) for n in range(20))
    >>> pairs = pairs_of(Dataset("twenty", items), share=0.2)
    >>> len(pairs.train), len(pairs.held_out)
    (15, 5)
    """
    # not by the hash that parts PATH#train from PATH#test: what is trained on may be such a part
    pixels = pixel_hashes(dataset, cache=cache)
    pictures = [seen or file for seen, file in zip(pixels, dataset.picture_hashes, strict=True)]
    units = connected_units(pictures, [item.captions for item in dataset.items])
    out = held_out(dataset.ids, units, share=share, within="training")[dataset.image_of_caption]
    if share and not (out.any() and (~out).any()):
        raise InvalidInputError(
            f"of {len(np.unique(units))} independent items no share of {share:g} can be held out",
            where=dataset.name,
            fix="more data, another share, or --held-out 0",
        )
    return Pairs(
        dataset.image_of_caption,
        labels(pictures),
        labels(dataset.captions),
        np.flatnonzero(~out),
        np.flatnonzero(out),
    )
