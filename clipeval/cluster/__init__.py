"""The work of one machine on many, with Ray: the same rows and the same ranks, to the bit."""

from __future__ import annotations

from clipeval.cluster.engine import RayEngine
from clipeval.cluster.ranking import rank_store
from clipeval.cluster.session import connected
from clipeval.cluster.settings import ClusterSettings

__all__ = ["ClusterSettings", "RayEngine", "connected", "rank_store"]
