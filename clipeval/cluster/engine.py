"""The engine that a command runs with: its own machine's work, handed to a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clipeval.cluster.settings import ClusterSettings
from clipeval.cluster.timing import Timing
from clipeval.cluster.towers import spread
from clipeval.encoders.base import Encoder


@dataclass(frozen=True)
class RayEngine:
    """A connected cluster.

    Attributes
    ----------
    settings : ClusterSettings
    log : callable or None
        Told which shard is there, and where a batch failed.
    timing : Timing
        Filled while it works.
    """

    settings: ClusterSettings
    log: Callable[[str], None] | None = None
    timing: Timing = field(default_factory=Timing)

    def spread(self, encoder: Encoder, *, spec: str, options: Mapping[str, Any]) -> Encoder:
        """See `clipeval.cluster.towers.spread`."""
        return spread(
            encoder, spec=spec, options=options, settings=self.settings, timing=self.timing, log=self.log
        )
