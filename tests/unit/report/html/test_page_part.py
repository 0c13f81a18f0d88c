"""The part of large data that a page holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipeval.compare.document import comparison_document
from clipeval.compare.job import Comparison, compare
from clipeval.report.html import page_part as module
from clipeval.report.html.arrays import unpacked
from clipeval.report.html.explorer import explorer_data
from clipeval.report.html.page_part import Part, page_part
from clipeval.report.html.pages import results_page
from clipeval.report.html.render import page_html
from clipeval.report.write import write_comparison

N = 60


@pytest.fixture
def job(captioned, frozen, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Two models on data that are too large, the limits being low."""
    monkeypatch.setattr(module, "MOST_IMAGES", 50)
    monkeypatch.setattr(module, "QUERIES", 8)
    data = captioned(N, per_image=2, categories=("Animals", "Food"))
    return compare([frozen(data, noise=4.0), frozen(data, "b.npz", noise=5.0, seed=1)], data)


def models(job: Comparison) -> list:
    return [result.evaluation for result in job.models]


def chosen(job: Comparison) -> Part:
    return page_part(job.dataset, models(job), first=0)


@pytest.mark.parametrize("way", ["i2t", "t2i"])
def test_the_largest_loss_the_largest_gain_and_the_worst_margins_are_in_it(job: Comparison, way: str) -> None:
    kept = set(chosen(job).queries[way].tolist())
    first, second = (one.direction(way) for one in models(job))
    assert 0 < len(kept) <= module.QUERIES
    change = np.abs(first.rank - second.rank)
    for turned in (second.hits(1) < first.hits(1), second.hits(1) > first.hits(1)):
        assert turned.any()
        assert int(np.where(turned, change, -1).argmax()) in kept
    for ranks in (first, second):
        assert int((ranks.positive_score - ranks.rival_score).argmin()) in kept


def test_lists_are_the_best_candidates_and_every_picture_of_them_is_there(job: Comparison) -> None:
    part = chosen(job)
    assert len(part.images) <= module.MOST_IMAGES
    for model, lists in zip(models(job), part.lists, strict=True):
        scores = model.similarity()
        for way, rows in (("i2t", scores), ("t2i", scores.T)):
            queries = model.direction(way).queries[part.queries[way]]
            for query, candidates, found in zip(
                queries, lists[way].candidates, lists[way].scores, strict=True
            ):
                assert np.sort(rows[query])[::-1][: len(found)] == pytest.approx(found)
                assert rows[query][candidates] == pytest.approx(found)
                assert set(candidates) <= set((part.captions if way == "i2t" else part.images).tolist())


def test_the_data_of_the_page_name_only_what_is_in_it_and_count_what_is_not(job: Comparison) -> None:
    found = explorer_data(
        job.dataset, [(one.model, one) for one in models(job)], pictures=[None] * N, first=0
    )
    part = chosen(job)
    assert found["ids"] == [job.dataset.ids[at] for at in part.images]
    assert found["captions"] == [job.dataset.captions[at] for at in part.captions]
    first, second = (one.direction("t2i").hits(1) for one in models(job))
    side = found["models"][0]["t2i"]
    assert (side["all"], side["kept"]) == (2 * N, len(part.queries["t2i"]))
    counts = side["found"]
    for name, turned in (("lost", second < first), ("gained", second > first)):
        assert [unpacked(of).sum() for of in counts[name]] == [0, turned.sum()]
    assert sum(unpacked(counts[name]).sum() for name in ("hit", "tied", "missed")) == 2 * N
    assert unpacked(counts["all"]).sum() == 2 * N
    for model in found["models"]:
        for way in ("i2t", "t2i"):
            for name in ("queries", "top", "right"):
                assert unpacked(model[way][name]).min() >= 0


def test_what_a_filter_finds_in_all_data_is_told_category_by_category(job: Comparison) -> None:
    data, (best, other) = job.dataset, models(job)
    found = explorer_data(data, [("a", best), ("b", other)], pictures=[None] * N, first=0)
    names = [*data.categories, None]
    for way in ("i2t", "t2i"):
        hits, later = (one.direction(way).hits(1) for one in (best, other))
        named = np.array([data.items[row].category for row in best.image_of_query(way)])
        counts = found["models"][0][way]["found"]
        for at, name in enumerate(names):
            of_this = named == name
            assert unpacked(counts["all"])[at] == of_this.sum()
            assert unpacked(counts["missed"])[at] == (of_this & (hits <= 0)).sum()
            assert unpacked(counts["lost"][1])[at] == (of_this & (later < hits)).sum()


def test_names_that_look_alike_are_numbered_over_all_data(
    captioned, frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them a page holds hangs on the models; the address of an item must not."""
    monkeypatch.setattr(module, "MOST_IMAGES", 5)
    monkeypatch.setattr(module, "QUERIES", 1)
    blanks = [f"{one}{other}" for one in " \u00a0\u3000" for other in " \u00a0\u3000"][:8]
    data = captioned(8, ids=[f"a{blank}b.jpg" for blank in blanks])
    expected = ["a  b.jpg", *(f"a  b.jpg ({number})" for number in range(2, 9))]
    for seed in range(3):
        one = compare([frozen(data, f"{seed}.npz", seed=seed, noise=3.0)], data).models[0].evaluation
        assert one is not None
        kept = page_part(data, [one], first=0).images
        assert len(kept) < 8
        found = explorer_data(data, [("a", one)], pictures=[None] * 8, first=0)
        assert found["ids"] == [expected[at] for at in kept]


def test_blocks_know_their_right_pairs_and_categories(job: Comparison) -> None:
    found = explorer_data(
        job.dataset, [(one.model, one) for one in models(job)], pictures=[None] * N, first=0
    )
    tall, wide = found["models"][0]["matrix"]["block"]
    assert (tall, wide) == (2, 4)
    assert unpacked(found["map"]["before"]).tolist() == [4 * at for at in range(N // 2 + 1)]
    assert found["map"]["groups"] == [[0, 0, 0], [1, N // 2, N]]
    assert found["map"]["rows"] is None


def test_its_page_is_made_again_to_the_byte_and_says_what_is_missing(job: Comparison, tmp_path: Path) -> None:
    write_comparison(tmp_path, job, comparison_document(job))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page == page_html(results_page([tmp_path]))
    kept = {way: len(chosen(job).queries[way]) for way in ("t2i", "i2t")}
    assert f"Here are {kept['t2i']} captions and {kept['i2t']} pictures as queries" in page
    assert f"{2 * N - kept['t2i']} captions and {N - kept['i2t']} pictures are not shown" in page


def test_data_that_a_page_can_hold_are_there_whole(captioned, frozen) -> None:
    data = captioned(N, per_image=2)
    part = page_part(data, models(compare([frozen(data)], data)), first=0)
    assert (len(part.images), len(part.captions)) == (N, 2 * N)
