"""What the probes found about one encoder, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

Severity: TypeAlias = Literal["error", "warning", "ok", "not_applicable"]
"""``error``: scores would mean nothing; ``warning``: look at it; ``not_applicable``: could not be asked."""


@dataclass(frozen=True)
class ProbeFinding:
    """One probe's answer.

    Attributes
    ----------
    name : str
        Of the probe, always in the same words.
    severity : {"error", "warning", "ok", "not_applicable"}
        See `Severity`.
    what : str
        What was seen, with numbers; for ``not_applicable`` the reason.
    fix : str
        What to do about an error or a warning; empty otherwise.
    """

    name: str
    severity: Severity
    what: str
    fix: str = ""


@dataclass(frozen=True)
class ProbeReport:
    """All findings about one encoder.

    Attributes
    ----------
    model : str
        The model spec.
    findings : tuple of ProbeFinding
        In a fixed order.
    image_passes, text_passes : int
        Inputs given to each tower, which bounds its forward passes at any batch size; at most ten.
    cached : bool
        The findings were made by an earlier run of the same fingerprint.

    Examples
    --------
    >>> report = ProbeReport("demo", (ProbeFinding("finite", "ok", "all finite"),), 6, 7)
    >>> report.errors, ProbeReport.of(report.document()) == report
    ((), True)
    """

    model: str
    findings: tuple[ProbeFinding, ...]
    image_passes: int = 0
    text_passes: int = 0
    cached: bool = False

    @property
    def errors(self) -> tuple[ProbeFinding, ...]:
        """Findings that forbid an evaluation."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[ProbeFinding, ...]:
        """Findings that a reader of the scores must know."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def finding(self, name: str) -> ProbeFinding:
        """Give the finding of a probe by its name.

        Raises
        ------
        KeyError
            There is none of that name.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    def document(self) -> dict[str, Any]:
        """Turn the report into plain data for JSON."""
        return {
            "model": self.model,
            "image_passes": self.image_passes,
            "text_passes": self.text_passes,
            "cached": self.cached,
            "findings": [asdict(finding) for finding in self.findings],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ProbeReport:
        """Read a report back from `document`.

        Raises
        ------
        KeyError, TypeError, ValueError
            The data is not a report.
        """
        findings = tuple(ProbeFinding(**finding) for finding in document["findings"])
        if not findings or any(finding.severity not in get_args(Severity) for finding in findings):
            raise ValueError("not a probe report")
        return cls(
            str(document["model"]),
            findings,
            int(document["image_passes"]),
            int(document["text_passes"]),
            bool(document["cached"]),
        )
