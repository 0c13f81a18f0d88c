"""Published rows are plausible: none falls far below what every other published model reaches."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.errors import DatasetError, InvalidInputError
from clipeval.evaluation import Evaluation

Published = Mapping[str, Mapping[str, float]]
"""Scores in [0, 1], higher is better, by row and by column."""

FEWEST_ROWS = 10
NOT_SCORES = ("params", "flops", "average")


@dataclass(frozen=True)
class LowFigure:
    """A figure far below all others of its column.

    Attributes
    ----------
    row, column : str
        Where it stands.
    figure, lowest_other : float
        It, and the lowest figure of the other rows.
    """

    row: str
    column: str
    figure: float
    lowest_other: float


def low_figures(rows: Published, *, share: float = 0.5) -> tuple[LowFigure, ...]:
    """Find figures below a share of the lowest figure that any other row has in the same column.

    A screening rule without a model of chance: it says that a figure is out of all proportion to those of
    its peers, not why. Two broken rows hide each other where both are low.

    Parameters
    ----------
    rows : mapping of str to mapping of str to float
        Scores in [0, 1] by row and column; a row may lack columns.
    share : float
        In (0, 1).

    Returns
    -------
    tuple of LowFigure
        In the order of the rows and their columns.

    Raises
    ------
    InvalidInputError
        A share out of range, a score outside [0, 1] (by row and column), or fewer than ten rows.

    Examples
    --------
    >>> rows = {f"model {at}": {"ImageNet": 0.5 + at / 100} for at in range(10)}
    >>> low_figures(rows | {"broken": {"ImageNet": 0.0079}})[0].row
    'broken'
    """
    if not 0.0 < share < 1.0:
        raise InvalidInputError(f"share must lie between 0 and 1, got {share!r}")
    if len(rows) < FEWEST_ROWS:
        raise InvalidInputError(
            f"{len(rows)} rows say nothing about what is low", fix=f"compare at least {FEWEST_ROWS} models"
        )
    columns: dict[str, list[float]] = {}
    for row, scores in rows.items():
        for column, score in scores.items():
            if not 0.0 <= score <= 1.0:
                raise InvalidInputError(
                    f"the score {score!r} is not between 0 and 1", where=f"row '{row}', column '{column}'"
                )
            columns.setdefault(column, []).append(score)
    two_lowest = {column: sorted(scores)[:2] for column, scores in columns.items() if len(scores) > 1}
    # only the lowest figure of a column can lie below a share of all others
    return tuple(
        LowFigure(row, column, score, two_lowest[column][1])
        for row, scores in rows.items()
        for column, score in scores.items()
        if column in two_lowest and score == two_lowest[column][0] and score < share * two_lowest[column][1]
    )


def rows_plausible(rows: Published, *, share: float = 0.5, most: float = 0.1) -> Check:
    """Make a check of no evaluations: no published row has more than a few figures far below all others.

    Of the 121 rows of open_clip's classification table, the 120 others have no such figure among their 4,200;
    ``coca_ViT-B-32, mscoco_finetuned_laion2b_s13b_b90k`` has 15 of 35, ImageNet's 0.79 % among them. A single
    low figure is no alarm: in CLIP_benchmark's table of 13 rows one of a sound model is (SVHN).

    Parameters
    ----------
    rows : mapping of str to mapping of str to float
        See `low_figures`; `read_published` reads a CSV file.
    share : float
        See `low_figures`.
    most : float
        Share of a row's figures that may be low, in [0, 1).

    Returns
    -------
    Check
        Row "exact" of the contract: ``holds`` or ``refuted``; no p-value.

    Raises
    ------
    InvalidInputError
        See `low_figures`.

    Examples
    --------
    >>> rows = {f"model {at}": {"ImageNet": 0.5 + at / 100} for at in range(10)}
    >>> rows_plausible(rows)([]).verdict.value
    'holds'
    >>> rows_plausible(rows | {"broken": {"ImageNet": 0.0079}})([]).worst
    ('broken, ImageNet: 0.0079; the lowest other row has 0.5000',)
    """
    found = low_figures(rows, share=share)
    if not 0.0 <= most < 1.0:
        raise InvalidInputError(f"most must lie between 0 and 1, got {most!r}")
    by_row: dict[str, list[LowFigure]] = {}
    for low in found:
        by_row.setdefault(low.row, []).append(low)
    broken = {row: low for row, low in by_row.items() if len(low) > most * len(rows[row])}

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        if not broken:
            return Finding(
                Verdict.HOLDS,
                f"none of {len(rows)} rows has more than {most:.0%} of its figures below {share:g} of the "
                f"lowest other row; single figures: {len(found)}",
                n=len(rows),
            )
        words = "; ".join(f"{row}: {len(low)} of {len(rows[row])}" for row, low in broken.items())
        lines = (
            f"{low.row}, {low.column}: {low.figure:.4f}; the lowest other row has {low.lowest_other:.4f}"
            for lows in broken.values()
            for low in lows
        )
        return Finding(
            Verdict.REFUTED,
            f"figures below {share:g} of the lowest other row: {words}",
            n=len(rows),
            worst=tuple(lines),
        )

    return WithoutP(check)


def read_published(path: Path, *, names: int = 2) -> dict[str, dict[str, float]]:
    """Read a CSV table of published scores as open_clip writes them.

    Parameters
    ----------
    path : Path
        One row for each model. Columns of parameters, FLOPs and averages are left out, empty cells too.
    names : int
        Leading columns that name the model.

    Returns
    -------
    dict of str to dict of str to float
        For `rows_plausible`.

    Raises
    ------
    DatasetError
        The file cannot be read, a cell is no number, or a model stands there twice (by row).
    """
    lines = list(csv.DictReader(StringIO(decode_utf8(read_plain(path), where=path.name), newline="")))
    rows: dict[str, dict[str, float]] = {}
    for number, line in enumerate(lines, start=2):
        cells = [(key, value) for key, value in line.items() if key]
        name = ", ".join(str(value) for _, value in cells[:names])
        if name in rows:
            raise DatasetError(f"'{name}' stands there twice", where=f"{path.name}, line {number}")
        scores = {}
        for column, cell in cells[names:]:
            if not cell or column.lower().startswith(NOT_SCORES):
                continue
            try:
                scores[column] = float(cell)
            except ValueError:
                raise DatasetError(
                    f"'{cell[:40]}' is no number", where=f"{path.name}, line {number}, column '{column}'"
                ) from None
        rows[name] = scores
    return rows
