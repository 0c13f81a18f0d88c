"""Which claims hold: every verdict, and the effect with its interval beside the effects that are claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.claims_text import short_names
from clipeval.report.html.model_names import letter
from clipeval.report.names import display_names
from clipeval.report.style import INK, PALETTE, new_figure, plain
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "claims", "Verdicts, and effects beside what is claimed"
ORDER = ("refuted", "broken", "undecided", "holds", "not_run")
"""What calls for action comes first."""
MARKS = {
    "refuted": ("X", PALETTE[1]),
    "broken": ("X", PALETTE[5]),
    "undecided": ("D", PALETTE[4]),
    "holds": ("o", PALETTE[2]),
    "not_run": ("_", INK),
}
"""Shape and colour of each verdict."""
MOST = 60
"""Claims that are drawn; the table has all."""

Json = Mapping[str, Any]


def claims_chart(document: Json) -> Chart | NotDrawn:
    """Chart the verdict of every claim, and where there is one its effect with the interval.

    Parameters
    ----------
    document : mapping
        Of `lettered`.

    Returns
    -------
    Chart or NotDrawn
        The latter where nothing was judged.
    """
    cases = in_order(document["cases"])
    if not cases:
        return NotDrawn(NAME, TITLE, "No claim was judged.")
    counts, names = document["counts"], {one["letter"]: one["name"] for one in document["models"]}
    left_out = f" Drawn are the first {MOST} of {len(cases)}." if len(cases) > MOST else ""
    return Chart(
        NAME,
        TITLE,
        "Verdict of each claim, those first that call for action, and on the right its effect with the 95 % "
        "interval where it has one. Shaded: the effects with which the claim holds. A p-value corrected over "
        f"the family, or a verdict by other means, may leave undecided what an interval shows.{left_out}",
        ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in ORDER if counts[word])
        + ": "
        + "; ".join(f"{_label(case)} {_words(case)}" for case in cases[:MOST])
        + ".",
        (
            "claim",
            "models",
            "verdict",
            "effect",
            "low",
            "high",
            "accepted_from",
            "accepted_to",
            "p_corrected",
        ),
        [
            [
                case["claim"],
                ", ".join(names.get(letter, letter) for letter in case["models"]),
                word_of(case),
                *("" if case[key] is None else case[key] for key in ("effect", "low", "high")),
                *("" if edge is None else edge for edge in accepted(case) or (None, None)),
                "" if case["p_corrected"] is None else case["p_corrected"],
            ]
            for case in cases
        ],
        lambda: _figure(cases[:MOST], names),
    )


def lettered(document: Json) -> dict[str, Any]:
    """Call the models of judged claims by letters; their names stand once, beside the letters.

    Parameters
    ----------
    document : mapping
        From `clipeval.claims.document`.

    Returns
    -------
    dict
        The document, ``letter`` and ``name`` added to its models, with letters for specs in its cases.
    """
    specs = [model["spec"] for model in document["models"]]
    letters = {spec: letter(at) for at, spec in enumerate(specs)}
    names, words = display_names(specs), short_names(letters)
    return {
        **document,
        "models": [
            {**model, "letter": letters[model["spec"]], "name": names[model["spec"]]}
            for model in document["models"]
        ],
        "cases": [
            {
                **case,
                "models": [letters.get(spec, "?") for spec in case["models"]],
                **{key: case[key] and words(case[key]) for key in ("sentence", "reason", "broken")},
                "worst": [words(item) for item in case["worst"]],
            }
            for case in document["cases"]
        ],
    }


def word_of(case: Json) -> str:
    """Give the verdict of a case, or ``broken``."""
    return "broken" if case["broken"] else str(case["verdict"])


def in_order(cases: Sequence[Json]) -> list[Json]:
    """Put what calls for action first."""
    return sorted(cases, key=lambda case: ORDER.index(word_of(case)))


def accepted(case: Json) -> tuple[float, float | None] | None:
    """Give the effects with which a claim holds: from, and to, None being without end; None if not said.

    Examples
    --------
    >>> accepted({"accepted": [-0.02, 1.0], "tolerance": "non-inferiority", "effect": 0.1})
    (-0.02, 1.0)
    >>> accepted({"tolerance": "ordering", "effect": 0.1})
    (0.0, None)
    """
    edges = case.get("accepted")  # not in documents of earlier versions
    if edges:
        return float(edges[0]), float(edges[1])
    return (0.0, None) if case["tolerance"] == "ordering" and case["effect"] is not None else None


def _label(case: Json) -> str:
    return printable(f"{case['claim']}  {' '.join(case['models'])}".rstrip())


def _words(case: Json) -> str:
    effect = f" {case['effect']:+.3f} [{case['low']:+.3f}, {case['high']:+.3f}]" if _drawn(case) else ""
    return f"{word_of(case).replace('_', ' ')}{effect}"


def _drawn(case: Json) -> bool:
    """Say whether a case has an interval, of a difference of rates or the like."""
    ends = [case["effect"], case["low"], case["high"]]
    return all(end is not None and abs(end) <= 1 for end in ends)


def _figure(cases: Sequence[Json], names: Mapping[str, str]) -> Figure:
    from matplotlib.lines import Line2D

    rows = range(len(cases))
    shown = [letter for letter in names if any(letter in case["models"] for case in cases)]
    figure = new_figure(9, 1.1 + 0.27 * len(cases) + 0.2 * len(shown))
    verdicts, effects = figure.subplots(1, 2, sharey=True, width_ratios=(1, 3.2))
    for row, case in zip(rows, cases, strict=True):
        _verdict(verdicts, case, row)
        if _drawn(case):
            _effect(effects, case, row, f"{_label(case)}: {_words(case)}")
    verdicts.set_xlim(0, 1)
    verdicts.set_xticks([])
    verdicts.set_yticks(rows, [wrapped(_label(case), width=44, lines=1) for case in cases], fontsize=8)
    verdicts.set_ylim(len(cases) - 0.4, -0.6)
    plain(verdicts)
    verdicts.grid(visible=False)
    verdicts.spines["bottom"].set_visible(False)
    ends = [abs(end) for case in cases if _drawn(case) for end in (case["low"], case["high"])]
    far = min(1.0, 1.15 * max(ends, default=1.0)) or 1.0
    effects.set_xlim(-far, far)
    effects.axvline(0, color=INK, linewidth=0.9)
    effects.set_xlabel("effect; shaded: with these the claim holds", fontsize=9, color=INK)
    plain(effects, grid="x")
    keys = [Line2D([], [], linestyle="") for _ in shown]
    labels = [wrapped(f"{letter}  {names[letter]}", width=100, lines=2) for letter in shown]
    if keys:
        figure.legend(
            keys, labels, loc="outside lower left", frameon=False, fontsize=8, labelcolor=INK, handlelength=0
        )
    return figure


def _verdict(axes: Axes, case: Json, row: int) -> None:
    word = word_of(case)
    marker, colour = MARKS[word]
    axes.plot(0.1, row, marker, color=colour, markersize=7, markerfacecolor=_face(word), markeredgewidth=1.6)
    axes.text(0.22, row, word.replace("_", " "), va="center", fontsize=8, color=INK)


def _face(word: str) -> str:
    return "none" if word == "undecided" else MARKS[word][1]


def _effect(axes: Axes, case: Json, row: int, words: str) -> None:
    marker, colour = MARKS[word_of(case)]
    edges = accepted(case)
    if edges is not None:
        low, high = edges
        axes.barh(row, (1.0 if high is None else high) - low, 0.8, left=low, color=PALETTE[2], alpha=0.13)
    axes.hlines(row, case["low"], case["high"], color=colour, linewidth=2)
    (mark,) = axes.plot(
        case["effect"], row, marker, color=colour, markersize=7, markerfacecolor=_face(word_of(case))
    )
    tell(mark, words)
