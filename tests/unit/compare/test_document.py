from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from clipeval import __version__
from clipeval.compare.document import comparison_document, comparison_schema, to_text
from clipeval.compare.job import compare

METRICS = {
    "hit_rate@1",
    "hit_rate@5",
    "hit_rate@10",
    "recall@1",
    "recall@5",
    "recall@10",
    "ndcg@10",
    "mrr",
} | {
    "map@r",
    "r_precision",
    "median_rank",
}


@pytest.fixture
def document(captioned, frozen) -> dict[str, Any]:
    data = captioned(12, categories=("Animals", "Food"))
    return comparison_document(
        compare([frozen(data, noise=3.0), frozen(data, "b.npz", seed=1), "frozen:absent.npz"], data)
    )


def test_the_document_has_the_promised_structure(document: dict[str, Any]) -> None:
    assert document["clipeval"] == __version__
    assert document["dataset"] | {"sha256": ""} == {
        "name": "toy",
        "n_images": 12,
        "n_captions": 12,
        "categories": ["Animals", "Food"],
        "sha256": "",
    }
    ran, _, absent = document["models"]
    assert {"spec", "status", "reason", "fingerprint", "metrics", "categories"} <= set(ran)
    assert (ran["status"], ran["reason"]) == ("ok", None)
    assert absent["status"] == "not_run"
    assert "absent.npz" in absent["reason"]
    assert absent["fingerprint"] is absent["metrics"] is absent["categories"] is None
    for part in (ran["metrics"], *ran["categories"].values()):
        for direction in ("i2t", "t2i"):
            assert set(part[direction]) == METRICS
            for metric in part[direction].values():
                assert set(metric) == {"value", "low", "high", "chance"}
        assert {
            "mean",
            "sd",
            "off_mean",
            "off_sd",
            "dominance",
            "margin",
            "d_prime",
            "auroc",
            "auroc_low",
            "auroc_high",
        } <= set(part["diagonal"])
    assert set(ran["categories"]) == {"Animals", "Food"}
    assert len(document["comparisons"]) == 2
    assert list(document)[-1] == "times"


def test_the_document_is_valid_under_a_valid_schema(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(comparison_schema())
    jsonschema.validate(json.loads(to_text(document)), comparison_schema())


@pytest.mark.parametrize(
    "size", [{"n": 1}, {"n": 2}, {"n": 3, "per_image": 4}, {"n": 4, "categories": ("one",)}], ids=str
)
@pytest.mark.parametrize("models", [0, 1, 2])
def test_small_jobs_are_valid_and_hold_no_nan(captioned, frozen, size: dict[str, Any], models: int) -> None:
    data = captioned(**size)
    specs = [frozen(data, f"{k}.npz", seed=k) for k in range(models)] or ["frozen:absent.npz"]
    text = to_text(comparison_document(compare(specs, data)))
    assert text.endswith("}\n")
    jsonschema.validate(json.loads(text), comparison_schema())


def changes(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, value in [
        (("dataset", "n_images"), 0),
        (("dataset", "name"), None),
        (("models", 0, "status"), "failed"),
        (("models", 0, "reason"), "it ran"),
        (("models", 2, "reason"), None),
        (("models", 0, "metrics"), None),
        (("models", 0, "metrics", "i2t", "hit_rate@1"), 0.5),
        (("models", 0, "metrics", "diagonal", "auroc"), 1.5),
        (("models", 0, "fingerprint", "weights"), 1),
        (("comparisons", 0, "p"), 0),
        (("comparisons", 0, "verdict"), "maybe"),
        (("comparisons", 0, "direction"), "t2t"),
        (("times", "models", 0, "seconds"), "1"),
        (("files",), ["/etc/passwd"]),
        (("files",), ["../comparison.png"]),
        (("files",), [1]),
        (("unknown",), 1),
    ]:
        changed = copy.deepcopy(document)
        place = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        yield changed


def test_the_schema_refuses_what_is_not_such_a_document(document: dict[str, Any]) -> None:
    for changed in changes(document):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(changed, comparison_schema())
    for key in document:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in document.items() if k != key}, comparison_schema())


def test_a_p_near_zero_is_valid(captioned, tmp_path: Path) -> None:
    """1200 one-way pairs: p = 2 / 2^1200, which float64 cannot hold."""
    data, noise = captioned(1200), np.random.default_rng(0).standard_normal((1200, 1200)) * 1e-3
    rows = (np.eye(1200) + noise).astype(np.float32)  # without noise all wrong pairs tie: slow
    np.savez(tmp_path / "good.npz", images=rows, texts=rows)
    np.savez(tmp_path / "bad.npz", images=rows, texts=np.roll(rows, 1, axis=0))
    job = compare([f"frozen:{tmp_path / name}.npz" for name in ("good", "bad")], data)
    found = comparison_document(job)
    assert {pair["verdict"] for pair in found["comparisons"]} == {"holds"}
    assert 0 < found["comparisons"][0]["p"] < 1e-300
    jsonschema.validate(json.loads(to_text(found)), comparison_schema())


def test_values_lie_in_their_intervals_and_chance_is_exact(document: dict[str, Any]) -> None:
    for model in document["models"][:2]:
        for direction in ("i2t", "t2i"):
            for name, metric in model["metrics"][direction].items():
                if name != "median_rank":
                    assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1
            for k in (1, 5, 10):
                assert math.isclose(model["metrics"][direction][f"hit_rate@{k}"]["chance"], k / 12)


def test_only_the_block_of_times_differs_between_two_runs(captioned, frozen) -> None:
    data = captioned(30, per_image=2, categories=("a", "b"))
    specs = [frozen(data, noise=3.0), frozen(data, "b.npz", noise=2.0, seed=1)]
    first, second = (comparison_document(compare(specs, data)) for _ in range(2))
    first.pop("times")
    second.pop("times")
    assert to_text(first) == to_text(second)
