"""What is held out: a share of the independent units, chosen by hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def held_out(ids: Sequence[str], units: ArrayLike, *, share: float, within: str = "") -> NDArray[np.bool_]:
    """Say which items are held out.

    A unit goes as a whole (items with the same picture or the same caption would tell the answer). Its place
    is decided by the smallest hash of its items' ids, hashed once more (the smallest of many would be small),
    so neither the order of the data nor a seed changes it, and an item that is added moves no other unit.

    Parameters
    ----------
    ids : sequence of str
        Of the items.
    units : array-like of int, shape (n,)
        Independent unit of each item (`clipeval.data.dataset.Dataset.units`).
    share : float
        Of the units, from 0 to below 1; what is held out comes near it, not to it.
    within : str
        Another word gives another choice: what is held out of the rest of an earlier choice needs one, for
        under the same word everything with a small hash is gone already.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> out = held_out([f"{n}.jpg" for n in range(1000)], np.arange(1000) // 2, share=0.1)
    >>> int(out.sum()), bool((out[::2] == out[1::2]).all())
    (114, True)
    """
    member = np.unique(np.asarray(units), return_inverse=True)[1].ravel()
    smallest: dict[int, bytes] = {}
    for key, unit in zip(ids, member.tolist(), strict=True):
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
        smallest[unit] = min(digest, smallest.get(unit, digest))
    border, word = int(share * 2.0**64), within.encode()
    out = {
        unit: int.from_bytes(hashlib.sha256(word + digest).digest()[:8], "big") < border
        for unit, digest in smallest.items()
    }
    return np.array([out[unit] for unit in member.tolist()], dtype=np.bool_)
