"""Heads while they are trained: the same arithmetic as `clipeval.encoders.heads`, in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional

from clipeval.core.similarity import unit_rows
from clipeval.encoders.head_ensemble import Heads, one_or_more
from clipeval.encoders.heads import Array, Head
from clipeval.training.settings import TrainingSettings


def standardisation(rows: ArrayLike) -> tuple[Array, Array]:
    """Give the mean of unit rows, and what brings the mean square of their centred entries to 1.

    One factor for all columns: dividing each column by its own deviation did worse on Flickr8k (hit@1 on
    held-out training pictures .221 / .296 against .228 / .307): columns that hardly vary hold mostly noise.

    Examples
    --------
    >>> centre, spread = standardisation([[1.0, 0.0], [0.0, 1.0]])
    >>> centre.tolist(), spread.tolist()
    ([0.5, 0.5], [2.0, 2.0])
    """
    unit = unit_rows(rows).astype(np.float64)
    centre = unit.mean(axis=0)
    size = float(np.sqrt(np.mean((unit - centre) ** 2)))
    spread = np.full(unit.shape[1], 1.0 / size if size else 0.0)
    return centre.astype(np.float32), spread.astype(np.float32)


def new_head(d: int, k: int, *, hidden: int, dropout: float, hidden_dropout: float | None = None) -> Any:
    """Make the layers of a head, with torch's usual initial weights.

    Parameters
    ----------
    d, k : int
        Widths of what comes in and goes out.
    hidden : int
        Of the second way; 0 for a linear head.
    dropout, hidden_dropout : float
        Of what comes in, and of the second way.

    Returns
    -------
    torch.nn.ModuleDict
    """
    layers = {"linear": torch.nn.Linear(d, k), "drop": torch.nn.Dropout(dropout)}
    if hidden:
        layers["hidden"] = torch.nn.Linear(d, hidden)
        layers["out"] = torch.nn.Linear(hidden, k, bias=False)
        layers["drop_hidden"] = torch.nn.Dropout(dropout if hidden_dropout is None else hidden_dropout)
    return torch.nn.ModuleDict(layers)


def new_heads(d: int, settings: TrainingSettings, *, hidden: int) -> dict[str, Any]:
    """Make the layers of all heads of a side, by name: ``head``, ``head2`` and so on.

    Parameters
    ----------
    d : int
        Width of what comes in.
    settings : TrainingSettings
    hidden : int
        Of the second way; 0 for linear heads.
    """
    return {
        f"head{number if number > 1 else ''}": new_head(
            d,
            settings.dim,
            hidden=hidden,
            dropout=settings.dropout,
            hidden_dropout=settings.hidden_dropout,
        )
        for number in range(1, settings.ensemble + 1)
    }


def all_carried(heads: Mapping[str, Any], x: Any) -> Any:
    """Carry standardised rows into the common space by every head, side by side."""
    return torch.cat([carried(layers, x) for layers in heads.values()], dim=-1)


def carried(layers: Any, x: Any) -> Any:
    """Carry standardised rows into the common space; see `clipeval.encoders.heads.Head`."""
    x = layers["drop"](x)
    rows = layers["linear"](x)
    if "hidden" in layers:
        rows = rows + layers["out"](layers["drop_hidden"](functional.gelu(layers["hidden"](x))))
    return rows


def frozen_heads(modules: Any, centre: Array, spread: Array) -> Heads:
    """Turn the trained layers of a side into what is saved and used."""
    return one_or_more(
        [frozen_head(layers, centre, spread) for name, layers in modules.items() if name.startswith("head")]
    )


def frozen_head(layers: Any, centre: Array, spread: Array) -> Head:
    """Turn trained layers into the head that is saved and used."""

    def array(parameter: Any, *, turned: bool = False) -> Array:
        value = parameter.detach().float().cpu().numpy()
        return np.ascontiguousarray(value.T if turned else value)

    second: dict[str, Array] = {}
    if "hidden" in layers:
        second = {
            "hidden": array(layers["hidden"].weight, turned=True),
            "hidden_bias": array(layers["hidden"].bias),
            "out": array(layers["out"].weight, turned=True),
        }
    linear = layers["linear"]
    return Head(centre, spread, array(linear.weight, turned=True), array(linear.bias), **second)
