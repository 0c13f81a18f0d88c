"""The order in which a similarity matrix is drawn: categories together, captions as their pictures stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipeval.data.dataset import Dataset


def drawing_order(data: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort pictures by category, those without one first, and captions as their pictures stand.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> items = (Item("a", ("a cat", "a pet"), category="x"), Item("b", ("red",), category="y"))
    >>> data = Dataset("d", (*items, Item("c", ("a dog",), category="x")))
    >>> [order.tolist() for order in drawing_order(data)]
    [[0, 2, 1], [0, 1, 3, 2]]
    """
    place = {category: at for at, category in enumerate(data.categories)}
    rows = np.argsort([place.get(item.category or "", -1) for item in data.items], kind="stable")
    stands = np.empty(data.n_images, dtype=np.int64)
    stands[rows] = np.arange(data.n_images)
    return rows, np.argsort(stands[data.image_of_caption], kind="stable")
