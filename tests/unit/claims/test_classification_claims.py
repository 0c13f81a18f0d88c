"""Zero-shot classification in claims: an ensemble of prompts, published accuracies."""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binom

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.builtin.classification import ENSEMBLE, published_classification
from clipeval.claims.checks import accuracy_as_published, ensemble_beats_single
from clipeval.claims.claim import Role
from clipeval.claims.family import cases_for, judge
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset, Item, PictureSource
from clipeval.encoders.load import load_encoder
from clipeval.errors import InvalidInputError
from clipeval.evaluation import evaluate

SINGLE = published_classification()["prompts"]["single"]
SEVEN = published_classification()["prompts"]["seven"]
NAMES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "koi", "lark")
B32 = "hf:openai/clip-vit-base-patch32"

MODULE = '''
import hashlib

import numpy as np

NAMES = {names!r}


def draw(words):
    seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=24)


class Toy:
    """Prompts disturb a class's direction; how much is the kind."""

    def __init__(self, kind):
        self.kind = kind

    def encode_images(self, pictures):
        pixels = [picture.getpixel((0, 0)) for picture in pictures]
        return np.array([draw(NAMES[red]) + 0.9 * draw(f"picture {{green}}") for red, green, _ in pixels])

    def encode_texts(self, texts):
        return np.array([self.row(text) for text in texts])

    def row(self, text):
        name = next((name for name in NAMES if f" {{name}}" in text), "none")
        if self.kind == "deaf":
            return draw(name)
        single = text == f"a photo of a {{name}}."
        if self.kind == "hurt":
            return draw(name if single else text)
        return draw(name) + 1.6 * draw(text)


def make(kind="helped"):
    return Toy(kind)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    name = "toy_" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]
    (tmp_path / f"{name}.py").write_text(MODULE.format(names=NAMES), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return lambda kind: f"python:{name}:make?kind={kind}"


def picture(red: int, green: int) -> PictureSource:
    def read() -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), (red, green, 0)).save(buffer, "PNG")
        return buffer.getvalue()

    return PictureSource(f"{red}-{green}.png", read)


def pictures(n: int, *, without_category: int = 0) -> Dataset:
    items = [
        Item(f"p{at}", (f"the {NAMES[at % 12]} number {at}",), picture(at % 12, at), NAMES[at % 12])
        for at in range(n)
    ]
    rest = [Item(f"x{at}", ("something else",), picture(at, 250 + at)) for at in range(without_category)]
    return Dataset("toys", tuple(items + rest))


def slow_hits(spec: str, data: Dataset, templates) -> list[bool]:
    """Classify one picture after the other; no ties occur with these rows."""
    module, factory = spec.removeprefix("python:").partition("?")[0].split(":")
    toy = getattr(importlib.import_module(module), factory)(spec.rpartition("=")[2])
    hits = []
    for item in data.items:
        if item.category is None:
            continue
        row = toy.encode_images([Image.open(io.BytesIO(item.picture.read()))])[0]
        scores = {}
        for name in data.categories:
            rows = [toy.encode_texts([template.replace("{}", name)])[0] for template in templates]
            mean = sum(one / np.linalg.norm(one) for one in rows)
            scores[name] = float(row @ mean / np.linalg.norm(mean))
        hits.append(max(scores, key=scores.__getitem__) == item.category)
    return hits


def evaluated(spec: str, data: Dataset):
    return evaluate(load_encoder(spec), data)


def test_an_ensemble_that_helps_holds_with_the_numbers_of_a_plain_loop(toy) -> None:
    spec, data = toy("helped"), pictures(96, without_category=2)
    finding = ENSEMBLE.check([evaluated(spec, data)])
    several, one = slow_hits(spec, data, SEVEN), slow_hits(spec, data, [SINGLE])
    pairs = list(zip(several, one, strict=True))
    ahead, behind = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    assert finding.verdict is Verdict.HOLDS
    assert finding.n == 96
    assert finding.discordant == (ahead, behind)
    assert finding.effect == pytest.approx((ahead - behind) / 96)
    assert finding.p == pytest.approx(2 * binom.cdf(min(ahead, behind), ahead + behind, 0.5))
    assert len(finding.worst) == 5
    assert "7 prompts" in finding.sentence


def test_an_ensemble_that_hurts_is_refuted_and_names_the_pictures_it_lost(toy) -> None:
    spec, data = toy("hurt"), pictures(96)
    finding = ENSEMBLE.check([evaluated(spec, data)])
    assert finding.verdict is Verdict.REFUTED
    lost = [
        item.id
        for item, several, one in zip(
            data.items, slow_hits(spec, data, SEVEN), slow_hits(spec, data, [SINGLE]), strict=True
        )
        if one and not several
    ]
    assert {line.partition(":")[0] for line in finding.worst} <= set(lost)


def test_few_pictures_leave_it_undecided(toy) -> None:
    assert ENSEMBLE.check([evaluated(toy("helped"), pictures(12))]).verdict is Verdict.UNDECIDED


def test_an_encoder_that_does_not_hear_the_prompt_is_undecided_by_identity(toy) -> None:
    finding = ENSEMBLE.check([evaluated(toy("deaf"), pictures(48))])
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.effect == 0
    assert finding.discordant == (0, 0)


@pytest.mark.parametrize(
    ("model", "categories", "reason"),
    [
        ("frozen:rows.npy", ["ant", "bee"], "hold no encoder for other texts"),
        ("frozen:rows.npy", ["ant", "ant"], "at least two categories, the dataset has 1"),
        ("python:module_that_is_not_there:make", ["ant", "bee"], "module_that_is_not_there"),
        ("rows in memory", ["ant", "bee"], "not a model spec"),
    ],
)
def test_what_cannot_classify_is_not_run_with_the_reason(model, categories, reason) -> None:
    evaluation = evaluation_of_rows(np.eye(2), np.eye(2), categories=categories, model=model)
    for check in (ENSEMBLE.check, accuracy_as_published([SINGLE], published=0.5, tolerance=0.1)):
        finding = check([evaluation])
        assert finding.verdict is Verdict.NOT_RUN
        assert reason in finding.reason


def test_the_built_in_claim_is_for_joint_encoders_on_data_with_categories() -> None:
    mine = [ENSEMBLE]
    assert not cases_for(mine, {"preclip:a+b": Role.RANDOM_BRIDGE, "conse:a+b": Role.NAMED_BRIDGE})
    cases = cases_for(mine, {"frozen:rows.npy": Role.JOINT})
    judged = judge(cases, lambda _: evaluation_of_rows(np.eye(2), np.eye(2), model="frozen:rows.npy"))
    (judgement,) = judged.values()
    assert judgement.verdict is Verdict.NOT_RUN
    assert "categories" in judgement.finding.reason


@pytest.mark.parametrize("templates", [[], "a {}", ["a photo"], ["{} and {}"]])
def test_prompts_without_one_place_for_the_name_are_refused(templates) -> None:
    with pytest.raises(InvalidInputError, match="prompt"):
        ensemble_beats_single(templates)
    with pytest.raises(InvalidInputError, match="prompt"):
        accuracy_as_published(templates, published=0.5, tolerance=0.1)


def test_a_published_accuracy_holds_within_its_tolerance_and_is_refuted_beyond(toy) -> None:
    spec, data = toy("helped"), pictures(96)
    evaluation, truth = evaluated(spec, data), np.mean(slow_hits(spec, data, SEVEN))
    for away, verdict in (
        (0.0, Verdict.HOLDS),
        (0.009, Verdict.HOLDS),
        (-0.009, Verdict.HOLDS),
        (0.011, Verdict.REFUTED),
        (-0.011, Verdict.REFUTED),
    ):
        finding = accuracy_as_published(SEVEN, published=truth - away, tolerance=0.01)([evaluation])
        assert finding.verdict is verdict, away
        assert finding.effect == pytest.approx(away)
        assert finding.p is None


@pytest.mark.parametrize(("published", "tolerance"), [(89.83, 0.01), (-0.1, 0.01), (0.9, 0.0)])
def test_percent_and_a_tolerance_of_nothing_are_refused(published, tolerance) -> None:
    with pytest.raises(InvalidInputError, match="cannot compare"):
        accuracy_as_published([SINGLE], published=published, tolerance=tolerance)


def whole(name: str, n: int, classes) -> Dataset:
    return Dataset(
        name, tuple(Item(f"{at}", ("a picture",), category=classes[at % len(classes)]) for at in range(n))
    )


def test_a_published_accuracy_is_for_its_own_test_set_only() -> None:
    facts = published_classification()["test_sets"]["cifar10"]
    claim = next(claim for claim in BUILTIN if claim.id.startswith("literature/cifar10/"))
    n, classes = facts["pictures"], facts["classes"]
    assert claim.requires is not None
    assert claim.requires(whole("CIFAR10-test", n, classes)) == ""
    for other in (
        whole("my-pictures", n, classes),
        whole("cifar10-train", 50_000, classes),
        whole("cifar10-test", n, [*classes[:9], "lorry"]),
        whole("cifar10-test", n, [*classes, None]),
    ):
        assert "CIFAR-10 test set" in claim.requires(other)


def test_published_accuracies_are_selected_for_their_own_model_only() -> None:
    selected = [case.claim.id for case in cases_for(BUILTIN, {B32: Role.JOINT})]
    assert [name for name in selected if name.endswith("/accuracy")] == [
        "literature/cifar10/vit-b-32-quickgelu-openai/accuracy",
        "literature/imagenet/vit-b-32-quickgelu-openai/accuracy",
        "literature/stl10/vit-b-32-quickgelu-openai/accuracy",
    ]


def test_the_typed_accuracies_are_those_of_the_published_table(reference_data) -> None:
    table = reference_data / "published" / "openclip_classification_results.csv"
    with table.open(encoding="utf-8") as file:
        rows = {f"{row['name']},{row['pretrained']}": row for row in csv.DictReader(file)}
    typed = published_classification()
    for figure in typed["figures"]:
        for name, facts in typed["test_sets"].items():
            assert figure[name] == float(rows[figure["row"]][facts["column"]]), (figure["row"], name)


def test_the_seven_prompts_are_those_that_open_clip_calls_simple() -> None:
    metadata = pytest.importorskip("open_clip.zero_shot_metadata")
    assert [template("{}") for template in metadata.SIMPLE_IMAGENET_TEMPLATES] == SEVEN


def test_imagenets_names_and_prompts_are_those_that_open_clip_ships() -> None:
    metadata = pytest.importorskip("open_clip.zero_shot_metadata")
    typed = published_classification()["test_sets"]["imagenet"]
    assert typed["classes"] == list(metadata.IMAGENET_CLASSNAMES)
    assert typed["templates"] == [template("{}") for template in metadata.OPENAI_IMAGENET_TEMPLATES]
    assert (len(typed["classes"]), len(set(typed["classes"])), len(typed["templates"])) == (1000, 998, 80)


def test_imagenets_accuracy_is_for_the_whole_validation_set_under_its_class_names() -> None:
    classes = published_classification()["test_sets"]["imagenet"]["classes"]
    claim = next(claim for claim in BUILTIN if claim.id == "literature/imagenet/vit-b-16-openai/accuracy")
    assert "0.6834" in claim.statement
    assert claim.requires is not None
    assert claim.requires(whole("imagenet-val", 50_000, classes)) == ""
    for other in (
        whole("imagenet-v2", 10_000, classes),
        whole("imagenet-val", 50_000, [f"n{at:08}" for at in range(1000)]),
        whole("imagenet-val", 50_000, classes[:-1]),
    ):
        assert "50000 pictures of the ImageNet 1k test set with its 998 class names" in claim.requires(other)
