from __future__ import annotations

import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from clipeval.compare.job import Comparison, compare
from clipeval.report import matrix_limit
from clipeval.report.chart import Chart, write_chart, write_png
from clipeval.report.figures import heatmap as heat_maps
from clipeval.report.figures.comparison import comparison
from clipeval.report.figures.densities import densities
from clipeval.report.figures.heatmap import heatmap

FRAME = np.array([0xD5, 0x5E, 0x00])


def pixels(path: Path) -> np.ndarray:
    """Decode fully."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def draw_all(job: Comparison, folder: Path) -> dict[str, np.ndarray]:
    evaluation = job.models[0].evaluation
    assert evaluation is not None
    write_png(folder / "heat.png", heatmap(evaluation))
    write_png(folder / "rates.png", comparison(job))
    chart = densities(job)
    assert isinstance(chart, Chart)
    write_png(folder / "scores.png", chart)
    return {name: pixels(folder / f"{name}.png") for name in ("heat", "rates", "scores")}


def test_pictures_are_of_readable_size_and_not_blank(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(12, categories=("Animals", "Food"))
    job = compare([frozen(data), frozen(data, "b.npz", noise=3.0, seed=1)], data)
    for picture in draw_all(job, tmp_path).values():
        assert picture.shape[0] >= 300
        assert picture.shape[1] >= 900
        assert len(np.unique(picture @ np.array([65536, 256, 1]))) > 50


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"n": 1}, id="one item"),
        pytest.param({"n": 2}, id="two items"),
        pytest.param({"n": 8, "categories": ("one",)}, id="one category"),
        pytest.param({"n": 60, "per_image": 5, "categories": ("a", "b")}, id="several captions"),
    ],
)
def test_small_and_large_datasets_are_drawn_without_a_warning(
    captioned, frozen, tmp_path: Path, data: dict[str, object]
) -> None:
    dataset = captioned(**data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_all(compare([frozen(dataset)], dataset), tmp_path)


def test_a_constant_encoder_is_drawn(captioned, tmp_path: Path) -> None:
    data = captioned(5)
    ones = np.ones((5, 3), np.float32)
    np.savez(tmp_path / "ones.npz", images=ones, texts=ones)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_all(compare([f"frozen:{tmp_path / 'ones.npz'}"], data), tmp_path)


def test_long_names_do_not_squeeze_the_charts(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(6, name="n" * 300, ids=[f"{i}" + "x" * 300 for i in range(6)], captions=["e" * 500] * 6)
    specs = [frozen(data, "l" * 120 + "_" * 90 + ".npz"), frozen(data, "word " * 40 + ".npz", seed=1)]
    with warnings.catch_warnings():
        # matplotlib warns "axes sizes collapsed to zero"
        warnings.simplefilter("error")
        pictures = draw_all(compare(specs, data), tmp_path)
    blue = (abs(pictures["rates"] - np.array([0x00, 0x72, 0xB2])).max(axis=2) < 8).any(axis=0)
    assert blue.sum() > 0.3 * pictures["rates"].shape[1]


@pytest.mark.parametrize(
    "text",
    [
        "$x$",
        "$\\frac$ ^ _ {",
        "\\$5 and $6",
        "[red]x",
        "two\nlines",
        "😀 👨‍👩‍👧",
        "مرحبا שלום",
        "日本語",
        "\x00\x1b[31m",
        "half \ud83d",
        "a\tb",
    ],
)
def test_hostile_text_is_drawn_without_a_crash_or_a_warning(
    captioned, frozen, tmp_path: Path, text: str
) -> None:
    data = captioned(
        3, name=text, ids=[f"{text}{i}" for i in range(3)], captions=[text] * 3, categories=(text,)
    )
    safe = frozen(data, "a.npz")
    hostile = tmp_path / (text.replace("\x00", "").replace("\ud83d", "").replace("\\", "") + ".npz")
    Path(safe.removeprefix("frozen:")).rename(hostile)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = compare([f"frozen:{hostile}"], data)
        assert job.models[0].status == "ok"
        draw_all(job, tmp_path)


def test_dollars_are_drawn_as_dollars_never_parsed_as_a_formula(
    captioned, frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("text was parsed as a formula")

    monkeypatch.setattr("matplotlib.mathtext.MathTextParser.parse", refuse)
    data = captioned(
        2, name="$n$", ids=["$a$", "$b$"], captions=["$x_1$", "$y^2$"], categories=("$c$", "$d$")
    )
    draw_all(compare([frozen(data, "$m$.npz")], data), tmp_path)


@pytest.mark.parametrize(("n", "per_image"), [(6, 1), (6, 3), (300, 1)])
def test_right_cells_are_framed_and_only_they(
    captioned, frozen, tmp_path: Path, n: int, per_image: int
) -> None:
    data = captioned(n, per_image=per_image)
    (result,) = compare([frozen(data)], data).models
    assert result.evaluation is not None
    write_png(tmp_path / "heat.png", heatmap(result.evaluation))
    picture = pixels(tmp_path / "heat.png")
    rows, columns = np.nonzero(abs(picture - FRAME).max(axis=2) < 60)
    height, width = np.ptp(rows), np.ptp(columns)
    # frames run down the diagonal: one picture's frame is 1/n of the height, and of the width
    distance = abs((rows - rows.min()) / height - (columns - columns.min()) / width)
    assert distance.max() <= 1 / n + 0.01
    assert height > 500
    assert width > 500


def test_the_same_job_gives_the_same_bytes(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(4)
    job = compare([frozen(data)], data)
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        draw_all(job, tmp_path / run)
    for name in ("heat.png", "rates.png", "scores.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_heat_map_and_hit_rates_are_drawings_with_text_too(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(6, categories=("Animals", "Food"))
    job = compare([frozen(data)], data)
    evaluation = job.models[0].evaluation
    assert evaluation is not None
    for chart in (heatmap(evaluation), comparison(job)):
        written = {path.suffix: path for path in write_chart(tmp_path, chart)}
        assert tuple(path.name for path in written.values()) == chart.files
        drawing = written[".svg"].read_text(encoding="utf-8")
        ElementTree.fromstring(drawing)  # noqa: S314
        assert "hit_rate@1" in drawing
    assert data.captions[0] in (tmp_path / "heatmap.svg").read_text(encoding="utf-8")
    assert not (tmp_path / "heatmap.csv").exists()  # similarities.csv has its numbers


def test_a_heat_map_of_too_many_pairs_shows_the_means_of_its_blocks(
    captioned, frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = captioned(30, per_image=2, categories=("Animals", "Food"))
    evaluation = compare([frozen(data)], data).models[0].evaluation
    assert evaluation is not None
    monkeypatch.setattr(matrix_limit, "MOST_CELLS", 100)
    monkeypatch.setattr(heat_maps, "POINTS", 10)
    chart = heatmap(evaluation)
    (drawn,) = chart.figure().axes[0].get_images()
    blocks = evaluation.similarity().reshape(10, 3, 10, 6).mean(axis=(1, 3))
    assert np.allclose(drawn.get_array(), blocks, atol=1e-6)
    assert "each point is the mean of 3 pictures by 6 captions" in chart.caption


def test_the_table_of_the_hit_rates_is_what_was_measured(captioned, frozen) -> None:
    data = captioned(12)
    job = compare([frozen(data), frozen(data, "b.npz", noise=3.0, seed=1)], data)
    chart = comparison(job)
    rows = [dict(zip(chart.columns, row, strict=True)) for row in chart.rows]
    assert len(rows) == 2 * 2 * 2
    for row in rows:
        scores = job.models["b.npz" in row["model"]].scores
        assert scores is not None
        metric = scores.metrics[row["direction"]][f"hit_rate@{row['k']}"]
        found = tuple(row[key] for key in ("hit_rate", "low", "high", "chance"))
        assert found == (metric.value, metric.low, metric.high, metric.chance)
