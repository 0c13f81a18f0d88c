"""An evaluation made of embeddings in memory: for claims about arrays, examples and simulations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.ranking import rank_retrieval
from clipeval.data.dataset import Dataset, Item
from clipeval.evaluation import Evaluation


def evaluation_of_rows(
    images: ArrayLike,
    texts: ArrayLike,
    *,
    dataset: Dataset | None = None,
    per_image: int = 1,
    categories: Sequence[str] = (),
    model: str = "rows",
) -> Evaluation:
    """Evaluate embeddings that are already in memory.

    Parameters
    ----------
    images : array-like, shape (n_images, d)
    texts : array-like, shape (n_images * per_image, d)
        Captions of one image stand next to each other.
    dataset : Dataset, optional
        What the rows are embeddings of; by default pictures and captions that exist only by number.
    per_image : int
        Captions of each image, where no dataset is given.
    categories : sequence of str
        One for each image, or none.
    model : str
        Name for reports.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidInputError
        Rows that cannot be ranked.

    Examples
    --------
    >>> evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]).ranks.i2t.hit_rate(1)
    1.0
    """
    left, right = np.asarray(images, dtype=np.float32), np.asarray(texts, dtype=np.float32)
    if dataset is None:
        dataset = Dataset(
            "rows",
            tuple(
                Item(
                    f"picture {row}",
                    tuple(f"caption {number} of picture {row}" for number in range(per_image)),
                    category=categories[row] if categories else None,
                )
                for row in range(len(left))
            ),
        )
    return Evaluation(
        model=model,
        fingerprint={"rows": "given in memory"},
        dataset=dataset,
        images=left,
        texts=right,
        ranks=rank_retrieval(left, right, dataset.image_of_caption),
        encoded=0,
    )
