"""A benchmark as one JSON document, and back from a file to what can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.bench.job import Bench, Measurement, Model
from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.errors import DatasetError

Json: TypeAlias = dict[str, Any]
KIND = "clipeval bench 1"


def bench_schema() -> Json:
    """Read the JSON Schema of the document.

    Examples
    --------
    >>> bench_schema()["title"]
    'clipeval bench'
    """
    schema: Json = json.loads(files("clipeval.bench").joinpath("schema.json").read_text(encoding="utf-8"))
    return schema


def bench_document(bench: Bench) -> Json:
    """Turn a benchmark into plain data, every sample included.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    dict
        Valid under `bench_schema`.

    Examples
    --------
    >>> from clipeval.bench.job import Settings
    >>> document = bench_document(Bench(Settings()))
    >>> document["kind"], document["partial"]
    ('clipeval bench 1', True)
    """
    return {
        "kind": KIND,
        "clipeval": __version__,
        "partial": bench.partial,
        "settings": asdict(bench.settings),
        "machine": dict(bench.machine),
        "operations_per_second_of_a_matrix_product": bench.roof,
        "models": [_model(model) for model in bench.models],
        "measurements": [_measurement(one, bench) for one in bench.measurements],
        "ratios": [
            {
                "first": one.first,
                "second": one.second,
                "part": one.part,
                "batch_size": one.batch_size,
                "ratio": one.ratio,
                "low": one.interval.low,
                "high": one.interval.high,
                "sound": all(
                    _sound(bench, name, one.part, one.batch_size) for name in (one.first, one.second)
                ),
            }
            for one in bench.ratios
        ],
    }


def share_of_roof(one: Measurement, bench: Bench) -> float | None:
    """Give the share of the machine's matrix-product rate that a forward pass reaches, in [0, ...).

    Examples
    --------
    >>> from clipeval.bench.clock import Timing
    >>> from clipeval.bench.job import Settings
    >>> import numpy as np
    >>> timing = Timing(np.array([2.0]), np.array([2.0]), 0.0, 0, True)
    >>> bench = Bench(Settings(), roof={"float32": 100.0}, models=[Model("m", "m", dtype="float32")])
    >>> share_of_roof(Measurement("m", "forward image", 1, timing, 150, None, None), bench)
    0.75
    """
    rates = [bench.roof.get(model.dtype) for model in bench.models if model.label == one.model]
    if one.operations is None or not rates or not rates[0]:
        return None
    return one.operations / one.timing.median / rates[0]


def _model(model: Model) -> Json:
    quality = {
        str(size): {
            "agrees": found.agrees,
            "least_cosine": found.least_cosine,
            "first_places_moved": found.moved,
            "reason": found.reason or None,
        }
        for size, found in model.quality.items()
    }
    return {
        "label": model.label,
        "spec": model.spec,
        "status": model.status,
        "reason": model.reason or None,
        "dtype": model.dtype or None,
        "random_init": model.random_init,
        "quality": quality,
        "not_timed": model.missing,
        "fingerprint": dict(model.fingerprint),
    }


def _sound(bench: Bench, label: str, part: str, size: int) -> bool:
    """Say whether a speed counts; decoding comes before the model and cannot make its answers wrong."""
    (model,) = (model for model in bench.models if model.label == label)
    return part == "decode" or (size in model.quality and model.quality[size].agrees)


def _measurement(one: Measurement, bench: Bench) -> Json:
    timing = one.timing
    interval = timing.interval()
    bounds = {
        f"p{round(100 * q)}": {"at_most": bound.value, "samples": bound.n, "needed": bound.needed}
        for q in (0.9, 0.99)
        for bound in (timing.percentile(q),)
    }
    return {
        "model": one.model,
        "part": one.part,
        "batch_size": one.batch_size,
        "sound": _sound(bench, one.model, one.part, one.batch_size),
        "items_per_second": one.items_per_second,
        "median": timing.median,
        "low": interval.low,
        "high": interval.high,
        **bounds,
        "warm_up": timing.warm_up,
        "warning": timing.warning or None,
        "operations": one.operations,
        "share_of_matrix_product": share_of_roof(one, bench),
        "peak_resident_bytes": one.resident,
        "peak_device_bytes": one.on_device,
        "seconds": timing.seconds.tolist(),
    }


def read_document(path: Path) -> Mapping[str, Any]:
    """Read a document that ``clipeval bench --out`` wrote.

    Parameters
    ----------
    path : Path

    Returns
    -------
    mapping

    Raises
    ------
    DatasetError
        The file cannot be read, is no JSON, or is no benchmark of this kind.
    """
    try:
        document = json.loads(decode_utf8(read_plain(path), where=path.name))
    except ValueError as error:
        raise DatasetError(f"this is not JSON: {error}", where=str(path)) from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise DatasetError(
            "this is not a benchmark", where=str(path), fix="name a file that 'clipeval bench --out' wrote"
        )
    return document
