"""Benchmarks on a terminal: speeds beside the proof that the answers are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipeval.bench.compared import Compared
from clipeval.report.text import printable

STEPS = ("decode", "preprocess", "forward image")


def print_bench(document: Mapping[str, Any], console: Console) -> None:
    """Print a benchmark: models, speeds, ratios, the machine.

    A speed whose answers were wrong is struck out, with the reason below.

    Parameters
    ----------
    document : mapping
        From `clipeval.bench.document`.
    console : Console
    """
    models = {one["label"]: one for one in document["models"]}
    if document["partial"]:
        console.print(Text("PARTIAL: the benchmark was interrupted", style="bold red"))
    for number, model in enumerate(models.values(), start=1):
        console.print(Text.assemble((f"{number} ", "bold"), printable(model["label"]), f": {_state(model)}"))
        for line in (*_wrong(model), *model["not_timed"]):
            console.print(Text(f"  {printable(line)}", style="yellow"))
    numbers = {label: str(number) for number, label in enumerate(models, start=1)}
    if document["measurements"]:
        console.print(_speeds(document, numbers))
    for line in (*_warnings(document, numbers), *_bottlenecks(document, numbers)):
        console.print(Text(printable(line)))
    for one in document["ratios"]:
        words = (
            f"{numbers[one['first']]} takes {one['ratio']:.3f} [{one['low']:.3f}, {one['high']:.3f}] "
            f"times as long as {numbers[one['second']]}: {one['part']}, batch {one['batch_size']}"
        )
        console.print(Text(words) if one["sound"] else _crossed(words))
    rates = document["operations_per_second_of_a_matrix_product"]
    for dtype, rate in rates.items():
        console.print(Text(f"roof: {rate / 1e9:,.0f} GFLOP/s in torch's own {dtype} matrix product"))
    words = document["machine"]
    console.print(Text("; ".join(f"{key} {printable(word)}" for key, word in words.items()), style="dim"))


def print_compared(found: Compared, console: Console) -> None:
    """Print two benchmarks side by side: first what is not alike, then the ratios.

    Parameters
    ----------
    found : Compared
    console : Console
    """
    if found.unlike:
        console.print(Text("not alike (first, second):", style="bold"))
        for line in found.unlike:
            console.print(Text(f"  {printable(line)}"))
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("model", "part", "batch", "first / second, seconds"):
        table.add_column(head)
    for pair in found.pairs:
        ratio = f"{pair.ratio:.3f} [{pair.interval.low:.3f}, {pair.interval.high:.3f}]"
        cell = Text(ratio)
        if pair.unsound:
            cell = Text.assemble(_crossed(ratio), (f" {printable(pair.unsound)}", "yellow"))
        table.add_row(Text(printable(pair.model)), pair.part, str(pair.batch_size), cell)
    console.print(table)
    if found.alone:
        console.print(Text(f"{found.alone} measurements stand on one side only"))


def _state(model: Mapping[str, Any]) -> str:
    if model["status"] != "ok":
        return f"{model['status']}: {printable(model['reason'] or '')}"
    words = [model["dtype"]]
    if model["random_init"]:
        words.append("RANDOM WEIGHTS: its speed means something, its answers nothing")
    cosines = [one["least_cosine"] for one in model["quality"].values() if one["least_cosine"] is not None]
    if cosines:
        words.append(f"least cosine with float32 {min(cosines):.6f}")
    return ", ".join(words)


def _wrong(model: Mapping[str, Any]) -> list[str]:
    return [
        f"struck out at batch {size}: {one['reason']}"
        for size, one in model["quality"].items()
        if not one["agrees"]
    ]


def _speeds(document: Mapping[str, Any], numbers: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    # a percentile without enough calls is no column at all
    tails = [q for q in ("p90", "p99") if any(one[q]["at_most"] for one in document["measurements"])]
    for head in (
        "model",
        "part",
        "batch",
        "items/s",
        "ms a batch [95 %]",
        *(f"{q} ≤" for q in tails),
        "of roof",
    ):
        table.add_column(head, justify="left" if head == "part" else "right", no_wrap=True)
    for one in document["measurements"]:
        share = one["share_of_matrix_product"]
        cells = [
            f"{one['items_per_second']:,.1f}",
            f"{_ms(one['median'])} [{_ms(one['low'])}, {_ms(one['high'])}]",
            *(_ms(one[q]["at_most"]) for q in tails),
            "" if share is None else f"{share:.0%}",
        ]
        table.add_row(
            numbers[one["model"]],
            one["part"],
            str(one["batch_size"]),
            *(_crossed(cell) if cell and not one["sound"] else Text(cell) for cell in cells),
        )
    return table


def _crossed(cell: str) -> Text:
    """Strike a speed out; the tildes say it where there are no colours."""
    return Text(f"~~{cell}~~", style="strike")


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.3g}"


def _warnings(document: Mapping[str, Any], numbers: Mapping[str, str]) -> list[str]:
    return [
        f"{numbers[one['model']]}, {one['part']}, batch {one['batch_size']}: {one['warning']}"
        for one in document["measurements"]
        if one["warning"]
    ]


def _bottlenecks(document: Mapping[str, Any], numbers: Mapping[str, str]) -> list[str]:
    """Say which step of a picture takes longest, where all three were timed."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for one in document["measurements"]:
        if one["part"] in STEPS:
            found.setdefault((one["model"], one["batch_size"]), {})[one["part"]] = one["median"]
    lines = []
    for (model, size), steps in found.items():
        if len(steps) == len(STEPS):
            total = sum(steps.values())
            shares = ", ".join(f"{step} {steps[step] / total:.0%}" for step in STEPS)
            slowest = max(steps, key=steps.__getitem__)
            lines.append(
                f"{numbers[model]}, batch {size}: {slowest} is the bottleneck of a picture ({shares})"
            )
    return lines
