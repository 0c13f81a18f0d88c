"""Up to which size the whole similarity matrix is written and drawn."""

from __future__ import annotations

from clipeval.compare.job import Comparison
from clipeval.data.dataset import Dataset

MOST_CELLS = 10_000_000
"""Above this many image-caption pairs the full matrix is neither written nor drawn pair by pair."""

MOST_PASSED = 500_000_000
"""Above so many pairs, over all models, nothing passes over them for the page: it takes minutes."""


def too_many_to_pass(job: Comparison) -> bool:
    """Say whether the models that ran have more pairs together than that."""
    ran = sum(result.evaluation is not None for result in job.models)
    return ran * job.dataset.n_images * job.dataset.n_captions > MOST_PASSED


def too_large_for_the_matrix(job: Comparison) -> bool:
    """Say whether files that need the whole similarity matrix are left out."""
    return too_many_pairs(job.dataset)


def too_many_pairs(data: Dataset) -> bool:
    """Say whether a dataset has more pairs than that."""
    return data.n_images * data.n_captions > MOST_CELLS
