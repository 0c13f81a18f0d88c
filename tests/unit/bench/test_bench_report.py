"""What a reader sees of a benchmark: the table's warnings, and the picture."""

from __future__ import annotations

import copy
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from clipeval.bench.compared import Compared, Pair
from clipeval.bench.document import bench_document, read_document
from clipeval.bench.findings import Bench, Measurement, Model
from clipeval.bench.operations import Product
from clipeval.bench.quality import Quality
from clipeval.bench.ratio import noise_of
from clipeval.bench.roof import Roof, Share
from clipeval.bench.settings import Settings
from clipeval.bench.timing import Timing
from clipeval.core.intervals import Interval
from clipeval.errors import DatasetError
from clipeval.report.bench_compared import print_compared
from clipeval.report.bench_table import print_bench
from clipeval.report.chart import Chart, NotDrawn, write_png
from clipeval.report.figures.throughput import throughput
from clipeval.report.html.bench_page import bench_html

SPEC = "hf:some/model"


def measured(part: str, size: int, seconds: float, *, items: int | None = None, share: float | None = None):
    samples = np.full(8, seconds)
    found = None if share is None else Share(1e11, share, Interval(share, share, 0.95, "test"))
    return Measurement(
        SPEC,
        part,
        size,
        items or size,
        Timing(samples, samples, 0.0, 10, True),
        noise_of(samples),
        None if share is None else size * 10**9,
        found,
    )


@pytest.fixture
def document() -> dict[str, Any]:
    bench = Bench(
        Settings(batch_sizes=(1, 8)),
        machine={"processor": "Some Processor", "torch threads": "2"},
        roof={"float32": Roof(Product(8, 8, 8), 1e11, {Product(8, 8, 8): 1e11})},
        models=[Model(SPEC, SPEC, dtype="float32")],
        partial=False,
    )
    bench.models[0].quality = {size: Quality(True, 1.0, 1.0, 0.0, "") for size in (1, 8)}
    for size in (1, 8):
        bench.measurements += [
            measured("decode", size, 0.002 * size),
            measured("preprocess", size, 0.001 * size),
            measured("forward image", size, 0.02 * size, share=0.5),
            measured("end to end image, overlapped", size, 0.1 * size, items=4 * size),
        ]
    return bench_document(bench)


def shown(document: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_bench(document, console)
    return " ".join(console.file.getvalue().split())


def test_the_bottleneck_and_what_is_left_of_the_networks_rate_are_said(document) -> None:
    words = shown(document)
    assert (
        "forward image is the bottleneck of a picture (decode 9%, preprocess 4%, forward image 87%)" in words
    )
    assert "end to end, overlapped, reaches 80% of the forward rate" in words
    assert "too noisy" not in words
    assert "faster than the roof" not in words


def test_a_whole_way_that_is_faster_than_its_network_is_said_to_be_the_machines_doing(document) -> None:
    assert "the machine changed" not in shown(document)
    document["measurements"][3]["items_per_second"] = 70.0  # the network alone: 50
    assert (
        "reaches 140% of the forward rate; both were timed apart, and the machine changed between them"
        in shown(document)
    )


def test_the_page_says_too_what_is_too_noisy(document) -> None:
    assert "too noisy: against itself" not in bench_html(document)
    document["measurements"][0]["against_itself"] |= {"half_width": 0.071, "too_noisy": True}
    assert "too noisy: against itself ± 7.1%" in bench_html(document)


@pytest.mark.parametrize(("n", "title"), [(1, "model-0"), (3, "model-0 and "), (12, "12 models")])
def test_the_page_of_many_models_counts_them_in_its_title(document, n: int, title: str) -> None:
    document["models"] = [{**document["models"][0], "label": f"model-{number}"} for number in range(n)]
    document["measurements"] = []
    head = re.search("<h1.*?</h1>", bench_html(document), re.DOTALL)
    assert head
    assert title in head.group()


def test_models_are_told_apart_in_a_comparison_whatever_the_length_of_their_names() -> None:
    names = [f"preclip:efficientnet-lite{number}+all-MiniLM-L6-v2" for number in (0, 1)]
    pairs = [Pair(name, "decode", 1, 1.0, Interval(0.9, 1.1, 0.95, "test"), "", "") for name in names]
    pairs[1] = replace(pairs[1], noisy="second ± 7.1%")
    console = Console(file=io.StringIO(), width=60)
    print_compared(Compared(tuple(pairs), (), 0, frozenset(names[:1])), console)
    words = " ".join(console.file.getvalue().split())
    assert f"1 {names[0]}: RANDOM WEIGHTS" in words
    assert f"2 {names[1]}" in words
    assert "too noisy against itself: second ± 7.1%" in words


def test_no_number_is_cut_on_a_narrow_terminal(document) -> None:
    one = document["measurements"][2]
    one |= {"median": 1234.5, "low": 1111.1, "high": 2222.2, "items_per_second": 123456.7}
    words = shown(document)
    assert "…" not in words
    for number in ("123,456.7", "1,234,500", "1,111,100", "2,222,200", "0.0%", "50%"):
        assert number in words


def test_noise_is_said_with_the_half_width_that_was_measured(document) -> None:
    noisy = copy.deepcopy(document)
    noisy["measurements"][0]["against_itself"] |= {"half_width": 0.071, "too_noisy": True}
    assert "1, decode, batch 1: too noisy: against itself ± 7.1%, 3% is asked" in shown(noisy)


def test_a_share_that_is_surely_above_one_is_said_to_be_impossible(document) -> None:
    document["measurements"][2]["matrix_product"] |= {"share": 1.2, "low": 1.1, "high": 1.3}
    assert "1, forward image, batch 1: faster than the roof" in shown(document)


def colours(path: Path) -> set[tuple[int, int, int]]:
    with Image.open(path) as picture:
        return {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=2**24)}


def test_the_picture_shows_a_panel_for_each_part_and_the_roof(document, tmp_path) -> None:
    path = tmp_path / "bench.png"
    chart = throughput(document)
    assert isinstance(chart, Chart)
    write_png(path, chart)
    with Image.open(path) as picture:
        wide = picture.width
    document["measurements"] = [one for one in document["measurements"] if one["part"] == "forward image"]
    chart = throughput(document)
    assert isinstance(chart, Chart)
    write_png(path, chart)
    with Image.open(path) as picture:
        assert picture.width < wide  # one panel
    assert (0x00, 0x72, 0xB2) in colours(path)


def test_a_benchmark_of_decoding_alone_has_no_picture(document) -> None:
    document["measurements"] = [one for one in document["measurements"] if one["part"] == "decode"]
    assert isinstance(throughput(document), NotDrawn)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda document: document.pop("models"), "it has no 'models'"),
        (lambda document: document.update(models=[]), "a measurement of no model"),
        (lambda document: document.update(machine=3), "damaged: "),
        (lambda document: document["models"][0]["quality"].update({"8": {}}), "damaged: "),
        (lambda document: document["measurements"][0].pop("seconds"), "it has no 'seconds'"),
        (lambda document: document["measurements"][0].update(seconds=[]), "are not positive numbers"),
        (
            lambda document: document["measurements"][0].update(seconds=[0.1, float("nan")]),
            "are not positive",
        ),
        (lambda document: document["measurements"][0].update(seconds=["a", "b"]), "damaged: "),
        (lambda document: document["measurements"][0].pop("against_itself"), "no 'against_itself'"),
    ],
)
def test_a_damaged_benchmark_is_refused_by_name(document, tmp_path, damage, words) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    assert read_document(path) == json.loads(json.dumps(document))
    damage(document)
    path.write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=words) as caught:
        read_document(path)
    assert str(path) in str(caught.value.where)
