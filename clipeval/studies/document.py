"""A study as one JSON document, described by ``schema.json`` beside this file, and its tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.claims.results import plain
from clipeval.compare.document import comparison_document, comparison_schema
from clipeval.compare.job import ModelResult
from clipeval.encoders.dual_folder import read_dual
from clipeval.encoders.spec import parse_spec
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation
from clipeval.studies.measures import improvement, measured
from clipeval.studies.retrieval import retrieved
from clipeval.studies.run import StudyRun
from clipeval.studies.trained import is_trained

Json: TypeAlias = dict[str, Any]


def study_schema() -> Json:
    """Read the JSON Schema of the document, with that of the comparison in it.

    Examples
    --------
    >>> study_schema()["title"]
    'clipeval study'
    """
    schema: Json = json.loads(files("clipeval.studies").joinpath("schema.json").read_text(encoding="utf-8"))
    schema["$defs"]["comparison"] = {**comparison_schema(), "$id": "urn:clipeval:comparison"}
    return schema


def study_document(run: StudyRun, *, files: Sequence[str] = ()) -> Json:
    """Turn a run into plain data.

    Parameters
    ----------
    run : StudyRun
    files : sequence of str
        What was written beside the document.

    Returns
    -------
    dict
        Valid under `study_schema`.
    """
    return {
        "clipeval": __version__,
        "study": {"name": run.preset.name, "number": run.preset.number, "title": run.preset.title},
        "step": run.step,
        "twin": run.twin,
        "models": [
            {"key": model.key, "label": run.labels[model.key], "spec": run.specs[model.key]}
            for model in run.preset.models
            if model.key in run.specs
        ],
        "embedded": [{"model": key, "half": half} for key, half in run.features],
        "reused": list(run.reused),
        "figures": figures(run),
        "improvements": improvements(run),
        "claims": plain(run.judged) if run.judged else None,
        "galleries": {
            key: found if isinstance(found, str) else [_gallery(run, one) for one in found]
            for key, found in run.galleries.items()
        },
        "comparison": comparison_document(run.comparison),
        "files": list(files),
    }


def _gallery(run: StudyRun, gallery: Any) -> Json:
    ids = run.comparison.dataset.ids
    return {
        "query": gallery.query,
        "items": [ids[at] for at in gallery.items],
        "scores": list(gallery.scores),
    }


def figures(run: StudyRun) -> list[Json]:
    """List the published figures of the models that took part, each beside what was measured.

    Returns
    -------
    list of dict
        ``value`` is None where there is none, with the reason; ``n`` the queries of a count.
    """
    rows = []
    for figure in run.preset.figures:
        if figure.model not in run.specs:
            continue
        evaluation = run.evaluation(figure.model)
        value: float | str = measured(figure.measure, evaluation) if evaluation else "not_run"
        counted = evaluation is not None and figure.measure.startswith("hits@")
        rows.append(
            {
                "model": figure.model,
                "measure": figure.measure,
                "published": [figure.low, figure.high],
                "published_n": run.preset.pictures if figure.measure.startswith("hits@") else None,
                "tolerance": figure.tolerance,
                "key": figure.key,
                "value": None if isinstance(value, str) else value,
                "n": evaluation.direction("t2i").n_queries if counted and evaluation else None,
                "reason": value if isinstance(value, str) else None,
            }
        )
    return rows


def improvements(run: StudyRun) -> list[Json]:
    """Say by how much each model that ran is better than the one before it, at its top 1."""
    found = [(model, run.evaluation(model.key)) for model in run.preset.models]
    ran = [(run.labels[model.key], one.ranks.i2t.hit_rate(1)) for model, one in found if one is not None]
    return [
        {
            "first": before,
            "second": after,
            "metric": "hit_rate@1 i2t",
            "difference": b - a,
            "words": improvement(a, b),
        }
        for (before, a), (after, b) in pairwise(ran)
    ]


def results_document(run: StudyRun, key: str) -> Json:
    """Give the results of one model, picture by picture, as S5 writes them.

    Raises
    ------
    InvalidInputError
        It did not run.
    """
    result = run.result(key)
    if result is None or result.evaluation is None or result.scores is None:
        raise InvalidInputError(f"the model '{key}' did not run")
    evaluation = result.evaluation
    data = evaluation.dataset
    diagonal = result.scores.diagonal
    return {
        "clipeval": __version__,
        "model": key,
        "spec": result.spec,
        "twin": run.twin,
        "dataset": data.name,
        "fingerprint": dict(sorted(evaluation.fingerprint.items())),
        "matching_precision": asdict(result.scores.metrics["i2t"]["hit_rate@1"]),
        "right_pairs": {"mean": diagonal.mean, "sd": diagonal.sd},
        "categories": _by_category(result),
        "pictures": _pictures(evaluation),
    }


def _by_category(result: ModelResult) -> Json:
    return {
        name: {
            "pictures": part.n_images,
            "matching_precision": part.metrics["i2t"]["hit_rate@1"].value,
            "right_pairs_mean": part.diagonal.mean,
        }
        for name, part in result.categories.items()
    }


def _pictures(evaluation: Evaluation) -> list[Json]:
    data = evaluation.dataset
    rows = []
    queries = evaluation.direction("i2t").queries
    for query, record in zip(queries, evaluation.records("i2t"), strict=True):
        item = data.items[int(query)]
        rows.append(
            {
                "image": record.query,
                "category": item.category,
                "caption": item.captions[0],
                "similarity": record.positive_score,
                "rank": record.rank,
                "best_wrong_caption": record.rival,
                "its_similarity": record.rival_score,
            }
        )
    return rows


def side_by_side(run: StudyRun) -> Json:
    """Compare the models picture by picture and category by category, as S5 writes it."""
    found = {model.key: run.result(model.key) for model in run.preset.models}
    ran = {key: one for key, one in found.items() if one is not None and one.evaluation is not None}
    pictures: dict[str, Json] = {}
    for key, one in ran.items():
        for row in _pictures(one.evaluation) if one.evaluation else []:
            place = pictures.setdefault(
                row["image"], {"category": row["category"], "caption": row["caption"]}
            )
            place[key] = {"similarity": row["similarity"], "rank": row["rank"]}
    return {
        **study_document(run),
        "by_picture": pictures,
        "by_category": {key: _by_category(one) for key, one in ran.items()},
    }


def training_rows(run: StudyRun) -> list[list[object]]:
    """Tabulate what each trained model retrieves of its training pairs and of what the run held out.

    As ``clipeval train`` found it, in the epoch that was kept; a model that held nothing out has no row.
    """
    columns = ("n_images", "hit1_i2t", "chance1_i2t", "top100_i2t", "chance100_i2t")
    head = ["model", "part", "pictures", "hit@1 i2t", "its chance", "top-100 i2t", "top-100 chance"]
    rows: list[list[object]] = [list(head)]
    for model in run.preset.models:
        if not is_trained(model, twin=run.twin) or run.evaluation(model.key) is None:
            continue
        spec = run.specs[model.key]
        words = read_dual(Path(parse_spec(spec).name), where=spec).words
        kept = words["history"][words["best"]]
        for part, name in (("train", "training"), ("held_out", "held out")):
            if f"{part}_n_images" in kept:
                rows.append([model.key, name, *(kept[f"{part}_{column}"] for column in columns)])
    return rows


def retrieval_rows(run: StudyRun) -> list[list[object]]:
    """Tabulate hits@K of N and the graded score of each model, for K = 1, the study's and 100."""
    head = ["model", "spec", "k", "n", "hits", "chance", "accuracy", "low", "high", "ndcg", "ndcg_chance"]
    rows: list[list[object]] = [list(head)]
    for model in run.preset.models:
        evaluation = run.evaluation(model.key)
        for k in dict.fromkeys((1, run.preset.top, 100)):
            one = retrieved(evaluation, k=k) if evaluation else None
            if one is not None:
                low, high = one.rate.low, one.rate.high
                numbers = (one.hits, one.chance, one.rate.value, low, high, one.graded, one.graded_chance)
                cells = ["" if number is None else round(number, 6) for number in numbers]
                rows.append([model.key, run.specs[model.key], k, one.n, *cells])
    return rows
