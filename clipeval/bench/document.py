"""A benchmark as one JSON document, and back from a file to what can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.bench.findings import Bench, Measurement, Model, Ratio
from clipeval.bench.ratio import Noise
from clipeval.bench.roof import Roof, Share
from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.errors import DatasetError

Json: TypeAlias = dict[str, Any]
KIND = "clipeval bench 2"


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
    >>> from clipeval.bench.settings import Settings
    >>> document = bench_document(Bench(Settings()))
    >>> document["kind"], document["partial"]
    ('clipeval bench 2', True)
    """
    return {
        "kind": KIND,
        "clipeval": __version__,
        "partial": bench.partial,
        "settings": asdict(bench.settings),
        "machine": dict(bench.machine),
        "runnable_processes": list(bench.load),
        "roof": {dtype: _roof(roof) for dtype, roof in bench.roof.items()},
        "bytes_per_second_of_a_copy": bench.copy,
        "models": [_model(model) for model in bench.models],
        "measurements": [_measurement(one, bench) for one in bench.measurements],
        "ratios": [_ratio(one, bench) for one in bench.ratios],
    }


def _roof(roof: Roof) -> Json:
    return {
        "product": str(roof.product),
        "operations_per_second": roof.operations_per_second,
        "tried": {str(product): rate for product, rate in roof.tried.items()},
    }


def _noise(noise: Noise) -> Json:
    return {"ratio": noise.ratio, "half_width": noise.half_width, "too_noisy": noise.too_noisy}


def _ratio(one: Ratio, bench: Bench) -> Json:
    names = (one.first, one.second)
    return {
        "first": one.first,
        "second": one.second,
        "part": one.part,
        "batch_size": one.batch_size,
        "ratio": one.ratio,
        "low": one.interval.low,
        "high": one.interval.high,
        "sound": all(_sound(bench, name, one.part, one.batch_size) for name in names),
        "against_itself": _noise(one.noise),
    }


def _model(model: Model) -> Json:
    quality = {
        str(size): {
            "agrees": found.agrees,
            "least_cosine": found.least_cosine,
            "median_cosine": found.median_cosine,
            "first_places_moved": found.moved,
            "reason": found.reason or None,
        }
        for size, found in model.quality.items()
    }
    return {
        "label": model.label,
        "spec": model.spec,
        "backend": model.backend,
        "status": model.status,
        "reason": model.reason or None,
        "dtype": model.dtype or None,
        "random_init": model.random_init,
        "quality": quality,
        "auto_batch": None if model.auto is None else asdict(model.auto),
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
        "items": one.items,
        "sound": _sound(bench, one.model, one.part, one.batch_size),
        "items_per_second": one.items_per_second,
        "median": timing.median,
        "low": interval.low,
        "high": interval.high,
        **bounds,
        "warm_up": timing.warm_up,
        "warning": timing.warning or None,
        "against_itself": _noise(one.noise),
        "operations": one.operations,
        "matrix_product": None if one.share is None else _share(one.share),
        "peak_resident_bytes": one.resident,
        "peak_device_bytes": one.on_device,
        "seconds": timing.seconds.tolist(),
    }


def _share(share: Share) -> Json:
    return {
        "operations_per_second": share.product_rate,
        "share": share.value,
        "low": share.interval.low,
        "high": share.interval.high,
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
        The file cannot be read, is no JSON, is no benchmark of this kind, or lacks a part of one.
    """
    try:
        document = json.loads(decode_utf8(read_plain(path), where=path.name))
    except ValueError as error:
        raise DatasetError(f"this is not JSON: {error}", where=str(path)) from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise DatasetError(
            "this is not a benchmark", where=str(path), fix="name a file that 'clipeval bench --out' wrote"
        )
    if fault := _fault(document):
        raise DatasetError(
            f"the benchmark is damaged: {fault}",
            where=str(path),
            fix="write it again with 'clipeval bench --out'",
        )
    return document


def _fault(document: Mapping[str, Any]) -> str:
    """Say what a comparison would miss in a document; empty where it is whole."""
    try:
        labels = {model["label"] for model in document["models"] if _is_model(model)}
        for one in document["measurements"]:
            seconds = one["seconds"]
            if (one["model"] in labels, type(one["part"]), type(one["batch_size"])) != (True, str, int):
                return f"a measurement of no model of it, {one['model']!r:.100}"
            if not seconds or not all(0 < second < float("inf") for second in seconds):
                return f"the seconds of {one['part']}, batch {one['batch_size']}, are not positive numbers"
            one["against_itself"]["too_noisy"], float(one["against_itself"]["half_width"])
        dict(document["machine"]), document["partial"], list(map(float, document["runnable_processes"]))
        document["settings"]["device"], document["settings"]["seconds"]
    except KeyError as error:
        return f"it has no {error}"
    except (TypeError, ValueError, AttributeError) as error:
        return f"{error}"[:200]
    return ""


def _is_model(model: Mapping[str, Any]) -> bool:
    model["random_init"], dict(model["fingerprint"])
    return all({"agrees", "reason"} <= set(found) for found in model["quality"].values())
