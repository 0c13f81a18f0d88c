"""clipeval: statements about image-text encoders that pass, fail or are undecided, with the evidence."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clipeval._version import __version__

if TYPE_CHECKING:
    from clipeval.core.metrics import at_chance
    from clipeval.core.ranking import rank_retrieval, rank_scores
    from clipeval.core.ranks import DirectionRanks, Ranks
    from clipeval.core.similarity import cosine_similarity, unit_rows
    from clipeval.data.dataset import Dataset, Item
    from clipeval.data.load import load_dataset
    from clipeval.encoders.base import Encoder
    from clipeval.encoders.load import load_encoder
    from clipeval.evaluation.evaluate import Evaluation, evaluate

# looked up on first use: a test run that only collects pays for nothing
_HOME = {
    "Dataset": "data.dataset",
    "DirectionRanks": "core.ranks",
    "Encoder": "encoders.base",
    "Evaluation": "evaluation.evaluate",
    "Item": "data.dataset",
    "Ranks": "core.ranks",
    "at_chance": "core.metrics",
    "cosine_similarity": "core.similarity",
    "evaluate": "evaluation.evaluate",
    "load_dataset": "data.load",
    "load_encoder": "encoders.load",
    "rank_retrieval": "core.ranking",
    "rank_scores": "core.ranking",
    "unit_rows": "core.similarity",
}

__all__ = [
    "Dataset",
    "DirectionRanks",
    "Encoder",
    "Evaluation",
    "Item",
    "Ranks",
    "__version__",
    "at_chance",
    "cosine_similarity",
    "evaluate",
    "load_dataset",
    "load_encoder",
    "rank_retrieval",
    "rank_scores",
    "unit_rows",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"clipeval.{_HOME[name]}"), name)
    raise AttributeError(f"module 'clipeval' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
