"""What a tower is given: each distinct picture and caption of a dataset once, in an order of its own."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipeval.data.content import item_hashes
from clipeval.data.dataset import Dataset
from clipeval.data.pictures import read_picture
from clipeval.encoders.base import Encoder, Fingerprint, Rows, as_rows
from clipeval.encoders.memory import ran_out, too_large
from clipeval.errors import DatasetError, EncoderError, NotAvailableError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.elsewhere import ImagesElsewhere, NamedPicture, TextsElsewhere
from clipeval.evaluation.overlap import encoded_in_order

PICTURES_AT_ONCE = 32
TEXTS_AT_ONCE = 256
"""Inputs of a step; more where the tower's own batches are larger."""

MOST_AT_ONCE = 4096
"""A step's pictures are all in memory."""


EncodeMany: TypeAlias = Callable[[Iterable[Sequence[str] | None]], Generator[Rows | None, None, None]]


@dataclass(frozen=True, eq=False)
class DistinctInputs:
    """The distinct inputs of one modality, and how they become rows of the common space.

    A row can depend, in its last bits, on the company it has in a batch. Batches are therefore cut from
    ``order`` at multiples of ``step``, and the bridge is applied to each by itself: whoever encodes a part of
    the batches gets the same bits as who encodes all.

    Attributes
    ----------
    kind : {"image", "text"}
    order : tuple of str
        Hashes of pictures, or captions; in the order in which they are encoded.
    contents : tuple of str
        SHA-256 (hexadecimal) of each, in that order.
    row_of : ndarray of int, shape (n_images,) or (n_captions,)
        Place in ``order`` of every picture or caption of the dataset.
    step : int
        Inputs in a batch.
    fingerprint : mapping
        Of the tower.
    encode, bridge : callable
        A batch to the tower's rows, and those to rows of the common space.
    encode_many : callable
        Batches to the tower's rows, in order, and None for each None: what ``encode`` gives, to the bit, but
        one batch may be prepared while another is in the network.
    name_of : callable
        What an error calls an input.
    """

    kind: str
    order: tuple[str, ...]
    contents: tuple[str, ...]
    row_of: NDArray[np.int64]
    step: int
    fingerprint: Fingerprint
    encode: Callable[[Sequence[str]], Rows]
    bridge: Callable[[Rows], Rows]
    encode_many: EncodeMany
    name_of: Callable[[str], str]

    def batches(
        self, starts: Iterable[int], *, cache: EmbeddingCache | None = None
    ) -> Generator[tuple[Rows, int], None, None]:
        """Encode batches one after the other, or take the tower's rows from a cache.

        Close the generator (`contextlib.closing`) where an error of your own can end the loop over it: the
        threads that prepare pictures end with it.

        Parameters
        ----------
        starts : iterable of int
            Where the batches begin: multiples of ``step``.
        cache : EmbeddingCache, optional
            Not asked where the tower has no fingerprint: nobody could tell when rows are out of date.

        Yields
        ------
        rows : ndarray of float32, shape (n, d)
            In the common space; n is ``step``, or less in the last batch.
        encoded : int
            n, or 0 if they came from the cache.

        Raises
        ------
        EncoderError
            NaN or infinity, or a wrong shape; the input is named.
        PictureError
            A picture cannot be decoded.
        BatchTooLargeError
            Memory ran out.
        """
        cache = cache if has_fingerprint(self.fingerprint) else None
        begun: deque[tuple[int, Rows | None]] = deque()

        def absent() -> Iterator[Sequence[str] | None]:
            for start in starts:
                rows = (
                    cache.get(self.fingerprint, self.kind, self._of(self.contents, start)) if cache else None
                )
                begun.append((start, rows))
                yield self._of(self.order, start) if rows is None else None

        with closing(self.encode_many(absent())) as encoded:
            while True:
                try:
                    new = next(encoded)
                except StopIteration:
                    return
                except (EncoderError, RuntimeError, MemoryError) as error:
                    if ran_out(error):
                        size = self.fingerprint.get("batch size", str(self.step))
                        raise too_large(size, where=self.name_of(self.order[begun[0][0]])) from error
                    if not isinstance(error, EncoderError):
                        raise
                    raise self._named(error, self._of(self.order, begun[0][0])) from error
                start, known = begun.popleft()
                if known is not None:
                    yield self.bridge(known), 0
                    continue
                rows = self._checked(new, self._of(self.order, start))
                if cache:
                    cache.put(self.fingerprint, self.kind, self._of(self.contents, start), rows)
                yield self.bridge(rows), len(rows)

    def batch(self, start: int, *, cache: EmbeddingCache | None = None) -> tuple[Rows, int]:
        """Encode one batch alone; see `batches`.

        Parameters
        ----------
        start : int
            A multiple of ``step``.
        cache : EmbeddingCache, optional
            As in `batches`.

        Returns
        -------
        tuple of ndarray and int
            Rows, and how many were encoded.
        """
        with closing(self.batches([start], cache=cache)) as only:
            return next(only)

    def _of(self, values: Sequence[str], start: int) -> Sequence[str]:
        return values[start : start + self.step]

    def _checked(self, rows: Rows | None, inputs: Sequence[str]) -> Rows:
        try:
            return as_rows(rows, expected=len(inputs), where=self.name_of(inputs[0]))
        except EncoderError as error:
            raise self._named(error, inputs) from error

    def _named(self, error: EncoderError, inputs: Sequence[str]) -> EncoderError:
        """Encode the inputs of a refused batch one at a time, to name the culprit."""
        for single in inputs:
            try:
                if len(inputs) == 1:
                    raise error
                as_rows(self.encode([single]), expected=1, where=self.name_of(single))
            except EncoderError as its:
                fix = its.fix or "check this input, the dtype and the weights"
                return EncoderError(its.what, where=self.name_of(single), fix=fix)
        where = f"a batch of {len(inputs)}, from {self.name_of(inputs[0])} on; each alone is fine"
        return EncoderError(error.what, where=where, fix=error.fix)


def has_fingerprint(fingerprint: Fingerprint) -> bool:
    """Say whether rows of this tower can be told from those of another.

    Examples
    --------
    >>> has_fingerprint({"weights": "unfingerprinted"}), has_fingerprint({"weights": "85a0aaf3"})
    (False, True)
    """
    return bool(fingerprint) and "unfingerprinted" not in fingerprint.values()


def distinct_images(
    encoder: Encoder, dataset: Dataset, *, hashes: Sequence[str] | None = None
) -> DistinctInputs:
    """Put the distinct pictures (by their bytes) in the order of their hashes.

    Neither the order of the dataset nor repetitions change a bit of any row.

    Parameters
    ----------
    encoder : Encoder
        Its image tower encodes.
    dataset : Dataset
        With pictures; each is read when its batch is encoded.
    hashes : sequence of str, optional
        `clipeval.data.content.item_hashes`, if they are already known.

    Returns
    -------
    DistinctInputs

    Raises
    ------
    NotAvailableError
        The dataset lacks pictures.
    PictureError
        A picture's bytes cannot be read.
    """
    absent = next((item.id for item in dataset.items if item.picture is None), None)
    if absent is not None:
        raise NotAvailableError(
            "this model encodes pictures, and the dataset lacks some of them",
            where=f"{dataset.name}, item '{absent}'",
            fix="add the pictures, or use frozen embeddings",
        )
    hashes = item_hashes(dataset) if hashes is None else hashes
    first = {digest: row for row, digest in reversed(list(enumerate(hashes)))}
    order = tuple(sorted(first))
    place = {digest: row for row, digest in enumerate(order)}
    tower = encoder.image_tower

    def read(digest: str) -> Image:
        return read_picture(named(digest).source, sha256=digest)

    def here(batches: Iterable[Sequence[str] | None]) -> Generator[Rows | None, None, None]:
        return encoded_in_order(tower, batches, read)

    def elsewhere(batches: Iterable[Sequence[str] | None]) -> Generator[Rows | None, None, None]:
        assert isinstance(tower, ImagesElsewhere)  # noqa: S101
        return tower.encode_sources(
            None if one is None else [named(digest) for digest in one] for one in batches
        )

    def named(digest: str) -> NamedPicture:
        item = dataset.items[first[digest]]
        assert item.picture is not None  # noqa: S101  (looked at above)
        return NamedPicture(item.id, item.picture, digest)

    return DistinctInputs(
        kind="image",
        order=order,
        contents=order,
        row_of=np.array([place[digest] for digest in hashes], dtype=np.int64),
        step=at_once(encoder)["images"],
        fingerprint=tower.fingerprint,
        encode=lambda digests: tower.encode_images([read(digest) for digest in digests]),
        bridge=encoder.bridge_images,
        encode_many=elsewhere if isinstance(tower, ImagesElsewhere) else here,
        name_of=lambda digest: f"item '{dataset.ids[first[digest]]}'",
    )


def distinct_texts(encoder: Encoder, dataset: Dataset) -> DistinctInputs:
    """Put the distinct captions in order, shortest first (less padding), ties alphabetically.

    Identical captions stay identical, and the dataset's order does not matter.

    Parameters
    ----------
    encoder : Encoder
        Its text tower encodes.
    dataset : Dataset
        Its captions.

    Returns
    -------
    DistinctInputs

    Raises
    ------
    DatasetError
        A caption cannot be written as UTF-8.
    """
    order = tuple(sorted(set(dataset.captions), key=lambda text: (len(text), text)))
    place = {text: row for row, text in enumerate(order)}
    tower = encoder.text_tower
    return DistinctInputs(
        kind="text",
        order=order,
        contents=tuple(hashlib.sha256(_bytes(text, dataset)).hexdigest() for text in order),
        row_of=np.array([place[text] for text in dataset.captions], dtype=np.int64),
        step=at_once(encoder)["texts"],
        fingerprint=tower.fingerprint,
        encode=tower.encode_texts,
        bridge=encoder.bridge_texts,
        encode_many=tower.encode_batches
        if isinstance(tower, TextsElsewhere)
        else lambda batches: (None if one is None else tower.encode_texts(one) for one in batches),
        name_of=lambda text: f"caption '{text}'",
    )


def at_once(encoder: Encoder) -> dict[Literal["images", "texts"], int]:
    """Give how many pictures and captions make a step: one batch of the tower, or several small ones.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> large, small = (SimpleNamespace(fingerprint={"batch size": size}) for size in ("64", "8"))
    >>> at_once(SimpleNamespace(image_tower=large, text_tower=small))
    {'images': 64, 'texts': 256}
    """

    def of(fingerprint: Fingerprint, least: int) -> int:
        said = fingerprint.get("batch size", "")
        return max(least, min(int(said), MOST_AT_ONCE)) if said.isdecimal() else least

    return {
        "images": of(encoder.image_tower.fingerprint, PICTURES_AT_ONCE),
        "texts": of(encoder.text_tower.fingerprint, TEXTS_AT_ONCE),
    }


def _bytes(text: str, dataset: Dataset) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        caption = dataset.caption_ids[dataset.captions.index(text)]
        raise DatasetError(
            f"a caption is not text: character {error.start} is half of a surrogate pair",
            where=f"{dataset.name}, caption '{caption}'",
            fix="write the character as UTF-8, or as both halves",
        ) from None
