from __future__ import annotations

import io
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval.compare.job import compare
from clipeval.data.dataset import Dataset, Item, PictureSource
from clipeval.report.html import matrix, page_part
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.render import page_html
from clipeval.report.html.thumbnails import thumbnails

N, PER_IMAGE, CATEGORIES = 1000, 5, 20
MOST_NODES = 3000
"""Elements of the document, however many items there are."""


def noisy_picture(row: int) -> PictureSource:
    """A picture that compresses badly: as large as a thumbnail can get."""

    def read() -> bytes:
        rng = np.random.default_rng(row)
        coarse = rng.integers(0, 256, size=(48, 64, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(coarse).resize((320, 240)).save(file, "JPEG", quality=90)
        return file.getvalue()

    return PictureSource(f"{row}.jpg", read)


def make(folder: Path, n: int, *, models: int, per_image: int = PER_IMAGE) -> Path:
    items = tuple(
        Item(
            f"{row:04}.jpg",
            tuple(f"caption {number} of picture {row}, some words longer" for number in range(per_image)),
            noisy_picture(row),
            f"category {row * CATEGORIES // n}",
        )
        for row in range(n)
    )
    data = Dataset("large", items)
    rng = np.random.default_rng(1)
    specs = []
    for model in range(models):
        images = rng.normal(size=(n, 32)).astype(np.float32)
        texts = images[data.image_of_caption] + 0.8 * rng.normal(size=(n * per_image, 32)).astype(np.float32)
        np.savez(folder / f"{model}.npz", images=images, texts=texts)
        specs.append(f"frozen:{folder}/{model}.npz")
    job = compare(specs, data)
    path = folder / "report.html"
    path.write_text(page_html(comparison_page(job, pictures=thumbnails(items))), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def large(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("large"), N, models=2)


def test_a_thousand_pictures_take_less_than_fifteen_megabytes(large: Path) -> None:
    assert large.stat().st_size < 15_000_000


def test_the_document_stays_small_through_every_filter_and_page(
    opened: Callable[..., Any], until, large: Path
) -> None:
    page = opened(large)
    count = "document.querySelectorAll('*').length"
    assert page.evaluate(count) < MOST_NODES
    for place in (
        "#items?direction=i2t&model=0&beside=1",
        "#items?show=missed&order=margin&page=9",
        "#items?top=10",
    ):
        page.evaluate("(place) => { location.hash = place; }", place)
        until(page, "document.querySelectorAll('.card').length > 0")
        assert page.evaluate(count) < MOST_NODES


# milliseconds from an input to the next frame after the work that it causes
SPENT = """
(act) => new Promise((done) => {
  const start = performance.now();
  new Function(act)();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})
"""
ACTS = {
    "filter": """const one = document.querySelector('select[name=show]');
        one.value = one.value ? '' : 'missed'; one.dispatchEvent(new Event('input', {bubbles: true}));""",
    "order": """const one = document.querySelector('select[name=order]');
        one.value = one.value ? '' : 'margin'; one.dispatchEvent(new Event('input', {bubbles: true}));""",
    "hover": """const map = document.querySelector('canvas'), box = map.getBoundingClientRect();
        const place = (edge) => edge + 200 + 100 * Math.random();
        const at = {clientX: place(box.left), clientY: place(box.top)};
        map.dispatchEvent(new PointerEvent('pointermove', at));""",
    "zoom": """document.querySelector('[data-map-in]').click();""",
    "whole": """document.querySelector('[data-map-all]').click();""",
}


def test_interactions_stay_responsive_with_a_thousand_items(
    opened: Callable[..., Any], large: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    small_page = opened(make(tmp_path, 40, models=2))
    large_page = opened(large)
    for name, act in ACTS.items():
        spent: dict[str, list[float]] = {"small": [], "large": []}
        for _ in range(7):
            spent["small"].append(small_page.evaluate(SPENT, act))
            spent["large"].append(large_page.evaluate(SPENT, act))
        small, big = (statistics.median(spent[size]) for size in ("small", "large"))
        record_property(f"{name} ms", f"{small:.1f} with 40 items, {big:.1f} with {N}")
        print(f"{name}: {small:.1f} ms with 40 items, {big:.1f} ms with {N}")  # noqa: T201
        # 25 times the items, 625 times the pairs: no interaction may grow with either
        assert big < 15 * max(small, 8.0), name


def test_a_block_tells_what_is_in_it(opened: Callable[..., Any], large: Path) -> None:
    page = opened(large)
    assert "blocks of" in page.locator("[data-map-note]").inner_text()
    page.locator("canvas").focus()
    page.keyboard.press("ArrowDown")
    words = page.locator(".readout").inner_text()
    for part in ("mean of", "pairs:", "least", "largest", "right pairs"):
        assert part in words


@pytest.mark.parametrize("extremes", [True, False])
def test_of_too_many_items_the_page_holds_a_part_and_says_what_is_in_all_data(
    opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, extremes: bool
) -> None:
    monkeypatch.setattr(page_part, "MOST_IMAGES", 90)
    monkeypatch.setattr(page_part, "QUERIES", 20)
    if not extremes:
        monkeypatch.setattr(matrix, "MOST_PASSED", 1)
    page = opened(make(tmp_path, 120, models=2), "#items?model=0&beside=1&show=lost")
    status = page.locator("#items .status").inner_text()
    lost = page.evaluate("[...clipeval.read('explorer').models[0].t2i.found.lost[1]]")
    assert f"in all data {sum(lost):,} of 600" in status
    page.locator("select[name=category]").select_option("2")
    status = page.locator("#items .status").inner_text()
    assert lost[2] < sum(lost)
    assert f"in all data {lost[2]:,} of 600" in status
    page.locator("select[name=show]").select_option("")
    assert "in all data 30 of 600" in page.locator("#items .status").inner_text()
    page.locator("input[type=search]").fill("number 1")
    page.wait_for_timeout(300)
    status = page.locator("#items .status").inner_text()
    assert "in this page" in status
    assert "in all data" not in status
    assert "are not shown" in page.locator("#items .lead").inner_text()
    note = page.locator("[data-map-note]").inner_text()
    assert ("least and largest, rounded outwards to steps of" in note) is extremes
    assert ("were not looked for" in note) is not extremes
    assert "rounded to steps of" in note
    page.locator("canvas").focus()
    page.keyboard.press("ArrowDown")
    words = page.locator(".readout").inner_text()
    assert ("least" in words) is extremes
    assert "right pairs" in words
    assert "category 0" in words
    for direction in ("i2t", "t2i"):
        page.evaluate(
            "(place) => { location.hash = place; }", f"#items?direction={direction}&order=margin&top=5"
        )
        page.wait_for_timeout(100)
        assert page.locator(".card").count() > 5
        assert page.locator(".card .right").count() >= page.locator(".card").count()


def test_a_block_of_one_pair_is_a_block_too(
    opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_part, "MOST_IMAGES", 90)
    monkeypatch.setattr(page_part, "QUERIES", 20)
    monkeypatch.setattr(matrix, "BUDGET", 12_000)  # blocks of two by two
    page = opened(make(tmp_path, 121, models=1, per_image=1))
    canvas = page.locator("canvas")
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] - 2, "y": box["height"] - 2})
    words = page.locator(".readout").inner_text()
    assert "mean of 1 pairs: 1 pictures by 1 captions" in words
    assert "among captions" not in words


def test_a_block_over_several_categories_names_them_and_of_many_how_many_more(
    opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_part, "MOST_IMAGES", 90)
    monkeypatch.setattr(page_part, "QUERIES", 20)
    monkeypatch.setattr(matrix, "BUDGET", 100)  # five blocks of 24 pictures, four categories each
    page = opened(make(tmp_path, 120, models=1))
    page.locator("canvas").focus()
    page.keyboard.press("ArrowDown")
    words = page.locator(".readout").inner_text()
    assert "category 0, category 1, category 2 and 1 more" in words
    lead = page.locator("#items .lead").inner_text()
    assert "as queries: those with the worst margins." in lead


def test_what_the_page_tells_of_a_block_is_what_the_files_say(
    opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_part, "MOST_IMAGES", 90)
    monkeypatch.setattr(page_part, "QUERIES", 20)
    page = opened(make(tmp_path, 120, models=1))
    page.locator("canvas").focus()
    page.keyboard.press("ArrowDown")
    told = page.locator(".readout p").nth(1).inner_text()
    tall, wide = map(int, re.findall(r"(\d+) (?:pictures|captions)", told))
    assert tall * wide > 1
    stored = np.load(tmp_path / "0.npz")
    images, texts = (stored[side] / np.linalg.norm(stored[side], axis=1, keepdims=True) for side in stored)
    block = images[:tall] @ texts[:wide].T
    assert page.locator(".readout .big").inner_text() == f"{block.mean():.3f}"
