"""A classification as one JSON document, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.classification.job import Classification, Classified, ModelClassified
from clipeval.data.content import dataset_hash

Json: TypeAlias = dict[str, Any]


def classification_schema() -> Json:
    """Read the JSON Schema of the document.

    Examples
    --------
    >>> classification_schema()["title"]
    'clipeval classification'
    """
    text = files("clipeval.classification").joinpath("schema.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text)
    return schema


def classification_document(job: Classification, *, files: Sequence[str] = ()) -> Json:
    """Turn a classification into plain data.

    Parameters
    ----------
    job : Classification
    files : sequence of str
        What is written beside the document.

    Returns
    -------
    dict
        Valid under `classification_schema`; the same job on the same machine gives the same.
    """
    return {
        "clipeval": __version__,
        "dataset": {
            "name": job.dataset.name,
            "n_images": job.dataset.n_images,
            "n_classified": len(job.pictures),
            "sha256": dataset_hash(job.dataset),
        },
        "classes": list(job.names),
        "models": [_model(model, job) for model in job.models],
        "files": list(files),
    }


def _model(model: ModelClassified, job: Classification) -> Json:
    return {
        "spec": model.spec,
        "status": "ok" if model.sets else "not_run",
        "reason": model.reason or None,
        "fingerprint": dict(sorted(model.fingerprint.items())) or None,
        "warnings": [asdict(warning) for warning in model.warnings],
        "prompts": [_set(one, job) for one in model.sets],
    }


def _set(one: Classified, job: Classification) -> Json:
    pictures = [
        {
            "id": job.dataset.ids[int(item)],
            "class": job.names[int(right)],
            "rank": float(rank),
            "score": float(score),
            "best_wrong": job.names[int(rival)],
            "its_score": float(other),
        }
        for item, right, rank, score, rival, other in zip(
            job.pictures,
            job.right,
            one.ranks.rank,
            one.ranks.positive_score,
            one.ranks.best_rival,
            one.ranks.rival_score,
            strict=True,
        )
    ]
    return {
        "name": one.prompts,
        "templates": list(one.templates),
        "top1": asdict(one.top1),
        "top5": asdict(one.top5),
        "mean_per_class": mean_per_class(one),
        "classes": {name: asdict(metric) for name, metric in one.of_classes.items()},
        "pictures": pictures,
    }


def mean_per_class(one: Classified) -> float:
    """Average the accuracies of the classes, each with the same weight however many pictures it has."""
    values = [metric.value for metric in one.of_classes.values() if metric.value is not None]
    return sum(values) / len(values)
