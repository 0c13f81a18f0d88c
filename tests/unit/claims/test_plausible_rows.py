"""Published tables: what counts as low, and how often a sound row would be called broken."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval.claims.checks.plausible_rows import low_figures, read_published, rows_plausible
from clipeval.core.verdict import Verdict
from clipeval.errors import DatasetError, InvalidInputError

CHANCE = {
    "ImageNet 1k": 1 / 1000,
    "Caltech-101": 1 / 102,
    "CIFAR-10": 1 / 10,
    "CIFAR-100": 1 / 100,
    "Country211": 1 / 211,
    "Food-101": 1 / 101,
    "GTSRB": 1 / 43,
    "ImageNet Sketch": 1 / 1000,
    "ImageNet v2": 1 / 1000,
    "ImageNet-R": 1 / 200,
    "Oxford Flowers-102": 1 / 102,
    "Stanford Cars": 1 / 196,
    "STL-10": 1 / 10,
    "SUN397": 1 / 397,
}


def slow_low_figures(rows, share):
    """Compare every figure with every other of its column."""
    found = []
    for row, scores in rows.items():
        for column, score in scores.items():
            others = [rows[other][column] for other in rows if other != row and column in rows[other]]
            if others and score < share * min(others):
                found.append((row, column))
    return found


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_low_figures_are_those_that_a_plain_comparison_finds(share) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        rows = {
            f"m{row}": {f"c{at}": float(rng.beta(1, 3)) for at in range(6) if rng.random() < 0.8}
            for row in range(12)
        }
        assert [(one.row, one.column) for one in low_figures(rows, share=share)] == slow_low_figures(
            rows, share
        )


def test_equal_lowest_figures_are_not_low() -> None:
    rows = {f"m{at}": {"c": 0.5} for at in range(10)} | {"x": {"c": 0.1}, "y": {"c": 0.1}}
    assert low_figures(rows) == ()


def test_one_low_figure_among_many_is_no_alarm() -> None:
    rows = {f"m{at}": {f"c{column}": 0.5 for column in range(20)} for at in range(12)}
    rows["m3"]["c7"] = 0.01
    assert [one.column for one in low_figures(rows)] == ["c7"]
    found = rows_plausible(rows)([])
    assert (found.verdict, "single figures: 1" in found.sentence) == (Verdict.HOLDS, True)
    rows["m3"].update({"c8": 0.01, "c9": 0.02})
    assert rows_plausible(rows)([]).verdict is Verdict.REFUTED
    assert len(rows_plausible(rows)([]).worst) == 3


def test_every_published_row_is_caught_once_it_is_set_to_chance(reference_data) -> None:
    rows = read_published(reference_data / "published" / "openclip_classification_results.csv")
    del rows["coca_ViT-B-32, mscoco_finetuned_laion2b_s13b_b90k"]
    rows = {row: {column: scores[column] for column in CHANCE} for row, scores in rows.items()}
    assert rows_plausible(rows)([]).verdict is Verdict.HOLDS
    caught = [rows_plausible(rows | {row: CHANCE})([]).verdict is Verdict.REFUTED for row in rows]
    assert (len(caught), all(caught)) == (120, True)


def test_no_row_of_the_other_published_tables_is_called_broken(reference_data) -> None:
    published = reference_data / "published"
    retrieval = read_published(published / "openclip_retrieval_results.csv")
    assert {one.row for one in low_figures(retrieval)} == {
        "coca_ViT-B-32, mscoco_finetuned_laion2b_s13b_b90k"
    }
    import csv

    by_model: dict[str, dict[str, float]] = {}
    with (published / "clip_benchmark.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["acc1"]:
                by_model.setdefault(line["model_fullname"], {})[line["dataset"]] = float(line["acc1"])
    assert len(by_model) == 13
    assert [(one.row, one.column) for one in low_figures(by_model)] == [("ViT-B-32 openai", "vtab/svhn")]
    assert rows_plausible(by_model)([]).verdict is Verdict.HOLDS


def test_bad_tables_are_refused_by_place(tmp_path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("name,tag,params (M),ImageNet\na,x,151,0.5\na,y,151,many\n", encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        read_published(path)
    assert caught.value.where == "results.csv, line 3, column 'ImageNet'"
    path.write_text("name,tag,ImageNet\na,x,0.5\na,x,0.6\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="stands there twice"):
        read_published(path)
    with pytest.raises(InvalidInputError, match="3 rows say nothing"):
        low_figures({str(at): {"c": 0.5} for at in range(3)})
    with pytest.raises(InvalidInputError) as refused:
        low_figures({str(at): {"c": 50.0} for at in range(12)})
    assert refused.value.where == "row '0', column 'c'"


def test_a_table_is_read_without_sizes_and_averages(tmp_path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(
        "name,pretrained,params (M),FLOPs (B),Average perf. on 2 datasets,CIFAR-10,MNIST\n"
        "ViT-B-32,openai,151.28,14.78,0.69,0.8983,\n",
        encoding="utf-8",
    )
    assert read_published(path) == {"ViT-B-32, openai": {"CIFAR-10": 0.8983}}
