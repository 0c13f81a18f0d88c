"""Training heads over rows that are already there: the towers stay as they are, so it takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from clipeval.encoders.base import Rows
from clipeval.encoders.head_ensemble import Heads
from clipeval.encoders.imports import require_installed
from clipeval.errors import InvalidInputError
from clipeval.training.settings import TrainingSettings

if TYPE_CHECKING:
    from clipeval.training.fit import Kept, Progress
    from clipeval.training.pairs import Pairs

DEFAULT = TrainingSettings(
    epochs=6,
    batch_size=1024,
    dim=512,
    hidden=(512, 512),
    dropout=0.25,
    learning_rate=2e-3,
    held_out=0.0,
    clip=0.0,
)
"""Chosen on a part of Flickr8k's training pictures; see docs/training.md."""


@dataclass(frozen=True, eq=False)
class TrainedHeads:
    """Two heads into one space.

    Attributes
    ----------
    words : str
        Kind and parameters, for a fingerprint.
    image, text : Head or HeadEnsemble
    scale : float
        The learned inverse temperature.
    history : tuple of mapping
        One row for each epoch: loss, scale and, where something is held out, retrieval.
    """

    words: str
    image: Heads
    text: Heads
    scale: float
    history: tuple[Mapping[str, Any], ...]

    def images(self, rows: ArrayLike) -> Rows:
        """Carry image rows into the common space, shape ``(m, k)``."""
        return self.image(rows)

    def texts(self, rows: ArrayLike) -> Rows:
        """Carry text rows into the common space, shape ``(n, k)``."""
        return self.text(rows)


def train_heads(
    images: ArrayLike,
    texts: ArrayLike,
    image_of_text: ArrayLike | None = None,
    *,
    pairs: Pairs | None = None,
    settings: TrainingSettings = DEFAULT,
    kept: Kept | None = None,
    progress: Progress | None = None,
) -> TrainedHeads:
    """Train a head for each side with a contrastive loss, over towers that stay frozen (LiT's extreme case).

    Parameters
    ----------
    images : array-like, shape (m, d)
        Rows of an image tower: one for each picture.
    texts : array-like, shape (n, e)
        Rows of a text tower: one for each caption.
    image_of_text : array-like of int, shape (n,), optional
        The picture of each caption; row i of both sides where it is not given.
    pairs : Pairs, optional
        Instead of it: also says which pictures and captions are equal, and what is held out. Without it
        captions with equal rows count as equal, and ``settings.held_out`` chooses pictures by their number.
    settings : TrainingSettings
        By default what did well on Flickr8k.
    kept : Kept, optional
        Where checkpoints go.
    progress : callable, optional
        See `clipeval.training.fit.Progress`.

    Returns
    -------
    TrainedHeads

    Raises
    ------
    MissingExtraError
        torch is not installed.
    InvalidInputError
        Rows that are not finite or not two-dimensional, or numbers that do not fit them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(64, 8))
    >>> small = TrainingSettings(epochs=30, dim=8, learning_rate=0.01, held_out=0)
    >>> heads = train_heads(rows, rows @ rng.normal(size=(8, 8)), settings=small)
    >>> heads.images(rows).shape, heads.history[-1]["loss"] < heads.history[0]["loss"]
    ((64, 8), True)
    """
    require_installed("torch")
    from clipeval.training.fit import fit

    x, y = _checked(images, "images"), _checked(texts, "texts")
    pairs = _plain_pairs(x, y, image_of_text, settings.held_out) if pairs is None else pairs
    if pairs.image_of_text.shape != (len(y),) or len(pairs.image_labels) != len(x):
        raise InvalidInputError(
            f"the pairs are {len(pairs.image_labels)} pictures and {len(pairs.image_of_text)} captions, "
            f"the rows {len(x)} and {len(y)}"
        )
    seen = {"image": np.unique(pairs.image_of_text[pairs.train]), "text": pairs.train}
    model, shapes = _model({"image": x, "text": y}, seen, settings)
    place = fit(model, pairs, kept=kept, progress=progress)
    from clipeval.training.trainable_heads import frozen_heads

    image, text = (frozen_heads(model.modules[side], *shapes[side]) for side in ("image", "text"))
    words = (
        f"contrastive heads, {settings.loss}, image {image.words}, text {text.words}, "
        f"{len(pairs.train)} pairs, {len(place.history)} epochs, seed {settings.seed}"
    )
    return TrainedHeads(words, image, text, model.scale, tuple(place.history))


def _model(rows: Mapping[str, Rows], seen: Mapping[str, Any], settings: TrainingSettings) -> Any:
    import torch

    from clipeval.training.model import DualModel
    from clipeval.training.order import step_seed

    shapes: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step_seed(settings.seed, 0, 2**20))  # no step has so many parts
        sides = {}
        for side, hidden in zip(("image", "text"), settings.hidden, strict=True):
            sides[side], shapes[side] = row_side(rows[side], seen[side], settings, hidden=hidden)
    return DualModel(sides["image"], sides["text"], settings), shapes


def row_side(rows: Rows, seen: Any, settings: TrainingSettings, *, hidden: int) -> Any:
    """Make the side of a tower whose rows are there, and the standardisation that its head needs.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, d)
    seen : ndarray of int
        The rows that are trained on: they alone decide the standardisation.
    settings : TrainingSettings
    hidden : int
        Width of the head's second layer.

    Returns
    -------
    tuple of Side and tuple of two ndarray
    """
    import torch

    from clipeval.core.similarity import unit_rows
    from clipeval.training.model import Side
    from clipeval.training.trainable_heads import all_carried, new_heads, standardisation

    centre, spread = standardisation(rows[seen])
    x = torch.from_numpy(np.asarray((unit_rows(rows) - centre) * spread, dtype=np.float32))
    heads = new_heads(rows.shape[1], settings, hidden=hidden)
    side = Side(
        torch.nn.ModuleDict(heads),
        take=lambda numbers: x[torch.from_numpy(numbers)],
        embed=lambda inputs: all_carried(heads, inputs),
    )
    return side, (centre, spread)


def _checked(values: ArrayLike, name: str) -> Rows:
    rows = np.asarray(values, dtype=np.float32)
    if rows.ndim != 2 or not rows.size:
        raise InvalidInputError(f"rows must have shape (n, d), these have {rows.shape}", where=name)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise InvalidInputError(f"row {bad} holds NaN or infinity", where=name)
    return rows


def _plain_pairs(images: Rows, texts: Rows, image_of_text: ArrayLike | None, share: float) -> Pairs:
    from clipeval.data.held_out import held_out
    from clipeval.training.pairs import Pairs, labels

    owner = np.arange(len(texts)) if image_of_text is None else np.asarray(image_of_text)
    if owner.shape != (len(texts),) or owner.dtype.kind not in "iu":
        raise InvalidInputError(
            f"there must be one picture number for each of {len(texts)} captions", where="image_of_text"
        )
    if not 0 <= int(owner.min()) <= int(owner.max()) < len(images):
        raise InvalidInputError(
            f"picture numbers go from {owner.min()} to {owner.max()}, but there are {len(images)} pictures",
            where="image_of_text",
        )
    out = held_out([str(n) for n in range(len(images))], np.arange(len(images)), share=share)[owner]
    same_images, same_texts = (labels([row.tobytes() for row in rows]) for rows in (images, texts))
    return Pairs(owner.astype(np.int64), same_images, same_texts, np.flatnonzero(~out), np.flatnonzero(out))
