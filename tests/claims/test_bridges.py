"""Built-in claims about the models that run everywhere, judged as a user's own tests would judge them."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.checks import better_than
from clipeval.claims.claim import Claim
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.data import load_dataset
from clipeval.data.dataset import Dataset

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
    only_joint, only_apart = found.discordant
    assert only_joint == pytest.approx({"i2t": 276, "t2i": 251}[direction], abs=5)
    assert only_apart <= 3


@pytest.mark.claim(id="own/named-model-beats-random", source="whoever names the model")
def test_the_named_model_beats_the_random_projection(evaluate, encoder, judge_claim, models_extra):
    data = load_dataset("embedded")
    judge_claim(better_than("hit_rate@1", "i2t"), evaluate(encoder, data), evaluate(RANDOM, data))


@pytest.fixture(scope="module")
def held_out(evaluate, models_extra, reference_data):
    """Real CLIP, a bridge fitted on other pictures, and a random one, on the last 250 of the 500 pictures."""
    rows = reference_data / "clip-coco500" / "features_clip.npy"
    data = load_dataset(reference_data / "clip-coco500" / "pairs.json", require_pictures=False)
    joint = evaluate(f"frozen:{rows}", data)
    apart = evaluate(f"preclip:frozen:{rows}+all-MiniLM-L6-v2", data)
    rest = Dataset("the last 250", data.items[250:])
    images, texts = joint.images.astype(np.float64), apart.texts.astype(np.float64)

    def scored(name, pictures, captions):
        return evaluation_of_rows(pictures[250:], captions[250:], dataset=rest, model=name)

    # ridge regression (Norelli et al. 2022 call it the linear baseline): centred, weight 1
    x, y = images[:250] - images[:250].mean(axis=0), texts[:250] - texts[:250].mean(axis=0)
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
    bridged = (images - images[:250].mean(axis=0)) @ weights + texts[:250].mean(axis=0)
    return {
        "joint": scored("CLIP", images, joint.texts),
        "learned": scored("ridge", bridged, texts),
        "random": scored("random", apart.images, texts),
    }


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
@pytest.mark.parametrize(("better", "worse"), [("learned", "random"), ("joint", "learned")])
def test_a_bridge_fitted_on_other_pictures_beats_a_random_one_and_stays_below_real_clip(
    judge_claim, held_out, better, worse, direction
):
    claim = built_in(f"bridge/{better}-beats-{worse}/{direction}")
    found = judge_claim(claim, held_out[better], held_out[worse])
    assert found.n == 250
