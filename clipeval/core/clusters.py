"""Independent units: which queries belong to one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.errors import InvalidInputError


@dataclass(frozen=True)
class Clusters:
    """Queries grouped into independent units.

    Attributes
    ----------
    index : ndarray of int, shape (n,)
        Number of each query's cluster, 0 ... n_clusters - 1.
    sizes : ndarray of int, shape (n_clusters,)
        Queries in each cluster.
    """

    index: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @property
    def n(self) -> int:
        """Number of clusters."""
        return len(self.sizes)

    @property
    def single(self) -> bool:
        """Whether every cluster holds one query."""
        return len(self.sizes) == len(self.index)

    @property
    def n_effective(self) -> float:
        """Kish's effective number of clusters, ``N² / Σ size²``; their number where all have one size."""
        return len(self.index) ** 2 / float(np.sum(self.sizes.astype(np.float64) ** 2))

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the values of each cluster, shape ``(n_clusters,)``."""
        return np.bincount(self.index, weights=values, minlength=self.n).astype(np.float64)


def group(clusters: ArrayLike | None, n: int) -> Clusters:
    """Group n queries by their cluster labels.

    Parameters
    ----------
    clusters : array-like, shape (n,), or None
        Any labels that can be sorted (image numbers, ids); None makes every query its own cluster.
    n : int
        Number of queries.

    Returns
    -------
    Clusters

    Raises
    ------
    InvalidInputError
        Not one label for each query.

    Examples
    --------
    >>> group(["a", "b", "a"], 3).sizes.tolist()
    [2, 1]
    """
    if clusters is None:
        return Clusters(np.arange(n), np.ones(n, dtype=np.intp))
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise InvalidInputError(
            f"clusters must hold one label for each of {n} values, got shape {labels.shape}"
        )
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return Clusters(index.reshape(-1), sizes)


def finite_vector(values: ArrayLike, *, name: str = "values") -> NDArray[np.float64]:
    """Check a vector of per-query values.

    Parameters
    ----------
    values : array-like, shape (n,)
        Numbers or truth values, at least one.
    name : str
        What an error calls them.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    InvalidInputError
        Not one-dimensional, empty, NaN or infinity (the position is named).

    Examples
    --------
    >>> finite_vector([True, False]).tolist()
    [1.0, 0.0]
    """
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or not len(vector):
        raise InvalidInputError(f"{name} must be a vector with at least one number, got shape {vector.shape}")
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        raise InvalidInputError(f"{name} holds NaN or infinity", where=f"position {int(bad[0])}")
    return vector


def unit_interval_vector(values: ArrayLike, *, name: str = "values") -> NDArray[np.float64]:
    """Check a vector of per-query scores between 0 and 1.

    Parameters
    ----------
    values : array-like, shape (n,)
        Hits, expected hits, reciprocal ranks, recalls ...
    name : str
        What an error calls them.

    Returns
    -------
    ndarray of float64, shape (n,)

    Raises
    ------
    InvalidInputError
        As `finite_vector`, or a value outside [0, 1] (the position is named).

    Examples
    --------
    >>> unit_interval_vector([0.5]).tolist()
    [0.5]
    """
    vector = finite_vector(values, name=name)
    bad = np.flatnonzero((vector < 0.0) | (vector > 1.0))
    if bad.size:
        raise InvalidInputError(
            f"{name} must lie in [0, 1], got {vector[bad[0]]}", where=f"position {int(bad[0])}"
        )
    return vector


def open_unit(value: float, *, name: str) -> float:
    """Check a level, power or error rate.

    Parameters
    ----------
    value : float
        Strictly between 0 and 1.
    name : str
        What an error calls it.

    Returns
    -------
    float

    Raises
    ------
    InvalidInputError
        Outside (0, 1).

    Examples
    --------
    >>> open_unit(0.95, name="level")
    0.95
    """
    if not 0.0 < value < 1.0:
        raise InvalidInputError(
            f"{name} must lie between 0 and 1, got {value!r}", fix=f"for example {name}=0.95"
        )
    return float(value)
