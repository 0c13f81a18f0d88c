"""One contract for every statistic: what is estimated, over which units, and how an answer is reached.

Each result names its row of this table, so no check invents rules of its own. Everything that comes from
ranks is conditional on the candidate set: each query is ranked among just these candidates, and what a hub
among them does to many queries at once is a property of the set, which no interval over queries covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Row:
    """How one kind of statement is judged.

    Attributes
    ----------
    estimand : str
        What is estimated.
    cluster : str
        The independent unit; captions of one image are not independent.
    interval : str
        How the interval is made.
    test : str
        How the p-value is made.
    family : str
        Over what the p-values are corrected.
    verdict : str
        When the statement holds, is refuted, is undecided.
    """

    estimand: str
    cluster: str
    interval: str
    test: str
    family: str
    verdict: str


_FAMILY = "none for a single comparison; Holm over the declared family of claims"
_BETTER = (
    "holds: p <= 1 - level and the whole interval above 0; refuted: p <= 1 - level and the whole interval "
    "below 0; undecided otherwise, so always below six discordant clusters at level 0.95"
)

CONTRACT = MappingProxyType(
    {
        "rate": Row(
            estimand="mean over queries of a score in [0, 1]",
            cluster="image",
            interval="Wilson where every cluster holds one query; else percentile bootstrap over clusters, "
            "or, with fewer than 50 clusters or 10 with hits or with misses, Wilson over clusters",
            test="none; a check that judges a rate follows the row region or equivalence",
            family="none",
            verdict="none: an interval is printed, not judged",
        ),
        "region": Row(
            estimand="mean over queries of a score in [0, 1], against a threshold",
            cluster="image",
            interval="as for a rate",
            test="exact binomial at the threshold; clustered or fractional scores count as rate * n hits "
            "of n clusters",
            family=_FAMILY,
            verdict="holds: p <= 1 - level and the whole interval beyond the threshold; refuted: p <= 1 - "
            "level and the whole interval short of it; undecided otherwise",
        ),
        "equivalence": Row(
            estimand="mean over queries of a score in [0, 1], against a figure or chance with a margin",
            cluster="image",
            interval="as for a rate",
            test="two one-sided exact binomial tests, p doubled; at chance, beyond the margin: the larger of "
            "that and a permutation of caption groups over images",
            family=_FAMILY,
            verdict="holds: p <= 1 - level and the whole interval within the margin; refuted: p <= 1 - level "
            "and the whole interval outside; undecided otherwise; on the published items, and for accuracies "
            "on the published pictures, the figure itself is compared, without p",
        ),
        "confusions": Row(
            estimand="share of confusions whose winner has the query's category, minus its mean under "
            "permutation",
            cluster="image",
            interval="as for a rate",
            test="permutation of the categories over the images, (1 + b) / (1 + B)",
            family=_FAMILY,
            verdict="holds: p <= 1 - level and the whole interval above the permutation mean; refuted: "
            "below; undecided otherwise",
        ),
        "gap": Row(
            estimand="difference of the squared modality gaps, unbiased (products of different images)",
            cluster="image with the mean of its captions",
            interval="jackknife over images, Student's t",
            test="of the same t",
            family=_FAMILY,
            verdict="holds: p <= 1 - level and the whole interval above 0; refuted: below; undecided "
            "otherwise and with fewer than 50 images",
        ),
        "antihubs": Row(
            estimand="mean over groups of the difference of the shares of candidates in anyone's list",
            cluster="one of 6 to 16 random groups of at least 10 images, with lists of its own",
            interval="Student's t over groups",
            test="exact sign-flip of groups",
            family=_FAMILY,
            verdict="holds: p <= 1 - level and the whole interval above 0; refuted: below; undecided "
            "otherwise and with fewer than 60 images",
        ),
        "exact": Row(
            estimand="a property of every case that is looked at",
            cluster="none",
            interval="none",
            test="none: one counterexample decides",
            family="none",
            verdict="holds: no counterexample was found, which proves nothing about cases not looked at; "
            "refuted: one was",
        ),
        "paired-binary": Row(
            estimand="difference of two hit rates on the same queries",
            cluster="the query itself (one query in each image)",
            interval="Tango's score interval",
            test="exact McNemar",
            family=_FAMILY,
            verdict=_BETTER,
        ),
        "paired-clustered": Row(
            estimand="mean over queries of the difference of two scores in [0, 1]",
            cluster="image with all its queries",
            interval="percentile bootstrap over clusters, or, with fewer than 50 clusters or 10 on either "
            "side, the conservative score interval over clusters",
            test="sign-flip of whole clusters, exact up to 16 clusters that differ",
            family=_FAMILY,
            verdict=_BETTER,
        ),
        "non-inferiority": Row(
            estimand="mean over queries of new - old",
            cluster="image",
            interval="Tango's score interval; clustered or fractional scores: conservative score interval",
            test="none: the interval is the test",
            family="none",
            verdict="holds: lower bound > -margin; refuted: upper bound < -margin; undecided otherwise",
        ),
    }
)
"""The rows by name."""
