"""A dataset without pictures, frozen encoders for it, and claims about them: no test here needs torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import pytest
import scipy.special
import scipy.stats

import clipeval.claims.session
import clipeval.core.comparison
import clipeval.report.claims_markdown

# pytester forgets modules that a run inside imported: compiled ones cannot be imported twice, and the page's
# templates, kept for the process, would raise errors of another jinja2 than the one a later test imports
PRELOADED = (jinja2, scipy.special, scipy.stats, clipeval.claims.session, clipeval.core.comparison)

CLAIMS = """
from clipeval.claims.claim import Claim, Finding, Role, Source, Tolerance
from clipeval.core.comparison import compare_paired
from clipeval.core.verdict import Verdict

ANY = frozenset(Role)
OURS = Source("requirement", "shop, page 3")


def better(evaluations):
    first, second = evaluations
    a, b = (one.direction("i2t") for one in evaluations)
    test = compare_paired(a.hits(1), b.hits(1), first.cluster("i2t"))
    worst = tuple(f"item {at}: rank {rank:.0f}" for at, rank in enumerate(a.rank[:7]))
    return Finding(
        test.verdict, f"first minus second is {test.difference:+.3f}", p=test.p, effect=test.difference,
        low=test.interval.low, high=test.interval.high, n=test.n, discordant=test.discordant,
        minimum_detectable_effect=test.minimum_detectable_effect, worst=worst,
    )


def says(verdict, p=None, reason=""):
    return lambda evaluations: Finding(Verdict(verdict), f"it {verdict}", p=p, reason=reason)


def claim(id, check, *, n=1, tested=False):
    return Claim(id, f"The statement of {id}.", OURS, (ANY,) * n, Tolerance.ORDERING, check, tested)


BETTER = claim("toy/first-is-better", better, n=2, tested=True)
HOLDS = claim("toy/holds", says("holds"))
REFUTED = claim("toy/refuted", says("refuted"))
UNDECIDED = claim("toy/undecided", says("undecided", reason="too few pictures"))
NOT_RUN = claim("toy/not-run", says("not_run", reason="no categories"))
CORE = claim("toy/core", says("holds"), n=0)
"""


@dataclass(frozen=True)
class Toy:
    """Thirty items; ``good`` finds nearly all of them, ``bad`` hardly any."""

    data: Path
    good: str
    bad: str

    @property
    def options(self) -> list[str]:
        return [
            f"--clipeval-model={self.good}",
            f"--clipeval-model={self.bad}",
            f"--clipeval-data={self.data}",
        ]


@pytest.fixture
def toy(tmp_path: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Toy:
    data = tmp_path / "pairs.json"
    data.write_text(json.dumps([[f"{row}.jpg", f"caption {row}"] for row in range(30)]))
    rng = np.random.default_rng(0)
    images = rng.normal(size=(30, 16)).astype(np.float32)
    noise = rng.normal(size=(30, 16)).astype(np.float32)
    np.savez(tmp_path / "good.npz", images=images, texts=images + 0.3 * noise)
    np.savez(tmp_path / "bad.npz", images=images, texts=noise)
    pytester.makepyfile(my_claims=CLAIMS)
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return Toy(data, f"frozen:{tmp_path / 'good.npz'}", f"frozen:{tmp_path / 'bad.npz'}")


@pytest.fixture
def declared(pytester: pytest.Pytester) -> Callable[[str], None]:
    """Declare claims of ``my_claims`` in a conftest, and write the test that runs them."""

    def write(names: str) -> None:
        pytester.makeconftest(
            f"""
            import my_claims
            from my_claims import *

            def pytest_clipeval_claims():
                return [{names}]
            """
        )
        pytester.makepyfile(test_ours="def test_ours(claim_case, judge_claim):\n    judge_claim(claim_case)")

    return write
