"""What a claim is, what its check returns, and what a person reads of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset
from clipeval.evaluation import Evaluation


class Role(StrEnum):
    """What an evaluated model is, for choosing the claims that apply to it.

    Attributes
    ----------
    JOINT
        Both towers trained together (CLIP, SigLIP ...), also when played back from disk.
    RANDOM_BRIDGE
        Two towers that never met, joined by a seeded random projection, an identity or a truncation.
    NAMED_BRIDGE
        Two towers joined through class names, without pairs (ConSE).
    LEARNED_BRIDGE
        Two towers joined by a map that was fit on pairs.
    UNTRAINED
        Random weights, by the user's word.
    """

    JOINT = "joint encoder"
    RANDOM_BRIDGE = "random bridge"
    NAMED_BRIDGE = "bridge through class names"
    LEARNED_BRIDGE = "learned bridge"
    UNTRAINED = "untrained encoder"


class Tolerance(StrEnum):
    """How close is close enough, and why.

    Attributes
    ----------
    SAME_STACK
        Same weights, library and preprocessing: equal up to numerical noise.
    OTHER_STACK
        A published figure made with other software: within its stated tolerance.
    ORDERING
        Only which of two is larger.
    NON_INFERIORITY
        Not worse by more than a margin.
    EQUIVALENCE
        Not different by more than a margin, either way.
    EXACT
        A property that holds to the last bit, or up to a stated rounding; no statistics.
    """

    SAME_STACK = "same stack"
    OTHER_STACK = "other stack"
    ORDERING = "ordering"
    NON_INFERIORITY = "non-inferiority"
    EQUIVALENCE = "equivalence"
    EXACT = "exact"


@dataclass(frozen=True)
class Source:
    """Where a statement comes from.

    Parameters
    ----------
    kind : str
        ``paper``, ``table``, ``study``, ``requirement`` (a user's) or ``definition``.
    reference : str
        Enough to find it: authors, year and identifier; the study's number; the file and row.
    """

    kind: str
    reference: str


@dataclass(frozen=True)
class Finding:
    """What a check found, before correction for the other claims of its family.

    Parameters
    ----------
    verdict : Verdict
        By this check alone.
    sentence : str
        What a person reads: the numbers, in words.
    p : float or None
        The p-value that Holm's correction takes; None for checks without one (exact properties, intervals).
    effect, low, high : float or None
        The estimated quantity and its interval.
    accepted : tuple of float or None
        Between which effects the claim holds, where these are not simply those above 0.
    n : int or None
        Independent units (normally images).
    discordant : tuple of int or None
        Units on which only the first, and only the second model is right.
    minimum_detectable_effect : float or None
        None where it is not defined.
    worst : tuple of str
        Up to five items that speak most against the claim, each as one line: caption, expected, got, scores.
    reason : str
        For ``not_run`` and ``undecided``: why.
    """

    verdict: Verdict
    sentence: str
    p: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    accepted: tuple[float, float] | None = None
    n: int | None = None
    discordant: tuple[int, int] | None = None
    minimum_detectable_effect: float | None = None
    worst: tuple[str, ...] = field(default=())
    reason: str = ""


Check: TypeAlias = Callable[[Sequence[Evaluation]], Finding]
"""Called with one evaluation for each role of the claim, in the order of ``Claim.roles``."""

_FROM_CHECK: Any = None


@dataclass(frozen=True)
class WithoutP:
    """A check that never gives a p-value, so that it takes nothing from the other claims of its family.

    Parameters
    ----------
    check : callable
        The check.

    Examples
    --------
    >>> WithoutP(lambda evaluations: Finding(Verdict.HOLDS, "one is one"))([]).sentence
    'one is one'
    """

    check: Check

    def __call__(self, evaluations: Sequence[Evaluation]) -> Finding:
        """Run the check."""
        return self.check(evaluations)


@dataclass(frozen=True)
class Claim:
    """A named, sourced statement with a check.

    Parameters
    ----------
    id : str
        Unique and stable, words joined by hyphens, groups by slashes: ``study/s5/joint-beats-random``.
    statement : str
        One sentence that is true or false.
    source : Source
        Who says so.
    roles : tuple of frozenset of Role
        What each evaluation must be; its length is the number of evaluations (0 for properties of the core).
    tolerance : Tolerance
        The class of its tolerance.
    check : callable
        See `Check`.
    tested : bool, optional
        Whether the check may give a p-value, which then counts in the family's correction, also where it did
        not run. Left out: True unless the check is a `WithoutP`. False spares nothing: a finding that carries
        p counts (see `judge`).
    models : tuple of (frozenset of str or None)
        For claims about named models: the specs that may stand in each place, None for any. Empty: any models
        of the right roles.
    requires : callable, optional
        Given the dataset, the reason why the claim says nothing about it (no categories, not the published
        pictures), or an empty string. The case is then ``not_run`` with that reason.
    """

    id: str
    statement: str
    source: Source
    roles: tuple[frozenset[Role], ...]
    tolerance: Tolerance
    check: Check
    tested: bool = _FROM_CHECK
    models: tuple[frozenset[str] | None, ...] = ()
    requires: Callable[[Dataset], str] | None = None

    def __post_init__(self) -> None:
        """Ask the check whether it may give p, where nobody said."""
        if self.tested is _FROM_CHECK:
            object.__setattr__(self, "tested", not isinstance(self.check, WithoutP))

    def applies_to(self, roles: Sequence[Role]) -> bool:
        """Whether models of these roles, in this order, are what the claim speaks about."""
        return len(roles) == len(self.roles) and all(
            role in allowed for role, allowed in zip(roles, self.roles, strict=True)
        )

    def names(self, models: Sequence[str]) -> bool:
        """Whether these models, in this order, are those the claim names (any, if it names none)."""
        return not self.models or all(
            allowed is None or model in allowed for model, allowed in zip(models, self.models, strict=True)
        )
