"""A comparison with a baseline as Markdown: the comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.baseline.result import SwapResult
from clipeval.core.verdict import Verdict
from clipeval.report.markdown import MARKS, literal, table_row
from clipeval.report.swap_text import (
    SHOWN,
    data_lines,
    drift_lines,
    field_words,
    flip_words,
    guard_lines,
    headline,
)


def swap_markdown(result: SwapResult) -> str:
    """Write a comparison as Markdown.

    Parameters
    ----------
    result : SwapResult
        Of `clipeval.baseline.compare.compare_snapshots`.

    Returns
    -------
    str
        Text of others (captions, names, fields) cannot become markup.
    """
    word = result.verdict.value
    lines = [f"## {MARKS[word]} clipeval: {word}", "", literal(headline(result)), ""]
    lines += [f"**{literal(result.reason)}**"]
    data = [text for _, text in data_lines(result.data)]
    lines += _section("Data", [literal(data[0])], data[1:])
    if result.verdict is Verdict.NOT_RUN:
        return "\n".join(lines) + "\n"
    lines += _section("What differs, likeliest cause first", [], [field_words(f) for f in result.fields])
    moved = [drift_lines(drift) for drift in result.drift]
    lines += ["", "### Embeddings", ""]
    for head, *worst in moved:
        lines += [f"* {literal(head)}", *(f"  * {literal(row.strip())}" for row in worst)]
    lines += [
        "",
        "### Metrics",
        "",
        table_row("", "", "old", "new", "Δ", "interval", "verdict"),
        "|---" * 7 + "|",
    ]
    for change in result.metrics:
        interval = f"[{change.interval.low:+.3f}, {change.interval.high:+.3f}]"
        judged = f"{change.verdict.value} (margin {change.margin:g})" if change.judged else "not judged"
        cells = (f"{change.old:.3f}", f"{change.new:.3f}", f"{change.difference:+.3f}", interval, judged)
        lines.append(table_row(change.metric, change.direction, *cells))
    for flips in result.flips:
        for verb, found in (("Lost", flips.lost), ("Gained", flips.gained)):
            if found:
                more = f", the first {SHOWN}" if len(found) > SHOWN else ""
                lines += _section(
                    f"{verb} first place, {flips.direction}: {len(found)}{more}",
                    [],
                    [flip_words(flip) for flip in found[:SHOWN]],
                )
    lines += ["", "### Guards", ""]
    for head, *worst in (guard_lines(guard) for guard in result.guards):
        lines += [f"* {literal(head)}", *(f"  * {literal(row.strip())}" for row in worst)]
    return "\n".join(lines) + "\n"


def _section(title: str, text: Sequence[str], rows: Sequence[str]) -> list[str]:
    lines = ["", f"### {title}", "", *text]
    if rows:
        lines += [*([""] if text else []), *(f"* {literal(row.strip())}" for row in rows)]
    elif not text:
        lines.append("nothing")
    return lines
