"""Claims about the shape of a trained joint space, against the same kind of network with random weights."""

from __future__ import annotations

from clipeval.claims.builtin.roles_needed import JOINT, UNTRAINED, at_least
from clipeval.claims.checks import closer_pairs, fewer_antihubs, smaller_gap
from clipeval.claims.claim import Claim, Source, Tolerance

CLAIMS = (
    Claim(
        id="geometry/training-brings-pairs-closer",
        statement="Right pairs stand out by closeness more in a trained space than in an untrained one.",
        source=Source("paper", "Wang & Isola 2020, arXiv 2005.10242: alignment"),
        roles=(JOINT, UNTRAINED),
        tolerance=Tolerance.ORDERING,
        check=closer_pairs(),
    ),
    Claim(
        id="geometry/training-narrows-the-gap",
        statement="The gap between the modalities is smaller in a trained space than in an untrained one.",
        source=Source("paper", "Liang et al. 2022, arXiv 2203.02053: modality gap"),
        roles=(JOINT, UNTRAINED),
        tolerance=Tolerance.ORDERING,
        check=smaller_gap(),
        requires=at_least(50),
    ),
    Claim(
        id="geometry/training-leaves-fewer-antihubs",
        statement="A trained space leaves fewer captions in nobody's list than an untrained one.",
        source=Source("paper", "Radovanović et al. 2010, JMLR 11: hubs and antihubs"),
        roles=(JOINT, UNTRAINED),
        tolerance=Tolerance.ORDERING,
        check=fewer_antihubs("i2t", k=10),
        requires=at_least(60),
    ),
)
