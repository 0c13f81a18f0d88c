"""What the fixture ``judge_claim`` does: a claim holds, or the test does not pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from clipeval import pytest_settings as settings
from clipeval.pytest_claims import session_of

if TYPE_CHECKING:
    from clipeval.claims.claim import Check, Claim
    from clipeval.claims.family import Case
    from clipeval.claims.results import CaseResult, FamilyResult
    from clipeval.encoders.base import Encoder
    from clipeval.evaluation import Evaluation

JUDGED = pytest.StashKey[list["FamilyResult"]]()


class Judge:
    """What the fixture ``judge_claim`` gives.

    Parameters
    ----------
    item : pytest.Item
        The test.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def __call__(self, claim: Case | Claim | Check, *models: str | Encoder | Evaluation) -> CaseResult:
        """Judge a claim: return if it holds, fail if it is refuted, else skip (strict: fail).

        A claim that says nothing about the data is skipped, strict or not.

        Parameters
        ----------
        claim : Case, Claim or check
            ``claim_case``; or a claim; or the check of the claim that the marker names.
        *models : str, Encoder or Evaluation
            What the claim is about, in the order of its roles; none for a case.

        Returns
        -------
        CaseResult
            The evidence, where the claim holds.
        """
        __tracebackhide__ = True
        from clipeval.core.verdict import Verdict
        from clipeval.errors import ClipevalError
        from clipeval.report.claims_text import case_message, case_reason

        wrong = ""
        try:
            found = self._found(claim, models)
        except ClipevalError as error:
            wrong = str(error)
        if wrong:  # out of the except clause: pytest would print the error twice
            pytest.fail(wrong, pytrace=False)
        self._item.stash.setdefault(JUDGED, []).append(found)
        if found.outside:  # no failure if strict either: the claim asks nothing of this data
            pytest.skip(f"does not apply: {found.outside[0].reason}")
        case = found.cases[0]
        for name, value in asdict(case).items():
            if value not in (None, "", ()):
                plain = value if isinstance(value, int | float) else str(value)
                text = json.dumps(value) if isinstance(value, tuple) else plain
                # what record_property does, without its warning about a flavour of JUnit's format
                self._item.user_properties.append((f"clipeval_{name}", text))
        if case.verdict is Verdict.HOLDS:
            return case
        if case.failed or settings.switched(self._item.config, "strict"):
            command = settings.repeat_command(self._item, case.claim)
            datasets = [found.dataset] if found.dataset else []
            pytest.fail(case_message(case, command=command, datasets=datasets), pytrace=False)
        pytest.skip(case_reason(case))

    def _found(self, claim: Any, models: Sequence[str | Encoder | Evaluation]) -> FamilyResult:
        from clipeval.claims.claim import Claim
        from clipeval.claims.family import Case
        from clipeval.errors import InvalidInputError

        session = session_of(self._item.config)
        if isinstance(claim, Case):
            if models:
                raise InvalidInputError("a case names its models itself", where=claim.id)
            return session.case_result(claim)
        return session.alone(claim if isinstance(claim, Claim) else self._own(claim, len(models)), models)

    def _own(self, check: Check, n_models: int) -> Claim:
        from clipeval.claims.claim import Claim, Role, Source, Tolerance
        from clipeval.errors import InvalidInputError

        marker = self._item.get_closest_marker("claim")
        if marker is None or not {"id", "source"} <= set(marker.kwargs):
            raise InvalidInputError(
                "a check alone has no id and no source",
                where=self._item.nodeid,
                fix="mark the test with @pytest.mark.claim(id=..., source=...), or pass a Claim",
            )
        words = marker.kwargs
        source = words["source"]
        document = getattr(getattr(self._item, "function", None), "__doc__", None) or ""
        name = self._item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
        return Claim(
            id=words["id"],
            statement=words.get("statement") or next(iter(document.strip().splitlines()), "") or name,
            source=source if isinstance(source, Source) else Source("requirement", str(source)),
            roles=(frozenset(Role),) * n_models,
            tolerance=words.get("tolerance", Tolerance.ORDERING),
            check=check,
        )
