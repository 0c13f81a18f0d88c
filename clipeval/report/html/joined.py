"""Several runs on the same items as one comparison, tested against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipeval.compare.job import Comparison, compare_with
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import Evaluation
from clipeval.report.html.saved_run import ROWS, SavedRun, same_rows
from clipeval.report.names import folder_names


def joined(runs: Sequence[SavedRun]) -> Comparison:
    """Join runs, every model of them once.

    A model that ran twice with the same embeddings is one model. Where the embeddings differ, after a library
    was upgraded say, the later one goes by the file that it was read from, ``frozen:RUN/MODEL/...``, with the
    place of the run before it where an earlier folder has the same name. A model that ran in any of the runs
    has run.

    Parameters
    ----------
    runs : sequence of SavedRun
        On the same items; at least one.

    Returns
    -------
    Comparison
        With the seed of the first; every pair of models is tested, and corrected for all pairs.
    """
    ran: dict[str, Evaluation] = {}
    reasons: dict[str, str] = {}
    broken: set[str] = set()
    specs: list[str] = []
    names: set[str] = set()
    for place, run in enumerate(runs, start=1):
        folders = folder_names([*run.evaluations, *run.not_run])
        name = run.name if run.name not in names else f"{place}/{run.name}"
        names.add(name)
        for spec, evaluation in run.evaluations.items():
            earlier = [one for one in ran.values() if one.model == spec]
            if any(same_rows(one, evaluation) for one in earlier):
                continue
            known = spec if spec not in ran else f"frozen:{Path(name) / folders[spec] / ROWS}"
            ran[known] = evaluation
            specs.append(known)
        for spec, reason in run.not_run.items():
            reasons.setdefault(spec, reason)
            specs.append(spec)
        broken |= run.broken

    def evaluated(spec: str) -> Evaluation:
        if spec in ran:
            return ran[spec]
        raise (EncoderError if spec in broken else NotAvailableError)(reasons[spec])

    return compare_with(evaluated, specs, runs[0].dataset, seed=runs[0].seed)
