"""Embeddings of large sets on disk: made shard by shard, continued after a stop, read only when whole."""

from __future__ import annotations

from clipeval.evaluation.store.job import StoredEmbeddings, embed_to_store

__all__ = ["StoredEmbeddings", "embed_to_store"]
