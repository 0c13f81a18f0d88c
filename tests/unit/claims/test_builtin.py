"""The built-in claims: which apply to what, and what they say about real models."""

from __future__ import annotations

import csv

import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.builtin.literature import published_figures
from clipeval.claims.claim import Role
from clipeval.claims.family import cases_for, judge
from clipeval.claims.roles import parse_role_override, role_named, role_of
from clipeval.core.verdict import Verdict
from clipeval.data import load_dataset
from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.load import load_encoder
from clipeval.errors import SpecError
from clipeval.evaluation import default_cache, evaluate

RANDOM = "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42"
CONSE = "conse:efficientnet-lite0+all-MiniLM-L6-v2"
B32 = "hf:openai/clip-vit-base-patch32"


def test_every_claim_has_its_own_id_a_sentence_and_a_source() -> None:
    assert len({claim.id for claim in BUILTIN}) == len(BUILTIN)
    for claim in BUILTIN:
        assert claim.statement.endswith("."), claim.id
        assert claim.source.reference, claim.id
        assert not claim.models or len(claim.models) == len(claim.roles), claim.id


@pytest.mark.parametrize(
    ("spec", "role"),
    [
        (RANDOM, Role.RANDOM_BRIDGE),
        ("preclip:resnet50+all-MiniLM-L6-v2", Role.RANDOM_BRIDGE),
        ("preclip:a+b?projection=sign", Role.RANDOM_BRIDGE),
        ("preclip:a+b?projection=identity", Role.RANDOM_BRIDGE),
        ("preclip:a+b?projection=truncation", Role.RANDOM_BRIDGE),
        ("preclip:a+b?projection=ridge", Role.LEARNED_BRIDGE),
        (CONSE, Role.NAMED_BRIDGE),
        (B32, Role.JOINT),
        ("frozen:rows.npy", Role.JOINT),
        ("dual:trained", Role.JOINT),
    ],
)
def test_a_role_is_read_from_the_spec(spec, role) -> None:
    assert role_of(spec) is role


def test_the_users_word_comes_first() -> None:
    spec, role = parse_role_override("frozen:a.npz?ids=b.json=untrained")
    assert role_of(spec, {spec: role}) is Role.UNTRAINED


def test_an_unknown_role_is_refused_with_its_neighbour() -> None:
    with pytest.raises(SpecError, match="untrained"):
        role_named("untraind")


def test_an_override_without_a_role_is_refused() -> None:
    with pytest.raises(SpecError, match="SPEC=ROLE"):
        parse_role_override("frozen:a.npy")


def test_claims_about_roles_that_nobody_has_are_not_selected() -> None:
    selected = {case.claim.id for case in cases_for(BUILTIN, {CONSE: Role.NAMED_BRIDGE})}
    assert "encoder/not-collapsed" in selected
    assert "study/s5/joint-beats-random/i2t" not in selected
    assert not any(name.startswith(("literature/", "geometry/")) for name in selected)


def test_published_figures_are_selected_for_their_own_model_only() -> None:
    selected = [case.claim.id for case in cases_for(BUILTIN, {B32: Role.JOINT})]
    mine = [name for name in selected if name.startswith("literature/")]
    assert mine
    assert all("vit-b-32-quickgelu-openai" in name for name in mine)


def test_a_published_figure_says_nothing_about_another_dataset() -> None:
    cases = [
        case for case in cases_for(BUILTIN, {B32: Role.JOINT}) if case.claim.id.startswith("literature/coco")
    ]
    from clipeval.claims.from_rows import evaluation_of_rows

    evaluation = evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]], model=B32)
    for judgement in judge(cases, lambda _: evaluation).values():
        assert judgement.verdict is Verdict.NOT_RUN
        assert "COCO test split" in judgement.finding.reason


def test_a_published_figure_is_judged_on_its_own_test_set() -> None:
    items = tuple(Item(f"{n}.jpg", tuple(f"{n} {c}" for c in range(5))) for n in range(1000))
    claim = next(c for c in BUILTIN if c.id.startswith("literature/flickr30k"))
    assert claim.requires is not None
    assert claim.requires(Dataset("flickr30k-test", items)) == ""
    assert "Flickr30k" in claim.requires(Dataset("flickr8k-val", items))


def test_coco_val2017_with_its_5000_pictures_is_not_taken_for_the_test_split() -> None:
    items = tuple(Item(f"{n}.jpg", tuple(f"{n} {c}" for c in range(5))) for n in range(5000))
    claim = next(c for c in BUILTIN if c.id.startswith("literature/coco"))
    assert claim.requires is not None
    assert claim.requires(Dataset("coco-test-karpathy", items)) == ""
    assert "COCO test split" in claim.requires(Dataset("coco-val2017", items))


def test_the_typed_figures_are_those_of_the_published_table(reference_data) -> None:
    with (reference_data / "published" / "openclip_retrieval_results.csv").open(encoding="utf-8") as file:
        rows = {f"{row['name']},{row['pretrained']}": row for row in csv.DictReader(file)}
    words = {"flickr30k": "Flickr", "coco": "MSCOCO", "t2i": "image", "i2t": "text"}
    for figure in published_figures():
        for name in ("flickr30k", "coco"):
            for direction in ("t2i", "i2t"):
                published = [
                    float(rows[figure["row"]][f"{words[name]} {words[direction]} retr. R@{k}"])
                    for k in (1, 5, 10)
                ]
                assert figure[name][direction] == published, figure["row"]


def test_only_openais_own_clip_is_said_to_score_below_half() -> None:
    roles = {
        B32: Role.JOINT,
        "frozen:convirt.npy": Role.JOINT,
        "hf:google/siglip-base-patch16-224": Role.JOINT,
    }
    cases = [case for case in cases_for(BUILTIN, roles) if case.claim.id == "study/s4/scores-below-half"]
    assert [case.models for case in cases] == [(B32,)]


def test_a_weakened_claim_says_what_the_study_said() -> None:
    claim = next(claim for claim in BUILTIN if claim.id == "study/s5/better-on-most-pictures")
    assert "every picture" in claim.source.reference
    assert "9 in 10" in claim.statement


def test_the_order_of_sizes_needs_the_named_models() -> None:
    roles = {
        "hf:openai/clip-vit-base-patch16": Role.JOINT,
        B32: Role.JOINT,
        "open_clip:RN50-quickgelu/openai": Role.JOINT,
        RANDOM: Role.RANDOM_BRIDGE,
        "frozen:other.npy": Role.JOINT,
    }
    cases = [case for case in cases_for(BUILTIN, roles) if case.claim.id == "study/s4/size-order"]
    assert [case.models for case in cases] == [tuple(roles)[:4]]


def verdicts(data: Dataset, roles: dict[str, Role]) -> dict[str, Verdict]:
    evaluations = {
        spec: evaluate(load_encoder(spec, cache=default_cache()), data, cache=default_cache())
        for spec in roles
    }
    judged = judge(cases_for(BUILTIN, roles), evaluations.__getitem__)
    return {f"{j.case.claim.id}{j.case.models}": j.verdict for j in judged.values()}


def test_nothing_is_refuted_on_the_embedded_pictures(models_extra) -> None:
    found = verdicts(load_dataset("embedded"), {spec: role_of(spec) for spec in (RANDOM, CONSE)})
    assert Verdict.REFUTED not in found.values()
    assert found[f"bridge/named-beats-random/i2t{(CONSE, RANDOM)}"] is Verdict.HOLDS
    assert found[f"study/s5/random-at-chance/i2t{(RANDOM,)}"] is Verdict.UNDECIDED


def test_noise_words_are_encoded_anew_by_an_encoder_that_can(models_extra) -> None:
    data = load_dataset("embedded")
    clean = evaluate(load_encoder(CONSE, cache=default_cache()), data, cache=default_cache())
    check = next(claim.check for claim in BUILTIN if claim.id == "study/s4/noise-words")
    finding = check([clean])
    assert finding.verdict is not Verdict.NOT_RUN
    assert f"{CONSE} with noise words minus {CONSE}" in finding.sentence
    assert finding.effect != 0


def test_what_real_clip_shows_against_a_random_bridge_and_its_untrained_twin(
    models_extra, reference_data
) -> None:
    folder = reference_data / "clip-coco500"
    clip, untrained = (f"frozen:{folder}/features_{name}.npy" for name in ("clip", "clip_random"))
    bridge = f"preclip:{clip}+all-MiniLM-L6-v2"
    roles = {clip: Role.JOINT, bridge: role_of(bridge), untrained: Role.UNTRAINED}
    found = verdicts(load_dataset(folder / "pairs.json", require_pictures=False), roles)
    assert Verdict.REFUTED not in found.values()
    not_run = {name.split("(")[0] for name, verdict in found.items() if verdict is Verdict.NOT_RUN}
    assert not_run == {
        "classification/ensemble-beats-single-prompt",
        "study/s2/confusions-inside-category",
        "study/s4/noise-words",
        "study/s5/better-in-every-category",
    }
    assert not [name for name, verdict in found.items() if verdict is Verdict.UNDECIDED]


def test_an_untrained_network_passed_off_as_joint_is_not_green(models_extra, reference_data) -> None:
    folder = reference_data / "clip-coco500"
    spec, clip = (f"frozen:{folder}/features_{name}.npy" for name in ("clip_random", "clip"))
    bridge = f"preclip:{clip}+all-MiniLM-L6-v2"
    found = verdicts(
        load_dataset(folder / "pairs.json", require_pictures=False),
        {spec: Role.JOINT, bridge: Role.RANDOM_BRIDGE},
    )
    assert found[f"encoder/not-collapsed{(spec,)}"] is not Verdict.HOLDS
    assert found[f"study/s5/positives-above-negatives{(spec,)}"] is Verdict.REFUTED
    assert found[f"study/s1/diagonal-dominates{(spec,)}"] is Verdict.REFUTED
    for direction in ("i2t", "t2i"):
        assert found[f"study/s5/joint-beats-random/{direction}{(spec, bridge)}"] is Verdict.UNDECIDED
