"""Built-in claims about the models that run everywhere, judged as a user's own tests would judge them."""

from __future__ import annotations

import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.checks import better_than
from clipeval.claims.claim import Claim
from clipeval.data import load_dataset

RANDOM = "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42"
CONSE = "conse:efficientnet-lite0+all-MiniLM-L6-v2"


def built_in(name: str) -> Claim:
    (claim,) = [claim for claim in BUILTIN if claim.id == name]
    return claim


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_a_bridge_through_class_names_beats_a_random_projection(
    evaluate, judge_claim, models_extra, direction
):
    data = load_dataset("embedded")
    claim = built_in(f"bridge/named-beats-random/{direction}")
    judge_claim(claim, evaluate(CONSE, data), evaluate(RANDOM, data))


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_real_clip_beats_its_own_image_tower_behind_a_random_projection(
    evaluate, judge_claim, models_extra, reference_data, direction
):
    rows = reference_data / "clip-coco500" / "features_clip.npy"
    data = load_dataset(reference_data / "clip-coco500" / "pairs.json", require_pictures=False)
    joint = evaluate(f"frozen:{rows}", data)
    apart = evaluate(f"preclip:frozen:{rows}+all-MiniLM-L6-v2", data)
    found = judge_claim(built_in(f"study/s5/joint-beats-random/{direction}"), joint, apart)
    assert found.n == 500
    assert found.effect == pytest.approx({"i2t": 0.55, "t2i": 0.50}[direction], abs=0.02)


@pytest.mark.claim(id="own/named-model-beats-random", source="whoever names the model")
def test_the_named_model_beats_the_random_projection(evaluate, encoder, judge_claim, models_extra):
    data = load_dataset("embedded")
    judge_claim(better_than("hit_rate@1", "i2t"), evaluate(encoder, data), evaluate(RANDOM, data))
