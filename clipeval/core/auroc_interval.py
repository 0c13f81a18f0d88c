"""Interval of the AUROC of positive against negative pairs, images being the independent units."""

from __future__ import annotations

import numpy as np

from clipeval.core.intervals import Interval, wilson_interval
from clipeval.core.pair_pass import Part
from clipeval.core.pairs_won import PairsWon
from clipeval.core.positives import Integers
from clipeval.core.ties import Floats


def auroc_interval(part: Part, won: PairsWon, shape: tuple[int, int], *, level: float = 0.95) -> Interval:
    """Interval of the share of pairs won.

    An image takes part with its positive pairs, with the negative pairs of its row and with those of its
    captions' columns, so pairs are anything but independent. Its influence on the share is that of its weight
    (infinitesimal jackknife: B. Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, ch. 6);
    the variance is the sum of the squared influences. Wilson's interval is taken at the number of independent
    trials that would have this variance, but never at more than there are images: near an AUROC of 1 few
    images make up all losses, and the estimated variance is too small by far. That errs on the long side
    (``tests/benchmarks/simulate_auroc.py``).

    Parameters
    ----------
    part : Part
        Images (rows) and their positive pairs.
    won : PairsWon
        Of these rows, with counts for each pair, row and column.
    shape : tuple of int
        Rows and columns of the whole matrix.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Within [0, 1].

    Examples
    --------
    >>> pairs = np.arange(2)
    >>> part, won = Part(pairs, pairs, pairs, np.ones(2)), PairsWon(np.ones(2), (2, 2), each=True)
    >>> won.look(np.eye(2), rows=pairs, first=0, own=(pairs, pairs))
    >>> interval = auroc_interval(part, won, (2, 2))
    >>> round(interval.low, 3), interval.high
    (0.342, 1.0)
    """
    rows, columns = _units(part, shape)
    n = max(rows.max(initial=-1), columns.max(initial=-1)) + 1

    def of_units(labels: Integers, values: Floats | Integers) -> Floats:
        return np.bincount(labels, weights=values, minlength=n).astype(np.float64)

    of_positive, of_rows = rows[part.at], rows
    positives = of_units(of_positive, np.ones(len(part.at)))
    in_row, in_column = (
        np.bincount(own, minlength=size)
        for own, size in ((part.at, len(part.rows)), (part.caption, shape[1]))
    )
    negatives = of_units(of_rows, shape[1] - in_row) + of_units(columns, len(part.rows) - in_column)
    wins = of_units(of_positive, won.by_positive)
    wins += of_units(of_rows, won.by_row[part.rows]) + of_units(columns, won.by_column)

    n_positive = len(part.at)
    n_negative = len(part.rows) * shape[1] - n_positive
    share = won.total / (n_positive * n_negative)
    influence = wins / (n_positive * n_negative) - share * (positives / n_positive + negatives / n_negative)
    units = int(np.count_nonzero(positives))
    variance = float(np.sum(influence**2)) * units / max(1, units - 1)
    trials = float(units)
    if variance * units > share * (1.0 - share) > 0.0:
        trials = share * (1.0 - share) / variance
    interval = wilson_interval(share * trials, trials, level=level)
    return Interval(interval.low, interval.high, level, "Wilson over images, conservative")


def _units(part: Part, shape: tuple[int, int]) -> tuple[Integers, Integers]:
    """Give each row and each column the number of what positive pairs hold together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array(
        (np.ones(len(part.at)), (part.at, part.caption + len(part.rows))),
        shape=(len(part.rows) + shape[1],) * 2,
    )
    _, label = connected_components(links, directed=False)
    return label[: len(part.rows)], label[len(part.rows) :]
