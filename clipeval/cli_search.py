"""``clipeval search``: the pictures of a dataset that a model finds for a text or a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clipeval.cli_options import BatchSize, Device, NoCache, NoProbe, Offline, RandomInit
from clipeval.messages import say
from clipeval.printing import printed_first
from clipeval.stopping import stoppable

EPILOG = """Examples:

[cyan]clipeval search "flying in the sky"[/]   in the pictures that come along, with a model that needs no hub

[cyan]clipeval search "a red car" --data photos/ --model hf:openai/clip-vit-base-patch32 --open[/]

[cyan]clipeval search --image mine.jpg --data photos/ --out gallery.html[/]

[cyan]clipeval search "a red car" --data photos/ --model frozen:store/ --json[/]   pictures from a store"""


def search(
    query: Annotated[
        str | None,
        typer.Argument(metavar="[QUERY]", help="A text; or the path of a picture.", show_default=False),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", "-i", metavar="FILE", help="Search by a picture instead of a text."),
    ] = None,
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="PATH", help="A dataset, as for compare; or 'embedded'.")
    ] = "embedded",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="SPEC",
            help="A model spec, family:name; frozen:STORE searches in a store of 'clipeval embed'. "
            "Default: ConSE, which needs no model hub.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write a gallery: one HTML file.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Open the gallery in the browser; without --out a temporary file.")
    ] = False,
    device: Device = "cpu",
    batch_size: BatchSize = "32",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: RandomInit = False,
    no_probe: NoProbe = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only a JSON document.")] = False,
) -> None:
    """Find the pictures that fit a text or a picture: rank, score, id and caption, and a gallery.

    The pictures are encoded once and kept; the next question encodes only itself. Every picture is scored, so
    the order is exact.
    """
    from contextlib import redirect_stdout
    from functools import partial

    from rich.console import Console

    from clipeval.data.load import load_dataset
    from clipeval.encoders.defaults import offline_models
    from clipeval.encoders.load import check_family
    from clipeval.encoders.spec import parse_spec
    from clipeval.evaluation import default_cache
    from clipeval.evaluation.scores import SEED
    from clipeval.progress import encoding_progress
    from clipeval.report.search_text import print_search
    from clipeval.search import query_of
    from clipeval.search import search as run
    from clipeval.search.document import search_document

    asked = query_of(query, image)
    if image is None and asked.picture is not None:
        say(f"note: '{query}' is a picture, which is searched for; a text would be searched for as words")
    spec = model or offline_models(SEED)[1]
    check_family(spec)
    kept = "" if no_cache else "; finished batches are kept in the cache"
    with (
        stoppable(f"interrupted{kept}"),
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        dataset = load_dataset(data, require_pictures=parse_spec(spec).needs_pictures, offline=offline)
        found = run(
            asked,
            spec,
            dataset,
            top=top,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=None if no_cache else default_cache(),
            probing=not no_probe,
            progress=partial(progress, spec),
            say=lambda text: say(f"note: {text}"),
        )

    def answer() -> None:
        if as_json:
            from clipeval.compare.document import to_text

            typer.echo(to_text(search_document(found)), nl=False)
        else:
            print_search(found, Console(highlight=False))

    with printed_first(answer):
        if out is None and not show:
            return
        from clipeval.report.files import write_text
        from clipeval.report.search_page import search_page

        place = out or _temporary()
        write_text(place, search_page(found))
        say(f"wrote {place}")
    if show:
        import webbrowser

        if not webbrowser.open(place.absolute().as_uri()):
            say("note: there is no browser to open it with")


def _temporary() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="clipeval-search-")) / "gallery.html"
