"""How long a call takes: its samples, and what a reader of them must know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.core.intervals import Interval
from clipeval.core.median import median_interval
from clipeval.core.percentiles import PercentileBound, percentile_bound

Seconds = NDArray[np.float64]

UNFINISHED = 0.1
"""Share of the true time that may pass, after a call returned, until its work is done."""


@dataclass(frozen=True, eq=False)
class Timing:
    """How long a call takes.

    Attributes
    ----------
    seconds : ndarray of float64, shape (2 rounds,)
        From an idle device to an idle device, one for each call, in order.
    returned : ndarray of float64, shape (2 rounds,)
        Until the call returned: all that a clock without synchronisation sees.
    idle : float
        What waiting for an idle device costs by itself, in seconds.
    warm_up : int
        Calls before the first that counts.
    plateau : bool
        Whether the calls had stopped getting shorter by then.
    """

    seconds: Seconds
    returned: Seconds
    idle: float
    warm_up: int
    plateau: bool

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return float(np.median(self.seconds))

    def interval(self, *, level: float = 0.95) -> Interval:
        """Bootstrap interval of the median; see `clipeval.core.median`."""
        return median_interval(self.seconds, level=level)

    def percentile(self, q: float) -> PercentileBound:
        """Upper bound of a percentile, or None where the calls are too few; see `percentile_bound`."""
        return percentile_bound(self.seconds, q)

    @property
    def unfinished(self) -> float:
        """Median share of the time that passed after the call had returned, waiting itself taken off."""
        tail = np.maximum(self.seconds - self.returned - self.idle, 0.0)
        return float(np.median(tail / np.maximum(self.seconds, np.finfo(float).tiny)))

    @property
    def returned_early(self) -> bool:
        """Whether the call came back before its work was done, so that a plain clock around it lies.

        It is no fault of a call on an accelerator; ``seconds`` count the whole work either way.
        """
        return self.unfinished > UNFINISHED

    @property
    def warning(self) -> str:
        """What a reader of the seconds must know, or an empty string."""
        notes = []
        if self.returned_early:
            notes.append(
                f"the call returned before its work was done: {self.unfinished:.0%} of the time passed "
                "afterwards, which a clock without synchronisation does not see"
            )
        if not self.plateau:
            notes.append("warm-up ended before the calls stopped getting faster")
        return "; ".join(notes)
