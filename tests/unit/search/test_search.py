"""Search against plain cosines, with an encoder of the user's own that needs no weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipeval.data import load_dataset
from clipeval.data.dataset import Dataset
from clipeval.errors import DatasetError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.report.search_page import search_page
from clipeval.search import Query, job, query_of, search
from clipeval.search.document import search_document

COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250), "grey": (90, 90, 90)}
HOSTILE = "red <img src=x onerror=alert(1)>"
ENCODER = """
import numpy as np

CALLS = []


class Colours:
    fingerprint = {"weights": "v1"}

    def encode_images(self, pictures):
        CALLS.append(len(pictures))
        return np.array([np.asarray(p, dtype=np.float32).mean(axis=(0, 1)) for p in pictures])

    def encode_texts(self, texts):
        names = ("red", "green", "blue")
        return np.array([[1.0 + 9.0 * (name in text) for name in names] for text in texts], dtype=np.float32)


def make():
    return Colours()
"""


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, str, EmbeddingCache]:
    """Four pictures of one colour each, an encoder that sees colours, and an empty cache."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (8, 8), colour).save(folder / f"{name}.png")
        caption = HOSTILE if name == "red" else f"a {name} card"
        (folder / f"{name}.txt").write_text(caption, encoding="utf-8")
    (tmp_path / "colour_encoder.py").write_text(ENCODER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return load_dataset(folder), "python:colour_encoder:make", EmbeddingCache(tmp_path / "cache")


def ids(found) -> list[str]:
    return [found.dataset.items[hit.item].id for hit in found.hits]


def test_the_order_and_the_scores_are_those_of_the_cosines(colours) -> None:
    data, spec, cache = colours
    found = search(Query("something blue"), spec, data, cache=cache, probing=False)
    question = np.array([1.0, 1.0, 10.0])
    wanted = {
        f"{name}.png": float(np.dot(rgb, question) / np.linalg.norm(rgb) / np.linalg.norm(question))
        for name, rgb in COLOURS.items()
    }
    # green and red are equally far, and stand as in the dataset
    assert ids(found) == sorted(sorted(wanted), key=lambda name: -wanted[name])
    assert [hit.score for hit in found.hits] == pytest.approx(sorted(wanted.values(), reverse=True), abs=1e-6)
    assert (found.median, found.least) == pytest.approx(
        (np.median(list(wanted.values())), min(wanted.values())), abs=1e-6
    )


def test_the_least_score_is_that_of_the_last_hit_to_the_last_digit(tmp_path: Path, captioned) -> None:
    data = captioned(50)
    rng = np.random.default_rng(0)
    pictures, question = rng.normal(size=(50, 384)).astype(np.float32), rng.normal(size=(1, 384))
    found = job._found(Query("x"), "spec", data, pictures, question.astype(np.float32), top=50, encoded=0)
    assert found.least == found.hits[-1].score
    assert found.median == np.median([hit.score for hit in found.hits])


def test_top_bounds_the_list_and_more_than_there_are_gives_all(colours) -> None:
    data, spec, cache = colours
    assert ids(search(Query("red"), spec, data, top=1, cache=cache, probing=False)) == ["red.png"]
    assert len(search(Query("red"), spec, data, top=99, cache=cache, probing=False).hits) == 4


def test_the_second_question_encodes_no_picture_and_a_repeated_one_nothing(colours) -> None:
    data, spec, cache = colours
    assert search(Query("red"), spec, data, cache=cache, probing=False).encoded == 5
    assert search(Query("blue"), spec, data, cache=cache, probing=False).encoded == 1
    assert search(Query("blue"), spec, data, cache=cache, probing=False).encoded == 0


def test_a_picture_finds_itself_first_whether_named_or_given_as_a_file(colours, tmp_path: Path) -> None:
    data, spec, cache = colours
    file = tmp_path / "data" / "green.png"
    for query in (query_of(None, file), query_of(str(file), None)):
        found = search(query, spec, data, cache=cache, probing=False)
        assert ids(found)[0] == "green.png"
        assert found.hits[0].score == pytest.approx(1.0)
        assert found.query.text == "green.png"


def test_equal_scores_stand_in_the_order_of_the_dataset(captioned, frozen, colours) -> None:
    data, spec, cache = colours
    twins = Dataset(
        "twins",
        tuple(
            type(item)(f"{at}", item.captions, data.items[0].picture) for at, item in enumerate(data.items)
        ),
    )
    assert ids(search(Query("red"), spec, twins, cache=cache, probing=False)) == ["0", "1", "2", "3"]


def test_stored_rows_without_a_model_say_what_to_name_instead(captioned, frozen) -> None:
    data = captioned(3)
    with pytest.raises(NotAvailableError, match="no encoder for the question") as caught:
        search(Query("x"), frozen(data), data)
    assert "clipeval embed" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "image", "words"),
    [
        pytest.param(None, None, "nothing is asked for", id="nothing"),
        pytest.param("a", Path("b.png"), "one question at a time", id="both"),
        pytest.param("  ", None, "the text is empty", id="blank"),
        pytest.param(None, Path("absent.png"), "there is no such picture", id="absent"),
    ],
)
def test_a_question_that_is_none_is_refused(text: str | None, image: Path | None, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        query_of(text, image)


@pytest.mark.parametrize("text", ["absent.png", "x" * 5000 + ".png", "nul\0.png", "a cat.jpg on a mat"])
def test_a_text_that_is_no_picture_here_is_a_text(text: str) -> None:
    assert query_of(text, None) == Query(text)


def test_a_page_shows_every_hit_and_a_strangers_markup_as_text(colours) -> None:
    data, spec, cache = colours
    page = search_page(search(Query("<script>red</script>"), spec, data, cache=cache, probing=False))
    assert "<img src=x" not in page
    assert "<script" not in page
    assert "red &lt;img src=x onerror=alert(1)&gt;" in page
    assert page.count('<img src="data:image/webp;base64,') == 4
    assert "http" not in page.replace("http-equiv", "")


def test_one_picture_is_one_in_words_too(colours) -> None:
    data, spec, cache = colours
    page = search_page(search(Query("red"), spec, Dataset("one", data.items[:1]), cache=cache, probing=False))
    assert "<p>1 picture of one found by" in page
    assert "1 picture in all: least" in page


def test_the_document_and_the_page_name_no_folder_of_this_machine(colours, tmp_path: Path) -> None:
    data, spec, cache = colours
    found = search(query_of(str(tmp_path / "data" / "red.png"), None), spec, data, cache=cache, probing=False)
    assert str(tmp_path) not in str(search_document(found)) + search_page(found)
    assert search_document(found)["results"][0] | {"score": 1.0} == {
        "rank": 1,
        "score": 1.0,
        "id": "red.png",
        "caption": HOSTILE,
        "category": None,
    }


ASKED = """
import sys
from clipeval.cli import main
try:
    main(["search", "blue", "--data", "data", "--model", "python:colour_encoder:make", "--no-probe"])
except SystemExit as end:
    assert not end.code
print(sorted({"scipy", "matplotlib", "jinja2", "pandas", "clipeval.compare.job"} & set(sys.modules)))
"""


def test_a_question_imports_nothing_that_it_does_not_need(colours, tmp_path: Path) -> None:
    here = {**os.environ, "PYTHONPATH": str(tmp_path), "CLIPEVAL_CACHE": str(tmp_path / "cache")}
    run = subprocess.run(
        [sys.executable, "-c", ASKED], cwd=tmp_path, env=here, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "[]"
