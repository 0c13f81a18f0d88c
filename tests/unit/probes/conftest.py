"""An encoder without weights that is right in every way, and can be made wrong in each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval.encoders.base import JointEncoder


class Plain(JointEncoder):
    """Small pictures as rows, and words added up; one knob for each mistake."""

    def __init__(self, **knobs: Any) -> None:
        self.name = knobs.pop("name", "python:plain:encoder")
        self.words = knobs.pop("words", {"weights": "by hand"})
        self.knobs = knobs
        self.pictures: list[int] = []
        self.texts: list[list[str]] = []
        self.calls = 0

    @property
    def fingerprint(self) -> dict[str, str]:
        return self.words

    def encode_images(self, pictures: Sequence[Image.Image]) -> Any:
        self.pictures.append(len(pictures))
        rows = np.stack([np.asarray(p.resize((4, 4), self._resample), float).ravel() for p in pictures])
        rows -= 128
        if "batch" in self.knobs:
            rows += self.knobs["batch"] * np.linalg.norm(rows[0]) * (len(pictures) > 1)
        if "among_many" in self.knobs and len(pictures) > 5:
            rows -= self.knobs["among_many"] * rows.mean(axis=0)
        if self.knobs.get("reversed"):
            rows = rows[::-1]
        return self._spoiled(rows, "images")

    @property
    def _resample(self) -> Any:
        return Image.Resampling.NEAREST if "nearest" in self.knobs else Image.Resampling.BICUBIC

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.texts.append(list(texts))
        if "form" in self.knobs:
            from clipeval.encoders.hf_text import canonical_text

            texts = [canonical_text(text, form=self.knobs["form"]) for text in texts]
        cut = [text.split()[: self.knobs.get("length", 10**6)] for text in texts]
        rows = np.stack([sum(self._word(word, at) for at, word in enumerate(words)) for words in cut])
        if "padding" in self.knobs:
            rows = rows + self.knobs["padding"] * max(map(len, cut))
        if self.knobs.get("sorted"):
            rows = rows[np.argsort([-len(text) for text in texts], kind="stable")]
        return self._spoiled(rows, "texts")

    @staticmethod
    def _word(word: str, at: int) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
        return np.random.default_rng(seed).normal(size=48) / (1 + at)

    def _spoiled(self, rows: np.ndarray, side: str) -> Any:
        self.calls += 1
        if self.knobs.get("random"):
            rows = rows + 1e-3 * self.calls
        if self.knobs.get("constant") == side:
            rows = np.ones_like(rows)
        if self.knobs.get("nan") == side:
            rows[-1, 0] = np.nan
        if self.knobs.get("tokens") == side:
            return np.zeros((len(rows), 3, 4))
        if self.knobs.get("narrow") == side:
            return rows[:, :7]
        if self.knobs.get("fails") == side:
            raise IndexError("index out of range in self")
        return rows.astype(np.float32)


@pytest.fixture(scope="session")
def plain() -> type[Plain]:
    return Plain
