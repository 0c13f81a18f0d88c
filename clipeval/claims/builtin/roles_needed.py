"""What claims ask of the models they speak about."""

from __future__ import annotations

from collections.abc import Callable

from clipeval.claims.claim import Role
from clipeval.data.dataset import Dataset

JOINT = frozenset({Role.JOINT})
RANDOM = frozenset({Role.RANDOM_BRIDGE})
NAMED = frozenset({Role.NAMED_BRIDGE})
LEARNED = frozenset({Role.LEARNED_BRIDGE})
UNTRAINED = frozenset({Role.UNTRAINED})
ALIGNED = JOINT | NAMED | LEARNED
ANY = frozenset(Role)


def categories(dataset: Dataset) -> str:
    """Ask for at least two categories.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> categories(Dataset("one", (Item("a", ("a cat",)),)))
    'the dataset has no categories to compare'
    """
    return "" if len(dataset.categories) >= 2 else "the dataset has no categories to compare"


def at_least(n_images: int) -> Callable[[Dataset], str]:
    """Ask for a number of pictures.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> at_least(50)(Dataset("one", (Item("a", ("a cat",)),)))
    'the claim needs at least 50 pictures, there are 1'
    """

    def reason(dataset: Dataset) -> str:
        if dataset.n_images >= n_images:
            return ""
        return f"the claim needs at least {n_images} pictures, there are {dataset.n_images}"

    return reason
