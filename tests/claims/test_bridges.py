"""Statements about the models that run everywhere, with the paired test as evidence."""

from __future__ import annotations

import pytest

from clipeval.core.comparison import compare_paired
from clipeval.core.verdict import Verdict
from clipeval.data import load_dataset

RANDOM = "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42"
CONSE = "conse:efficientnet-lite0+all-MiniLM-L6-v2"


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_a_bridge_through_class_names_beats_a_random_projection(evaluate, models_extra, direction):
    data = load_dataset("embedded")
    named, random = evaluate(CONSE, data), evaluate(RANDOM, data)
    result = compare_paired(
        named.direction(direction).hits(1), random.direction(direction).hits(1), named.cluster(direction)
    )
    assert result.verdict is Verdict.HOLDS, result


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_real_clip_beats_its_own_image_tower_behind_a_random_projection(
    evaluate, models_extra, reference_data, direction
):
    rows = reference_data / "clip-coco500" / "features_clip.npy"
    data = load_dataset(reference_data / "clip-coco500" / "pairs.json", require_pictures=False)
    joint = evaluate(f"frozen:{rows}", data)
    apart = evaluate(f"preclip:frozen:{rows}+all-MiniLM-L6-v2", data)
    result = compare_paired(
        joint.direction(direction).hits(1), apart.direction(direction).hits(1), joint.cluster(direction)
    )
    assert result.verdict is Verdict.HOLDS, result
    assert result.difference == pytest.approx({"i2t": 0.55, "t2i": 0.50}[direction], abs=0.02)


def test_the_named_model_beats_the_random_projection(evaluate, encoder, models_extra):
    data = load_dataset("embedded")
    named, random = evaluate(encoder, data), evaluate(RANDOM, data)
    result = compare_paired(named.ranks.i2t.hits(1), random.ranks.i2t.hits(1), named.cluster("i2t"))
    assert result.verdict is Verdict.HOLDS, result
