"""Checks of other people's: whatever they do spoils their own case only."""

from __future__ import annotations

import math
import traceback
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from clipeval.claims.claim import Finding
from clipeval.claims.family import Case
from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset
from clipeval.errors import NotAvailableError
from clipeval.evaluation import Evaluation


def guarded(case: Case, broken: MutableMapping[str, str]) -> Case:
    """Note what a check raises or wrongly gives, instead of letting it spoil the family.

    Parameters
    ----------
    case : Case
        With a check by anybody.
    broken : mutable mapping of str to str
        Gets, under the id of the case, what broke.

    Returns
    -------
    Case
        Its check always gives a sound finding, and it asks nothing of the dataset any more; see `outside`.
    """
    check = case.claim.check

    def sound(evaluations: Sequence[Evaluation]) -> Finding:
        if case.id in broken:
            return Finding(Verdict.NOT_RUN, "the claim broke", reason=broken[case.id])
        try:
            finding = check(evaluations)
        except NotAvailableError as error:
            return Finding(Verdict.NOT_RUN, error.what, reason=str(error))
        except (Exception, SystemExit) as error:  # whatever a user's check raises
            return _broke(case, f"the check raised {_told(error)}", broken)
        wrong = fault(finding)
        return _broke(case, f"the check gave {wrong}", broken) if wrong else finding

    return Case(replace(case.claim, check=sound, requires=None), case.models)


def known(case: Case, finding: Finding) -> Case:
    """Give a case whose check says again what it found: to judge it in another family."""
    return Case(replace(case.claim, check=lambda _: finding, requires=None), case.models)


def outside(case: Case, dataset: Dataset | None, broken: MutableMapping[str, str]) -> str:
    """Say why a claim says nothing about a dataset; empty where it applies, or cannot tell.

    Parameters
    ----------
    case : Case
        Its claim's ``requires`` is asked.
    dataset : Dataset, optional
        None where nothing is judged on data.
    broken : mutable mapping of str to str
        Gets, under the id of the case, what broke.

    Returns
    -------
    str
    """
    if case.claim.requires is None or dataset is None:
        return ""
    try:
        reason: Any = case.claim.requires(dataset)
    except (Exception, SystemExit) as error:  # whatever a user's function raises
        broken[case.id] = f"'requires' raised {_told(error)}"
        return ""
    if not isinstance(reason, str):
        broken[case.id] = f"'requires' gave {reason!r:.80}, not a reason or an empty text"
        return ""
    return reason


def fault(finding: object) -> str:
    """Say what is wrong with what a check gave; empty for a sound finding.

    Examples
    --------
    >>> fault(None)
    'None, not a Finding'
    >>> fault(Finding(Verdict.HOLDS, "fine", p=1.7))
    'p = 1.7, which is no probability'
    >>> fault(Finding(Verdict.HOLDS, "fine", p=0.01, effect=0.2, n=20, discordant=(3, 0)))
    ''
    """
    if not isinstance(finding, Finding):
        return f"{finding!r:.80}, not a Finding"
    said: Any = finding  # its fields are of whatever type their author gave them
    if not isinstance(said.verdict, Verdict):
        return f"the verdict {said.verdict!r}, not one of {', '.join(f'Verdict.{v.name}' for v in Verdict)}"
    if said.p is not None and not (isinstance(said.p, Real) and 0 <= float(said.p) <= 1):
        return f"p = {said.p}, which is no probability"
    for name in ("effect", "low", "high", "minimum_detectable_effect"):
        value = getattr(said, name)
        if value is not None and not isinstance(value, Real):
            return f"{name} = {value!r:.80}, not a number"
    edges = said.accepted
    if edges is not None and not (
        isinstance(edges, tuple) and len(edges) == 2 and all(isinstance(edge, Real) for edge in edges)
    ):
        return f"accepted = {edges!r:.80}, not two numbers"
    if said.n is not None and not _count(said.n):
        return f"n = {said.n!r:.80}, not a number of units"
    pair = said.discordant
    if pair is not None and not (isinstance(pair, tuple) and len(pair) == 2 and all(map(_count, pair))):
        return f"discordant = {pair!r:.80}, not two numbers of units"
    if not isinstance(said.sentence, str) or not isinstance(said.reason, str):
        return "a sentence or reason that is not text"
    if not isinstance(said.worst, (tuple, list)) or not all(isinstance(w, str) for w in said.worst):
        return f"worst = {said.worst!r:.80}, not a tuple of texts"
    return ""


def _count(value: Any) -> bool:
    return isinstance(value, Real) and bool(
        math.isfinite(value) and float(value) >= 0 and float(value).is_integer()
    )


def _broke(case: Case, what: str, broken: MutableMapping[str, str]) -> Finding:
    broken[case.id] = what
    return Finding(Verdict.NOT_RUN, "the check broke", reason=what)


def _told(error: BaseException) -> str:
    # from the user's own frame on: ours is of no use to its author
    own = error.__traceback__.tb_next if error.__traceback__ else None
    return f"{type(error).__name__}: {error}\n{''.join(traceback.format_tb(own))}".rstrip()
