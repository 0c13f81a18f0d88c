"""Properties of the measuring instrument itself, and of every encoder's rows."""

from __future__ import annotations

import hashlib

import numpy as np

from clipeval.claims.builtin.roles_needed import ALIGNED, ANY
from clipeval.claims.checks import deterministic, exact, invariant, not_collapsed, scaled, shuffled
from clipeval.claims.claim import Claim, Source, Tolerance
from clipeval.core.random_projection import gaussian_projection
from clipeval.core.ranking import rank_retrieval
from clipeval.core.similarity import cosine_similarity

S1 = Source("study", "S1, resnet18-distiluse: cosine similarity that is safe for zero vectors")
S3 = Source(
    "study", "S3, contrastive-from-scratch: GPT + ViT, 0.10 % in the top 100 of 44,000, chance is 0.23 %"
)
S5 = Source("study", "S5, resnet50-minilm: seeded projection N(0, 1/2048), seed 42")
DEFINITION = Source("definition", "clipeval, statistics: ranks and ties")


def projection_digest(seed: int) -> str:
    """Hash a seeded projection of 256 to 64 numbers.

    Examples
    --------
    >>> projection_digest(42) == projection_digest(42)
    True
    """
    return hashlib.sha256(gaussian_projection(256, 64, seed=seed).tobytes()).hexdigest()


def seeds_that_agree() -> str:
    """Look for two seeds that give the same projection.

    Examples
    --------
    >>> seeds_that_agree()
    ''
    """
    drawn = {seed: gaussian_projection(16, 16, seed=seed).tobytes() for seed in range(16)}
    return "" if len(set(drawn.values())) == len(drawn) else "two of the seeds 0 to 15 give one projection"


def cosines_that_fail() -> str:
    """Look for a vector that breaks the cosine: zero, huge, tiny, half precision.

    Examples
    --------
    >>> cosines_that_fail()
    ''
    """
    for scale in (0.0, 1e-200, 1e-30, 1.0, 1e30, 1e200):
        rows = scale * np.array([[3.0, 4.0], [-4.0, 3.0]])
        expected = np.zeros((2, 2)) if scale == 0.0 else np.eye(2)
        got = cosine_similarity(rows, rows)
        if not np.allclose(got, expected, atol=1e-12) or np.abs(got).max() > 1.0:
            return f"vectors of size {scale:g} have cosines {got.tolist()}"
    half = np.full((1, 512), 6e4, dtype=np.float16)
    got = cosine_similarity(half, half)
    return "" if abs(got[0, 0] - 1.0) < 1e-6 else f"float16 vectors of 60000 have self-similarity {got[0, 0]}"


def constants_that_win() -> str:
    """Look for a constant encoder that scores anything but chance.

    Examples
    --------
    >>> constants_that_win()
    ''
    """
    for n in (2, 20, 101):
        ranks = rank_retrieval(np.full((n, 3), 0.1), np.full((n, 3), 0.1))
        for k in (1, n // 2):
            if abs(ranks.i2t.hit_rate(k) - k / n) > 1e-12:
                return f"a constant encoder has hit_rate@{k} {ranks.i2t.hit_rate(k)} on {n} pictures"
    return ""


CLAIMS = (
    Claim(
        id="core/cosine-survives-extremes",
        statement="Cosine similarity survives zero, huge, tiny and half-precision vectors.",
        source=S1,
        roles=(),
        tolerance=Tolerance.EXACT,
        check=exact(cosines_that_fail, shown="no NaN, none above 1, zero vectors have cosine 0"),
    ),
    Claim(
        id="core/projection-deterministic",
        statement="A seeded projection is the same, to the bit, in every process.",
        source=S5,
        roles=(),
        tolerance=Tolerance.EXACT,
        check=deterministic("clipeval.claims.builtin.core_properties:projection_digest", 42),
    ),
    Claim(
        id="core/projection-differs-by-seed",
        statement="Different seeds give different projections.",
        source=S5,
        roles=(),
        tolerance=Tolerance.EXACT,
        check=exact(seeds_that_agree, shown="the seeds 0 to 15 give 16 projections"),
    ),
    Claim(
        id="core/constant-is-chance",
        statement="A constant encoder scores exactly chance.",
        source=DEFINITION,
        roles=(),
        tolerance=Tolerance.EXACT,
        check=exact(constants_that_win, shown="hit rates of constant encoders are k / n"),
    ),
    Claim(
        id="encoder/ranks-ignore-scale",
        statement="Scaling embeddings by powers of two changes no rank.",
        source=DEFINITION,
        roles=(ANY,),
        tolerance=Tolerance.EXACT,
        check=invariant(scaled, change="scaling by powers of two"),
    ),
    Claim(
        id="encoder/ranks-ignore-order",
        statement="The order of pictures and captions changes no rank.",
        source=DEFINITION,
        roles=(ANY,),
        tolerance=Tolerance.EXACT,
        check=invariant(shuffled, change="another order of pictures and captions"),
    ),
    Claim(
        id="encoder/not-collapsed",
        statement="An aligned encoder is not collapsed: its embeddings differ and its top 10 beat chance.",
        source=S3,
        roles=(ALIGNED,),
        tolerance=Tolerance.ORDERING,
        check=not_collapsed("i2t", k=10),
    ),
)
