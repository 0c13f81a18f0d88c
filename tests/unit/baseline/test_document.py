"""A snapshot as JSON: its lines, its bytes, its schema."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipeval.baseline.document import (
    COLUMNS,
    RowsFile,
    baseline_document,
    baseline_schema,
    document_text,
)
from clipeval.baseline.reading import snapshot_from
from clipeval.baseline.snapshot import DirectionSnapshot, ItemRecord, QueryResult, Snapshot
from clipeval.errors import BaselineError

HASH = "ab" * 32
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\u200b",
        "a\nb",
        "\r\n",
        "\u2028",
        "\u202e",
        '"',
        "\\",
        "\x00",
        "\x85",
        "\U0001f468\u200d\U0001f469",
        "<<<<<<< HEAD",
    ]
)
SCORES = st.floats(-1, 1)


@st.composite
def snapshots(draw) -> Snapshot:
    """Any snapshot that could come of an evaluation, with the most awkward names."""
    ids = sorted(draw(st.sets(TEXT, min_size=1, max_size=4)))
    items = tuple(
        ItemRecord(
            name,
            hashlib.sha256(name.encode()).hexdigest(),
            tuple(sorted(draw(st.lists(TEXT, min_size=1, max_size=3)))),
            draw(st.none() | TEXT),
        )
        for name in ids
    )
    pictures = [(item.id, None) for item in items]
    captions = [(item.id, number) for item in items for number in range(len(item.captions))]

    def direction(queries, candidates) -> DirectionSnapshot:
        n = len(candidates)
        found = []
        for item, caption in queries:
            positives = draw(st.integers(1, n))
            better = draw(st.integers(0, n - positives))
            tied = draw(st.integers(0, n - positives - better))
            rival = draw(st.sampled_from(candidates)) if better + tied or draw(st.booleans()) else None
            found.append(
                QueryResult(
                    item,
                    caption,
                    better,
                    tied,
                    positives,
                    draw(SCORES),
                    rival,
                    None if rival is None else draw(SCORES),
                )
            )
        return DirectionSnapshot(n, tuple(found))

    return Snapshot(
        model=draw(TEXT),
        data=draw(TEXT),
        fingerprint=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        items=items,
        i2t=direction(pictures, captions),
        t2i=direction(captions, pictures),
        images_sha256=HASH,
        texts_sha256=HASH,
        precomputed=draw(st.booleans()),
        clipeval=draw(TEXT),
    )


def _rounded(snapshot: Snapshot) -> Snapshot:
    """The obvious reference: every score to 7 decimals, by way of decimal text."""

    def near(value: float | None) -> float | None:
        return None if value is None else float(f"{value:.7f}")

    def direction(found: DirectionSnapshot) -> DirectionSnapshot:
        return replace(
            found,
            queries=tuple(
                replace(query, score=near(query.score), rival_score=near(query.rival_score))
                for query in found.queries
            ),
        )

    return replace(snapshot, i2t=direction(snapshot.i2t), t2i=direction(snapshot.t2i))


def _fields(snapshot: Snapshot) -> dict[str, object]:
    names = "model data fingerprint items i2t t2i images_sha256 texts_sha256 precomputed clipeval"
    return {name: getattr(snapshot, name) for name in names.split()}


@given(snapshots())
def test_what_is_written_is_read_back_up_to_the_rounding_of_scores(snapshot) -> None:
    text = document_text(baseline_document(snapshot))
    found, rows = snapshot_from(json.loads(text), where="it", fix="look")
    assert _fields(found) == _fields(_rounded(snapshot))
    assert rows is None
    assert document_text(baseline_document(found)) == text


@given(snapshots())
def test_every_document_fits_the_schema(snapshot) -> None:
    document = json.loads(document_text(baseline_document(snapshot, rows=RowsFile("a.safetensors", HASH))))
    jsonschema.validate(document, baseline_schema(), cls=jsonschema.Draft202012Validator)


@given(snapshots())
def test_every_item_and_every_query_has_one_line_whatever_it_holds(snapshot) -> None:
    text = document_text(baseline_document(snapshot))
    lines = text.splitlines()  # also breaks where an editor does: U+2028, U+0085 and so on
    assert len(lines) == text.count("\n")
    at = lines.index('  "items": [') + 1
    for item, line in zip(snapshot.items, lines[at:], strict=False):
        assert json.loads(line.rstrip(","))["id"] == item.id
    queries = [line for line in lines if line.startswith("      [")]
    assert [json.loads(line.rstrip(","))[0] for line in queries] == [
        query.item for query in (*snapshot.i2t.queries, *snapshot.t2i.queries)
    ]


@given(snapshots())
def test_the_checksum_is_that_of_the_file_without_its_line(snapshot) -> None:
    document = baseline_document(snapshot)
    kept = [line for line in document_text(document).split("\n") if not line.startswith('  "sha256"')]
    assert document["sha256"] == hashlib.sha256("\n".join(kept).encode()).hexdigest()


def test_the_schema_is_a_schema_and_names_the_columns_of_the_document() -> None:
    schema = baseline_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for direction, columns in COLUMNS.items():
        part = schema["properties"][direction]["properties"]
        assert part["columns"]["const"] == list(columns)
        assert len(part["queries"]["items"]["prefixItems"]) == len(columns)


def test_scores_have_seven_decimals_and_zero_has_no_sign(snapshot) -> None:
    rows = np.array([[1, 0], [0, -1]], dtype=np.float32)
    kept = snapshot(rows, np.array([[1, 1e-9], [0, -1]], dtype=np.float32))
    assert kept.t2i.queries[0].rival_score < 0  # -1e-9 would be written as -0
    text = document_text(baseline_document(kept))
    assert '["0000.jpg", 0, 0, 0, 1, 1.0000000, "0001.jpg", 0.0000000]' in text
    assert "-0.0000000" not in text


def test_letters_and_signs_stand_as_they_are(snapshot) -> None:
    one = np.ones((1, 2), dtype=np.float32)
    text = document_text(baseline_document(snapshot(one, one, captions=["ein Käfer 🐞 auf 葉"])))
    assert '"captions": ["ein Käfer 🐞 auf 葉"]' in text


def test_one_edited_caption_changes_the_checksum_and_the_line_of_its_item(snapshot, pairs) -> None:
    images, texts = pairs(6)
    names = [f"caption {row}" for row in range(6)]
    before = document_text(baseline_document(snapshot(images, texts, captions=names)))
    names[3] = "caption 3, edited"
    after = document_text(baseline_document(snapshot(images, texts, captions=names)))
    differ = [new for old, new in zip(before.split("\n"), after.split("\n"), strict=True) if old != new]
    assert len(differ) == 2
    assert '"sha256"' in differ[0]
    assert "caption 3, edited" in differ[1]


def test_half_a_character_is_refused_with_its_place(snapshot) -> None:
    one = np.ones((1, 2), dtype=np.float32)
    document = baseline_document(snapshot(one, one, captions=["a \ud83d cat"]))
    with pytest.raises(BaselineError, match=r"half a character \(\\ud83d\)") as caught:
        snapshot_from(document, where="clip.json", fix="look")
    assert caught.value.where == "clip.json, items[0].captions[0]"
