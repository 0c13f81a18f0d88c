"""An evaluation as a small table for notebooks."""

from __future__ import annotations

from html import escape

from clipeval.evaluation.evaluate import DIRECTIONS, Evaluation
from clipeval.evaluation.scores import Metric, direction_metrics

METRICS = ("hit_rate@1", "hit_rate@5", "mrr", "median_rank")
WAYS = {"i2t": "picture finds caption (i2t)", "t2i": "caption finds picture (t2i)"}


def notebook_table(evaluation: Evaluation) -> str:
    """Write the main metrics with their intervals and chance as an HTML table.

    Parameters
    ----------
    evaluation : Evaluation
        Any.

    Returns
    -------
    str
        Names of models and datasets are escaped; nothing is loaded, and nothing runs.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> table = notebook_table(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]))
    >>> table.count("<tr>"), "1.000" in table
    (3, True)
    """
    data = evaluation.dataset
    heads = "".join(f"<th>{name}</th>" for name in METRICS)
    lines = []
    for direction in DIRECTIONS:
        found = direction_metrics(evaluation.direction(direction), evaluation.cluster(direction))
        cells = "".join(f"<td>{_cell(found[name])}</td>" for name in METRICS)
        lines.append(f"<tr><th>{WAYS[direction]}</th>{cells}</tr>")
    size = f"{data.n_images:,} pictures, {data.n_captions:,} captions"
    precomputed = ", precomputed" if evaluation.precomputed else ""
    return (
        f"<table><caption>{escape(evaluation.model)}{precomputed} on {escape(data.name)}: {size}; "
        f"[95 % interval], chance</caption><tr><th></th>{heads}</tr>{''.join(lines)}</table>"
    )


def _cell(metric: Metric) -> str:
    if metric.value is None:
        return "n/a"
    interval = "" if metric.low is None else f" [{metric.low:.2f}, {metric.high:.2f}]"
    chance = "" if metric.chance is None else f"<br><small>chance {metric.chance:.3g}</small>"
    return f"<b>{metric.value:.3f}</b>{interval}{chance}"
