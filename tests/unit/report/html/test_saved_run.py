from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from clipeval.compare.document import comparison_document
from clipeval.compare.job import Comparison, compare
from clipeval.data import load_dataset
from clipeval.errors import ClipevalError
from clipeval.report.html.joined import joined
from clipeval.report.html.model_names import page_names
from clipeval.report.html.pages import results_page
from clipeval.report.html.render import page_html
from clipeval.report.html.saved_items import items_schema, read_items
from clipeval.report.html.saved_run import read_run
from clipeval.report.write import write_comparison


@pytest.fixture(scope="session")
def made(captioned, tmp_path_factory: pytest.TempPathFactory):
    """Write each comparison of frozen rows once; ``seed`` makes other rows of the same names."""

    @cache
    def write(seed: int, n: int) -> tuple[Path, Comparison]:
        folder = tmp_path_factory.mktemp("results")
        data = captioned(n, per_image=2, categories=("a", "b"))
        specs = []
        # the specs of all runs are the same, as those of a model before and after an upgrade
        place = tmp_path_factory.getbasetemp() / "rows"
        place.mkdir(exist_ok=True)
        for at, model in enumerate("xy"):
            rng = np.random.default_rng(seed + at)
            images = rng.normal(size=(n, 16)).astype(np.float32)
            noise = 2 * rng.normal(size=(2 * n, 16)).astype(np.float32)
            np.savez(place / f"{model}.npz", images=images, texts=images[data.image_of_caption] + noise)
            specs.append(f"frozen:{place}/{model}.npz")
        job = compare([*specs, "frozen:absent.npz"], data)
        write_comparison(folder, job, comparison_document(job))
        return folder, job

    return write


@pytest.fixture
def results(made, tmp_path: Path):
    """Give a copy of such a comparison."""

    def copy(name: str, *, seed: int = 0, n: int = 12) -> tuple[Path, Comparison]:
        folder, job = made(seed, n)
        shutil.copytree(folder, tmp_path / name)
        return tmp_path / name, job

    return copy


def test_the_page_made_again_is_the_same_to_the_byte(results) -> None:
    folder, _ = results("out")
    assert page_html(results_page([folder])) == (folder / "report.html").read_text(encoding="utf-8")


def test_evaluations_come_back_with_all_their_numbers(results) -> None:
    folder, job = results("out")
    again = joined([read_run(folder)])
    old, new = (comparison_document(one) for one in (job, again))
    del old["times"], new["times"]
    assert new == old


def test_items_are_valid_under_their_schema(results) -> None:
    folder, job = results("out")
    validator = Draft202012Validator(items_schema())
    document = json.loads((folder / "items.json").read_text(encoding="utf-8"))
    validator.validate(document)
    assert [item["id"] for item in document["items"]] == list(job.dataset.ids)


def test_pictures_are_kept_with_the_items(tmp_path: Path) -> None:
    from clipeval.report.html.saved_items import write_items
    from clipeval.report.html.thumbnails import thumbnails

    data = load_dataset("embedded", limit=2)
    write_items(tmp_path / "items.json", data, thumbnails(data.items))
    found = read_items(tmp_path / "items.json")
    assert all(item["picture"].startswith("data:image/webp;base64,") for item in found["items"])


def test_runs_on_the_same_items_stand_in_one_table_and_are_tested_against_each_other(results) -> None:
    one, _ = results("one")
    two, _ = results("two", seed=5)
    job = joined([read_run(one), read_run(two)])
    ran = [result.spec for result in job.models if result.evaluation is not None]
    assert len(ran) == 4
    assert {spec for spec in ran if "two/" in spec} == set(ran[2:])
    assert len(job.pairs) == 6 * 2
    page = results_page([one, two])
    assert [section.id for section in page.sections].count("answer") == 1


def test_the_same_rows_twice_are_one_model(results) -> None:
    one, _ = results("one")
    two, _ = results("two")
    job = joined([read_run(one), read_run(two)])
    assert sum(result.evaluation is not None for result in job.models) == 2


def test_every_run_has_its_place_though_their_folders_have_one_name(results) -> None:
    folders = [results(f"{day}/results", seed=seed)[0] for day, seed in [("mon", 0), ("tue", 5), ("wed", 9)]]
    job = joined([read_run(folder) for folder in folders])
    assert sum(result.evaluation is not None for result in job.models) == 3 * 2
    assert len(set(page_names(job).values())) == len(job.models)


def test_rows_of_any_earlier_run_count_only_once(results) -> None:
    folders = [results(name, seed=seed)[0] for name, seed in [("one", 0), ("two", 5), ("three", 5)]]
    job = joined([read_run(folder) for folder in folders])
    assert sum(result.evaluation is not None for result in job.models) == 2 * 2


def test_a_model_that_broke_is_called_broken_again(results) -> None:
    folder, _ = results("out")
    path = folder / "comparison.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["models"][2]["failed"] = True
    path.write_text(json.dumps(document), encoding="utf-8")
    assert joined([read_run(folder)]).models[2].failed


def test_runs_on_other_items_have_sections_of_their_own(results) -> None:
    one, _ = results("one")
    two, _ = results("two", n=9)
    page = results_page([one, two])
    ids = [section.id for section in page.sections]
    assert len(ids) == len(set(ids))
    assert {"r1-answer", "r1-map", "r2-answer", "r2-map"} <= set(ids)
    assert set(page.data) == {"r1-explorer", "r2-explorer"}
    text = page_html(page)
    assert text.count('data-map="r1-explorer"') == text.count('data-map="r2-explorer"') == 1


def test_items_of_another_run_are_refused(results) -> None:
    one, _ = results("one")
    two, _ = results("two", n=9)
    (one / "items.json").write_bytes((two / "items.json").read_bytes())
    with pytest.raises(ClipevalError, match="hashes differ"):
        results_page([one])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("items.json", "{", "cannot be read"),
        ("items.json", '{"kind": "other"}', "its kind is not"),
        ("comparison.json", "[1]", "no document that makes a page"),
        ("comparison.json", "{", "is not JSON"),
    ],
)
def test_a_broken_file_is_named(results, name: str, content: str, said: str) -> None:
    folder, _ = results("out")
    (folder / name).write_text(content)
    with pytest.raises(ClipevalError, match=said) as caught:
        results_page([folder])
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        lambda document: document["models"][0].pop("ties"),
        lambda document: document["models"][0].pop("spec"),
        lambda document: document["models"][0].update(fingerprint=3),
        lambda document: document["models"][0].update(warnings=[{"name": "x"}]),
        lambda document: document.update(dataset=[]),
        lambda document: document.update(models={"a": 1}),
        lambda document: document.update(seed="x"),
    ],
)
def test_a_comparison_of_another_version_is_refused_in_words(results, broken) -> None:
    folder, _ = results("out")
    path = folder / "comparison.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    broken(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ClipevalError, match=r"is not whole[\s\S]*out/comparison.json[\s\S]*to do: run"):
        results_page([folder])


def test_embeddings_that_do_not_fit_are_refused(results) -> None:
    from safetensors.numpy import save_file

    folder, _ = results("out")
    place = next(folder.glob("*/embeddings.safetensors"))
    save_file({"images": np.ones((3, 2), np.float32), "texts": np.ones((3, 2), np.float32)}, place)
    with pytest.raises(ClipevalError, match="do not fit"):
        results_page([folder])


@pytest.mark.parametrize(
    "picture",
    [
        "https://example.org/x.png",
        "javascript:alert(1)",
        "data:text/html;base64,AAAA",
        'data:image/webp;base64,A"x',
    ],
)
def test_a_picture_that_is_none_never_gets_into_a_page(results, picture: str) -> None:
    folder, _ = results("out")
    path = folder / "items.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["items"][0]["picture"] = picture
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ClipevalError, match="not WebP"):
        results_page([folder])
