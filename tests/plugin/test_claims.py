"""Claims as tests: verdicts, messages, families, selection, one's own claims."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]
Declare = Callable[[str], None]


def test_only_holds_passes_refuted_fails_and_the_others_are_skipped_with_their_reason(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS, REFUTED, UNDECIDED, NOT_RUN")
    result = pytester.runpytest("-rs", f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}")
    result.assert_outcomes(passed=1, failed=1, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*undecided: too few pictures"])
    result.stdout.fnmatch_lines(["SKIPPED*not_run: no categories"])


@pytest.mark.parametrize("how", ["option", "ini"])
def test_strict_makes_undecided_and_not_run_fail(
    how: str, pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS, UNDECIDED, NOT_RUN")
    options = [f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}"]
    if how == "ini":
        pytester.makeini("[pytest]\nclipeval_strict = true\n")
    else:
        options.append("--clipeval-strict")
    result = pytester.runpytest(*options)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["undecided: The statement of toy/undecided.", "*why*too few pictures"])


def test_a_claim_that_says_nothing_about_the_data_is_skipped_also_if_strict_and_nobody_pays_for_it(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    more = "requires=lambda data: 'for another test set'"
    other = f"replace(claim('toy/other', says('holds', p=0.01), tested=True), {more})"
    declared(f"claim('toy/mine', says('holds', p=0.03), tested=True), {other}")
    conftest = pytester.path / "conftest.py"
    conftest.write_text("from dataclasses import replace\n" + conftest.read_text())
    result = pytester.runpytest(
        "-rs", f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}", "--clipeval-strict"
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*does not apply: for another test set"])
    result.stdout.fnmatch_lines(["toy/other: does not apply: for another test set"])
    result.stdout.fnmatch_lines(["1 holds; 1 not applicable"])


def test_every_setting_is_also_an_ini_setting(pytester: pytest.Pytester, toy: Any, declared: Declare) -> None:
    declared("HOLDS, BETTER, REFUTED")
    pytester.makeini(
        "[pytest]\n"
        f"clipeval_model =\n    {toy.good}\n    {toy.bad}\n"
        f"clipeval_data = {toy.data}\n"
        "clipeval_claims = toy/holds\n"
        "clipeval_report = found\n"
        f"clipeval_role = {toy.bad}=untrained\n"
        "clipeval_offline = true\n"
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=2)
    document = (pytester.path / "found" / "claims.json").read_text()
    assert '"role": "untrained encoder"' in document


def test_a_refuted_claim_shows_statement_numbers_worst_items_and_a_command_without_our_traceback(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("BETTER")
    result = pytester.runpytest(*toy.options)
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    failure = text[text.index("FAILURES") : text.index("clipeval claims")]
    assert "refuted: The statement of toy/first-is-better." in failure
    assert "requirement: shop, page 3" in failure
    assert "30 pictures, 30 captions" in failure
    assert re.search(r"effect -0\.\d+ \[-\S+, -\S+\], p = \S+ \(\S+ corrected for 2\), n = 30", failure)
    assert "5. item 4: rank" in failure
    assert "Traceback" not in failure
    assert not re.search(r"\.py:\d", failure)  # no frame of anybody's code
    assert shlex.quote(f"--clipeval-model={toy.bad}") in failure


def test_the_command_of_a_refuted_claim_gives_the_same_verdict_again(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS, BETTER")
    first = pytester.runpytest(*toy.options)
    first.assert_outcomes(passed=3, failed=1)
    lines = first.outlines
    words = shlex.split(lines[lines.index("  to see it again") + 1])
    assert words[0] == "pytest"
    again = pytester.runpytest(*words[1:])
    again.assert_outcomes(failed=1)
    numbers = [line for line in first.outlines if line.startswith("  numbers")]
    assert numbers == [line for line in again.outlines if line.startswith("  numbers")]


@pytest.mark.parametrize("kept", [True, False], ids=["with the ini file", "elsewhere"])
def test_the_command_repeats_what_the_ini_file_said_and_leaves_its_folder_the_root(
    kept: bool, pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("UNDECIDED, BETTER")
    ini = pytester.makeini(
        "[pytest]\nclipeval_strict = true\n"
        f"clipeval_model =\n    {toy.good}\n    {toy.bad}\n"
        f"clipeval_role = {toy.bad}=untrained\n"
    )
    first = pytester.runpytest(f"--clipeval-data={toy.data}")
    first.assert_outcomes(passed=1, failed=3)
    lines = first.outlines
    words = shlex.split(lines[len(lines) - lines[::-1].index("  to see it again")])
    assert f"--clipeval-data={toy.data}" in words  # a path of its own would move the root
    if not kept:
        ini.unlink()
    again = pytester.runpytest(*words[1:])
    again.assert_outcomes(failed=1)
    assert "corrected for 2" in first.stdout.str()
    whys = [line for line in again.outlines if line.startswith(("  why", "  numbers"))]
    assert whys
    assert set(whys) <= set(lines)


def test_a_summary_shows_claims_and_models_with_their_verdicts(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("CORE, HOLDS, UNDECIDED, BETTER")
    result = pytester.runpytest(*toy.options)
    result.stdout.fnmatch_lines(
        [
            "*clipeval claims*",
            "A  frozen bad.npz",
            "B  frozen good.npz",
            "*A*B*-",
            "toy/core *holds",
            "toy/first-is-better *refuted (B) *holds (A)",
            "toy/holds *holds *holds",
            "toy/undecided *undecided *undecided",
            "4 holds, 1 refuted, 2 undecided",
        ]
    )


MANY = "*[claim(f'many/{n:02}', says('holds', p=0.004), tested=True) for n in range(20)], HOLDS"


@pytest.mark.parametrize(
    "options",
    [[], ["-k", "07"], ["--clipeval-claims", "many/07"], ["-p", "shuffled"]],
    ids=["all", "-k", "selector", "shuffled"],
)
def test_neither_selection_nor_order_changes_a_verdict(
    options: list[str], pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    # 0.004 alone would do; among twenty, corrected, it is 0.08
    declared(MANY)
    pytester.makepyfile(
        shuffled="""
        import random

        def pytest_collection_modifyitems(items):
            random.Random(7).shuffle(items)
        """
    )
    pytester.syspathinsert()
    result = pytester.runpytest(
        *options, f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}", "-rs", "-v"
    )
    # with -k and a selector one claim is left, and has to pay for all twenty none the less
    one = bool(options) and options[0] != "-p"
    assert result.parseoutcomes().get("skipped") == (1 if one else 20)
    assert result.parseoutcomes().get("passed", 0) == (0 if one else 1)
    result.stdout.fnmatch_lines(["*undecided: p = 0.08 after correction*"])


def test_a_family_is_judged_once_however_many_tests_ask(pytester: pytest.Pytester, toy: Any) -> None:
    pytester.makepyfile(
        test_ours="""
        import pytest
        from my_claims import claim, Finding, Verdict

        calls = []

        def check(evaluations):
            calls.append(evaluations)
            return Finding(Verdict.HOLDS, "fine")

        FAMILY = [claim("own/a", check), claim("own/b", check)]

        @pytest.mark.claim(*FAMILY)
        def test_one(claim_case, judge_claim):
            judge_claim(claim_case)
            assert len(calls) == 4

        @pytest.mark.claim(*FAMILY)
        def test_again(claim_case, judge_claim):
            judge_claim(claim_case)
            assert len(calls) == 4
        """
    )
    pytester.runpytest(*toy.options).assert_outcomes(passed=8)


def test_ones_own_claim_takes_three_lines(pytester: pytest.Pytester, toy: Any) -> None:
    pytester.makepyfile(
        test_ours=f"""
        import pytest
        from my_claims import better

        @pytest.mark.claim(id="shop/good-beats-bad", source="the shop's contract")
        def test_the_good_model_is_better_than_the_bad_one(judge_claim):
            judge_claim(better, {toy.good!r}, {toy.bad!r})

        @pytest.mark.claim(id="shop/bad-beats-good", source="nobody")
        def test_the_bad_model_is_better(judge_claim, evaluate):
            judge_claim(better, evaluate({toy.bad!r}), evaluate({toy.good!r}))
        """
    )
    result = pytester.runpytest(f"--clipeval-data={toy.data}", f"--clipeval-model={toy.good}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["refuted: the bad model is better", "*shop/bad-beats-good (requirement: nobody)"]
    )


@pytest.mark.parametrize(("new", "old", "outcome"), [("good", "bad", "passed"), ("bad", "good", "failed")])
def test_the_claim_in_the_readme_runs_as_it_stands_there(
    pytester: pytest.Pytester, toy: Any, new: str, old: str, outcome: str
) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (block,) = [block for block in blocks if "judge_claim" in block]
    for name, model in (("hf:our/new-clip", getattr(toy, new)), ("hf:our/old-clip", getattr(toy, old))):
        assert name in block
        block = block.replace(name, model)
    pytester.makepyfile(test_readme=block)
    result = pytester.runpytest(f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}")
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(["*shop/new-beats-old*"])


def test_a_check_without_id_and_source_is_refused(pytester: pytest.Pytester, toy: Any) -> None:
    pytester.makepyfile(
        test_ours=f"""
        from my_claims import better

        def test_it(judge_claim):
            judge_claim(better, {toy.good!r}, {toy.bad!r})
        """
    )
    result = pytester.runpytest(*toy.options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.claim(id=..., source=...)*"])


def test_two_claims_with_one_id_are_refused(pytester: pytest.Pytester, toy: Any, declared: Declare) -> None:
    declared("HOLDS, claim('toy/holds', says('refuted'))")
    result = pytester.runpytest(*toy.options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["two claims are called 'toy/holds'"])
    assert "Traceback" not in result.stdout.str()
    assert "session.py" not in result.stdout.str()


def test_a_misspelt_model_is_an_error_at_collection_that_names_a_near_match(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS")
    result = pytester.runpytest("--clipeval-model=hff:openai/clip-vit-base-patch32")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["unknown family 'hff'", "*did you mean 'hf'?*"])


def test_a_case_without_declared_claims_says_how_to_declare_them(pytester: pytest.Pytester, toy: Any) -> None:
    pytester.makepyfile(test_ours="def test_it(claim_case):\n    pass")
    result = pytester.runpytest(*toy.options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the hook pytest_clipeval_claims in conftest.py*"])


def test_a_misspelt_selector_is_a_usage_error_that_names_a_near_match(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS, REFUTED")
    result = pytester.runpytest(*toy.options, "--clipeval-claims=toy/hold5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'toy/holds'?" in result.stderr.str() + result.stdout.str()


def test_a_check_that_raises_fails_its_own_case_and_shows_its_own_line(
    pytester: pytest.Pytester, toy: Any
) -> None:
    pytester.makepyfile(
        test_ours="""
        import pytest
        from my_claims import HOLDS, claim

        def check(evaluations):
            return evaluations[7]

        @pytest.mark.claim(HOLDS, claim("own/bug", check))
        def test_it(claim_case, judge_claim):
            judge_claim(claim_case)
        """
    )
    result = pytester.runpytest(f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the check raised IndexError*", "*return evaluations[[]7]"])


def test_a_model_that_is_absent_is_not_run_and_one_that_gives_nan_fails(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    import numpy as np

    rows = np.ones((30, 4), dtype=np.float32)
    np.savez(pytester.path / "nan.npz", images=rows, texts=rows * np.nan)
    declared("HOLDS")
    result = pytester.runpytest(
        "-rs",
        f"--clipeval-model={toy.good}",
        f"--clipeval-model=frozen:{pytester.path / 'nan.npz'}",
        f"--clipeval-model=preclip:{toy.bad}+no/such-model",
        f"--clipeval-data={toy.data}",
        "--clipeval-offline",
    )
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "skipped": 1}, result.stdout.str()
    result.stdout.fnmatch_lines(["broken: The statement of toy/holds.", "*NaN*", "SKIPPED*not_run:*"])


def test_the_encoder_fixture_runs_once_for_each_named_model_and_leaves_a_users_own_fixture_alone(
    pytester: pytest.Pytester, toy: Any
) -> None:
    pytester.makepyfile(
        test_ours="def test_it(encoder, evaluate):\n    assert evaluate(encoder).dataset.n_images == 30",
        test_own="""
        import pytest

        @pytest.fixture
        def encoder():
            return "mine"

        def test_own(encoder):
            assert encoder == "mine"
        """,
    )
    pytester.runpytest(*toy.options).assert_outcomes(passed=3, warnings=0)


def test_the_specification_also_runs_what_a_projects_conftest_declares(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS, REFUTED")
    result = pytester.runpytest(
        "--pyargs", "clipeval.claims", *toy.options, "--clipeval-claims=toy/,core/constant"
    )
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(["*pytest --pyargs clipeval.claims --clipeval-claims=toy/refuted *"])


def test_two_encoders_of_one_name_are_two_encoders(pytester: pytest.Pytester, toy: Any) -> None:
    pytester.makepyfile(
        test_ours=f"""
        import pytest
        from clipeval import load_encoder
        from my_claims import better

        @pytest.mark.claim(id="own/better", source="ours")
        def test_it(judge_claim):
            good, bad = load_encoder({toy.good!r}), load_encoder({toy.bad!r})
            good.name = bad.name = "mine"
            found = judge_claim(better, good, bad)
            assert found.models == ("mine", "mine (2)")
            assert found.effect > 0.5
        """
    )
    pytester.runpytest(f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}").assert_outcomes(
        passed=1
    )


def test_a_role_for_a_model_that_is_not_named_is_an_error(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("HOLDS")
    result = pytester.runpytest(*toy.options, "--clipeval-role=frozen:elsewhere.npz=untrained")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["a role is given to 'frozen:elsewhere.npz', which*"])


def test_where_no_claim_speaks_about_the_models_the_test_is_skipped_and_strictly_an_error(
    pytester: pytest.Pytester, toy: Any, declared: Declare
) -> None:
    declared("BETTER")  # about two models
    options = ["-rs", f"--clipeval-model={toy.good}", f"--clipeval-data={toy.data}"]
    result = pytester.runpytest(*options)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*not_run: no claim speaks about models of these roles"])
    pytester.runpytest(*options, "--clipeval-strict").assert_outcomes(errors=1)
