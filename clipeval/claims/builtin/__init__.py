"""The claims that clipeval brings."""

from __future__ import annotations

from clipeval.claims.builtin import classification, core_properties, geometry, literature, quickgelu, studies
from clipeval.claims.claim import Claim

BUILTIN: tuple[Claim, ...] = (
    *core_properties.CLAIMS,
    *studies.CLAIMS,
    *geometry.CLAIMS,
    *literature.CLAIMS,
    *classification.CLAIMS,
    *quickgelu.CLAIMS,
)
"""All of them; which apply to a run is a matter of its models' roles and its dataset."""

__all__ = ["BUILTIN"]
