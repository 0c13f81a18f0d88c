"""The same call gives the same bytes: twice here, and in fresh processes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Sequence

from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation


def deterministic(digest: str, *arguments: int | str, processes: int = 2) -> Check:
    """Make a check of no evaluations: a function gives the same digest in this and in fresh processes.

    Parameters
    ----------
    digest : str
        ``package.module:function``, importable anywhere; returns a string (a hash of what it made).
    *arguments : int or str
        Passed to it.
    processes : int
        Fresh interpreters, each with its own hash seed.

    Returns
    -------
    Check
        Row "exact" of the contract: ``holds`` or ``refuted``; no p-value.

    Raises
    ------
    InvalidInputError
        Not ``module:function``; from the check: a fresh process that fails.

    Examples
    --------
    >>> deterministic("math:factorial", 5, processes=1)([]).verdict.value
    'holds'
    """
    module, colon, name = digest.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), name]):
        raise InvalidInputError(f"'{digest}' is not module:function")

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        function = getattr(importlib.import_module(module), name)
        call = f"{name}({', '.join(map(repr, arguments))})"
        seen = [str(function(*arguments)), str(function(*arguments))]
        seen += [_elsewhere(module, name, arguments, hash_seed=at) for at in range(processes)]
        if len(set(seen)) > 1:
            return Finding(
                Verdict.REFUTED, f"{call} gave {len(set(seen))} different results: {sorted(set(seen))}"
            )
        return Finding(
            Verdict.HOLDS,
            f"{call} gave the same bytes twice here and in {processes} fresh processes",
            n=len(seen),
        )

    return WithoutP(check)


def _elsewhere(module: str, name: str, arguments: tuple[int | str, ...], *, hash_seed: int) -> str:
    code = f"from {module} import {name}; print({name}(*{arguments!r}))"
    environment = os.environ | {
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    # module and name were checked to be identifiers, arguments are literals of the claim
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise InvalidInputError(f"a fresh process could not call {module}:{name}", where=done.stderr[-300:])
    return done.stdout.strip()
