"""The answer of a swap as text, Markdown, JUnit XML and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from clipeval.baseline.answer import answer_document, answer_schema, answer_text
from clipeval.baseline.fields import FieldChange
from clipeval.baseline.result import (
    DataDifference,
    Drift,
    Flip,
    Flips,
    Guard,
    ItemChange,
    MetricChange,
    MovedRow,
    SwapResult,
)
from clipeval.core.intervals import Interval
from clipeval.core.verdict import Verdict
from clipeval.report.swap_junit import swap_junit
from clipeval.report.swap_markdown import swap_markdown
from clipeval.report.swap_text import SHOWN, swap_message

HOSTILE = "\x1b[31m<img src=x onerror=alert(1)>|`a`\n# head"


def flip(number: int, caption: str | None = "a red boat") -> Flip:
    return Flip(f"pic{number}", caption, 1.0, 7.0, 0.31, 0.28, "pic9", 0.29)


@pytest.fixture
def result() -> SwapResult:
    lost = tuple(flip(number) for number in range(7))
    return SwapResult(
        old="hf:acme/old",
        new="hf:acme/new",
        verdict=Verdict.UNDECIDED,
        reason="hit@1 t2i 0.506 → 0.482, Δ -0.024 [-0.052, +0.004], margin 0.02: undecided",
        data=DataDifference(500, 500),
        fields=(
            FieldChange("image processor backend", "image processor backend", "pil", "torchvision"),
            FieldChange("clipeval", "clipeval version", "0.1", "0.2", matters=False),
        ),
        margin=0.02,
        drift=(
            Drift("pictures", "drift", 1e-6, "float32", 500, 500, 0.98, (MovedRow("pic3", None, 0.41),)),
            Drift("captions", "identical", 1e-6, "float32", 500),
        ),
        flips=(Flips("i2t"), Flips("t2i", (flip(8),), lost)),
        metrics=(
            MetricChange(
                "hit_rate@1",
                "t2i",
                0.506,
                0.482,
                Interval(-0.052, 0.004, 0.95, "score"),
                0.02,
                Verdict.UNDECIDED,
                0.09,
                judged=True,
            ),
        ),
        guards=(Guard("broad drift", False, "no loss is significant"),),
        n_queries=(("i2t", 500, 500), ("t2i", 500, 500)),
    )


def test_the_message_follows_the_order_of_the_check(result: SwapResult) -> None:
    heads = [line[2:13].strip() for line in swap_message(result).splitlines()[1:]]
    assert [head for head in heads if head] == [
        "because",
        "data",
        "differs",
        "embeddings",
        "flips",
        "metrics",
        "guards",
    ]


def test_the_message_says_what_a_reviewer_can_act_on(result: SwapResult) -> None:
    text = swap_message(result)
    assert text.startswith("undecided: hf acme/old → hf acme/new (500 i2t queries, 500 t2i queries)\n")
    for part in (
        "image processor backend: pil → torchvision",
        "clipeval version: 0.1 → 0.2 (changes no embedding)",
        "pictures: drift, median cosine 0.980000; 500 of 500 beyond 1e-06 (float32)",
        "0.410000  pic3",
        "captions: identical, bit for bit",
        "t2i: 7 lost, 1 gained",
        "lost: “a red boat” (pic0): rank 1 → 7, score 0.3100 → 0.2800; rival “pic9” 0.2900",
        "hit@1 t2i 0.506 → 0.482, Δ -0.024 [-0.052, +0.004], margin 0.02: undecided",
    ):
        assert part in text


def test_long_lists_are_cut_with_their_number_in_text_and_whole_in_json(result: SwapResult) -> None:
    text = swap_message(result)
    assert text.count("lost: “a red boat”") == SHOWN
    assert "… and 2 more lost" in text
    assert len(answer_document(result)["flips"][1]["lost"]) == 7


def test_other_data_are_listed_and_nothing_else_is_said(result: SwapResult) -> None:
    data = DataDifference(
        3,
        3,
        added=("new.jpg",),
        removed=("gone.jpg",),
        changed=(
            ItemChange("a.jpg", "captions", "a cat", "a dog"),
            ItemChange("b.jpg", "picture", "0" * 64, "1" * 64),
        ),
    )
    other = replace(result, verdict=Verdict.NOT_RUN, reason="not the same data", data=data)
    for text in (swap_message(other), swap_markdown(other)):
        for part in ("1 added: new.jpg", "1 removed: gone.jpg", "a.jpg, captions: a cat → a dog"):
            assert part in text
        assert f"b.jpg, picture: {'0' * 12} → {'1' * 12}" in text
        assert "hit@1" not in text
        assert "pil" not in text


def test_text_of_others_stays_text(result: SwapResult) -> None:
    hostile = replace(
        result,
        old=f"hf:{HOSTILE}",
        reason=HOSTILE,
        fields=(FieldChange("x", HOSTILE, HOSTILE, HOSTILE),),
        flips=(Flips("t2i", (), (replace(flip(1), item=HOSTILE, caption=HOSTILE, rival=HOSTILE),)),),
        guards=(Guard("severe losses", True, HOSTILE, (flip(2, HOSTILE),)),),
    )
    plain = swap_message(hostile)
    assert "\x1b" not in plain
    assert all(not line.startswith("# head") for line in plain.splitlines())
    markdown = swap_markdown(hostile)
    assert "<img" not in markdown.replace("\\<", "")
    assert "\\<img" in markdown
    assert "\n# head" not in markdown
    case = ElementTree.fromstring(swap_junit(hostile).encode()).find(".//testcase")  # noqa: S314
    assert case is not None
    assert "<img" in case.attrib["name"]
    json.loads(answer_text(hostile))


@pytest.mark.parametrize(
    ("verdict", "tag", "counts"),
    [
        (Verdict.HOLDS, "system-out", ("0", "0")),
        (Verdict.REFUTED, "failure", ("1", "0")),
        (Verdict.UNDECIDED, "skipped", ("0", "1")),
        (Verdict.NOT_RUN, "failure", ("1", "0")),
    ],
)
def test_junit_says_passed_failed_or_skipped(
    result: SwapResult, verdict: Verdict, tag: str, counts: tuple[str, str]
) -> None:
    root = ElementTree.fromstring(swap_junit(replace(result, verdict=verdict)).encode())  # noqa: S314
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == counts
    assert suite.find(f"testcase/{tag}") is not None
    names = {element.attrib["name"]: element.attrib["value"] for element in suite.iter("property")}
    assert names["clipeval_verdict"] == verdict.value
    assert names["clipeval_pictures"] == "drift"


def test_the_json_document_follows_its_schema(result: SwapResult) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for verdict in Verdict:
        document = json.loads(answer_text(replace(result, verdict=verdict)))
        jsonschema.validate(document, answer_schema())
        assert document["verdict"] == verdict.value
    assert document["metrics"][0]["interval"]["high"] == 0.004
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "verdict": "fine"}, answer_schema())


def test_in_markdown_every_metric_is_a_row_of_one_table(result: SwapResult) -> None:
    rows = [line for line in swap_markdown(result).splitlines() if line.startswith("|")]
    assert [row.count("|") for row in rows] == [8, 8, 8]
    assert (
        "| hit_rate@1 | t2i | 0.506 | 0.482 | -0.024 | [-0.052, +0.004] | undecided (margin 0.02) |" in rows
    )
