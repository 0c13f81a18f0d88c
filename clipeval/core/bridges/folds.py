"""Choosing a parameter inside the training pairs: what is scored later takes no part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.bridges.pairs import Rows
from clipeval.core.ranking import rank_retrieval
from clipeval.errors import InvalidInputError

FOLDS = 5
MOST_SCORED = 250
"""Groups of a fold that are ranked: to choose a parameter, more of them cost more than they tell."""

Value = TypeVar("Value")
Groups: TypeAlias = NDArray[np.int64]
Places: TypeAlias = NDArray[np.int64]


class Bridge(Protocol):
    """What carries the rows of two towers into one space."""

    @property
    def words(self) -> str:
        """Kind and parameters, for a fingerprint."""
        ...

    def images(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Carry image rows over."""
        ...

    def texts(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Carry text rows over."""
        ...


Prepare: TypeAlias = Callable[[Rows, Rows, Places], Callable[[Value], Bridge]]
"""From training pairs, and which of all pairs they are, to a function of the parameter.

What all values share is computed once.
"""


def best_by_folds(
    values: Sequence[Value],
    prepare: Prepare[Value],
    images: Rows,
    texts: Rows,
    *,
    groups: ArrayLike | None,
    seed: int,
) -> Value:
    """Find the value whose bridges retrieve best: MRR of both directions over five folds.

    Parameters
    ----------
    values : sequence
        Candidates; of equally good ones the first.
    prepare : callable
        See `Prepare`.
    images, texts : ndarray, shape (n, d) and (n, e)
        Training pairs.
    groups : array-like of int, shape (n,), optional
        Pairs of one group (the captions of one image) stay in one fold and are right for each other. If not
        given, each pair is its own group.
    seed : int
        Of the folds.

    Returns
    -------
    float, or whatever the values are

    Raises
    ------
    InvalidInputError
        Not one group for each pair, or fewer than ten groups.

    Examples
    --------
    >>> from clipeval.core.bridges.linear import prepare_ridge
    >>> rows = np.eye(10)
    >>> best_by_folds((1.0, 2.0), prepare_ridge("image"), rows, rows, groups=None, seed=0)
    1.0
    """
    member = numbered(groups, len(images))
    n_groups = int(member.max()) + 1
    if n_groups < 2 * FOLDS:
        raise InvalidInputError(
            f"{n_groups} independent pairs are too few to choose a parameter from",
            fix=f"pass {2 * FOLDS} or more, or name the parameter",
        )
    fold_of = np.empty(n_groups, dtype=np.int64)
    fold_of[np.random.Generator(np.random.PCG64(seed)).permutation(n_groups)] = np.arange(n_groups) % FOLDS
    fold = fold_of[member]
    found = np.zeros(len(values))
    for held_out in range(FOLDS):
        train = np.flatnonzero(fold != held_out)
        scored = np.flatnonzero(fold_of == held_out)[:MOST_SCORED]
        test = np.isin(member, scored)
        bridge_of = prepare(images[train], texts[train], train)
        for at, value in enumerate(values):
            found[at] += _retrieval(bridge_of(value), images[test], texts[test], member[test])
    return values[int(np.argmax(found))]


def numbered(groups: ArrayLike | None, n: int) -> Groups:
    """Give each of n pairs the number of its group, from 0 on; without groups each is its own.

    Raises
    ------
    InvalidInputError
        Not one group for each pair.

    Examples
    --------
    >>> numbered(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    if groups is None:
        return np.arange(n)
    member: Groups = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    if member.shape != (n,):
        raise InvalidInputError(f"there are {len(member)} group numbers for {n} pairs", where="groups")
    return member


def _retrieval(bridge: Bridge, images: Rows, texts: Rows, member: Groups) -> float:
    first, owner = np.unique(member, return_index=True, return_inverse=True)[1:]
    ranks = rank_retrieval(bridge.images(images[first]), bridge.texts(texts), owner.ravel(), rivals=False)
    return float(ranks.i2t.reciprocal().mean() + ranks.t2i.reciprocal().mean())
