"""What remains of a session: JSON with its schema, Markdown, JUnit properties, the summary of a CI job."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clipeval.claims.document import claims_schema

pytest_plugins = ["pytester"]
Declare = Callable[[str], None]


@pytest.fixture
def report(pytester: pytest.Pytester, toy: Any, declared: Declare) -> dict[str, Any]:
    declared("CORE, HOLDS, UNDECIDED, NOT_RUN, BETTER")
    result = pytester.runpytest(*toy.options, "--clipeval-report=results/claims", "--junit-xml=junit.xml")
    result.assert_outcomes(passed=4, failed=1, skipped=4, warnings=0)
    folder = pytester.path / "results" / "claims"
    return {
        "json": json.loads((folder / "claims.json").read_text()),
        "markdown": (folder / "claims.md").read_text(),
        "junit": ET.fromstring((pytester.path / "junit.xml").read_text()),  # noqa: S314  (our own)
    }


def test_the_json_report_is_valid_under_its_schema_and_complete(report: dict[str, Any], toy: Any) -> None:
    document = report["json"]
    jsonschema.Draft202012Validator.check_schema(claims_schema())
    jsonschema.validate(document, claims_schema())
    assert document["counts"] == {"holds": 4, "refuted": 1, "undecided": 2, "not_run": 2, "broken": 0}
    assert document["status"] == 1
    assert [model["spec"] for model in document["models"]] == sorted([toy.good, toy.bad])
    assert document["datasets"][0]["n_images"] == 30
    case = next(case for case in document["cases"] if case["verdict"] == "refuted")
    assert case["models"] == [toy.bad, toy.good]
    assert case["p_corrected"] == pytest.approx(2 * case["p"])
    assert case["low"] < case["effect"] < case["high"] < 0
    assert case["discordant"][0] < case["discordant"][1]
    assert case["dataset"] == document["datasets"][0]["sha256"]
    assert len(case["worst"]) == 5
    assert next(case for case in document["cases"] if case["claim"] == "toy/core")["dataset"] is None


def test_the_schema_refuses_a_document_with_a_field_too_many(report: dict[str, Any]) -> None:
    report["json"]["cases"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(report["json"], claims_schema())


def test_the_markdown_report_names_every_claim_and_details_what_is_refuted(report: dict[str, Any]) -> None:
    text = report["markdown"]
    assert text.startswith("## clipeval: 4 holds, 1 refuted, 2 undecided, 2 not_run\n")
    assert text.count("❌ refuted | toy/first-is-better | A, B |") == 1
    assert "### ❌ The statement of toy/first-is-better." in text
    assert "5. item 4: rank" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count(" | ") for line in rows[:3]} == {3}  # escaped pipes make no cells
    assert {line.count(" | ") for line in rows[3:]} == {4}


def test_junit_properties_hold_the_evidence_of_each_claim(report: dict[str, Any]) -> None:
    found = []
    for test in report["junit"].iter("testcase"):
        found.append({one.get("name"): one.get("value") for one in test.iter("property")})
    refuted = next(one for one in found if one["clipeval_verdict"] == "refuted")
    assert refuted["clipeval_claim"] == "toy/first-is-better"
    assert refuted["clipeval_source"] == "requirement: shop, page 3"
    assert float(refuted["clipeval_p_corrected"]) < 0.05
    assert float(refuted["clipeval_high"]) < 0
    assert len(found) == 9


def test_a_github_step_summary_is_appended_to_not_replaced(
    pytester: pytest.Pytester, toy: Any, declared: Declare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    declared("HOLDS")
    pytester.runpytest(*toy.options).assert_outcomes(passed=2)
    assert summary.read_text().startswith("# before\n## clipeval: 2 holds\n")


def test_a_suite_without_claims_writes_no_summary(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    pytester.makepyfile("def test_it():\n    pass")
    result = pytester.runpytest("--clipeval-report=found")
    result.assert_outcomes(passed=1)
    assert not (tmp_path / "summary.md").exists()
    assert "clipeval claims" not in result.stdout.str()


def test_a_report_folder_that_cannot_be_made_is_said_before_anything_runs(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS")
    (pytester.path / "taken").write_text("a file")
    result = pytester.runpytest(*toy.options, "--clipeval-report=taken/report")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--clipeval-report taken/report" in result.stderr.str()


def test_text_of_others_cannot_become_markup_or_control_a_terminal(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    finding = "Finding(Verdict.REFUTED, '<img src=x> | \\x1b[31m', worst=('a\\nb',))"
    declared(f"claim('toy/hostile', lambda e: {finding})")
    result = pytester.runpytest(
        f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}", "--clipeval-report=found"
    )
    text = (pytester.path / "found" / "claims.md").read_text()
    assert "\\<img src=x\\> \\|" in text
    assert "\x1b" not in text + result.stdout.str()
    assert "1. a\\\\nb" in text
