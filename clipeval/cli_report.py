"""``clipeval report``: one page from the results of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipeval.messages import say
from clipeval.stopping import stoppable

LARGE = 15_000_000
"""Bytes of a page above which a browser takes long to open it."""

EPILOG = """Examples:

[cyan]clipeval report results/[/]   the page of a comparison, again

[cyan]clipeval report results/old results/new --out both.html --open[/]   two runs side by side

[cyan]clipeval report results/claims.json swap.json bench.json[/]   what other commands wrote as JSON"""


def report(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Folders that clipeval wrote, or its JSON documents."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page.")] = Path("report.html"),
    data: Annotated[
        str,
        typer.Option("--data", "-d", metavar="PATH", help="The dataset, where a folder has no items.json."),
    ] = "",
    show_paths: Annotated[
        bool,
        typer.Option("--show-paths", help="Leave this machine's paths in specs, reasons and fingerprints."),
    ] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Make one self-contained HTML page from saved results; runs on the same items stand side by side.

    Nothing is encoded again, and the page opens from disk without a network.

    Exit status: 0 it is written; 3 wrong usage, or results that cannot be read.
    """
    from clipeval.data.load import load_dataset
    from clipeval.report.files import write_text
    from clipeval.report.html.pages import results_page
    from clipeval.report.html.render import page_html

    with stoppable("interrupted: nothing was written"):
        dataset = load_dataset(data, require_pictures=False) if data else None
        page = results_page(results, dataset=dataset, show_paths=show_paths)
        text = page_html(page)
        write_text(out, text)
    say(f"wrote {out}")
    if (size := len(text.encode(errors="replace"))) > LARGE:
        say(
            f"note: it has {size / 1e6:.0f} MB, which takes a browser long to open; "
            "a page of fewer results is smaller"
        )
    if open_it:
        typer.launch(out.absolute().as_uri())
