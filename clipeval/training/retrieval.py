"""How well a model retrieves while it is trained: hit rates and MRR, both directions, and chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch

from clipeval.core.metrics import at_chance
from clipeval.core.ranking import rank_retrieval
from clipeval.encoders.base import Rows
from clipeval.training.model import DualModel, Integers, SideName

AT_ONCE = 256


@dataclass(frozen=True)
class Retrieval:
    """Means over all queries.

    Attributes
    ----------
    n_images, n_texts : int
    hit1_i2t, hit1_t2i : float
    top100_i2t, top100_t2i : float
        Right answer among the first 100, or among all where there are fewer.
    mrr : float
        Mean of both directions' mean reciprocal rank.
    chance1_i2t, chance1_t2i, chance100_i2t, chance100_t2i : float
        What hit rates are without any knowledge.
    """

    n_images: int
    n_texts: int
    hit1_i2t: float
    hit1_t2i: float
    top100_i2t: float
    top100_t2i: float
    mrr: float
    chance1_i2t: float
    chance1_t2i: float
    chance100_i2t: float
    chance100_t2i: float

    def document(self) -> dict[str, float | int]:
        """Give all numbers as a JSON object."""
        return {key: round(value, 6) for key, value in asdict(self).items()}


def retrieval_of(images: Rows, texts: Rows, image_of_text: Integers) -> Retrieval:
    """Rank rows of both sides; see `clipeval.rank_retrieval`.

    Examples
    --------
    >>> rows = np.eye(4, dtype=np.float32)
    >>> found = retrieval_of(rows, rows, np.arange(4))
    >>> found.hit1_i2t, found.chance1_t2i
    (1.0, 0.25)
    """
    ranks = rank_retrieval(images, texts, image_of_text, rivals=False)
    both = {"i2t": ranks.i2t, "t2i": ranks.t2i}
    hundred = {way: min(100, found.n_candidates) for way, found in both.items()}
    values: dict[str, float] = {}
    for way, found in both.items():
        values[f"hit1_{way}"] = found.hit_rate(1)
        values[f"top100_{way}"] = found.hit_rate(hundred[way])
        chance = at_chance(found)
        values[f"chance1_{way}"] = chance.hit_rate(1)
        values[f"chance100_{way}"] = chance.hit_rate(hundred[way])
    mrr = float(np.mean([found.reciprocal().mean() for found in both.values()]))
    return Retrieval(len(images), len(texts), mrr=mrr, **values)


def embed_all(model: DualModel, side: SideName, numbers: Integers) -> Rows:
    """Embed numbered pictures or captions in evaluation mode, float32 of shape ``(n, dim)``."""
    model.modules.eval()
    with torch.inference_mode():
        parts = [
            model.rows(side, numbers[start : start + AT_ONCE]).cpu().numpy()
            for start in range(0, len(numbers), AT_ONCE)
        ]
    return np.concatenate(parts)


def retrieval(model: DualModel, image_of_text: Integers, texts: Integers) -> Retrieval:
    """Let a model retrieve among some captions and the pictures that they belong to.

    Parameters
    ----------
    model : DualModel
    image_of_text : ndarray of int
        The picture of every caption there is.
    texts : ndarray of int
        Numbers of the captions that take part.

    Returns
    -------
    Retrieval
    """
    images, owner = np.unique(image_of_text[texts], return_inverse=True)
    return retrieval_of(embed_all(model, "image", images), embed_all(model, "text", texts), owner.ravel())
