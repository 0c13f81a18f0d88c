"""The learned temperature: how strongly a cosine counts, kept within bounds."""

from __future__ import annotations

import math
from typing import Any

import torch

from clipeval.training.settings import Loss

FIRST = {"infonce": math.log(1 / 0.07), "siglip": math.log(10.0)}
"""Logarithm of the scale at the start: Radford et al. 2021; Zhai et al. 2023."""

FIRST_BIAS = -10.0
LEAST, MOST = 0.0, math.log(100.0)


def new_temperature(loss: Loss) -> Any:
    """Make the parameters ``log_scale`` and, for SigLIP, ``bias``.

    Examples
    --------
    >>> round(new_temperature("infonce")["log_scale"].item(), 4), len(new_temperature("siglip"))
    (2.6593, 2)
    """
    values = {"log_scale": FIRST[loss], **({"bias": FIRST_BIAS} if loss == "siglip" else {})}
    return torch.nn.ParameterDict({name: torch.tensor(value) for name, value in values.items()})


def clamp(temperature: Any) -> None:
    """Bring the scale back into [1, 100] after a step, as CLIP does: beyond it training is unstable.

    Examples
    --------
    >>> temperature = new_temperature("infonce")
    >>> temperature["log_scale"].data.fill_(9.0)
    tensor(9.)
    >>> clamp(temperature)
    >>> round(temperature["log_scale"].exp().item(), 3)
    100.0
    """
    with torch.no_grad():
        temperature["log_scale"].clamp_(LEAST, MOST)
