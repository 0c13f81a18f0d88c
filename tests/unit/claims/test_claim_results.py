"""How judged claims end, are chosen, and are laid out."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement

import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.results import (
    CaseResult,
    DatasetFacts,
    FamilyResult,
    ModelFacts,
    NotApplicable,
    from_plain,
    plain,
    status,
)
from clipeval.claims.selection import check_selector, is_selected
from clipeval.core.verdict import Verdict
from clipeval.errors import ClipevalError
from clipeval.report.claims_table import claims_table


def case(name: str, verdict: str, *models: str, broken: str = "") -> CaseResult:
    return CaseResult(
        f"{name}[{','.join(models)}]",
        name,
        "It is so.",
        "study: S",
        "exact",
        models,
        None,
        Verdict(verdict),
        broken,
    )


@pytest.mark.parametrize("strict", [False, True])
def test_the_status_follows_its_definition_for_every_mixture_of_verdicts(strict: bool) -> None:
    for size in range(4):
        for words in combinations_with_replacement(["holds", "refuted", "undecided", "not_run"], size):
            if "refuted" in words:
                expected = 1
            elif "holds" in words and (not strict or set(words) == {"holds"}):
                expected = 0
            else:
                expected = 2
            assert status([case("a", word) for word in words], strict=strict) == expected, words


def test_a_model_that_did_not_run_or_of_which_nothing_holds_is_no_success() -> None:
    core, mine = case("core", "holds"), case("a", "holds", "m")
    ran, absent = ModelFacts("m", None, "ok"), ModelFacts("n", None, "not_run", "no weights")
    assert status([core, mine], models=[ran]) == 0
    assert status([core, mine], models=[ran, absent]) == 2
    assert status([core, case("a", "not_run", "n")], models=[absent]) == 2
    assert status([core, case("a", "undecided", "m")], models=[ran]) == 2
    assert status([core]) == 0
    assert status([core, case("a", "refuted", "m")], models=[ran, absent]) == 1


def test_something_broken_counts_as_refuted() -> None:
    assert status([case("a", "holds"), case("b", "not_run", broken="it raised")]) == 1


def test_results_survive_their_way_through_json() -> None:
    judged = CaseResult(
        "a[m]", "a", "It is so.", "study: S", "exact", ("m",), "0" * 64, Verdict.REFUTED,
        p=0.1 + 0.2, effect=-1 / 3, discordant=(1, 2), worst=("x", "y"), n=3, family=4,
    )  # fmt: skip
    whole = FamilyResult(
        DatasetFacts("d", 1, 2, "0" * 64),
        (ModelFacts("m", None, "ok", fingerprint={"a": "b"}),),
        (judged,),
        (NotApplicable("b[m]", "b", ("m",), "0" * 64, "no categories"),),
    )
    assert from_plain(json.loads(json.dumps(plain(whole)))) == whole


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("", {"study/a", "study/b", "core/a"}),
        ("study/*", {"study/a", "study/b"}),
        ("*/a", {"study/a", "core/a"}),
        ("core", {"core/a"}),
        (" core , study/b ,", {"core/a", "study/b"}),
        ("CORE", set()),
    ],
)
def test_a_selector_means_patterns_and_parts_of_ids(selector: str, chosen: set[str]) -> None:
    assert {name for name in ("study/a", "study/b", "core/a") if is_selected(name, selector)} == chosen


def test_each_part_of_a_selector_must_mean_something() -> None:
    with pytest.raises(ClipevalError, match="'studi/a'"):
        check_selector("core/a,studi/a", ["core/a", "study/a"])


def test_a_selector_like_no_claim_is_answered_in_a_line_that_can_be_read() -> None:
    with pytest.raises(ClipevalError) as caught:
        check_selector("nonsense", [claim.id for claim in BUILTIN])
    assert max(map(len, str(caught.value).splitlines())) < 300
    assert "study/*" in str(caught.value)
    assert "clipeval check --list" in str(caught.value)


def test_a_table_shows_pairs_under_their_first_model_with_the_letters_of_the_others() -> None:
    cases = [
        case("better", "holds", "frozen:a.npz", "frozen:b.npz"),
        case("better", "undecided", "frozen:a.npz", "frozen:c.npz"),
        case("better", "refuted", "frozen:b.npz", "frozen:a.npz"),
        case("core", "holds"),
    ]
    lines = claims_table(cases, width=80)
    assert [line.rstrip() for line in lines] == [
        "A  frozen a.npz",
        "B  frozen b.npz",
        "C  frozen c.npz",
        "",
        "        A              B            C      -",
        "better  holds (B)      refuted (A)",
        "        undecided (C)",
        "core                                       holds",
    ]


def test_a_table_wider_than_the_terminal_becomes_a_list() -> None:
    cases = [case("a/very/long/name/of/a/claim", "holds", f"frozen:{name}.npz") for name in "abcdefgh"]
    lines = claims_table(cases, width=60)
    assert lines[9] == "holds      a/very/long/name/of/a/claim[A]"
    assert max(map(len, lines)) <= 60


def test_colours_do_not_move_columns() -> None:
    cases = [case("one", "holds", "frozen:a.npz"), case("one", "refuted", "frozen:b.npz")]
    painted = claims_table(cases, paint=lambda word, text: f"<{word}>{text}</>")
    plain_lines = [
        line.replace("<holds>", "").replace("<refuted>", "").replace("</>", "") for line in painted
    ]
    assert plain_lines == claims_table(cases)
