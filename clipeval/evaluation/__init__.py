"""The single place where an encoder meets a dataset; everything above reads its records."""

from __future__ import annotations

from clipeval.evaluation.cache import EmbeddingCache, default_cache
from clipeval.evaluation.evaluate import DIRECTIONS, Direction, Evaluation, QueryRecord, evaluate

__all__ = [
    "DIRECTIONS",
    "Direction",
    "EmbeddingCache",
    "Evaluation",
    "QueryRecord",
    "default_cache",
    "evaluate",
]
