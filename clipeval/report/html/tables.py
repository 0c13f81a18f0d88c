"""Tables of a page as plain data, for ``table.html``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

NOTHING: dict[str, Any] = {"chip": "", "sentences": [], "counts": [], "tables": [], "notes": []}
"""What ``tables.html`` shows, all of it empty."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What it says; line breaks stay.
    kind : {"text", "chip", "strong", "struck"}
        ``chip``: a verdict, coloured by its word; ``struck``: a number that does not count.
    below : str
        In small letters under it.
    more : tuple of str
        What opens on demand: a summary, and one line for each of the rest.
    mark : tuple of float, optional
        A difference with its interval, drawn beside the text: value, low, high, each between -1 and 1.
    colour : str
        Of a chip: one of the verdicts' words; by default its own text.
    """

    text: str
    kind: Literal["text", "chip", "strong", "struck"] = "text"
    below: str = ""
    more: tuple[str, ...] = ()
    mark: tuple[float, float, float] | None = None
    colour: str = ""


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, more: str = ""
) -> dict[str, Any]:
    """Gather a table; the first cell of a row is its head.

    Parameters
    ----------
    caption : str
        What it shows.
    columns : sequence of str
        Their heads.
    rows : sequence of sequence of Cell or str
        As long as the columns.
    more : str
        A note under it.

    Returns
    -------
    dict
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    return {"caption": caption, "columns": list(columns), "rows": cells, "more": more}
