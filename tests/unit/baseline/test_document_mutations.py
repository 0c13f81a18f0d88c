"""Documents that are wrong in one place: the reader refuses each, and so does the schema where it can."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from clipeval.baseline.document import RowsFile, baseline_document, baseline_schema, document_text
from clipeval.baseline.reading import snapshot_from
from clipeval.errors import BaselineError

Document = dict[str, Any]

# name, change, place that the error names, words of the error; True where a schema can tell
MUTATIONS: list[tuple[str, Callable[[Document], object], str, str, bool]] = [
    ("no model", lambda d: d.pop("model"), "", "'model' is missing", True),
    ("unknown key", lambda d: d.update(modle="x"), "", "did you mean 'model'", True),
    ("version 0", lambda d: d.update(version=0), "version", "0 is not possible", True),
    ("version true", lambda d: d.update(version=True), "version", "not true or false", True),
    ("version text", lambda d: d.update(version="1"), "version", "not text", True),
    ("checksum not hex", lambda d: d.update(sha256="z" * 64), "sha256", "64 digits", True),
    ("checksum with a line break", lambda d: d.update(sha256="a" * 64 + "\n"), "sha256", "64 digits", False),
    ("model a number", lambda d: d.update(model=3), "model", "not a number", True),
    ("data null", lambda d: d.update(data=None), "data", "not null", True),
    ("precomputed 0", lambda d: d.update(precomputed=0), "precomputed", "not a number", True),
    ("fingerprint a list", lambda d: d.update(fingerprint=[]), "fingerprint", "not a list", True),
    ("fingerprint nested", lambda d: d["fingerprint"].update(a={}), "fingerprint.a", "not an object", True),
    (
        "hash upper case",
        lambda d: d["embeddings"].update(images_sha256="AB" * 32),
        "embeddings.images_sha256",
        "64 digits",
        True,
    ),
    (
        "rows without hash",
        lambda d: d["embeddings"].update(file_sha256=None),
        "embeddings.file_sha256",
        "64 digits",
        False,
    ),
    ("hash without rows", lambda d: d["embeddings"].update(file=None), "embeddings.file", "not null", False),
    ("no items", lambda d: d.update(items=[]), "items", "not an empty one", True),
    ("items an object", lambda d: d.update(items={}), "items", "a list is needed", True),
    ("item a text", lambda d: d["items"].insert(0, "x"), "items[0]", "not text", True),
    (
        "item without captions",
        lambda d: d["items"][1].pop("captions"),
        "items[1]",
        "'captions' is missing",
        True,
    ),
    (
        "captions empty",
        lambda d: d["items"][1].update(captions=[]),
        "items[1].captions",
        "not an empty one",
        True,
    ),
    (
        "captions a text",
        lambda d: d["items"][1].update(captions="ab"),
        "items[1].captions",
        "a list is needed",
        True,
    ),
    (
        "caption null",
        lambda d: d["items"][1].update(captions=[None]),
        "items[1].captions[0]",
        "not null",
        True,
    ),
    (
        "category a number",
        lambda d: d["items"][1].update(category=1),
        "items[1].category",
        "not a number",
        True,
    ),
    (
        "picture hash short",
        lambda d: d["items"][1].update(picture="ab"),
        "items[1].picture",
        "64 digits",
        True,
    ),
    (
        "captions not sorted",
        lambda d: d["items"][1]["captions"].reverse(),
        "items[1].captions",
        "not sorted",
        False,
    ),
    ("ids not sorted", lambda d: d["items"].reverse(), "items[1].id", "not in its sorted place", False),
    ("id twice", lambda d: d["items"].insert(1, d["items"][0]), "items[1].id", "stands twice", False),
    (
        "item gone",
        lambda d: d["items"].pop(),
        "i2t.n_candidates",
        "8 candidates contradict the 6 captions",
        False,
    ),
    (
        "too few candidates",
        lambda d: d["t2i"].update(n_candidates=3),
        "t2i.n_candidates",
        "contradict the 4 items",
        False,
    ),
    (
        "no candidates",
        lambda d: d["t2i"].update(n_candidates=0),
        "t2i.n_candidates",
        "0 is not possible",
        True,
    ),
    (
        "huge candidates",
        lambda d: d["t2i"].update(n_candidates=10**4000),
        "t2i.n_candidates",
        "a huge number",
        False,
    ),
    ("columns swapped", lambda d: d["t2i"]["columns"].reverse(), "t2i.columns", "the columns must be", True),
    ("no queries", lambda d: d["t2i"].update(queries=[]), "t2i.queries", "not an empty one", True),
    ("query an object", lambda d: d["t2i"]["queries"].insert(0, {}), "t2i.queries[0]", "8 values", True),
    ("query short", lambda d: d["t2i"]["queries"][2].pop(), "t2i.queries[2]", "8 values", True),
    ("query long", lambda d: d["t2i"]["queries"][2].append(1), "t2i.queries[2]", "8 values", True),
    (
        "query twice",
        lambda d: d["t2i"]["queries"].insert(1, d["t2i"]["queries"][0]),
        "t2i.queries[1]",
        "stands twice",
        False,
    ),
    ("queries swapped", lambda d: d["i2t"]["queries"].reverse(), "i2t.queries[1]", "sorted place", False),
]


def _cell(direction: str, column: str, value: object) -> Callable[[Document], object]:
    def change(document: Document) -> None:
        part = document[direction]
        part["queries"][1][part["columns"].index(column)] = value

    return change


for direction in ("i2t", "t2i"):
    MUTATIONS += [
        (
            f"{direction} {name}",
            _cell(direction, column, value),
            f"{direction}.queries[1], {column}",
            words,
            by_schema,
        )
        for name, column, value, words, by_schema in [
            ("unknown item", "item", "nobody.jpg", "there is no item 'nobody.jpg'", False),
            ("item a number", "item", 1, "not a number", True),
            ("negative count", "better", -1, "-1 is not possible", True),
            ("count a float", "better", 1.5, "whole number", True),
            ("count a boolean", "tied", True, "not true or false", True),
            ("count null", "tied", None, "not null", True),
            ("count too large", "tied", 99, "99 is not possible", False),
            ("no positive", "positives_tied", 0, "0 is not possible", True),
            ("score too high", "score", 1.1, "between -1 and 1", True),
            ("score too low", "score", -7, "between -1 and 1", True),
            ("score huge", "score", 10**400, "between -1 and 1", True),
            ("score text", "score", "0.5", "not text", True),
            ("score null", "score", None, "not null", True),
            ("unknown rival", "rival", "nobody.jpg", "there is no item", False),
            ("rival null", "rival", None, "not null", False),
            ("rival a number", "rival", 4, "not a number", True),
            ("rival score null", "rival_score", None, "not null", False),
            ("rival score too high", "rival_score", 2.0, "between -1 and 1", True),
        ]
    ]
MUTATIONS += [
    ("unknown caption", _cell("t2i", "caption", 2), "t2i.queries[1], caption", "2 is not possible", False),
    ("negative caption", _cell("t2i", "caption", -1), "t2i.queries[1], caption", "-1 is not possible", True),
    (
        "unknown rival caption",
        _cell("i2t", "rival_caption", 2),
        "i2t.queries[1], rival_caption",
        "2 is not",
        False,
    ),
    (
        "rival without caption",
        _cell("i2t", "rival_caption", None),
        "i2t.queries[1], rival_caption",
        "not null",
        False,
    ),
]


@pytest.fixture(scope="module")
def document(snapshot, pairs) -> Document:
    kept = snapshot(*pairs(4, per_image=2), per_image=2)
    return json.loads(document_text(baseline_document(kept, rows=RowsFile("a.safetensors", "ab" * 32))))


@pytest.mark.parametrize(
    ("change", "place", "words", "by_schema"),
    [pytest.param(*rest, id=name) for name, *rest in MUTATIONS],
)
def test_a_wrong_document_is_refused_by_name_and_place(document, change, place, words, by_schema) -> None:
    changed = copy.deepcopy(document)
    change(changed)
    with pytest.raises(BaselineError) as caught:
        snapshot_from(changed, where="clip.json", fix="look")
    assert words in caught.value.what
    assert caught.value.where == (f"clip.json, {place}" if place else "clip.json")
    assert caught.value.fix == "look"
    valid = jsonschema.Draft202012Validator(baseline_schema()).is_valid(changed)
    assert valid is not by_schema, "the schema and the reader disagree"


def test_a_rank_beyond_the_candidates_is_refused(document) -> None:
    changed = copy.deepcopy(document)
    for column, value in (("better", 2), ("tied", 1), ("positives_tied", 2)):
        _cell("t2i", column, value)(changed)
    with pytest.raises(BaselineError, match="the rank lies beyond the 4 candidates"):
        snapshot_from(changed, where="clip.json", fix="look")


def test_a_beaten_query_without_a_rival_is_refused(document) -> None:
    changed = copy.deepcopy(document)
    for column, value in (("better", 1), ("rival", None), ("rival_score", None)):
        _cell("t2i", column, value)(changed)
    with pytest.raises(BaselineError, match="has a rival"):
        snapshot_from(changed, where="clip.json", fix="look")


def test_the_unchanged_document_is_accepted_by_both(document) -> None:
    snapshot_from(document, where="clip.json", fix="look")
    assert jsonschema.Draft202012Validator(baseline_schema()).is_valid(document)


@pytest.mark.parametrize(
    "name",
    [
        "../x.safetensors",
        "/x.safetensors",
        "a/b.safetensors",
        "a\\b.safetensors",
        "C:x.safetensors",
        "..",
        "",
        "x.pickle",
        "x.safetensors\n",
        "x\0.safetensors",
        ".safetensors/",
    ],
)
def test_rows_never_leave_the_folder_of_the_baseline(document, name) -> None:
    changed = copy.deepcopy(document)
    changed["embeddings"]["file"] = name
    with pytest.raises(BaselineError, match="in the same folder") as caught:
        snapshot_from(changed, where="clip.json", fix="look")
    assert caught.value.where == "clip.json, embeddings.file"
    if not name.endswith(
        "\n"
    ):  # '$' of a Python pattern, as of the schema's checker, looks past a line break
        assert not jsonschema.Draft202012Validator(baseline_schema()).is_valid(changed)


def test_a_newer_format_names_the_version_that_made_it(document) -> None:
    changed = document | {"version": 2, "clipeval": "9.4.1"}
    with pytest.raises(BaselineError, match=r"made by clipeval 9\.4\.1, needs a newer clipeval") as caught:
        snapshot_from(changed, where="clip.json", fix="look")
    assert caught.value.fix == "pip install -U clipeval"


def test_another_version_of_clipeval_with_the_same_format_is_read(document) -> None:
    found, _ = snapshot_from(document | {"clipeval": "0.0.7"}, where="clip.json", fix="look")
    assert found.clipeval == "0.0.7"
