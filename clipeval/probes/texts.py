"""What ten texts tell about a text tower."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.base import TextTower
from clipeval.encoders.rounding import tolerance
from clipeval.probes.images import not_constant, repeatable
from clipeval.probes.inputs import FILLERS, SHORT, SHOUTED, long_captions
from clipeval.probes.report import ProbeFinding
from clipeval.probes.rows import SAME, ask, distance, permuted, row_order


@dataclass(frozen=True)
class TextRows:
    """Tower rows of the probe texts, float64, shape ``(d,)``, and of their whole batch, shape ``(8, d)``.

    ``counted`` is how many texts the tower says it cut.
    """

    batch: NDArray[np.float64]
    short: NDArray[np.float64]
    shouted: NDArray[np.float64]
    long: NDArray[np.float64]
    long_other_start: NDArray[np.float64]
    long_other_end: NDArray[np.float64]
    short_alone: NDArray[np.float64]
    short_again: NDArray[np.float64]
    counted: int | None


def encode_probe_texts(tower: TextTower, *, form: str | None) -> tuple[TextRows, int]:
    """Encode eight texts together and one of them twice alone.

    Parameters
    ----------
    tower : TextTower
        Its counter ``truncated``, if it has one, is read and put back.
    form : {"full", "lower"}, optional
        What the model was trained on; see `text_form_of`.

    Returns
    -------
    TextRows, int
        The rows, and how many texts the tower was given (10).

    Raises
    ------
    Rejected
        The answer is no matrix of finite numbers.
    """
    together = [SHORT, SHOUTED[form or "full"], *long_captions(), *FILLERS]
    before = getattr(tower, "truncated", None)
    first = ask(lambda: tower.encode_texts(together), side="texts", expected=8)
    counted = None if before is None else int(getattr(tower, "truncated", before)) - int(before)
    one = ask(lambda: tower.encode_texts([SHORT]), side="texts", expected=1)
    again = ask(lambda: tower.encode_texts([SHORT]), side="texts", expected=1)
    if before is not None:
        tower.truncated = before  # type: ignore[attr-defined]  # the count is of the user's texts
    rows = TextRows(first, first[0], first[1], first[2], first[3], first[4], one[0], again[0], counted)
    return rows, 10


def text_form_of(name: str, words: str) -> str | None:
    """Say in which form a model wants its texts, from what it is called.

    Parameters
    ----------
    name : str
        The model spec.
    words : str
        The tower's fingerprint as one text.

    Returns
    -------
    str or None
        ``full`` for SigLIP (big_vision's ``canonicalize_text``), ``lower`` for SigLIP 2, None for others.

    Examples
    --------
    >>> text_form_of("hf:google/siglip-base-patch16-224", ""), text_form_of("open_clip:ViT-B-32", "")
    ('full', None)
    """
    said = f"{name} {words}".lower()
    return None if "siglip" not in said else "lower" if "siglip2" in said or "siglip 2" in said else "full"


def text_findings(
    rows: TextRows, tower: TextTower, *, form: str | None, tokens: tuple[list[int], int] | None
) -> list[ProbeFinding]:
    """Judge the rows: repeatable, in order, not constant, independent of padding, long captions, text form.

    Parameters
    ----------
    rows : TextRows
        From `encode_probe_texts`.
    tower : TextTower
        Its fingerprint says the dtype.
    form : {"full", "lower"}, optional
        See `text_form_of`.
    tokens : tuple of list of int and int, optional
        The tokens kept of a long caption, and the end-of-text token; None where they cannot be seen.

    Returns
    -------
    list of ProbeFinding
    """
    allowed = tolerance(tower.fingerprint)
    order = row_order(rows.batch, rows.short_alone, 0, allowed, side="texts")
    return [
        repeatable(rows.short_alone, rows.short_again, side="texts"),
        order,
        not_constant(rows.short, rows.long, allowed, side="texts"),
        permuted(order, _padding(distance(rows.short, rows.short_alone), allowed)),
        permuted(order, _long_start(rows, allowed)),
        _truncation(rows, allowed),
        _end_of_text(tokens),
        _form(rows, allowed, form),
    ]


def _padding(apart: float, allowed: float) -> ProbeFinding:
    company = "a short text alone and beside a long one"
    said = f"{company}: rows {apart:.2g} apart (relative, tolerance {allowed:g})"
    if apart <= allowed:
        return ProbeFinding("padding invariance", "ok", said)
    fix = "mask the padding (CLIP), or always pad to the model's length (SigLIP: padding='max_length')"
    return ProbeFinding("padding invariance", "error", said, fix)


def _long_start(rows: TextRows, allowed: float) -> ProbeFinding:
    apart = distance(rows.long, rows.long_other_start)
    if apart > allowed * SAME:
        said = f"two captions of 200 words with different first words: rows {apart:.2g} apart (relative)"
        return ProbeFinding("long captions", "ok", said)
    what = "two captions of 200 words with different first words get the same row"
    fix = "truncate in the tokenizer (truncation=True), which keeps the end-of-text token that CLIP pools"
    return ProbeFinding("long captions", "error", what, fix)


def _truncation(rows: TextRows, allowed: float) -> ProbeFinding:
    name = "truncation"
    cut = distance(rows.long, rows.long_other_end) <= allowed * SAME
    if not cut:
        return ProbeFinding(name, "ok", "the last of 200 words still changes the row: nothing is cut")
    if rows.counted is None:
        what = "captions of 200 words are cut, and the encoder does not count how many"
        fix = "count them in an attribute 'truncated' of the text tower"
        return ProbeFinding(name, "warning", what, fix)
    if rows.counted == 3:
        return ProbeFinding(name, "ok", "captions of 200 words are cut, and counted")
    what = f"3 captions of 200 words were cut, and {rows.counted} were counted"
    return ProbeFinding(name, "warning", what, "count the texts that are longer than the model reads")


def _end_of_text(tokens: tuple[list[int], int] | None) -> ProbeFinding:
    name = "end of text"
    if tokens is None:
        return ProbeFinding(name, "not_applicable", "the tokens of this encoder cannot be seen")
    kept, end = tokens
    if kept and kept[-1] == end:
        return ProbeFinding(name, "ok", f"the last of {len(kept)} kept tokens is the end of text")
    last = kept[-1] if kept else "absent"
    what = f"the last of {len(kept)} kept tokens of a long caption is {last}, not the end of text ({end})"
    return ProbeFinding(name, "error", what, "truncate in the tokenizer, not by cutting its output")


def _form(rows: TextRows, allowed: float, form: str | None) -> ProbeFinding:
    name = "case and punctuation"
    if form is None:
        return ProbeFinding(name, "not_applicable", "only SigLIP models were trained on one form of text")
    kinds = "capitals and punctuation" if form == "full" else "capitals"
    apart = distance(rows.short, rows.shouted)
    if apart <= allowed:
        return ProbeFinding(name, "ok", f"{kinds} do not change a row")
    what = f"{kinds} move a row by {apart:.2g} (relative); the model was trained without them"
    removed = " and remove its punctuation" if form == "full" else ""
    fix = f"lower the text{removed} before the tokenizer"
    return ProbeFinding(name, "error", what, fix)
