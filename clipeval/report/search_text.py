"""The answer of a search on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipeval.counted import count
from clipeval.report.names import display_name
from clipeval.report.text import printable
from clipeval.search import Found

NOTE = (
    "A score is the cosine of two embeddings: it puts one model's answers in order, it is no probability, "
    "and the best of many pictures is found even where none is right."
)


def in_context(found: Found) -> str:
    """Say what all pictures score, beside which the best are to be seen.

    Parameters
    ----------
    found : Found

    Returns
    -------
    str
    """
    pictures = count(found.dataset.n_images, "picture")
    return (
        f"{pictures} in all: least {found.least:.3f}, median {found.median:.3f}, "
        f"best {found.hits[0].score:.3f}."
    )


def print_search(found: Found, console: Console) -> None:
    """Print rank, score, picture and caption of what was found, and how to read a score.

    Parameters
    ----------
    found : Found
    console : Console
    """
    kind = "picture " if found.query.picture else ""
    asked = printable(found.query.text, longest=200)
    console.print(
        Text.assemble(kind, (f"“{asked}”", "bold"), f" in {printable(found.dataset.name, longest=60)}")
    )
    console.print(Text(display_name(found.model), style="dim"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("picture", overflow="fold")
    table.add_column("caption", overflow="fold")
    for hit in found.hits:
        item = found.dataset.items[hit.item]
        table.add_row(
            str(hit.rank),
            f"{hit.score:.3f}",
            Text(printable(item.id, longest=60)),
            Text(printable(item.captions[0], longest=200)),
        )
    console.print(table)
    console.print(Text(f"{in_context(found)} {NOTE}", style="dim"))
