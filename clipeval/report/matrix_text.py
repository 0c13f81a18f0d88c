"""The labelled similarity matrix as text, to three decimals."""

from __future__ import annotations

from pathlib import Path

from clipeval.evaluation import Evaluation
from clipeval.report.files import encoded, replace_file
from clipeval.report.text import printable

LABEL = 28


def matrix_lines(evaluation: Evaluation) -> list[str]:
    r"""Lay out the matrix: a row for each picture, a numbered column for each caption, right pairs starred.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> print("\n".join(matrix_lines(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [1, 1]]))[:3]))
                                       c1       c2
    p1 picture 0                   1.000*   0.707
    p2 picture 1                   0.000    0.707*
    """
    data, scores = evaluation.dataset, evaluation.similarity()
    head = " " * LABEL + "".join(f"{f'c{column + 1}':>9}" for column in range(data.n_captions))
    lines = [head]
    for row, name in enumerate(data.ids):
        label = f"p{row + 1} {printable(name, longest=LABEL - 6)}"
        cells = (
            f"{scores[row, column]:8.3f}{'*' if data.image_of_caption[column] == row else ' '}"
            for column in range(data.n_captions)
        )
        lines.append(f"{label:<{LABEL}}{''.join(cells)}".rstrip())
    return [*lines, "", *(f"c{at + 1} {printable(caption)}" for at, caption in enumerate(data.captions))]


def write_matrix(path: Path, evaluation: Evaluation) -> None:
    """Write the matrix as a text file."""
    replace_file(path, encoded("\n".join(matrix_lines(evaluation)) + "\n"))
