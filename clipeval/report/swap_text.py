"""A comparison with a baseline in words: what decided first, then everything in the order of the check."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clipeval.baseline.changes import metric_in_words
from clipeval.baseline.fields import FieldChange
from clipeval.baseline.result import DataDifference, Drift, Flip, Flips, Guard, SwapResult
from clipeval.core.verdict import Verdict
from clipeval.report.names import display_names
from clipeval.report.text import printable

SHOWN = 5
"""Items, queries and fields listed in a message; the JSON document lists all."""
_VALUE = 90

Paint = Callable[[str, str], str]
Line = tuple[str, str]
"""A heading (empty where the last one goes on) and what stands beside it."""


def swap_message(result: SwapResult, *, paint: Paint = lambda _, text: text) -> str:
    """Say everything that a reviewer needs in order to act.

    Parameters
    ----------
    result : SwapResult
        Of `clipeval.baseline.compare.compare_snapshots`.
    paint : callable
        Colours a text by a verdict's word.

    Returns
    -------
    str
        Lines; nothing of others' text is printed raw.
    """
    word = result.verdict.value
    rows: list[Line] = [("because", printable(result.reason)), *data_lines(result.data)]
    if result.verdict is not Verdict.NOT_RUN:
        rows += field_lines(result.fields)
        rows += _headed("embeddings", [line for drift in result.drift for line in drift_lines(drift)])
        rows += _headed("flips", [line for flips in result.flips for line in flip_lines(flips)])
        rows += _headed("metrics", [metric_in_words(change) for change in result.metrics])
        rows += _headed("guards", [line for guard in result.guards for line in guard_lines(guard)])
    lines = [f"{paint(word, word)}: {headline(result)}"]
    return "\n".join([*lines, *(f"  {head:<11}{text}".rstrip() for head, text in rows)])


def headline(result: SwapResult) -> str:
    """Name what was compared.

    Parameters
    ----------
    result : SwapResult

    Returns
    -------
    str
        Both models (one, where they bear the same name) and the size of the data.
    """
    names = display_names([result.old, result.new])
    who = names[result.old] if result.old == result.new else f"{names[result.old]} → {names[result.new]}"
    sizes = ", ".join(f"{queries} {direction} queries" for direction, queries, _ in result.n_queries)
    return f"{who} ({sizes})" if sizes else who


def data_lines(data: DataDifference) -> list[Line]:
    """(1) Say whether the data are the same, and which items are not."""
    items = "item" if data.n_old == data.n_new == 1 else "items"
    counts = f"{data.n_old} {items}" if data.n_old == data.n_new else f"{data.n_old} → {data.n_new} {items}"
    if data.same and not data.changed:
        return [("data", f"the same {counts}")]
    rows = [f"{counts}; the same pictures and captions" if data.same else counts]
    for word, ids in (("added", data.added), ("removed", data.removed)):
        if ids:
            rows.append(f"{len(ids)} {word}: {_some([printable(one, longest=60) for one in ids])}")
    if data.changed:
        rows.append(f"{len(data.changed)} changed")
    for change in data.changed[:SHOWN]:
        old, new = (
            (change.old[:12], change.new[:12]) if change.what == "picture" else (change.old, change.new)
        )
        rows.append(
            f"  {printable(change.id, longest=60)}, {change.what}: "
            f"{printable(old, longest=_VALUE) or 'none'} → {printable(new, longest=_VALUE) or 'none'}"
        )
    if len(data.changed) > SHOWN:
        rows.append(f"  … and {len(data.changed) - SHOWN} more")
    return _headed("data", rows)


def field_lines(fields: Sequence[FieldChange]) -> list[Line]:
    """(2) List what differs between the fingerprints, the likeliest cause first."""
    if not fields:
        return [("differs", "no field of the fingerprint")]
    return _headed("differs", [field_words(change) for change in fields])


def field_words(change: FieldChange) -> str:
    """Put one change of the fingerprint into words."""
    old, new = (printable(value, longest=_VALUE) for value in (change.old, change.new))
    return f"{printable(change.label, longest=60)}: {old} → {new}" + (
        "" if change.matters else " (changes no embedding)"
    )


def drift_lines(drift: Drift) -> list[str]:
    """(3) Say how far the embeddings of one modality moved."""
    if drift.kind == "identical":
        return [f"{drift.modality}: identical, bit for bit"]
    if drift.kind == "not compared":
        return [f"{drift.modality}: not compared: {printable(drift.why)}"]
    middle = "" if drift.median is None else f", median cosine {drift.median:.6f}"
    lines = [
        f"{drift.modality}: {_KINDS[drift.kind]}{middle}; {drift.n_beyond} of {drift.n} beyond "
        f"{drift.tolerance:.0e} ({printable(drift.why)})"
    ]
    for row in drift.worst if drift.kind != "noise" else ():
        name = printable(row.item, longest=60)
        who = name if row.caption is None else f"{_quoted(row.caption)} ({name})"
        lines.append(f"  {row.cosine:.6f}  {who}")
    return lines


_KINDS = {"noise": "numerical noise", "drift": "drift", "different model": "another model"}


def flip_lines(flips: Flips) -> list[str]:
    """(4) List queries that lost or gained the first place."""
    if not flips.lost and not flips.gained:
        return [f"{flips.direction}: none"]
    lines = [f"{flips.direction}: {len(flips.lost)} lost, {len(flips.gained)} gained"]
    for word, found in (("lost", flips.lost), ("gained", flips.gained)):
        lines += [f"  {word}: {flip_words(flip)}" for flip in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"  … and {len(found) - SHOWN} more {word}")
    return lines


def flip_words(flip: Flip) -> str:
    """Put one flip into words."""
    item = printable(flip.item, longest=60)
    who = item if flip.caption is None else f"{_quoted(flip.caption)} ({item})"
    rival = "" if flip.rival_score is None else f"; rival {_quoted(flip.rival)} {flip.rival_score:.4f}"
    return (
        f"{who}: rank {flip.old_rank:g} → {flip.new_rank:g}, "
        f"score {flip.old_score:.4f} → {flip.new_score:.4f}{rival}"
    )


def guard_lines(guard: Guard) -> list[str]:
    """(6) Say what a guard found."""
    lines = [f"{guard.name}: {'tripped: ' if guard.tripped else ''}{printable(guard.sentence)}"]
    return lines + [f"  {flip_words(flip)}" for flip in guard.queries]


def _headed(head: str, rows: Sequence[str]) -> list[Line]:
    return [(head if at == 0 else "", row) for at, row in enumerate(rows)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _quoted(text: str) -> str:
    return f"“{printable(text, longest=_VALUE)}”"
