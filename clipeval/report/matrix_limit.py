"""Up to which size the whole similarity matrix is written and drawn."""

from __future__ import annotations

from clipeval.compare.job import Comparison

MOST_CELLS = 10_000_000
"""Above this many image-caption pairs the full matrix is neither written nor drawn."""


def too_large_for_the_matrix(job: Comparison) -> bool:
    """Say whether files that need the whole similarity matrix are left out."""
    return job.dataset.n_images * job.dataset.n_captions > MOST_CELLS
