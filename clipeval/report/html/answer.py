"""The first screen of a comparison: the answer in a sentence, the scores, every pair, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clipeval.compare.job import Comparison, ModelResult, PairedComparison
from clipeval.core.verdict import Verdict
from clipeval.evaluation import DIRECTIONS
from clipeval.evaluation.scores import CUTOFFS_SHOWN, Metric, Scores, auroc
from clipeval.report.figures.models import series_of
from clipeval.report.html.model_names import letter
from clipeval.report.html.numbers import percent
from clipeval.report.html.saved_run import same_rows

Shown = Callable[[str], str]
_OPPOSITE = {Verdict.HOLDS: Verdict.REFUTED, Verdict.REFUTED: Verdict.HOLDS}
_SENTENCES = {
    frozenset({Verdict.HOLDS}): "It is better than {} in both directions.",
    frozenset({Verdict.HOLDS, Verdict.UNDECIDED}): (
        "It is better than {} in one direction; in the other the data cannot tell."
    ),
    frozenset({Verdict.HOLDS, Verdict.REFUTED}): (
        "It is better than {} in one direction and worse in the other."
    ),
    frozenset({Verdict.REFUTED, Verdict.UNDECIDED}): (
        "It is worse than {} in one direction; in the other the data cannot tell."
    ),
    frozenset({Verdict.REFUTED}): "It is worse than {} in both directions.",
    frozenset({Verdict.UNDECIDED}): "Whether it is better than {}, these pictures cannot tell.",
}
"""By what the tests of both directions said of "it is better"."""
_SAME = "Its embeddings are bit for bit those of {}."
COLUMNS = [(direction, f"hit_rate@{k}") for direction in DIRECTIONS for k in CUTOFFS_SHOWN]


def answer_values(job: Comparison, *, names: Mapping[str, str], shown: Shown) -> dict[str, Any]:
    """Gather what ``answer.html`` shows.

    Parameters
    ----------
    job : Comparison
        What ran and what did not.
    names : mapping of str to str
        What each model is called, by spec.
    shown : callable
        Applied to texts that may name a path.

    Returns
    -------
    dict
    """
    letters = {result.spec: letter(at) for at, result in enumerate(job.models)}
    series = series_of(job)
    ran = [(result, result.scores) for result in job.models if result.scores is not None]
    return {
        "sentences": _sentences(job, [(names[result.spec], result, scores) for result, scores in ran]),
        "columns": COLUMNS,
        "rows": [
            {
                "letter": letters[result.spec],
                "series": series[result.spec],
                "name": names[result.spec],
                "precomputed": result.evaluation is not None and result.evaluation.precomputed,
                "metrics": [scores.metrics[direction][name] for direction, name in COLUMNS],
                "auroc": auroc(scores),
            }
            for result, scores in ran
        ],
        "chance": [ran[0][1].metrics[direction][name].chance for direction, name in COLUMNS] if ran else [],
        "pairs": [_pair(pair, letters, names) for pair in job.pairs],
        "repeated": _repeated(job),
        "not_run": [
            {
                "letter": letters[result.spec],
                "name": names[result.spec],
                "reason": [shown(line.strip()) for line in result.reason.splitlines()],
                "failed": result.failed,
            }
            for result in job.models
            if result.status == "not_run"
        ],
        "warnings": [
            {"name": names[result.spec], "what": shown(finding.what), "fix": shown(finding.fix)}
            for result in job.models
            if result.evaluation is not None
            for finding in result.evaluation.warnings
        ],
        "learned": [
            {"name": names[result.spec], "facts": result.evaluation.learned}
            for result in job.models
            if result.evaluation is not None and result.evaluation.learned is not None
        ],
    }


def _first(scores: Scores) -> list[Metric]:
    return [scores.metrics[direction]["hit_rate@1"] for direction in DIRECTIONS]


def _sentences(job: Comparison, ran: list[tuple[str, ModelResult, Scores]]) -> list[str]:
    if not ran:
        return ["No model ran."]
    name, best, scores = max(ran, key=lambda one: sum(metric.value or 0.0 for metric in _first(one[2])))
    captions, pictures = _first(scores)
    chance = {percent(metric.chance) for metric in (captions, pictures) if metric.chance is not None}
    first = (
        f"{name} puts a right caption first for {_share(captions)} of the pictures and the right picture "
        f"first for {_share(pictures)} of the captions; guessing would for {' and '.join(sorted(chance))}."
    )
    return [first, *_against(job, best.spec, {result.spec: name for name, result, _ in ran})]


def _share(metric: Metric) -> str:
    value = percent(metric.value or 0.0)
    if metric.low is None or metric.high is None:
        return value
    return f"{value} ({100 * metric.low:.0f} to {100 * metric.high:.0f} %)"


def _against(job: Comparison, best: str, names: Mapping[str, str]) -> list[str]:
    """Say of how many models the best is proven to be better, and of which the data cannot tell."""
    verdicts: dict[str, list[Verdict]] = {}
    rows = {result.spec: result.evaluation for result in job.models if result.evaluation is not None}
    for pair in job.pairs:
        if best in (pair.first, pair.second):
            other = pair.second if pair.first == best else pair.first
            verdicts.setdefault(other, []).append(
                pair.verdict if pair.first == best else _OPPOSITE.get(pair.verdict, pair.verdict)
            )
    groups: dict[str, list[str]] = {}
    for other, found in verdicts.items():
        same = same_rows(rows[best], rows[other])
        groups.setdefault(_SAME if same else _SENTENCES[frozenset(found)], []).append(other)
    return [
        sentence.format(_listed([names[other] for other in groups[sentence]]))
        for sentence in (*_SENTENCES.values(), _SAME)
        if sentence in groups
    ]


def _listed(names: list[str], most: int = 3) -> str:
    if len(names) > most:
        return f"{len(names)} other models"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _pair(pair: PairedComparison, letters: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    first, second = letters[pair.first], letters[pair.second]
    better = {Verdict.HOLDS: f"{first} better", Verdict.REFUTED: f"{second} better"}.get(
        pair.verdict, "undecided"
    )
    return {
        "first": first,
        "second": second,
        "first_name": names[pair.first],
        "second_name": names[pair.second],
        "direction": pair.direction,
        "test": pair.test,
        "p": pair.p_holm,
        "decided": pair.verdict in (Verdict.HOLDS, Verdict.REFUTED),
        "words": better,
    }


def _repeated(job: Comparison) -> int:
    """Count the items that repeat another's picture or caption, which intervals do not count as new."""
    units = next((len(set(r.evaluation.units.tolist())) for r in job.models if r.evaluation), None)
    return 0 if units is None else job.dataset.n_images - units
