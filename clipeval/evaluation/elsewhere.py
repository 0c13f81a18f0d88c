"""Towers whose batches are encoded in other processes: what they are given, and what they owe."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from clipeval.data.dataset import PictureSource
from clipeval.encoders.base import Rows


@dataclass(frozen=True)
class NamedPicture:
    """A picture that nobody has read yet.

    Attributes
    ----------
    item : str
        Id of the first item that has it.
    source : PictureSource
    sha256 : str
        Of its bytes, hexadecimal: others are refused.
    """

    item: str
    source: PictureSource
    sha256: str


@runtime_checkable
class ImagesElsewhere(Protocol):
    """An image tower that takes sources instead of decoded pictures."""

    def encode_sources(
        self, batches: Iterable[Sequence[NamedPicture] | None]
    ) -> Generator[Rows | None, None, None]:
        """Give the rows of each batch, in order, and None for each None."""
        ...


@runtime_checkable
class TextsElsewhere(Protocol):
    """A text tower that takes many batches at once."""

    def encode_batches(self, batches: Iterable[Sequence[str] | None]) -> Generator[Rows | None, None, None]:
        """Give the rows of each batch, in order, and None for each None."""
        ...
