"""``clipeval check`` as a user meets it: words, files and exit status."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import clipeval.claims.builtin
from clipeval.claims.checks import survives_noise
from clipeval.claims.claim import Claim, Finding, Role, Source, Tolerance
from clipeval.claims.document import claims_schema
from clipeval.cli import main
from clipeval.core.verdict import Verdict

Run = Callable[..., subprocess.CompletedProcess[str]]
ANY = frozenset(Role)


def claim(name: str, verdict: str, *, roles: int = 1) -> Claim:
    finding = Finding(Verdict(verdict), f"it {verdict}", reason="" if verdict == "holds" else "because")
    source = Source("requirement", "these tests")
    return Claim(name, f"About {name}.", source, (ANY,) * roles, Tolerance.EXACT, lambda _: finding)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that name one frozen model and its data."""
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    (tmp_path / "pairs.json").write_text(json.dumps([[f"{row}.jpg", f"caption {row}"] for row in range(12)]))
    images = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", images=images, texts=images)
    return ["--model", f"frozen:{tmp_path / 'rows.npz'}", "--data", str(tmp_path / "pairs.json")]


@pytest.fixture
def check(rows: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command in this process on chosen claims; gives the exit status."""

    def run(claims: list[Claim], *options: str) -> int:
        monkeypatch.setattr(clipeval.claims.builtin, "BUILTIN", tuple(claims))
        with pytest.raises(SystemExit) as end:
            main(["check", *rows, *options])
        return int(end.value.code or 0)

    return run


@pytest.mark.parametrize(
    ("verdicts", "options", "status"),
    [
        (["holds"], [], 0),
        (["holds", "undecided", "not_run"], [], 0),
        (["holds", "undecided"], ["--strict"], 2),
        (["holds", "not_run"], ["--strict"], 2),
        (["holds", "refuted", "undecided"], ["--strict"], 1),
        (["holds", "refuted"], [], 1),
        (["undecided", "not_run"], [], 2),
        ([], [], 2),
        (["holds", "refuted"], ["--claims", "toy/holds"], 0),
        (["holds", "refuted"], ["--claims", "toy/refuse"], 3),
        (["holds"], ["--no-such-option"], 3),
        (["holds"], ["--data", "nowhere.json"], 3),
        (["holds"], ["--model", "hff:name"], 3),
        (["holds"], ["--role", "untrained"], 3),
    ],
)
def test_the_exit_status_says_what_was_found(
    verdicts: list[str], options: list[str], status: int, check: Callable[..., int]
) -> None:
    assert check([claim(f"toy/{verdict}", verdict) for verdict in verdicts], *options) == status


def test_a_misspelt_selector_names_a_near_match(
    check: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    check([claim("toy/holds", "holds")], "--claims", "toy/hold5")
    assert "did you mean 'toy/holds'?" in capsys.readouterr().err


def test_a_broken_check_or_model_ends_with_status_1(
    check: Callable[..., int], rows: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def bug(_: object) -> Finding:
        raise ZeroDivisionError("of the user's")

    broken = Claim("toy/bug", "It works.", Source("study", "S"), (), Tolerance.EXACT, bug)
    assert check([claim("toy/holds", "holds"), broken]) == 1
    assert "the check raised ZeroDivisionError: of the user's" in capsys.readouterr().out
    (tmp_path / "junk.npz").write_bytes(b"no rows")
    junk = f"frozen:{tmp_path / 'junk.npz'}"
    assert check([claim("toy/holds", "holds")], "--model", junk) == 1
    assert f"{junk}: broken:" in capsys.readouterr().out


def test_where_nothing_holds_the_reason_is_said(
    check: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    check([claim("toy/undecided", "undecided")])
    output = capsys.readouterr()
    assert "toy/undecided: undecided: because" in output.out
    assert output.err.endswith("status 2: nothing holds\n")


def test_a_named_model_that_did_not_run_is_no_success_though_the_arithmetic_holds(
    check: Callable[..., int], rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    absent = f"preclip:{rows[1]}+no/such-model"
    found = [claim("toy/core", "holds", roles=0), claim("toy/model", "holds")]
    assert check(found, "--model", absent, "--offline") == 2
    assert f"status 2: {absent} did not run" in capsys.readouterr().err
    assert check([found[0], claim("toy/open", "undecided")]) == 2
    assert "nothing holds about the models" in capsys.readouterr().err


def test_a_claim_that_says_nothing_about_the_data_is_no_failure_if_strict(
    check: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(claim("toy/other", "refuted"), requires=lambda _: "for 1000 pictures")
    assert check([claim("toy/holds", "holds"), other], "--strict", "--report", str(tmp_path / "out")) == 0
    text = capsys.readouterr().out
    assert "toy/other: does not apply: for 1000 pictures" in text
    assert text.splitlines()[-2] == "1 holds; 1 not applicable"
    document = json.loads((tmp_path / "out" / "claims.json").read_text())
    jsonschema.validate(document, claims_schema())
    assert [(one["claim"], one["reason"]) for one in document["outside"]] == [
        ("toy/other", "for 1000 pictures")
    ]
    assert "toy/other: does not apply" in (tmp_path / "out" / "claims.md").read_text()
    assert check([other]) == 2
    assert "no claim says anything about this data" in capsys.readouterr().err


def test_a_claim_about_other_texts_does_not_apply_to_frozen_rows_and_strict_can_be_green(
    check: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    asks = replace(claim("toy/asks", "holds"), check=survives_noise(k=5, margin=0.2), tested=True)
    close = Finding(Verdict.HOLDS, "it holds", p=0.03)
    mine = replace(claim("toy/mine", "holds"), check=lambda _: close, tested=True)
    assert check([mine, asks], "--strict") == 0  # nor is 0.03 corrected for it
    text = capsys.readouterr().out
    assert "toy/asks: does not apply: frozen embeddings hold no encoder for other texts" in text
    assert "not_run" not in text


def test_the_files_and_the_json_are_valid_and_say_the_same(
    check: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [claim("toy/holds", "holds"), claim("toy/core", "holds", roles=0), claim("toy/no", "refuted")]
    assert check(found, "--json", "--report", str(tmp_path / "out")) == 1
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, claims_schema())
    assert document == json.loads((tmp_path / "out" / "claims.json").read_text())
    assert {case["claim"]: case["verdict"] for case in document["cases"]} == {
        "toy/holds": "holds",
        "toy/core": "holds",
        "toy/no": "refuted",
    }
    assert "About toy/no." in (tmp_path / "out" / "claims.md").read_text()


def test_a_github_step_summary_gets_the_markdown(
    check: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert check([claim("toy/holds", "holds")]) == 0
    assert (tmp_path / "summary.md").read_text().startswith("## clipeval: 1 holds\n")


def test_the_command_under_a_refuted_claim_says_the_same_again(
    check: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check([claim("toy/holds", "holds"), claim("toy/no", "refuted")]) == 1
    first = capsys.readouterr().out
    command = next(line for line in first.splitlines() if line.startswith("    clipeval check"))
    with pytest.raises(SystemExit) as end:
        main(shlex.split(command)[1:])
    assert end.value.code == 1
    again = capsys.readouterr().out
    message = first[first.index("refuted: About toy/no.") : first.index(command)]
    assert message in again
    assert "toy/holds" not in again


def test_list_shows_claims_and_runs_nothing(
    check: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def never(_: object) -> Finding:
        raise AssertionError("must not run")

    source = Source("paper", "Someone 2020")
    listed = Claim("toy/never", "Nothing runs.", source, (frozenset({Role.JOINT}),), Tolerance.EXACT, never)
    assert check([listed], "--list") == 0
    text = capsys.readouterr().out
    assert "toy/never  (1 case with these models)" in text
    assert "Nothing runs." in text
    assert "paper: Someone 2020; joint encoder" in text
    assert check([listed], "--list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["roles"] == [["joint encoder"]]


def test_the_built_in_claims_run_from_the_installed_command_without_torch(
    clipeval: Run, tmp_path: Path
) -> None:
    env = {"CLIPEVAL_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "hub")}
    done = clipeval(
        "check", "--offline", "--claims", "named-beats-random,encoder/", cwd=tmp_path, env=env, light=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bridge/named-beats-random/i2t" in done.stdout
    assert "precomputed" in done.stdout
    assert "refuted" not in done.stdout
