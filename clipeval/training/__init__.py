"""Training dual encoders with contrastive losses: heads over frozen towers, or whole networks."""

from __future__ import annotations

from clipeval.training.heads_job import TrainedHeads, train_heads
from clipeval.training.settings import TrainingSettings

__all__ = ["TrainedHeads", "TrainingSettings", "train_heads"]
