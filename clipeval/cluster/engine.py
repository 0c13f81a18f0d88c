"""The engine that a command runs with: its own machine's work, handed to a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clipeval.cluster.ranking import rank_on_cluster
from clipeval.cluster.reading import hashed_on_cluster, looked_on_cluster
from clipeval.cluster.settings import ClusterSettings
from clipeval.cluster.timing import Timing
from clipeval.cluster.towers import spread
from clipeval.core.positives import PositivesLike
from clipeval.core.ranks import Ranks
from clipeval.core.ties import TieRule
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Rows
from clipeval.evaluation.embed import Progress


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

    def rank(
        self,
        images: Rows,
        texts: Rows,
        image_of_caption: PositivesLike,
        *,
        ties: TieRule,
        progress: Progress | None = None,
    ) -> Ranks:
        """See `clipeval.cluster.ranking.rank_on_cluster`."""
        with self.timing.ranking(len(images) * len(texts)):
            return rank_on_cluster(
                images,
                texts,
                image_of_caption,
                ties=ties,
                progress=partial(progress, "ranking") if progress else None,
            )

    def hashed(self, dataset: Dataset, progress: Progress | None) -> list[str]:
        """See `clipeval.cluster.reading.hashed_on_cluster`."""
        return hashed_on_cluster(dataset, progress)

    def looked(self, dataset: Dataset) -> Iterator[str]:
        """See `clipeval.cluster.reading.looked_on_cluster`."""
        return looked_on_cluster(dataset)
