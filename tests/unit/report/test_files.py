from __future__ import annotations

import csv
import errno
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from clipeval.compare.document import comparison_document
from clipeval.compare.job import Comparison, compare
from clipeval.encoders.load import load_encoder
from clipeval.errors import ClipevalError
from clipeval.evaluation import Evaluation, evaluate
from clipeval.report import matrix_limit, write
from clipeval.report.files import (
    replace_file,
    write_csv,
    write_embeddings,
    write_queries,
    write_similarities,
)
from clipeval.report.write import check_folder, file_names, write_comparison

HOSTILE = [
    "a, b",
    'say "hi"',
    "two\nlines",
    "carriage\rreturn",
    "=cmd()",
    "+1",
    "-1",
    "@here",
    "\ttab",
    "$x$ _ ^",
    "[red]x[/red]",
    "😀",
    "مرحبا",
    "e" * 500,
    "half \ud83d",
]


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def ran(job: Comparison) -> Evaluation:
    evaluation = job.models[0].evaluation
    assert evaluation is not None
    return evaluation


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    dot = sum(float(a) * float(b) for a, b in zip(x, y, strict=True))
    return dot / math.sqrt(sum(float(a) ** 2 for a in x)) / math.sqrt(sum(float(b) ** 2 for b in y))


def test_hostile_text_survives_a_csv_file_and_numbers_stay_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [HOSTILE, [-1.5, 2, "-1.5"]])
    first, second = read(tmp_path / "x.csv")
    expected = [text.replace("\ud83d", "\\ud83d") for text in HOSTILE]
    assert [cell.removeprefix("'") for cell in first] == expected
    assert second == ["-1.5", "2", "'-1.5"]


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.mkdir()  # what cannot be replaced by a file
    with pytest.raises(OSError, match=r"x\.json"):
        replace_file(path, b"new")
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("per_image", [1, 3])
def test_the_similarity_matrix_is_the_cosine_of_every_pair_with_its_labels(
    captioned, frozen, tmp_path: Path, per_image: int
) -> None:
    data = captioned(7, per_image=per_image)
    evaluation = ran(compare([frozen(data)], data))
    write_similarities(tmp_path / "s.csv", evaluation)
    header, *rows = read(tmp_path / "s.csv")
    assert header == ["picture", *data.captions]
    assert [row[0] for row in rows] == list(data.ids)
    for row, column in itertools.product(range(7), range(7 * per_image)):
        slow = cosine(evaluation.images[row], evaluation.texts[column])
        assert float(rows[row][1 + column]) == pytest.approx(slow, abs=1e-6)


def test_captions_that_repeat_still_name_their_columns(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(4, captions=["a cat", "a dog", "a cat", "a cat"])
    write_similarities(tmp_path / "s.csv", ran(compare([frozen(data)], data)))
    header = read(tmp_path / "s.csv")[0]
    assert header[2] == "a dog"
    assert header[1] == "a cat [pic000.jpg#0]"
    assert len(set(header)) == 5


def expected_rank(scores: list[float], right: set[int]) -> float:
    """1 + G + e / (w + 1): wrong ones above, wrong ones tied, positives tied; equality within 1e-12."""
    best = max(scores[at] for at in right)
    wrong = [score for at, score in enumerate(scores) if at not in right]
    better = sum(score > best + 1e-12 for score in wrong)
    equal = sum(abs(score - best) <= 1e-12 for score in wrong)
    tied = sum(abs(scores[at] - best) <= 1e-12 for at in right)
    return 1 + better + equal / (tied + 1)


@pytest.mark.parametrize("per_image", [1, 3])
def test_every_query_has_its_rank_score_and_best_rival(
    captioned, frozen, tmp_path: Path, per_image: int
) -> None:
    data = captioned(9, per_image=per_image, categories=("Animals", "Food"))
    evaluation = ran(compare([frozen(data, noise=2.0)], data))
    write_queries(tmp_path / "q.csv", evaluation)
    header, *rows = read(tmp_path / "q.csv")
    found = [dict(zip(header, row, strict=True)) for row in rows]
    owner = data.image_of_caption.tolist()
    table = [[cosine(image, text) for text in evaluation.texts] for image in evaluation.images]
    queries = [
        ("i2t", data.ids[row], table[row], {c for c, image in enumerate(owner) if image == row}, row)
        for row in range(9)
    ] + [
        ("t2i", data.caption_ids[c], [table[row][c] for row in range(9)], {image}, image)
        for c, image in enumerate(owner)
    ]
    assert len(found) == len(queries) == 9 + 9 * per_image
    for record, (direction, query, scores, right, image) in zip(found, queries, strict=True):
        assert (record["direction"], record["query"]) == (direction, query)
        assert float(record["rank"]) == expected_rank(scores, right)
        assert float(record["score"]) == pytest.approx(max(scores[at] for at in right), abs=1e-6)
        rival = max((at for at in range(len(scores)) if at not in right), key=lambda at: scores[at])
        candidates = data.caption_ids if direction == "i2t" else data.ids
        assert record["best_rival"] == candidates[rival]
        assert float(record["rival_score"]) == pytest.approx(scores[rival], abs=1e-6)
        assert record["category"] == data.items[image].category
        assert record["caption"] in data.items[image].captions


def test_an_item_named_like_another_items_caption_keeps_its_own_caption(
    captioned, frozen, tmp_path: Path
) -> None:
    data = captioned(2, ids=["a", "a#0"], captions=["of a", "of the other"])
    write_queries(tmp_path / "q.csv", ran(compare([frozen(data)], data)))
    assert {row[1]: row[2] for row in read(tmp_path / "q.csv") if row[0] == "i2t"} == {
        "a": "of a",
        "a#0": "of the other",
    }


def test_saved_embeddings_play_back_to_the_same_ranks(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(12, per_image=2)
    job = compare([frozen(data, noise=2.0)], data)
    write_comparison(tmp_path / "out", job, comparison_document(job))
    (path,) = (tmp_path / "out").glob("*/embeddings.safetensors")
    again = evaluate(load_encoder(f"frozen:{path}"), data)
    first = ran(job)
    for direction in ("i2t", "t2i"):
        assert (again.direction(direction).rank == first.direction(direction).rank).all()
    with safe_open(path, "np") as stored:
        assert json.loads(stored.metadata()["image_ids"]) == list(data.ids)
        assert json.loads(stored.metadata()["fingerprint"]) == first.fingerprint


def test_all_files_are_there_and_the_document_is_the_last(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(6, categories=HOSTILE[:6], captions=HOSTILE[8:14], ids=[f"{t}.jpg" for t in HOSTILE[:6]])
    job = compare([frozen(data), frozen(data, "other.npz", seed=1)], data)
    document = comparison_document(job)
    written = write_comparison(tmp_path / "deep" / "out", job, document)
    found = {path.relative_to(tmp_path / "deep" / "out").as_posix() for path in written}
    per_model = {"embeddings.safetensors", "queries.csv", "similarities.csv", "heatmap.png", "heatmap.svg"}
    assert {name.rpartition("/")[2] for name in found} == per_model | {
        "comparison.json",
        *("comparison.png", "comparison.svg", "comparison.csv"),
        *(name.rpartition("/")[2] for name in found if name.startswith("charts/")),
        "items.json",
        "report.html",
    }
    assert {
        f"charts/{chart}.{kind}" for chart in ("hit-rates", "densities") for kind in ("png", "svg", "csv")
    } <= found
    assert written[-1].name == "comparison.json"
    assert json.loads(written[-1].read_text(encoding="utf-8")) == document | {"files": list(file_names(job))}
    assert set(file_names(job)) == found - {"comparison.json"}


def test_without_charts_nothing_is_drawn_and_what_an_earlier_run_drew_goes(
    captioned, frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = captioned(6)
    job, out = compare([frozen(data)], data), tmp_path / "out"
    write_comparison(out, job, comparison_document(job))
    assert list(out.rglob("*.png"))
    monkeypatch.setattr(
        "matplotlib.figure.Figure.__init__", lambda *_, **__: pytest.fail("a chart was drawn")
    )
    written = write_comparison(out, job, comparison_document(job), charts=[])
    assert {path for path in out.rglob("*") if path.is_file()} == set(written)
    assert {path.suffix for path in written} == {".csv", ".html", ".json", ".safetensors"}
    assert {path.name for path in written if path.suffix == ".csv"} == {"queries.csv", "similarities.csv"}


def test_files_of_an_earlier_run_are_removed_and_nothing_else(captioned, frozen, tmp_path: Path) -> None:
    data, out = captioned(4), tmp_path / "out"
    first = compare([frozen(data), frozen(data, "other.npz", seed=1)], data)
    write_comparison(out, first, comparison_document(first))
    other = next(out.glob("*other.npz"))
    kept = next(path for path in out.glob("*rows.npz"))
    (kept / "notes.txt").write_text("mine", encoding="utf-8")
    (out / "mine.png").write_text("mine", encoding="utf-8")
    second = compare(["frozen:absent.npz"], data)
    write_comparison(out, second, comparison_document(second))
    assert not other.exists()
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        "comparison.json",
        "mine.png",
        f"{kept.name}/notes.txt",
    }


@pytest.mark.parametrize(
    "listed",
    [
        '["../comparison.png", "/tmp/comparison.png", "mine.txt", "a/b/scores.png", ".hidden/heatmap.png"]',
        '["linked/heatmap.png", "linked.png"]',
        '"comparison.png"',
        "null",
        '[1, {}, ["scores.png"]]',
    ],
)
def test_a_forged_list_removes_nothing(captioned, frozen, tmp_path: Path, listed: str) -> None:
    out, away = tmp_path / "out", tmp_path / "away"
    (out / "a" / "b").mkdir(parents=True)
    (out / ".hidden").mkdir()
    away.mkdir()
    victims = [
        *(tmp_path / "comparison.png", out / "mine.txt", out / "a" / "b" / "scores.png"),
        *(out / ".hidden" / "heatmap.png", away / "heatmap.png"),
    ]
    for victim in victims:
        victim.write_text("mine", encoding="utf-8")
    (out / "linked").symlink_to(away, target_is_directory=True)
    (out / "comparison.json").write_text(f'{{"clipeval": "1", "files": {listed}}}', encoding="utf-8")
    data = captioned(3)
    job = compare(["frozen:absent.npz"], data)
    write_comparison(out, job, comparison_document(job))
    assert [victim.read_text(encoding="utf-8") for victim in victims] == ["mine"] * len(victims)


def test_a_run_that_fails_before_the_end_leaves_the_earlier_results_whole(
    captioned, frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = captioned(4), tmp_path / "out"
    first = compare([frozen(data)], data)
    write_comparison(out, first, comparison_document(first))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write, "write_chart", full)
    second = compare([frozen(data, noise=3.0, seed=2)], data)
    with pytest.raises(ClipevalError, match="No space left on device"):
        write_comparison(out, second, comparison_document(second))
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert {path.name for path in out.iterdir()} == {path.relative_to(out).parts[0] for path in before}


def test_above_ten_million_pairs_the_matrix_is_neither_written_nor_listed_and_drawn_in_blocks(
    captioned, frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = captioned(4)
    job = compare([frozen(data)], data)
    monkeypatch.setattr(matrix_limit, "MOST_CELLS", 15)
    written = write_comparison(tmp_path, job, comparison_document(job))
    assert {path.name for path in written} == {
        *("embeddings.safetensors", "queries.csv", "comparison.json", "heatmap.png", "heatmap.svg"),
        *("comparison.png", "comparison.svg", "comparison.csv"),
        *(path.name for path in written if path.parent.name == "charts"),
        *("items.json", "report.html"),
    }
    assert [path.suffix for path in written if path.stem == "densities"] == [".png", ".svg", ".csv"]


def test_a_run_that_fails_midway_leaves_no_document_and_no_temporary_file(
    captioned, frozen, tmp_path: Path
) -> None:
    data = captioned(4)
    job = compare([frozen(data)], data)
    document = comparison_document(job)
    out = tmp_path / "out"
    write_comparison(out, job, document)
    (out / "comparison.png").unlink()
    (out / "comparison.png").mkdir()
    with pytest.raises(ClipevalError, match="cannot write results") as caught:
        write_comparison(out, job, document)
    assert "--out" in str(caught.value)
    assert not (out / "comparison.json").exists()
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_a_name_that_is_not_unicode_does_not_end_the_run(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(3, captions=["a", "b \udcff", "c \ud83d"], categories=("k \udcff",))
    job = compare([frozen(data)], data)
    written = write_comparison(tmp_path / "out", job, comparison_document(job))
    assert json.loads(written[-1].read_text(encoding="utf-8"))["dataset"]["categories"] == ["k \udcff"]


def test_a_folder_that_cannot_be_made_is_found_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(ClipevalError, match="file"):
            check_folder(folder)
    for folder in (tmp_path / ("x" * 300), tmp_path / "new" / ("x" * 300)):
        with pytest.raises(ClipevalError, match="name too long"):
            check_folder(folder)
    check_folder(tmp_path / "not" / "there" / "yet")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_same_embeddings_give_the_same_bytes(captioned, frozen, tmp_path: Path) -> None:
    """The library writes its metadata in an order that differs from call to call."""
    data = captioned(3)
    evaluation = ran(compare([frozen(data)], data))
    contents = set()
    for number in range(12):
        write_embeddings(tmp_path / f"{number}.safetensors", evaluation)
        contents.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(contents) == 1
