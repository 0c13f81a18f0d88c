"""The learning rate over a run: a rise, then a cosine down to nothing."""

from __future__ import annotations

import math


def rate_at(step: int, *, steps: int, warmup: float) -> float:
    """Give the share of the highest rate at which a step is made.

    Parameters
    ----------
    step : int
        From 0.
    steps : int
        All steps of the run.
    warmup : float
        Share of them in which the rate rises, at least one step.

    Returns
    -------
    float
        In (0, 1].

    Examples
    --------
    >>> [round(rate_at(step, steps=8, warmup=0.25), 2) for step in range(8)]
    [0.5, 1.0, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07]
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
