"""The interface of every encoder: two towers, and a bridge over them where they were trained apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipeval.errors import EncoderError

Rows: TypeAlias = NDArray[np.float32]
Fingerprint: TypeAlias = Mapping[str, str]


@runtime_checkable
class ImageTower(Protocol):
    """Turns decoded RGB pictures into float32 rows."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Everything that can change a row, in words."""
        ...

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode n pictures to shape ``(n, d)``."""
        ...


@runtime_checkable
class TextTower(Protocol):
    """Turns texts into float32 rows."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Everything that can change a row, in words."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode n texts to shape ``(n, d)``."""
        ...


class Encoder(ABC):
    """An image-text encoder.

    A joint encoder is its own image tower and its own text tower. A Pre-CLIP encoder names two other
    towers, and ``bridge_images`` / ``bridge_texts`` carry their rows into the common space; the towers'
    rows can then be kept and shared between bridges.

    Attributes
    ----------
    name : str
        The model spec by which the user knows it.
    """

    name: str

    @property
    @abstractmethod
    def fingerprint(self) -> Fingerprint:
        """Everything that can change an embedding, in words."""

    @property
    @abstractmethod
    def image_tower(self) -> ImageTower:
        """What encodes pictures before the bridge."""

    @property
    @abstractmethod
    def text_tower(self) -> TextTower:
        """What encodes texts before the bridge."""

    def bridge_images(self, rows: Rows) -> Rows:
        """Carry image-tower rows ``(n, d_tower)`` into the common space; the identity for joint encoders."""
        return rows

    def bridge_texts(self, rows: Rows) -> Rows:
        """Carry text-tower rows ``(n, d_tower)`` into the common space; the identity for joint encoders."""
        return rows

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode decoded RGB pictures to float32 rows, shape ``(n, d)``."""
        return self.bridge_images(self.image_tower.encode_images(pictures))

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``."""
        return self.bridge_texts(self.text_tower.encode_texts(texts))


class JointEncoder(Encoder):
    """An encoder that is its own two towers."""

    @property
    def image_tower(self) -> ImageTower:
        """The encoder itself."""
        return self

    @property
    def text_tower(self) -> TextTower:
        """The encoder itself."""
        return self

    @abstractmethod
    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode decoded RGB pictures to float32 rows, shape ``(n, d)``."""

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``."""


class SizedImageTower(ImageTower, Protocol):
    """An image tower that says how wide its rows are, so that a bridge can be built before encoding."""

    @property
    def width(self) -> int:
        """The d of its rows."""
        ...


class SizedTextTower(TextTower, Protocol):
    """A text tower that says how wide its rows are."""

    @property
    def width(self) -> int:
        """The d of its rows."""
        ...


@runtime_checkable
class Playback(Protocol):
    """A tower whose rows are already there, found by item or caption id instead of by content."""

    def play_images(self, item_ids: Sequence[str]) -> Rows:
        """Return the image rows of the named items, shape ``(n, d)``."""
        ...

    def play_texts(self, caption_ids: Sequence[str]) -> Rows:
        """Return the text rows of the named captions (``ITEM#0``, ``ITEM#1`` ...), shape ``(n, d)``."""
        ...


@runtime_checkable
class ShowsPixels(Protocol):
    """An image tower that shows what its network gets of a picture; see `ShowsTokens`."""

    def prepared_pixels(self, picture: Image) -> NDArray[np.float32]:
        """Give the pixels of a decoded RGB picture behind resize, crop and scaling, shape ``(3, h, w)``.

        They are shown as they are before the network's dtype and device.
        """
        ...


@runtime_checkable
class ShowsTokens(Protocol):
    """A text tower that shows what its network gets of a text.

    Both are optional: what a tower shows goes into a baseline's fingerprint
    (`clipeval.baseline.fingerprint.full_fingerprint`), where it catches a change that no word tells.
    """

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens that reach the network, and the end-of-text token that CLIP pools (or None)."""
        ...


@runtime_checkable
class ShowsNetwork(Protocol):
    """A tower that can say more about its network once it is loaded."""

    def network_words(self) -> Fingerprint:
        """Give ``activation`` and ``attention`` as they run; loads the network where it must."""
        ...


def as_rows(values: object, *, expected: int, where: str) -> Rows:
    """Check what a model returned and make it a float32 matrix.

    Parameters
    ----------
    values : array-like, shape (n, d)
        A numpy array or anything numpy can view, already on the CPU.
    expected : int
        How many rows there must be.
    where : str
        Named in the error.

    Returns
    -------
    ndarray of float32, shape (n, d)

    Raises
    ------
    EncoderError
        None, not real numbers, not two-dimensional (a token sequence is the usual cause), wrong number of
        rows, NaN, infinity, or values beyond float32's range.
    ValueError
        numpy can make no array of ``values`` (rows of different lengths).

    Examples
    --------
    >>> as_rows([[1, 2]], expected=1, where="demo")
    array([[1., 2.]], dtype=float32)
    """
    if values is None:
        raise EncoderError(
            "the model returned None, not embeddings",
            where=where,
            fix="end the method with a return of the (n, d) array",
        )
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise EncoderError(
            f"embeddings must be real numbers, these are {given.dtype}"
            + ("" if isinstance(values, np.ndarray) else f" (a {type(values).__name__})"),
            where=where,
            fix="return a float32 array of shape (n, d)",
        )
    with np.errstate(over="ignore"):  # what does not fit becomes infinite and is refused below
        rows = given.astype(np.float32, copy=False)
    if rows.ndim != 2:
        raise EncoderError(
            f"embeddings must have 2 dimensions (n, d), these have shape {rows.shape}",
            where=where,
            fix="a third dimension is usually the token sequence: return the pooled embedding",
        )
    if len(rows) != expected:
        raise EncoderError(f"{expected} inputs gave {len(rows)} embeddings", where=where)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        first = int(bad[0])
        held = "values beyond float32's range" if np.isfinite(given[first]).all() else "NaN or infinity"
        alone = (
            f"encode input {first} of this batch alone: if that works, padding, a mask or half precision is"
            " the cause; try a batch size of 1, or float32"
        )
        raise EncoderError(
            f"embedding {first} of {expected} holds {held} ({bad.size} in all)",
            where=where,
            fix=alone if expected > 1 else None,
        )
    return rows
