"""Probes before any score: a few forward passes that show what would ruin an evaluation in silence."""

from __future__ import annotations

from clipeval.probes.report import ProbeFinding, ProbeReport, Severity
from clipeval.probes.run import probe, require_sound
from clipeval.probes.store import ProbeStore, default_store

__all__ = [
    "ProbeFinding",
    "ProbeReport",
    "ProbeStore",
    "Severity",
    "default_store",
    "probe",
    "require_sound",
]
