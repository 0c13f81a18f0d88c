"""The built-in specification, run against any models on any data: ``pytest --pyargs clipeval.claims``.

Claims that a ``conftest.py`` or a plugin declares with the hook ``pytest_clipeval_claims`` run as well.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.family import Case


@pytest.mark.claim(*BUILTIN, declared=True)
def test_claim(claim_case: Case, judge_claim: Callable[[Case], object]) -> None:
    """One claim about one choice of models."""
    judge_claim(claim_case)
