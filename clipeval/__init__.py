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

# looked up on first use: a test run that only collects pays for nothing
_HOME = {
    "DirectionRanks": "core.ranks",
    "Ranks": "core.ranks",
    "at_chance": "core.metrics",
    "cosine_similarity": "core.similarity",
    "rank_retrieval": "core.ranking",
    "rank_scores": "core.ranking",
    "unit_rows": "core.similarity",
}

__all__ = [
    "DirectionRanks",
    "Ranks",
    "__version__",
    "at_chance",
    "cosine_similarity",
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
