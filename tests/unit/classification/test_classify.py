"""Zero-shot classification: prompts, class names, accuracies and confusions, ties included."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from clipeval.classification.document import (
    classification_document,
    classification_schema,
    mean_per_class,
)
from clipeval.classification.job import Classification, classify
from clipeval.classification.names import class_names, openai_templates, prompt_sets
from clipeval.core.classification import confusion_matrix, rank_classes
from clipeval.data import load_dataset
from clipeval.data.class_folders import load_classes
from clipeval.data.dataset import Dataset, Item
from clipeval.errors import ClipevalError, DatasetError, InvalidInputError
from clipeval.report.classification_files import write_classification

ENCODER = """
import numpy as np

class Colours:
    name = "colours"
    fingerprint = {"version": "1"}

    def encode_images(self, pictures):
        return np.array([np.asarray(p)[0, 0] for p in pictures], dtype=np.float32) + 1

    def encode_texts(self, texts):
        words = ("red", "green", "blue")
        rows = [[float(word in text) for word in words] for text in texts]
        return np.array(rows, dtype=np.float32) + 0.001

class Constant(Colours):
    name = "constant"

    def encode_images(self, pictures):
        return np.ones((len(pictures), 3), dtype=np.float32)

    def encode_texts(self, texts):
        return np.ones((len(texts), 3), dtype=np.float32)

def colours():
    return Colours()

def constant():
    return Constant()
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four red, two green and one blue picture in folders of their names; one green one is red."""
    (tmp_path / "classify_encoders.py").write_text(ENCODER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "classify_encoders", raising=False)
    data = tmp_path / "colours"
    for folder, fills in {"red": ["red"] * 4, "green": ["lime", "red"], "blue": ["blue"]}.items():
        (data / folder).mkdir(parents=True)
        for number, fill in enumerate(fills):
            picture = Image.new("RGB", (8, 8), fill)
            picture.putpixel((7, 7), (number, number, number))  # no two are the same picture
            picture.save(data / folder / f"{number}.png")
    return data


def run(folders: Path, name: str, *templates: str) -> Classification:
    data = load_classes(str(folders))
    spec = f"python:classify_encoders:{name}"
    return classify([spec], data, data.categories, prompt_sets(templates or ["single"]), probing=False)


def test_accuracies_and_confusions_are_those_counted_by_hand(folders: Path) -> None:
    job = run(folders, "colours")
    (one,) = job.models[0].sets
    assert job.names == ("blue", "green", "red")
    assert one.top1.value == pytest.approx(6 / 7)
    assert one.confusion.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 4]]
    assert {name: metric.value for name, metric in one.of_classes.items()} == {
        "blue": 1.0,
        "green": 0.5,
        "red": 1.0,
    }
    assert mean_per_class(one) == pytest.approx(2.5 / 3)
    assert one.top1.chance == pytest.approx(1 / 3)
    assert one.top5.value is None


def test_a_constant_encoder_is_at_chance_in_every_class(folders: Path) -> None:
    (one,) = run(folders, "constant").models[0].sets
    assert one.top1.value == pytest.approx(1 / 3)
    assert all(metric.value == pytest.approx(1 / 3) for metric in one.of_classes.values())
    np.testing.assert_allclose(one.confusion, np.array([[1], [2], [4]]) / 3 * np.ones((1, 3)))


def test_sets_of_prompts_are_judged_apart_and_own_prompts_together(folders: Path) -> None:
    sets = run(folders, "colours", "single", "a {}", "the {}").models[0].sets
    assert [(one.prompts, one.templates) for one in sets] == [
        ("single", ("a photo of a {}.",)),
        ("own", ("a {}", "the {}")),
    ]


def test_frozen_embeddings_are_not_run_with_the_reason(folders: Path, frozen) -> None:
    data = load_classes(str(folders))
    job = classify([frozen(data)], data, data.categories, prompt_sets(["single"]))
    assert "hold no encoder for prompts" in job.models[0].reason
    assert not job.models[0].failed


def test_files_and_document_hold_what_was_counted(folders: Path, tmp_path: Path) -> None:
    job = run(folders, "colours")
    written = write_classification(tmp_path / "out", job)
    assert [path.name for path in written] == [
        "classes.csv",
        "confusion.png",
        "confusion.svg",
        "confusion.csv",
        "classification.json",
    ]
    rows = written[3].read_text(encoding="utf-8").splitlines()
    assert rows[2] == '"green",0.0,1.0,1.0'
    Image.open(written[1]).verify()
    document = json.loads(written[-1].read_text(encoding="utf-8"))
    assert document == json.loads(json.dumps(classification_document(job, files=document["files"])))
    wrong = [row for row in document["models"][0]["prompts"][0]["pictures"] if row["rank"] > 1]
    assert [(row["id"], row["class"], row["best_wrong"]) for row in wrong] == [
        ("green/1.png", "green", "red")
    ]


def test_results_among_class_folders_are_no_data(folders: Path) -> None:
    write_classification(folders / "results", run(folders, "colours"))
    assert load_classes(str(folders)).n_images == 7


def test_a_folder_with_captions_is_read_as_ever(folders: Path) -> None:
    rows = [{"image": "red/0.png", "caption": "red", "category": "red"}]
    (folders / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    assert load_classes(str(folders)).ids == ("red/0.png",)


def test_class_folders_are_refused_as_an_evaluation_set(folders: Path) -> None:
    with pytest.raises(DatasetError, match="no captions"):
        load_dataset(folders)


def test_a_training_or_test_part_of_class_folders_is_refused_with_what_to_do(folders: Path) -> None:
    with pytest.raises(DatasetError, match="folders of classes have no part 'test'") as refusal:
        load_classes(f"{folders}#test")
    assert "classify the whole folder" in str(refusal.value)


def test_a_part_of_class_folders_says_so(folders: Path) -> None:
    assert load_classes(str(folders), limit=3).name == "colours[:3]"


@pytest.mark.parametrize("top", [1, 2, 5])
def test_confusions_are_those_of_a_plain_loop_whatever_is_listed(top: int) -> None:
    rng = np.random.default_rng(3)
    classes = np.eye(5)[[0, 1, 1, 1, 2]]  # three classes look alike: they tie
    images, right = np.abs(rng.normal(size=(40, 5))), rng.integers(0, 5, size=40)
    ranks = rank_classes(images, classes, right, top=top)
    plain = np.zeros((5, 5))
    unit = images / np.linalg.norm(images, axis=1, keepdims=True)
    for row, target in zip(unit @ classes.T, right, strict=True):
        best = np.flatnonzero(row > row.max() - 1e-9)
        plain[target, best] += 1 / len(best)
    found = confusion_matrix(images, classes, right, ranks=ranks)
    np.testing.assert_allclose(found, plain)
    assert np.trace(found) == pytest.approx(ranks.hits(1).sum())


def test_confusions_need_lists() -> None:
    ranks = rank_classes(np.eye(2), np.eye(2), [0, 1])
    with pytest.raises(InvalidInputError, match="hold no lists"):
        confusion_matrix(np.eye(2), np.eye(2), [0, 1], ranks=ranks)


def test_openais_prompts_are_the_80_of_open_clip() -> None:
    if importlib.util.find_spec("open_clip") is None:
        pytest.skip("needs clipeval[models]: open_clip not installed")
    templates = openai_templates()
    assert len(set(templates)) == 80
    assert all(template.count("{}") == 1 for template in templates)
    assert {"a bad photo of a {}.", "itap of my {}."} <= set(templates)


def test_without_open_clip_its_prompts_and_classes_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "open_clip" else real(name, *rest)
    )
    animals = Dataset("one", (Item("a", ("a cat",), category="tabby cat"),))
    for ask in (openai_templates, lambda: class_names(animals, "imagenet")):
        with pytest.raises(ClipevalError, match=r"clipeval\[models\]"):
            ask()


def test_imagenets_classes_must_hold_the_datasets() -> None:
    if importlib.util.find_spec("open_clip") is None:
        pytest.skip("needs clipeval[models]: open_clip not installed")
    known = Dataset("known", (Item("a", ("x",), category="tabby cat"),))
    names = class_names(known, "imagenet")
    assert "tabby cat" in names
    assert len(names) == len(set(names))
    assert len(names) in {998, 999, 1000}
    wrong = Dataset("wrong", (Item("a", ("x",), category="taby cat"),))
    with pytest.raises(ClipevalError, match="did you mean 'tabby cat'"):
        class_names(wrong, "imagenet")


@pytest.mark.parametrize(
    ("words", "message"),
    [(["singel"], "did you mean 'single'"), (["a {} and a {}"], "no single place"), (["photo"], "no prompt")],
)
def test_wrong_prompts_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ClipevalError, match=message):
        prompt_sets(words)


def test_one_category_is_nothing_to_classify() -> None:
    with pytest.raises(ClipevalError, match="at least two categories"):
        class_names(Dataset("one", (Item("a", ("x",), category="cat"),)), "data")


@pytest.mark.parametrize("name", ["colours", "constant", "absent"])
def test_the_document_is_valid_under_its_schema_and_a_changed_one_is_not(folders: Path, name: str) -> None:
    data = load_classes(str(folders))
    spec = "frozen:no-such-file.npz" if name == "absent" else f"python:classify_encoders:{name}"
    job = classify([spec], data, data.categories, prompt_sets(["single", "a {}", "the {}"]), probing=False)
    schema = classification_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(schema)
    document = json.loads(json.dumps(classification_document(job)))
    valid.validate(document)
    assert not valid.is_valid({**document, "more": 1})
    model = document["models"][0]
    assert (model["status"] == "not_run") is (name == "absent")
    other = {"ok": "not_run", "not_run": "ok"}[model["status"]]
    assert not valid.is_valid({**document, "models": [{**model, "status": other}]})
