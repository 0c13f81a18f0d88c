"""The QuickGELU trap: weights trained with one activation and run with the other lose, without an error.

open_clip's issue #970 measured ImageNet 62.93 become 60.24 for one ViT-B/32. That loss cannot be shown here
again, because clipeval refuses to make it; so the claims say that it refuses, and that its probe finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.claims.builtin.literature import published_figures
from clipeval.claims.builtin.roles_needed import JOINT
from clipeval.claims.checks import exact
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.claim import Claim, Finding, Source, Tolerance, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.encoders.open_clip_names import choose
from clipeval.encoders.spec import parse_spec
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import Evaluation
from clipeval.probes.provenance import activation
from clipeval.probes.published import WEIGHTS

SOURCE = Source(
    "table", "mlfoundations/open_clip, issue #970: ImageNet 62.93 with QuickGELU, 60.24 with GELU"
)
OTHER = {"gelu": "quickgelu", "quickgelu": "gelu"}
SUFFIX = "-quickgelu"

QUICK = frozenset(
    spec
    for figure in published_figures()
    for spec in figure["specs"]
    if spec.startswith("open_clip:") and f"{SUFFIX}/" in spec
)
"""Specs of OpenAI's weights in open_clip; without the suffix, the same weights would be run with GELU."""


def activations_that_pass() -> str:
    """Look for published weights whose wrong activation the probe lets pass, or whose right one it does not.

    Examples
    --------
    >>> activations_that_pass()
    ''
    """
    for start, (whose, trained) in WEIGHTS.items():
        words = {"model": "renamed.pt", "weights": start.ljust(64, "0")}
        for runs, expected in ((OTHER[trained], "error"), (trained, "ok")):
            found = activation(words, frozenset({runs})).severity
            if found != expected:
                return f"the probe calls {whose}, trained with {trained} and run with {runs}, '{found}'"
    return ""


def gelu_refused(evaluations: Sequence[Evaluation]) -> Finding:
    """Check that the same weights are refused under the architecture that runs GELU.

    Nothing is loaded: names are decided before weights are touched.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> gelu_refused([evaluation_of_rows([[1, 0]], [[1, 0]], model="hf:a/b")]).verdict.value
    'not_run'
    """
    check_same_queries(evaluations, expected=1)
    spec = evaluations[0].model
    if not (spec.startswith("open_clip:") and f"{SUFFIX}/" in spec):
        reason = "only open_clip names an architecture with and without QuickGELU"
        return Finding(Verdict.NOT_RUN, f"{spec} has no twin that runs GELU", reason=reason)
    twin = spec.replace(f"{SUFFIX}/", "/")
    try:
        choose(parse_spec(spec))
        try:
            choose(parse_spec(twin))
        except EncoderError as error:
            return Finding(Verdict.HOLDS, f"{twin} is refused: {error.what}")
    except NotAvailableError as error:
        return Finding(Verdict.NOT_RUN, f"{twin} was not asked for", reason=str(error))
    except EncoderError as error:
        return Finding(Verdict.REFUTED, f"{spec} itself is refused: {error.what}")
    return Finding(Verdict.REFUTED, f"{twin} would run GELU on weights that were trained with QuickGELU")


CLAIMS = (
    Claim(
        id="core/quickgelu-trap-found",
        statement="Published weights run with the wrong one of GELU and QuickGELU are found by their hash.",
        source=SOURCE,
        roles=(),
        tolerance=Tolerance.EXACT,
        check=exact(
            activations_that_pass,
            shown=f"the wrong activation is an error and the right one is not, on {len(WEIGHTS)} weights",
        ),
    ),
    Claim(
        id="literature/quickgelu-trap/refused",
        statement="OpenAI's weights in an open_clip architecture that runs GELU are refused.",
        source=SOURCE,
        roles=(JOINT,),
        tolerance=Tolerance.EXACT,
        check=WithoutP(gelu_refused),
        models=(QUICK,),
    ),
)
