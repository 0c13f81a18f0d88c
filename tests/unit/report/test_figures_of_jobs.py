"""Charts of classifications, trainings, benchmarks and swaps: their tables and their words."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from clipeval.baseline.answer import answer_document
from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.result import DataDifference, SwapResult
from clipeval.baseline.snapshot import take_snapshot
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.verdict import Verdict
from clipeval.report.chart import Chart, NotDrawn, svg, write_chart
from clipeval.report.figures.confusion import confusion
from clipeval.report.figures.learning_curves import learning_curves
from clipeval.report.figures.margins import margins


def whole(chart: Chart, folder: Path) -> None:
    """Write all three files and read the drawing."""
    for file in write_chart(folder, chart, stem="mine"):
        assert file.stem == "mine"
        assert file.stat().st_size > 0
    ElementTree.fromstring(svg(chart))  # noqa: S314


def test_a_confusion_matrix_names_what_is_most_often_taken_for_another(tmp_path: Path) -> None:
    chart = confusion(["cat", "dog", "<b>"], np.array([[3.0, 1, 0], [2, 2, 0], [0, 0, 0]]), title="A: top-1")
    whole(chart, tmp_path)
    assert chart.alt == "5 of 8 pictures in the right class; most often taken for another: " + (
        "dog as cat (2), cat as dog (1)."
    )
    assert chart.rows[1] == ["dog", 2.0, 2.0, 0.0]
    assert "<b>" not in svg(chart)


def test_more_classes_than_can_be_labelled_are_drawn_as_one_picture(tmp_path: Path) -> None:
    chart = confusion([f"c{at}" for at in range(80)], np.eye(80), title="A")
    whole(chart, tmp_path)
    assert "<image" in svg(chart)


def history(held: bool) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, 4):
        row = {"epoch": epoch, "loss": 3.0 / epoch, "scale": 10.0}
        if held:
            for way in ("i2t", "t2i"):
                row |= {
                    f"train_hit1_{way}": 0.2 * epoch,
                    f"held_out_hit1_{way}": 0.1 * epoch,
                    f"held_out_chance1_{way}": 0.05,
                }
            row["held_out_n_images"] = 20
        rows.append(row)
    return rows


@pytest.mark.parametrize("held", [True, False])
def test_learning_curves_hold_the_history_and_say_which_epoch_was_kept(held: bool, tmp_path: Path) -> None:
    chart = learning_curves(history(held), best=1, title="A + B <img>")
    whole(chart, tmp_path)
    assert [row[0] for row in chart.rows] == [1, 2, 3]
    assert "number 2 kept with loss 1.500" in chart.alt
    assert ("0.200 (chance 0.050)" in chart.alt) is held
    assert "<img>" not in svg(chart)


def test_margins_are_the_differences_of_the_swap_with_their_intervals(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(30, 8))
    sides = [
        evaluation_of_rows(rows, rows + noise * generator.normal(size=rows.shape), model="hf:a")
        for noise in (0.3, 0.9)
    ]
    old, new = (take_snapshot(side, fingerprint={}, data="") for side in sides)
    result = compare_snapshots(old, new, margin=0.02)
    chart = margins(answer_document(result))
    assert isinstance(chart, Chart)
    whole(chart, tmp_path)
    assert [(row[0], row[1]) for row in chart.rows] == [(m.metric, m.direction) for m in result.metrics]
    for row, metric in zip(chart.rows, result.metrics, strict=True):
        assert row[4] == metric.new - metric.old
        assert (row[5], row[6]) == (metric.interval.low, metric.interval.high)
    assert chart.alt.startswith(result.verdict.value)


def test_a_swap_on_other_data_has_no_margins() -> None:
    result = SwapResult("hf:a", "hf:b", Verdict.NOT_RUN, "the data differ", DataDifference(1, 2), (), 0.02)
    assert isinstance(margins(answer_document(result)), NotDrawn)
