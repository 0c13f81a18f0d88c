"""Benchmarks on a terminal: speeds beside the proof that the answers are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipeval.bench.compared import BUSY
from clipeval.bench.ratio import QUIET
from clipeval.report.text import printable

STEPS = ("decode", "preprocess", "forward image")
OVERLAPPED = "end to end image, overlapped"
RANDOM_WEIGHTS = "RANDOM WEIGHTS: its speed means something, its answers nothing"
INTERVAL = "ms a call [95 %]"


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
        for line in (*_wrong(model), *_auto(model), *model["not_timed"]):
            console.print(Text(f"  {printable(line)}", style="yellow"))
    numbers = {label: str(number) for number, label in enumerate(models, start=1)}
    if document["measurements"]:
        console.print(_speeds(document, numbers))
    for line in (*_warnings(document, numbers), *_bottlenecks(document, numbers)):
        console.print(Text(printable(line)))
    for one in document["ratios"]:
        noise = too_noisy(one)
        words = (
            f"{numbers[one['first']]} takes {one['ratio']:.3f} [{one['low']:.3f}, {one['high']:.3f}] "
            f"times as long as {numbers[one['second']]}: {one['part']}, batch {one['batch_size']}"
            + (f"; {noise}" if noise else "")
        )
        console.print(Text(words) if one["sound"] else crossed(words))
    for line in (*_limits(document), *_load(document)):
        console.print(Text(line))
    words = document["machine"]
    console.print(Text("; ".join(f"{key} {printable(word)}" for key, word in words.items()), style="dim"))


def _state(model: Mapping[str, Any]) -> str:
    if model["status"] != "ok":
        return f"{model['status']}: {printable(model['reason'] or '')}"
    words = [model["dtype"]]
    if model["random_init"]:
        words.append(RANDOM_WEIGHTS)
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
        "#",
        "part",
        "batch",
        "items/s",
        INTERVAL,
        *(f"{q} ≤" for q in tails),
        "A/A ±",
        "of roof",
    ):
        # where a terminal is narrow, the widest columns take two lines and no number is cut
        wide = head in ("part", INTERVAL)
        table.add_column(head, justify="left" if head == "part" else "right", no_wrap=not wide)
    for one in document["measurements"]:
        product = one["matrix_product"]
        cells = [
            f"{one['items_per_second']:,.1f}",
            f"{_ms(one['median'])} [{_ms(one['low'])}, {_ms(one['high'])}]",
            *(_ms(one[q]["at_most"]) for q in tails),
            f"{one['against_itself']['half_width']:.1%}",
            "" if product is None else f"{product['share']:.0%}",
        ]
        table.add_row(
            numbers[one["model"]],
            one["part"],
            str(one["batch_size"]),
            *(crossed(cell) if cell and not one["sound"] else Text(cell) for cell in cells),
        )
    return table


def crossed(cell: str) -> Text:
    """Strike a speed out; the tildes say it where there are no colours.

    Examples
    --------
    >>> str(crossed("12.3"))
    '~~12.3~~'
    """
    return Text(f"~~{cell}~~", style="strike")


def _ms(seconds: float | None) -> str:
    """Write milliseconds with three digits that count.

    Examples
    --------
    >>> _ms(0.01234), _ms(1.2345), _ms(None)
    ('12.3', '1,234', '')
    """
    if seconds is None:
        return ""
    return f"{1000 * seconds:.3g}" if seconds < 0.9995 else f"{1000 * seconds:,.0f}"


def _auto(model: Mapping[str, Any]) -> list[str]:
    auto = model["auto_batch"]
    if auto is None:
        return []
    tried = ", ".join(
        f"{one['batch_size']}: "
        + ("did not fit" if one["items_per_second"] is None else f"{one['items_per_second']:,.1f}/s")
        for one in auto["trials"]
    )
    return [f"auto batch size {auto['batch_size']}, by {auto['part']} ({tried}); {auto['ended']}"]


def too_noisy(one: Mapping[str, Any]) -> str:
    """Say that differences drown, only where a call against itself was measured to differ that much.

    Examples
    --------
    >>> too_noisy({"against_itself": {"too_noisy": True, "half_width": 0.071}})
    'too noisy: against itself ± 7.1%, 3% is asked'
    """
    found = one["against_itself"]
    if not found["too_noisy"]:
        return ""
    return f"too noisy: against itself ± {found['half_width']:.1%}, {QUIET:.0%} is asked"


def _warnings(document: Mapping[str, Any], numbers: Mapping[str, str]) -> list[str]:
    lines = []
    for one in document["measurements"]:
        product = one["matrix_product"]
        notes = [
            one["warning"] or "",
            too_noisy(one),
            "faster than the roof: torch's own product is not what limits this machine, or some of what was "
            "counted is not computed (Winograd)"
            if product is not None and product["low"] > 1
            else "",
        ]
        if any(notes):
            where = f"{numbers[one['model']]}, {one['part']}, batch {one['batch_size']}"
            lines.append(f"{where}: {'; '.join(note for note in notes if note)}")
    return lines


def _limits(document: Mapping[str, Any]) -> list[str]:
    lines = [
        f"roof: {roof['operations_per_second'] / 1e9:,.0f} GFLOP/s in torch's own {dtype} matrix product "
        f"({roof['product']}, the best of {len(roof['tried'])} shapes); 'of roof' is against it in turns"
        for dtype, roof in document["roof"].items()
    ]
    rate = document["bytes_per_second_of_a_copy"]
    return lines if rate is None else [*lines, f"memory: {rate / 1e9:,.1f} GB/s read and written by a copy"]


def _load(document: Mapping[str, Any]) -> list[str]:
    before = document["runnable_processes"][:1]
    if not before or before[0] <= BUSY:
        return []
    return [f"others were at work in the minute before it began: {before[0]:g} runnable processes"]


def _bottlenecks(document: Mapping[str, Any], numbers: Mapping[str, str]) -> list[str]:
    """Say which step of a picture takes longest, and what is left of the network's rate on the whole way."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for one in document["measurements"]:
        key = one["model"], one["batch_size"]
        found.setdefault(key, {})[one["part"]] = 1 / one["items_per_second"]
    lines = []
    for (model, size), parts in found.items():
        where, notes = f"{numbers[model]}, batch {size}", []
        if all(step in parts for step in STEPS):
            total = sum(parts[step] for step in STEPS)
            shares = ", ".join(f"{step} {parts[step] / total:.0%}" for step in STEPS)
            slowest = max(STEPS, key=parts.__getitem__)
            notes.append(f"{slowest} is the bottleneck of a picture ({shares})")
        if OVERLAPPED in parts and "forward image" in parts:
            reached = parts["forward image"] / parts[OVERLAPPED]
            beyond = "; both were timed apart, and the machine changed between them" if reached > 1 else ""
            notes.append(f"end to end, overlapped, reaches {reached:.0%} of the forward rate{beyond}")
        if notes:
            lines.append(f"{where}: {'; '.join(notes)}")
    return lines
