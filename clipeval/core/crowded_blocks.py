"""Blocks where too many scores are too close for a fast product: one in float64 decides nearly all."""

from __future__ import annotations

import numpy as np

from clipeval.core.positives import Integers
from clipeval.core.thresholds import TIE_TOLERANCE, BlockCounts, Thresholds
from clipeval.core.ties import Floats

_SLACK = 2.0**-50


def count_crowded(
    block: Floats, thresholds: Thresholds, *, bound: float, axis: int, own: int, other: int
) -> BlockCounts:
    """Count a block of float64 scores against the thresholds of its rows (axis 0) or columns (axis 1).

    Around a threshold t, with b the error bound of the product and e the tie tolerance, a value above
    ``t + e + b`` is above, one in ``t - e + b ... t + e - b`` is level, one below ``t - e - b`` is below;
    only two strips of width 2 b are left unsure.

    Parameters
    ----------
    block : ndarray of float64, shape (r, c)
        Products of the unit rows; -inf where a pair is not to be counted.
    thresholds : Thresholds
        Of the side that `axis` names.
    bound : float
        Largest distance of an entry from the score that decides.
    axis : {0, 1}
        Whose thresholds.
    own, other : int
        First row of the block on the side of the thresholds, and on the other.

    Returns
    -------
    BlockCounts
    """
    rows = block if axis == 0 else block.T
    copies = None
    if thresholds.copies is not None:
        copies = thresholds.copies[other : other + rows.shape[1]].astype(np.float64)
    first, last = int(thresholds.offsets[own]), int(thresholds.offsets[own + len(rows)])
    mine = np.arange(first, last)
    slot = mine - thresholds.offsets[thresholds.owner[mine]]
    above, level = np.zeros(len(mine), dtype=np.int64), np.zeros(len(mine), dtype=np.int64)
    unsure_threshold, unsure_other = [mine[:0]], [mine[:0]]
    reach, inside = TIE_TOLERANCE + bound + _SLACK, TIE_TOLERANCE - bound - _SLACK
    for number in range(int(slot.max(initial=-1)) + 1):
        chosen = np.flatnonzero(slot == number)
        which = mine[chosen]
        score = thresholds.score[which][:, None]
        values = rows[thresholds.owner[which] - own]
        higher = values > score + reach
        tied = (values <= score + inside) & (values >= score - inside)
        above[chosen], level[chosen] = _total(higher, copies), _total(tied, copies)
        unsure = (values >= score - reach) & ~higher & ~tied
        at, minor = np.nonzero(unsure)
        unsure_threshold.append(which[at])
        unsure_other.append(other + minor)
    return BlockCounts(mine, above, level, np.concatenate(unsure_threshold), np.concatenate(unsure_other))


def _total(mask: np.ndarray, copies: Floats | None) -> Integers:
    if copies is None:
        return np.asarray(np.count_nonzero(mask, axis=1), dtype=np.int64)
    total: Floats = np.asarray(mask.astype(np.float64) @ copies)
    return total.astype(np.int64)
