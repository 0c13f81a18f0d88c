"""AdamW, with rates and decay by what a parameter is."""

from __future__ import annotations

from typing import Any

import torch

from clipeval.training.model import DualModel

BETAS = (0.9, 0.98)
"""Radford et al. 2021: a shorter memory of squared gradients than Adam's default, for stability."""


def new_optimiser(model: DualModel) -> Any:
    """Make AdamW (Loshchilov & Hutter 2019) over all parameters that are trained.

    Matrices are decayed; biases, norms and the temperature are not. Parameters of towers, which may have been
    trained before, get a rate of their own.

    Parameters
    ----------
    model : DualModel

    Returns
    -------
    torch.optim.AdamW
        Each group knows its highest rate as ``highest``.
    """
    settings = model.settings
    groups: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in model.modules.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = settings.tower_learning_rate if ".tower." in name else settings.learning_rate
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "highest": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        betas=BETAS,
    )


def set_rate(optimiser: Any, share: float) -> None:
    """Set every group to a share of its highest rate."""
    for group in optimiser.param_groups:
        group["lr"] = share * group["highest"]
