"""Blocks where too many scores are too close for a fast product: one in float64 decides nearly all."""

from __future__ import annotations

import numpy as np

from clipeval.core.block_counts import along, count_true, differing, slices
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
    size = block.shape[axis]
    first, last = int(thresholds.offsets[own]), int(thresholds.offsets[own + size])
    mine = np.arange(first, last)
    slot = mine - thresholds.offsets[thresholds.owner[mine]]
    above, level = np.zeros(len(mine), dtype=np.int64), np.zeros(len(mine), dtype=np.int64)
    unsure_threshold, unsure_other = [mine[:0]], [mine[:0]]
    reach, inside = TIE_TOLERANCE + bound + _SLACK, TIE_TOLERANCE - bound - _SLACK
    for number in range(int(slot.max(initial=-1)) + 1):
        chosen = np.flatnonzero(slot == number)
        score = thresholds.score[mine[chosen]]
        place = thresholds.owner[mine[chosen]] - own
        values = block if len(place) == size else np.take(block, place, axis=axis)
        for part in slices(values):
            here = part if axis == 0 else slice(0, len(chosen))
            start = other if axis == 0 else other + part.start
            copies = None
            if thresholds.copies is not None:
                copies = thresholds.copies[start : start + values[part].shape[1 - axis]]
            sure = values[part] > along(score[here] + reach, axis)
            within = values[part] >= along(score[here] - reach, axis)
            count = count_true(sure, axis=axis)
            touched = np.flatnonzero(count_true(within, axis=axis) > count)
            above[chosen[here]] += count if copies is None else count_true(sure, axis=axis, copies=copies)
            if not touched.size:
                continue
            at, minor = differing(within, sure, touched, axis=axis)
            which = chosen[here][touched[at]]
            pair = (touched[at], minor) if axis == 0 else (minor, touched[at])
            tied = np.abs(values[part][pair] - thresholds.score[mine[which]]) <= inside
            weights = None if copies is None else copies[minor[tied]]
            level += np.bincount(which[tied], weights=weights, minlength=len(mine)).astype(np.int64)
            unsure_threshold.append(mine[which[~tied]])
            unsure_other.append(start + minor[~tied].astype(np.int64))
    return BlockCounts(mine, above, level, np.concatenate(unsure_threshold), np.concatenate(unsure_other))
