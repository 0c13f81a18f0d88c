"""What the charts of a comparison show, checked against plain counting, and when they are not drawn."""

from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from clipeval.compare.job import Comparison, compare
from clipeval.evaluation import Evaluation
from clipeval.report import matrix_limit
from clipeval.report.chart import Chart, NotDrawn, svg, write_chart
from clipeval.report.figures import densities
from clipeval.report.figures.hubness import Places
from clipeval.report.figures.models import in_colour, shown
from clipeval.report.figures.of_comparison import CHARTS, comparison_charts
from clipeval.report.html.answer import answer_values
from clipeval.report.style import PALETTE

HOSTILE = "=cmd|' /C calc'!A0 <img src=x onerror=alert(1)>"


@pytest.fixture
def two(captioned, frozen) -> Comparison:
    """Two models of unlike quality on 40 pictures with two captions each, in three categories."""
    data = captioned(40, per_image=2, categories=("Animals", "Food", HOSTILE))
    return compare([frozen(data, noise=2.0), frozen(data, "b.npz", noise=6.0, seed=1)], data)


def drawn(job: Comparison) -> dict[str, Chart]:
    return {chart.name: chart for chart in comparison_charts(job) if isinstance(chart, Chart)}


def reasons(job: Comparison) -> dict[str, str]:
    return {chart.name: chart.reason for chart in comparison_charts(job) if isinstance(chart, NotDrawn)}


def table(chart: Chart) -> list[dict]:
    return [dict(zip(chart.columns, row, strict=True)) for row in chart.rows]


def test_every_chart_of_a_rich_comparison_is_drawn_and_is_well_formed(two, tmp_path: Path) -> None:
    charts = drawn(two)
    assert tuple(charts) == CHARTS
    for chart in charts.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_chart(tmp_path, chart)
        ElementTree.fromstring((tmp_path / f"{chart.name}.svg").read_text(encoding="utf-8"))  # noqa: S314
        assert chart.title
        assert chart.caption.endswith(".")
        assert chart.alt.endswith(".")
        assert len(set(map(len, [chart.columns, *chart.rows]))) == 1


def test_the_names_of_many_models_leave_room_for_their_curves(captioned, frozen) -> None:
    data = captioned(24, categories=("Animals", "Food", "Objects"))
    name = "a-model-with-a-name-that-needs-more-than-one-line-of-a-legend-{}.npz"
    job = compare([frozen(data, name.format(seed), noise=4.0, seed=seed) for seed in range(16)], data)
    charts = drawn(job)
    for name in ("hit-rates", "categories", "hubness"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure = charts[name].figure()
            figure.draw_without_rendering()
        for axes in figure.axes:
            assert axes.get_position().height * figure.get_figheight() > 1.5  # inches


def test_no_chart_carries_a_strangers_markup_or_a_path_of_this_machine(two, tmp_path: Path) -> None:
    for chart in drawn(two).values():
        page = svg(chart)
        assert "<img" not in page
        assert str(tmp_path) not in page + chart.alt + chart.caption + str(chart.rows)


def test_hit_rates_are_the_share_of_ranks_up_to_k_with_chance_and_an_interval_around(two) -> None:
    for row in table(drawn(two)["hit-rates"]):
        model = two.models["b.npz" in row["model"]]
        ranks = model.evaluation.direction(row["direction"]).rank
        assert row["hit_rate"] == pytest.approx(np.mean(ranks <= row["k"]))
        assert row["low"] <= row["hit_rate"] <= row["high"]
        if row["direction"] == "t2i":
            assert row["chance"] == pytest.approx(row["k"] / 40)


def test_densities_hold_every_pair_once(two) -> None:
    rows = table(drawn(two)["densities"])
    for kind in ("right", "wrong"):
        shares = [row["share"] for row in rows if row["pairs"] == kind]
        assert sum(shares) == pytest.approx(2.0)  # one for each model
    assert {row["auroc"] for row in rows} == {model.scores.diagonal.auroc for model in two.models}
    for row in rows:
        assert row["auroc_low"] < row["auroc"] < row["auroc_high"]


def test_densities_above_the_limit_of_the_matrix_are_those_of_the_same_pairs(
    two, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = drawn(two)["densities"]
    monkeypatch.setattr(matrix_limit, "MOST_CELLS", 1)
    monkeypatch.setattr(Evaluation, "similarity", lambda _: pytest.fail("the matrix was made"))
    pairs = drawn(two)["densities"]
    assert len(pairs.rows) == len(whole.rows)
    moved = 0.0
    for one, other in zip(table(pairs), table(whole), strict=True):
        assert one["from"] == pytest.approx(other["from"], abs=1e-6)
        assert one["auroc"] == other["auroc"]
        moved += abs(one["share"] - other["share"])
    assert moved <= 4 * 2 / 80  # a score on the border of a bar


def test_of_too_many_wrong_pairs_an_even_part_is_drawn_from_all_captions(
    two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_limit, "MOST_CELLS", 1)
    monkeypatch.setattr(densities, "MOST_NEGATIVES", 400)  # 40 x 80 pairs: a step of 8 divides the captions
    evaluation = two.models[0].evaluation
    owner = evaluation.dataset.image_of_caption
    scores = evaluation.similarity()
    right, wrong = densities._pairs(evaluation)
    assert right.values == pytest.approx(scores[owner, np.arange(80)], abs=1e-6)
    assert wrong.count == 40 * 80 - 80
    assert "every 9th drawn" in wrong.words("wrong")
    captions = [int(np.abs(scores - value).argmin()) % 80 for value in wrong.values]
    assert np.abs(scores.ravel() - wrong.values[:, None]).min(axis=1).max() < 1e-6
    assert len(set(captions)) == 80


def test_hubness_does_not_change_above_the_limit_of_the_matrix(two, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(two)["hubness"]
    monkeypatch.setattr(matrix_limit, "MOST_CELLS", 1)
    assert drawn(two)["hubness"].rows == whole.rows
    monkeypatch.setattr(matrix_limit, "MOST_PASSED", 2 * 40 * 80 - 1)
    assert "are not counted" in reasons(two)["hubness"]


def test_slopes_join_the_ranks_of_the_same_query(two) -> None:
    rows = table(drawn(two)["slopes"])
    assert len(rows) == 40 + 80
    first, second = (
        {record.query: record.rank for record in model.evaluation.records("t2i")} for model in two.models
    )
    for row in rows:
        if row["direction"] == "t2i":
            assert (row["rank_first"], row["rank_second"]) == (first[row["query"]], second[row["query"]])


def test_slopes_count_who_rose_and_fell_and_say_the_tested_difference(two) -> None:
    alt = drawn(two)["slopes"].alt
    change = [a - b for a, b in zip(*(m.evaluation.direction("i2t").rank for m in two.models), strict=True)]
    rose, fell = sum(x > 0 for x in change), sum(x < 0 for x in change)
    assert f"{rose} rose, {40 - rose - fell} stayed, {fell} fell" in alt
    test = next(pair.test for pair in two.pairs if pair.direction == "i2t")
    low, high = -test.interval.high, -test.interval.low
    assert f"hit_rate@1 {-test.difference:+.3f} [{low:+.3f}, {high:+.3f}]" in alt


def test_category_confusion_counts_every_query_once_in_the_row_of_its_category(two) -> None:
    rows = [row for row in table(drawn(two)["category-confusion"]) if row["direction"] == "i2t"]
    evaluation = two.models[0].evaluation
    category = [item.category for item in evaluation.dataset.items]
    wanted: dict[tuple[str, str], float] = {}
    for name, scores in zip(category, evaluation.similarity(), strict=True):
        answer = category[evaluation.dataset.image_of_caption[int(scores.argmax())]]
        wanted[name, answer] = wanted.get((name, answer), 0) + 1
    found = {
        (row["category"], row["answered_with"]): row["queries"]
        for row in rows
        if "b.npz" not in row["model"] and row["queries"]
    }
    assert found == wanted


def test_hubness_counts_lists_and_every_place_is_somebodys(two) -> None:
    rows = table(drawn(two)["hubness"])
    for model in {row["model"] for row in rows}:
        own = [row for row in rows if row["model"] == model and row["direction"] == "t2i"]
        assert sum(row["lists"] for row in own) == pytest.approx(80 * own[0]["k"])
        assert [row["lists"] for row in own] == sorted((row["lists"] for row in own), reverse=True)


def test_a_scorer_that_knows_nothing_lies_on_the_dotted_line_of_hubness() -> None:
    places = Places(10, {}, n_queries=1000, n_candidates=500)
    generator = np.random.default_rng(0)
    lists = np.concatenate([generator.choice(500, 10, replace=False) for _ in range(1000)])
    seen = np.sort(np.bincount(lists, minlength=500))[::-1]
    assert np.abs(seen - places.by_chance()).mean() < 0.5
    assert Places(1, {}, n_queries=20, n_candidates=20).never_by_chance == pytest.approx((19 / 20) ** 20)


def test_with_few_data_the_reason_stands_instead_of_a_chart(captioned, frozen) -> None:
    data = captioned(4, categories=("a", "b", "c", "d"))
    assert reasons(compare([frozen(data)], data)) == {
        "slopes": "It takes two models that ran.",
        "categories": "No category has more than one picture.",
        "hubness": "With fewer than 20 candidates hubs cannot be told from luck.",
    }


def test_one_picture_or_no_model_draws_nothing_that_needs_more(captioned, frozen) -> None:
    one = captioned(1)
    assert set(reasons(compare([frozen(one)], one))) == {*CHARTS} - {"densities"}
    assert set(reasons(compare(["frozen:absent.npz"], one))) == {*CHARTS}


def test_data_without_categories_say_so(captioned, frozen) -> None:
    data = captioned(30)
    found = reasons(compare([frozen(data)], data))
    assert found["categories"] == found["category-confusion"] == "The data have no categories."


def test_a_long_tail_of_categories_is_in_the_table_and_the_largest_are_drawn(captioned, frozen) -> None:
    names = tuple(f"c{at}" for at in range(35))
    data = captioned(70, categories=names)
    chart = drawn(compare([frozen(data)], data))["categories"]
    assert {row["category"] for row in table(chart)} == set(names)
    assert "the 30 of 35 with most pictures" in chart.caption


@pytest.fixture
def many(captioned, frozen) -> Comparison:
    """More models than there are colours; the third is the best, the fifth the worst."""
    data = captioned(30, categories=("Animals", "Food"))
    noise = [4.0, 4.0, 0.5, 4.0, 40.0, *[4.0] * 7]
    specs = [frozen(data, f"{at}.npz", noise=much, seed=at) for at, much in enumerate(noise)]
    return compare([f"frozen:{data.name}/absent.npz", *specs], data)


def test_of_very_many_models_the_first_the_best_and_the_worst_have_colours_that_nobody_shares(many) -> None:
    models = shown(many)
    coloured = in_colour(models)
    assert len({model.colour for model in coloured}) == len({m.marker for m in coloured}) == len(PALETTE)
    names = {model.spec.rpartition("/")[2] for model in coloured}
    assert {"0.npz", "2.npz", "4.npz"} <= names
    chart = drawn(many)["hit-rates"]
    assert len({row["model"] for row in table(chart)}) == 12
    lines = chart.figure().legends[0].get_texts()
    assert [line.get_text() for line in lines].count("6 others") == 1
    assert len(lines) == len(PALETTE) + 2  # the others, and chance
    assert "the first of 12 models, the best and the worst" in chart.caption


def test_every_chart_of_very_many_models_is_drawn(many, tmp_path: Path) -> None:
    charts = drawn(many)
    assert tuple(charts) == CHARTS
    for chart in charts.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write_chart(tmp_path, chart)
        assert chart.figure().get_figheight() < 25


def test_a_model_has_one_colour_in_the_table_of_the_page_and_in_its_charts(many) -> None:
    names = {result.spec: result.spec for result in many.models}
    rows = answer_values(many, names=names, shown=str)["rows"]
    assert {row["name"]: row["series"] for row in rows} == {model.spec: model.series for model in shown(many)}
    for model in in_colour(shown(many)):
        assert model.colour == PALETTE[model.series - 1]
