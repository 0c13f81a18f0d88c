"""Snapshots of embeddings in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from clipeval.baseline.snapshot import Snapshot, take_snapshot
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.data.dataset import Dataset, Item

MakeSnapshot = Callable[..., Snapshot]


@pytest.fixture(scope="session")
def snapshot() -> MakeSnapshot:
    """Keep the evaluation of some rows; ``order`` shuffles the dataset, not what it holds."""

    def make(
        images: np.ndarray,
        texts: np.ndarray,
        *,
        per_image: int = 1,
        order: Sequence[int] | None = None,
        captions: Sequence[str] | None = None,
        model: str = "rows",
        fingerprint: dict[str, str] | None = None,
    ) -> Snapshot:
        n = len(images)
        order = range(n) if order is None else order
        names = captions or [
            f"caption {number % per_image} of {number // per_image:04}" for number in range(n * per_image)
        ]
        own = [list(range(row * per_image, (row + 1) * per_image)) for row in range(n)]
        items = tuple(Item(f"{row:04}.jpg", tuple(names[at] for at in own[row])) for row in order)
        evaluation = evaluation_of_rows(
            np.asarray(images)[list(order)],
            np.asarray(texts)[[at for row in order for at in own[row]]],
            dataset=Dataset("toy", items),
            model=model,
        )
        words = {"dtype": "float32", "device": "cpu"} if fingerprint is None else fingerprint
        return take_snapshot(evaluation, fingerprint=words, data="toy")

    return make


@pytest.fixture(scope="session")
def pairs() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Draw pictures and captions that resemble them."""

    def draw(n: int, *, per_image: int = 1, noise: float = 1.0, width: int = 32, seed: int = 0):
        rng = np.random.default_rng(seed)
        images = rng.normal(size=(n, width))
        texts = np.repeat(images, per_image, axis=0) + noise * rng.normal(size=(n * per_image, width))
        return images.astype(np.float32), texts.astype(np.float32)

    return draw
