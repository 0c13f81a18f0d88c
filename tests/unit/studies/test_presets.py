"""Presets: what they hold, and what is refused when they are read."""

from __future__ import annotations

import fnmatch
import re

import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.errors import ClipevalError
from clipeval.studies.catalogue import find_preset, presets
from clipeval.studies.measures import check_measure
from clipeval.studies.preset import read_preset

GOOD = """
number = "S9"
title = "a title"
data = "some data"

[[models]]
key = "one"
label = "One"
spec = "frozen:rows.npz"
twin = "frozen:twin.npz"

[[figures]]
model = "one"
measure = "hit_rate@1 i2t"
published = [0.1, 0.2]
tolerance = 0.01

[[artefacts]]
file = "one.json"
kind = "results"
model = "one"
"""


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.number)
def test_every_measure_and_every_claim_of_a_preset_exists(preset) -> None:
    for figure in preset.figures:
        check_measure(figure.measure)
    for pattern in preset.claims:
        assert any(fnmatch.fnmatchcase(claim.id, pattern) for claim in BUILTIN), pattern
    assert any(figure.key for figure in preset.figures)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.number)
def test_twins_need_no_model_hub(preset) -> None:
    for model in preset.models:
        assert model.twin_train or model.twin.partition(":")[0] in {"preclip", "conse"}
        towers = model.twin or " ".join(model.twin_train[side] for side in ("image-tower", "text-tower"))
        assert "efficientnet-lite" in towers
        assert "all-MiniLM-L6-v2" in towers


def test_where_models_of_a_study_are_trained_so_are_twins() -> None:
    for preset in presets():
        trained = any(model.train for model in preset.models)
        assert trained == any(model.twin_train for model in preset.models), preset.number


NO_COMMIT_KNOWN = ("distiluse-base-multilingual-cased", "distiluse-base-multilingual-cased-v1")
"""S1's and S2's text tower: their packages on the hub moved, and no commit is on record."""


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.number)
def test_every_weight_that_comes_from_a_hub_names_its_version(preset) -> None:
    for model in preset.models:
        towers = [model.spec] if model.spec else [model.train["image-tower"], model.train["text-tower"]]
        for part in [one for tower in towers for one in tower.partition("?")[0].split("+")]:
            if part.removeprefix("preclip:").startswith(("resnet", "torchvision:resnet")):
                assert part.endswith(".IMAGENET1K_V1")
            elif part.startswith("open_clip:"):
                assert part.endswith("/openai")
            elif part not in {*NO_COMMIT_KNOWN, "all-MiniLM-L6-v2"}:
                assert re.fullmatch(r"[0-9a-f]{40}", part.partition("@")[2]), part


def test_s5_names_the_matrix_and_the_weights_of_its_study() -> None:
    spec = find_preset("S5").models[0].spec
    assert spec.startswith("preclip:resnet50.IMAGENET1K_V1+all-MiniLM-L6-v2?")
    assert {"seed=42", "rng=numpy-legacy", "projection=gaussian"} <= set(spec.partition("?")[2].split("&"))


def test_steps_are_the_whole_the_models_the_comparison_and_each_half() -> None:
    assert find_preset("s1").steps == (
        "all",
        "preclip",
        "clip",
        "comparison",
        "preclip-images",
        "preclip-texts",
        "clip-images",
        "clip-texts",
    )


def test_a_published_range_keeps_both_ends() -> None:
    (figure,) = read_preset(GOOD, name="good").figures
    assert (figure.low, figure.high) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('title = "a title"', 'titel = "a title"', "unknown key 'titel'"),
        ('label = "One"\n', "", "lacks 'label'"),
        ('spec = "frozen:rows.npz"', 'spec = "frozn:rows.npz"', "unknown family 'frozn'"),
        ('spec = "frozen:rows.npz"\n', "", "needs either 'spec' or 'train'"),
        ('model = "one"\nmeasure', 'model = "two"\nmeasure', "no model 'two'"),
        ('file = "one.json"', 'file = "../one.json"', "cannot be a file's name"),
        ('kind = "results"', 'kind = "result"', "unknown kind 'result'"),
        ('kind = "results"', 'kind = "bars"', "about one model, or about all"),
        ("tolerance = 0.01", "tolerance = ", "not TOML"),
    ],
)
def test_a_wrong_preset_is_refused_with_the_place(before: str, after: str, words: str) -> None:
    assert before in GOOD
    with pytest.raises(ClipevalError, match=words):
        read_preset(GOOD.replace(before, after), name="mine")


def test_an_unknown_study_names_a_near_one() -> None:
    with pytest.raises(ClipevalError, match="did you mean 'resnet50-minilm'"):
        find_preset("resnet50-minilmm")
