"""Small dual models whose every number can be checked by hand, and what trains them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs clipeval[models]")

import torch

from clipeval.training.model import DualModel, Side
from clipeval.training.pairs import Pairs
from clipeval.training.settings import TrainingSettings

MakeModel = Callable[..., DualModel]


@pytest.fixture
def small_model() -> MakeModel:
    """Two towers with dropout over seeded rows; image i and text i share what they are about."""

    def make(settings: TrainingSettings, *, n: int = 24, tower: Callable[[], Any] | None = None) -> DualModel:
        rng = np.random.default_rng(3)
        hidden = rng.normal(size=(n, 4))
        rows = {
            side: torch.tensor(hidden @ rng.normal(size=(4, 6)), dtype=torch.float32)
            for side in ("image", "text")
        }
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            sides = [_side(rows[name], settings, tower) for name in ("image", "text")]
        return DualModel(*sides, settings)

    return make


def _side(rows: Any, settings: TrainingSettings, tower: Callable[[], Any] | None) -> Side:
    layers = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Dropout(settings.dropout))
    modules = torch.nn.ModuleDict(
        {"tower": tower() if tower else layers, "head": torch.nn.Linear(16, settings.dim * settings.ensemble)}
    )
    return Side(
        modules,
        take=lambda numbers: rows[torch.from_numpy(numbers)],
        embed=lambda inputs: modules["head"](modules["tower"](inputs)),
    )


@pytest.fixture
def small_pairs() -> Callable[..., Pairs]:
    """One caption for each of n pictures, the last `held` of them held out."""

    def make(n: int = 24, *, held: int = 0) -> Pairs:
        numbers = np.arange(n)
        return Pairs(numbers, numbers, numbers, numbers[: n - held], numbers[n - held :])

    return make
