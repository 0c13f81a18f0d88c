"""An encoder that needs no weights and counts what it is asked, and datasets made of small pictures."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval.data import Dataset, Item
from clipeval.data.dataset import PictureSource
from clipeval.encoders.base import JointEncoder


def png(colour: tuple[int, int, int], *, size: int = 4) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, "PNG")
    return file.getvalue()


def source(data: bytes, where: str) -> PictureSource:
    return PictureSource(where, lambda: data)


class Counting(JointEncoder):
    """Rows that are a function of the content and, in the last bits, of the place in the batch."""

    def __init__(self, *, width: int = 8, words: dict[str, str] | None = None) -> None:
        self.name = "counting:encoder"
        self.width = width
        self.words = {"name": "counting", "width": str(width)} if words is None else words
        self.images: list[str] = []
        self.texts: list[str] = []
        self.bridged: list[int] = []
        self.break_on: str | None = None

    @property
    def fingerprint(self) -> dict[str, str]:
        return self.words

    def _rows(self, keys: Sequence[str]) -> np.ndarray:
        rows = np.empty((len(keys), self.width), dtype=np.float32)
        for place, key in enumerate(keys):
            seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
            rows[place] = np.random.default_rng(seed).standard_normal(self.width)
            rows[place, 0] += 1e-6 * place
            if key == self.break_on:
                rows[place, -1] = np.nan
        return rows

    def encode_images(self, pictures: Sequence[Any]) -> np.ndarray:
        keys = [str(picture.getpixel((0, 0))) for picture in pictures]
        self.images += keys
        return self._rows(keys)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return self._rows(texts)

    def bridge_images(self, rows: np.ndarray) -> np.ndarray:
        return self._bridge(rows)

    def bridge_texts(self, rows: np.ndarray) -> np.ndarray:
        return self._bridge(rows)

    def _bridge(self, rows: np.ndarray) -> np.ndarray:
        """As a matrix product may: the last bit of a row depends on its place among the others."""
        self.bridged.append(len(rows))
        return rows + np.float32(1e-6) * np.arange(len(rows), dtype=np.float32)[:, None]


@pytest.fixture
def counting() -> type[Counting]:
    return Counting


@pytest.fixture
def coloured() -> Callable[..., Dataset]:
    """Make a dataset of one-colour pictures: ``coloured((red, caption, ...), ...)``."""

    def make(*rows: tuple[Any, ...], name: str = "colours", categories: Sequence[str | None] = ()) -> Dataset:
        return Dataset(
            name,
            tuple(
                Item(
                    f"item{n}.png" if len(row) < 2 or not str(row[1]).startswith("id=") else str(row[1])[3:],
                    tuple(str(c) for c in row[1:] if not str(c).startswith("id=")) or (f"red {row[0]}",),
                    source(png((int(row[0]), 1, 2)), f"folder/item{n}.png"),
                    categories[n] if n < len(categories) else None,
                )
                for n, row in enumerate(rows)
            ),
        )

    return make
