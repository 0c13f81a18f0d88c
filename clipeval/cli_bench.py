"""``clipeval bench``: how fast, on this machine, and are the answers still right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipeval.messages import say
from clipeval.printing import printed_first
from clipeval.stopping import stoppable

if TYPE_CHECKING:
    from clipeval.bench.findings import Bench

FAILED = 1

EPILOG = """Examples:

[cyan]clipeval bench preclip:efficientnet-lite0+all-MiniLM-L6-v2 --batch-size 1,8[/]

[cyan]clipeval bench hf:openai/clip-vit-base-patch32 open_clip:ViT-B-32-quickgelu/openai --out here.json[/]

[cyan]clipeval bench open_clip:ViT-B-32 --allow-random-init --backend torch,onnx --batch-size auto[/]

[cyan]clipeval bench compare here.json there.json[/]"""


def _dtypes(incomplete: str) -> list[str]:
    from clipeval.encoders.placement import DTYPES

    return [name for name in DTYPES if name.startswith(incomplete)]


def _backends(incomplete: str) -> list[str]:
    from clipeval.bench.backends import BACKENDS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in BACKENDS if name.startswith(last)]


def _groups(incomplete: str) -> list[str]:
    from clipeval.bench.parts import GROUPS

    return [name for name in GROUPS if name.startswith(incomplete)]


def bench(
    specs: Annotated[
        list[str],
        typer.Argument(metavar="SPEC...", help="Model specs, timed in turns; or: compare A.json B.json."),
    ],
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps ...")] = "cpu",
    dtype: Annotated[
        str, typer.Option(help="float32, bfloat16, float16 ...", autocompletion=_dtypes)
    ] = "float32",
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME",
            help="torch, compile, onnx or openvino; several in turns.",
            autocompletion=_backends,
        ),
    ] = "torch",
    batch_size: Annotated[
        str, typer.Option(metavar="N,N", help="Inputs in one call; 'auto' finds the best by measuring.")
    ] = "1,8,32",
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="decode, preprocess, forward or end-to-end; repeat it. Default: all.", autocompletion=_groups
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long each part is timed.")] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="JSON with every sample; picture and page beside it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the JSON document.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Open no socket at all.")] = False,
    allow_random_init: Annotated[
        bool, typer.Option("--allow-random-init", help="Time models without trained weights; they say so.")
    ] = False,
) -> None:
    """Time an encoder's parts on this machine, beside a check that its answers are right.

    Decoding, preprocessing, tokenising, the forward passes, and the whole way, on the pictures that come
    along, beside the rate of the machine's own matrix product. A speed whose rows do not agree with float32
    is struck out.

    Exit status: 0 all models were timed and agree; 1 one was not, or does not; 3 wrong usage; 130
    interrupted (what was timed is printed and written, marked partial).
    """
    if specs[0] == "compare":
        _compare(specs[1:])
        return
    from contextlib import redirect_stdout

    from clipeval.bench.findings import Bench
    from clipeval.bench.job import run_bench
    from clipeval.bench.settings import Settings
    from clipeval.progress import step_progress
    from clipeval.report.files import check_place
    from clipeval.report.html.recognise import BENCH
    from clipeval.report.taken import check_document, check_free

    if out is not None:
        _refuse_taken_name(out)
        check_place(out)
        check_document(out, BENCH)
        if out.stem == "report":
            check_free(out.parent, out.name)  # the page would take the place of theirs
    sizes, auto = _sizes(batch_size)
    settings = Settings(
        device=device,
        dtype=dtype,
        backends=tuple(dict.fromkeys(word.strip() for word in backend.split(","))),
        batch_sizes=sizes,
        auto_batch=auto,
        parts=_parts(part or []),
        seconds=seconds,
        offline=offline,
        allow_random_init=allow_random_init,
    )
    found = Bench(settings)
    try:
        with (
            stoppable(lambda: _interrupted(found)),
            step_progress(quiet=as_json) as progress,
            redirect_stdout(sys.stderr),
        ):
            run_bench(specs, settings, into=found, progress=progress)
    except BaseException:
        if found.measurements:
            _show(found, out=out, as_json=as_json)
        raise
    _show(found, out=out, as_json=as_json)
    bad = [model for model in found.models if model.status != "ok"]
    wrong = [model for model in found.models if any(not one.agrees for one in model.quality.values())]
    if bad or wrong:
        raise typer.Exit(FAILED)


def _interrupted(found: Bench) -> str:
    kept = "what was timed so far is marked partial" if found.measurements else "nothing was timed yet"
    return f"interrupted: {kept}"


def _refuse_taken_name(out: Path) -> None:
    from clipeval.report.chart import KINDS

    if out.suffix[1:].lower() in (*KINDS, "html"):
        raise typer.BadParameter(
            f"'{out.name}' is the name of the page or picture beside the document: name a .json file",
            param_hint="--out",
        )


def _show(found: Bench, *, out: Path | None, as_json: bool) -> None:
    from rich.console import Console

    from clipeval.bench.document import bench_document
    from clipeval.report.bench_table import print_bench
    from clipeval.report.chart import Chart, write_chart
    from clipeval.report.figures.throughput import throughput
    from clipeval.report.files import write_text
    from clipeval.report.html.bench_page import bench_html

    document = bench_document(found)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def show() -> None:
        if as_json:
            typer.echo(text, nl=False)
        else:
            print_bench(document, Console(highlight=False))

    with printed_first(show):
        if out is None:
            return
        write_text(out, text)
        written = [out]
        chart = throughput(document)
        if isinstance(chart, Chart):
            written += write_chart(out.parent, chart, stem=out.stem)
        page = out.with_suffix(".html")
        write_text(page, bench_html(document))
        say(f"wrote {', '.join(map(str, [*written, page]))}")


def _compare(files: list[str]) -> None:
    from rich.console import Console

    from clipeval.bench.compared import compare_documents
    from clipeval.bench.document import read_document
    from clipeval.report.bench_compared import print_compared

    if len(files) != 2:
        raise typer.BadParameter(f"compare takes two files, got {len(files)}")
    first, second = (read_document(Path(file)) for file in files)
    print_compared(compare_documents(first, second), Console(highlight=False))


def _sizes(text: str) -> tuple[tuple[int, ...], bool]:
    words = [word.strip() for word in text.split(",")]
    try:
        sizes = tuple(dict.fromkeys(int(word) for word in words if word != "auto"))
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' are not whole numbers (or 'auto')", param_hint="--batch-size"
        ) from None
    return sizes, "auto" in words


def _parts(groups: list[str]) -> tuple[str, ...]:
    from clipeval.bench.parts import GROUPS, PARTS
    from clipeval.errors import near

    for group in groups:
        if group not in GROUPS:
            raise typer.BadParameter(f"unknown part '{group}': {near(group, GROUPS)}", param_hint="--part")
    chosen = {part for group in groups for part in GROUPS[group]}
    return tuple(part for part in PARTS if not groups or part in chosen)
