"""The comparison as one JSON document, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.compare.job import Comparison, ModelResult, PairedComparison
from clipeval.data.content import dataset_hash
from clipeval.evaluation.scores import Scores, finite

Json: TypeAlias = dict[str, Any]


def comparison_schema() -> Json:
    """Read the JSON Schema of the document.

    Examples
    --------
    >>> comparison_schema()["title"]
    'clipeval comparison'
    """
    schema: Json = json.loads(files("clipeval.compare").joinpath("schema.json").read_text(encoding="utf-8"))
    return schema


def comparison_document(job: Comparison, *, files: Sequence[str] = ()) -> Json:
    """Turn a comparison into plain data.

    Parameters
    ----------
    job : Comparison
        What ran and what did not.
    files : sequence of str
        What is written beside the document (`clipeval.report.write.file_names`).

    Returns
    -------
    dict
        Valid under `comparison_schema`. The same job on the same machine gives the same document, apart
        from ``times``.
    """
    return {
        "clipeval": __version__,
        "dataset": {
            "name": job.dataset.name,
            "n_images": job.dataset.n_images,
            "n_captions": job.dataset.n_captions,
            "categories": list(job.dataset.categories),
            "sha256": dataset_hash(job.dataset),
        },
        "seed": job.seed,
        "models": [_model(result) for result in job.models],
        "comparisons": [_pair(pair) for pair in job.pairs],
        "files": list(files),
        "times": {
            "models": [
                {
                    "spec": result.spec,
                    "seconds": round(result.seconds, 3),
                    "encoded": result.evaluation.encoded if result.evaluation else 0,
                }
                for result in job.models
            ]
        },
    }


def to_text(document: Json) -> str:
    """Write the document as text: sorted nowhere, indented, no NaN, a final line break."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _model(result: ModelResult) -> Json:
    head: Json = {"spec": result.spec, "status": result.status, "reason": result.reason or None}
    if result.evaluation is None or result.scores is None:
        return {
            **head,
            "failed": result.failed,
            "precomputed": False,
            "learned": None,
            "warnings": [],
            "fingerprint": None,
            "metrics": None,
            "categories": None,
        }
    return {
        **head,
        "precomputed": result.evaluation.precomputed,
        "learned": asdict(result.evaluation.learned) if result.evaluation.learned else None,
        "warnings": [asdict(finding) for finding in result.evaluation.warnings],
        "fingerprint": dict(sorted(result.evaluation.fingerprint.items())),
        "ties": result.evaluation.ranks.i2t.ties,
        "metrics": _scores(result.scores),
        "categories": {
            name: {"n_images": part.n_images, "n_captions": part.n_captions, **_scores(part)}
            for name, part in result.categories.items()
        },
    }


def _scores(scores: Scores) -> Json:
    diagonal = scores.diagonal
    return {
        **{
            direction: {name: asdict(metric) for name, metric in table.items()}
            for direction, table in scores.metrics.items()
        },
        "diagonal": {
            "mean": diagonal.mean,
            "sd": diagonal.sd,
            "off_mean": finite(diagonal.off_mean),
            "off_sd": finite(diagonal.off_sd),
            "n_positive": diagonal.n_positive,
            "n_negative": diagonal.n_negative,
            "dominance": scores.dominance[0],
            "dominance_columns": scores.dominance[1],
            "dominance_chance": scores.metrics["i2t"]["hit_rate@1"].chance,
            "margin": finite(scores.margin[0]),
            "margin_columns": finite(scores.margin[1]),
            "d_prime": finite(diagonal.d_prime),
            "auroc": finite(diagonal.auroc),
            "auroc_low": diagonal.auroc_interval.low if diagonal.auroc_interval else None,
            "auroc_high": diagonal.auroc_interval.high if diagonal.auroc_interval else None,
            "auroc_chance": 0.5,
        },
    }


def _pair(pair: PairedComparison) -> Json:
    test = pair.test
    return {
        "first": pair.first,
        "second": pair.second,
        "direction": pair.direction,
        "metric": "hit_rate@1",
        "difference": test.difference,
        "low": test.interval.low,
        "high": test.interval.high,
        "level": test.interval.level,
        "p": test.p,
        "p_holm": pair.p_holm,
        "n": test.n,
        "n_clusters": test.n_clusters,
        "first_better": test.discordant[0],
        "second_better": test.discordant[1],
        "minimum_detectable_effect": test.minimum_detectable_effect,
        "method": test.method,
        "note": test.note or None,
        "verdict": pair.verdict.value,
    }
