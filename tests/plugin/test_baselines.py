"""``pytest --clipeval-baseline FILE``: first run, green, red, other data, update, workers, reports."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import clipeval.baseline.compare
import clipeval.baseline.file

pytest_plugins = ["pytester"]
# pytester forgets modules that a run inside imported, and compiled ones cannot be imported twice
PRELOADED = (clipeval.baseline.compare, clipeval.baseline.file)


def options(toy: Any, model: str | None = "good") -> list[str]:
    named = [f"--clipeval-model={getattr(toy, model)}"] if model else []
    return ["--clipeval-baseline=kept.json", f"--clipeval-data={toy.data}", *named]


@pytest.fixture
def kept(pytester: pytest.Pytester, toy: Any) -> Path:
    """A baseline of the good model."""
    pytester.runpytest(*options(toy)).assert_outcomes(failed=1)
    return pytester.path / "kept.json"


def test_the_first_run_writes_the_file_and_fails_once(pytester: pytest.Pytester, toy: Any) -> None:
    first = pytester.runpytest(*options(toy))
    first.assert_outcomes(failed=1)
    first.stdout.fnmatch_lines(
        ["*there was no baseline: wrote *kept.json (30 items)*", "*review and commit it*"]
    )
    assert json.loads((pytester.path / "kept.json").read_text())["format"] == "clipeval baseline"
    second = pytester.runpytest(*options(toy))
    second.assert_outcomes(passed=1)
    second.stdout.fnmatch_lines(["*clipeval baselines*", "holds  kept.json: *"])


def test_without_a_model_the_baselines_own_is_run_on_its_own_data(
    pytester: pytest.Pytester, kept: Path
) -> None:
    pytester.runpytest("--clipeval-baseline=kept.json").assert_outcomes(passed=1)
    assert kept.exists()


def test_a_worse_model_fails_with_the_queries_it_lost(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    before = kept.read_bytes()
    result = pytester.runpytest(*options(toy, "bad"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["refuted: frozen good.npz → frozen bad.npz*", "*lost: *caption *rank 1 → *"])
    result.stdout.fnmatch_lines(
        ["*to see it again*", "*pytest --clipeval-baseline=kept.json --clipeval-model=*"]
    )
    assert kept.read_bytes() == before


def test_the_printed_command_shows_the_failure_again(pytester: pytest.Pytester, toy: Any, kept: Path) -> None:
    import shlex

    assert kept.exists()
    lines = pytester.runpytest(*options(toy, "bad")).outlines
    at = next(row for row, line in enumerate(lines) if line.strip() == "to see it again")
    words = shlex.split(lines[at + 1].strip())
    assert words[0] == "pytest"
    pytester.runpytest(*words[1:]).assert_outcomes(failed=1)


def test_other_data_fail_instead_of_being_skipped_for_ever(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    assert kept.exists()
    pairs = json.loads(toy.data.read_text())
    pairs[3][1] = "another caption"
    toy.data.write_text(json.dumps(pairs))
    result = pytester.runpytest(*options(toy))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*3.jpg, captions: caption 3 → another caption*"])
    result.stdout.fnmatch_lines(["*write it again: pytest *--clipeval-update*"])
    updated = pytester.runpytest(*options(toy), "--clipeval-update")
    updated.assert_outcomes(passed=1)
    updated.stdout.fnmatch_lines(["*kept.json: written anew*"])
    pytester.runpytest(*options(toy)).assert_outcomes(passed=1)


def test_what_the_data_cannot_tell_is_skipped_and_strict_fails(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    import numpy as np

    assert kept.exists()
    rows = dict(np.load(toy.good.removeprefix("frozen:")))
    noise = np.random.default_rng(4).normal(size=rows["images"].shape)
    np.savez(toy.bad.removeprefix("frozen:"), images=rows["images"] + 0.05 * noise, texts=rows["texts"])
    result = pytester.runpytest(*options(toy, "bad"), "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*undecided: *"])
    pytester.runpytest(*options(toy, "bad"), "--clipeval-strict").assert_outcomes(failed=1)


def test_a_model_that_is_not_there_is_skipped_and_strict_fails(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    assert kept.exists()
    absent = [*options(toy, None), "--clipeval-model=frozen:no-such.npz"]
    pytester.runpytest(*absent).assert_outcomes(skipped=1)
    pytester.runpytest(*absent, "--clipeval-strict").assert_outcomes(failed=1)


def test_a_broken_baseline_fails_by_name_and_is_left_alone(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    kept.write_bytes(kept.read_bytes()[:-400])
    before = kept.read_bytes()
    result = pytester.runpytest(*options(toy))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*kept.json*"])
    assert "Traceback" not in result.stdout.str()
    assert kept.read_bytes() == before


def test_a_baseline_that_was_merged_badly_is_written_anew_on_purpose_only(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole.replace(b"caption 7", b"caption 8"))
    nameless = pytester.runpytest("--clipeval-baseline=kept.json", "--clipeval-update")
    nameless.assert_outcomes(failed=1)
    nameless.stdout.fnmatch_lines(["*edited by hand or merged*"])
    result = pytester.runpytest(*options(toy), "--clipeval-update")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*kept.json: written anew; the old one could not be read: *"])
    assert kept.read_bytes() == whole


def test_a_file_that_is_no_baseline_is_not_replaced_even_on_purpose(
    pytester: pytest.Pytester, toy: Any
) -> None:
    other = pytester.path / "kept.json"
    other.write_text('{"mine": 1}')
    pytester.runpytest(*options(toy), "--clipeval-update").assert_outcomes(failed=1)
    assert other.read_text() == '{"mine": 1}'


def test_the_ini_file_names_baselines_too(pytester: pytest.Pytester, toy: Any, kept: Path) -> None:
    assert kept.exists()
    pytester.makeini(f"[pytest]\nclipeval_baseline = kept.json\nclipeval_data = {toy.data}\n")
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_users_tests_run_beside_it_and_can_be_selected(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    assert kept.exists()
    pytester.makepyfile("def test_mine(): pass")
    pytester.runpytest(*options(toy)).assert_outcomes(passed=2)
    pytester.runpytest(*options(toy), "-k", "baseline").assert_outcomes(passed=1, deselected=1)


def test_several_models_are_compared_but_never_written(
    pytester: pytest.Pytester, toy: Any, kept: Path
) -> None:
    both = [*options(toy), f"--clipeval-model={toy.bad}"]
    pytester.runpytest(*both).assert_outcomes(passed=1, failed=1)
    refused = pytester.runpytest(*both, "--clipeval-update")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    kept.unlink()
    assert pytester.runpytest(*both).ret == pytest.ExitCode.USAGE_ERROR
    assert not kept.exists()


def test_no_file_and_no_model_says_what_to_name(pytester: pytest.Pytester, toy: Any) -> None:
    result = pytester.runpytest(*options(toy, None))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--clipeval-model=SPEC*"])


def test_workers_give_the_same_outcomes_and_summary(pytester: pytest.Pytester, toy: Any, kept: Path) -> None:
    pytest.importorskip("xdist")
    assert kept.exists()
    result = pytester.runpytest(*options(toy), f"--clipeval-model={toy.bad}", "-n2")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*clipeval baselines*"])


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_the_summary_of_a_ci_job_gets_every_answer(
    pytester: pytest.Pytester, toy: Any, kept: Path, monkeypatch: pytest.MonkeyPatch, workers: list[str]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    assert kept.exists()
    summary = pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    pytester.runpytest(*options(toy), f"--clipeval-model={toy.bad}", *workers)
    lines = summary.read_text(encoding="utf-8").splitlines()
    assert sorted(line for line in lines if line.startswith("## ")) == [
        "## ✅ clipeval: holds",
        "## ❌ clipeval: refuted",
    ]
    assert any(line.startswith("### Lost first place") for line in lines)


def test_junit_holds_the_evidence(pytester: pytest.Pytester, toy: Any, kept: Path) -> None:
    assert kept.exists()
    pytester.runpytest(*options(toy, "bad"), "--junit-xml=junit.xml")
    root = ET.fromstring((pytester.path / "junit.xml").read_text())  # noqa: S314  (our own)
    found = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert found["clipeval_verdict"] == "refuted"
    assert found["clipeval_hit_rate@1_t2i"].endswith("refuted")


@pytest.mark.parametrize("margin", ["two", "nan", "inf", "-0.1", "2"])
def test_a_margin_that_is_no_loss_of_a_metric_stops_the_session(
    pytester: pytest.Pytester, toy: Any, kept: Path, margin: str
) -> None:
    assert kept.exists()
    result = pytester.runpytest(*options(toy), f"--clipeval-margin={margin}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stdout.str() + result.stderr.str()
    assert "--clipeval-margin: " in said
    assert "Traceback" not in said


def test_a_baseline_of_the_ini_file_is_found_from_any_folder(
    pytester: pytest.Pytester, toy: Any, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini(
        f"[pytest]\nclipeval_baseline = kept.json\nclipeval_data = {toy.data}\nclipeval_model = {toy.good}\n"
    )
    below = pytester.mkdir("below")
    monkeypatch.chdir(below)
    pytester.runpytest().assert_outcomes(passed=1)
    assert list(below.glob("*.json")) == []
    # an option is typed from where one stands
    pytester.runpytest("--clipeval-baseline=../kept.json").assert_outcomes(passed=1)


def test_without_the_option_no_test_is_added_and_nothing_of_it_imported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_light():
            assert not [name for name in sys.modules if name.startswith("clipeval.baseline")]
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
