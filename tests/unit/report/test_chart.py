from __future__ import annotations

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from clipeval.report.chart import Chart, svg, tell, write_chart
from clipeval.report.style import GRID, INK, PALETTE, new_figure
from clipeval.report.svg import SVG

STRANGE = "</text><script>alert(1)</script> $x_1$ <img src=x onerror=alert(1)>\x1b\udcff"
DARK = "#16181c"


def drawing() -> Figure:
    figure = new_figure(5, 3)
    axes = figure.add_subplot()
    for colour in PALETTE:
        (line,) = axes.plot([0, 1, 2], [1, 4, 2], color=colour, marker="o", label=STRANGE)
    tell(line, STRANGE)
    axes.set_title(STRANGE, color=INK, weight="bold", style="italic")
    axes.grid(color=GRID)
    axes.legend()
    return figure


def chart(name: str = "a-chart") -> Chart:
    return Chart(name, STRANGE, "A caption.", f"A is {STRANGE}", ["name", "x"], [[STRANGE, 1.5]], drawing)


def test_an_svg_is_well_formed_and_a_strangers_markup_stays_text() -> None:
    root = ElementTree.fromstring(svg(chart()))  # noqa: S314
    kinds = {node.tag.removeprefix(f"{{{SVG}}}") for node in root.iter()}
    assert kinds <= {"svg", "g", "path", "use", "defs", "clipPath", "rect", "text", "title", "desc"}
    texts = [node.text for node in root.iter(f"{{{SVG}}}text")]
    assert STRANGE[:40] in " ".join(text for text in texts if text)  # as letters, not as outlines


def test_no_two_charts_of_one_page_share_an_id_and_every_reference_is_answered() -> None:
    both = svg(chart("first")) + svg(chart("second"))
    ids = re.findall(r' id="([^"]*)"', both)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]*)"', both)) | set(re.findall(r"url\(#([^)]*)\)", both)) <= set(ids)
    assert "first-title first-desc" in both


def test_an_svg_is_the_same_each_time_and_tells_neither_day_nor_program() -> None:
    found = svg(chart())
    assert found == svg(chart())
    assert not re.search(r"<metadata|<style|\d{4}-\d\d-\d\d|Matplotlib v", found)


def test_every_colour_of_a_chart_is_a_variable_with_the_printed_colour_as_default() -> None:
    found = svg(chart())
    for at, colour in enumerate(PALETTE, 1):
        assert f"var(--series-{at}, {colour.lower()})" in found
    for name in ("--ink", "--line", "--paper"):
        assert f"var({name}, #" in found
    bare = re.findall(r"(?<!var\()(?<!, )#[0-9a-f]{6}", re.sub(r"var\(--[\w-]+, #[0-9a-f]{6}\)", "", found))
    assert set(bare) <= {"#cccccc"}  # the frame of matplotlib's legend, which our charts leave out


def test_a_pointer_over_a_mark_shows_its_text() -> None:
    root = ElementTree.fromstring(svg(chart()))  # noqa: S314
    groups = [node for node in root.iter(f"{{{SVG}}}g") if node.find(f"{{{SVG}}}title") is not None]
    assert [(group.findtext(f"{{{SVG}}}title") or "")[:20] for group in groups] == [STRANGE[:20]]
    assert groups[0].find(f"{{{SVG}}}path") is not None


def test_a_chart_is_written_as_picture_drawing_and_table(tmp_path: Path) -> None:
    files = write_chart(tmp_path, chart())
    assert (
        [file.name for file in files] == list(chart().files) == ["a-chart.png", "a-chart.svg", "a-chart.csv"]
    )
    with Image.open(files[0]) as picture:
        assert picture.size == (750, 450)
    assert files[1].read_text(encoding="utf-8").endswith(svg(chart()) + "\n")
    with files[2].open(encoding="utf-8", newline="") as stream:
        assert next(csv.reader(stream)) == ["name", "x"]


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: (lighter + 0.05) / (darker + 0.05)."""
    darker, lighter = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colour", PALETTE)
@pytest.mark.parametrize("paper", ["#ffffff", DARK])
def test_every_series_stands_out_on_white_and_on_dark(colour: str, paper: str) -> None:
    assert contrast(colour, paper) >= 3  # WCAG 1.4.11, graphical objects


# Machado, Oliveira & Fernandes 2009, severity 1
EYES = {
    "all cones": np.eye(3),
    "no long cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@pytest.mark.parametrize("eyes", EYES)
def test_no_two_series_look_alike_to_colour_blind_readers(eyes: str) -> None:
    seen = np.clip(np.array([linear(colour) for colour in PALETTE]) @ np.array(EYES[eyes]).T, 0, 1)
    x, y, z = np.cbrt(seen @ TO_XYZ.T / [0.9505, 1.0, 1.089]).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert apart[np.triu_indices(len(PALETTE), 1)].min() > 15  # CIE76; 2.3 is the least that is seen
