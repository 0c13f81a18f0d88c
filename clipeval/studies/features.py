"""Embeddings of one model's pictures or captions on disk, so that a later step need not make them again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Fingerprint, Rows
from clipeval.probes.report import ProbeFinding

Half: TypeAlias = Literal["images", "texts"]
HALVES: tuple[Half, ...] = get_args(Half)


@dataclass(frozen=True, eq=False)
class Features:
    """Rows of one half of a model, in the common space, in the dataset's order.

    Attributes
    ----------
    rows : ndarray of float32, shape (n, d)
    fingerprint : mapping
        Of the whole model.
    precomputed : bool
        They were shipped with clipeval.
    warnings : tuple of ProbeFinding
        What probes of the model found.
    """

    rows: Rows
    fingerprint: Fingerprint
    precomputed: bool = False
    warnings: tuple[ProbeFinding, ...] = ()


def features_file(folder: Path, half: Half) -> Path:
    """Name the file of one half.

    Examples
    --------
    >>> features_file(Path("clip"), "texts").name
    'text_embeddings.safetensors'
    """
    return folder / f"{half.removesuffix('s')}_embeddings.safetensors"


def features_bytes(features: Features, dataset: Dataset, *, spec: str, half: Half) -> bytes:
    """Make the content of the file, which says of which model and data the rows are."""
    from dataclasses import asdict

    from safetensors.numpy import save

    facts = {
        "model": spec,
        "dataset": dataset_hash(dataset),
        "ids": list(dataset.ids if half == "images" else dataset.caption_ids),
        "fingerprint": dict(sorted(features.fingerprint.items())),
        "precomputed": features.precomputed,
        "warnings": [asdict(warning) for warning in features.warnings],
    }
    content: bytes = save(
        {half: np.ascontiguousarray(features.rows)}, metadata={"clipeval": json.dumps(facts)}
    )
    return content


def read_features(folder: Path, dataset: Dataset, *, spec: str, half: Half) -> Features | None:
    """Read what an earlier step left, if it is of this model and exactly these data.

    Parameters
    ----------
    folder : Path
        Of the model.
    dataset : Dataset
        Its content is compared by hash.
    spec : str
        The model.
    half : {"images", "texts"}

    Returns
    -------
    Features or None
        None where there is nothing, something else, or nothing whole.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(features_file(folder, half), framework="numpy") as stored:
            facts: dict[str, Any] = json.loads((stored.metadata() or {})["clipeval"])
            if facts["model"] != spec or facts["dataset"] != dataset_hash(dataset):
                return None
            rows = stored.get_tensor(half)
        warnings = tuple(ProbeFinding(**warning) for warning in facts["warnings"])
        fingerprint, precomputed = dict(facts["fingerprint"]), bool(facts["precomputed"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    expected = dataset.n_images if half == "images" else dataset.n_captions
    if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != expected or not np.isfinite(rows).all():
        return None
    return Features(rows, fingerprint, precomputed, warnings)
