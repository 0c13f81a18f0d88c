"""Each probe on an encoder without weights: the right one passes, each wrong one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipeval.encoders.base import Encoder
from clipeval.encoders.frozen import load_frozen_tower
from clipeval.encoders.joined_towers import JoinedTower
from clipeval.encoders.towers import Towers
from clipeval.errors import EncoderError
from clipeval.probes import probe, require_sound

NAMES = [
    "two-dimensional",
    "finite",
    "equal widths",
    "evaluation mode",
    "dtype",
    "repeatable, pictures",
    "row order, pictures",
    "not constant, pictures",
    "batch invariance",
    "antialias",
    "repeatable, texts",
    "row order, texts",
    "not constant, texts",
    "padding invariance",
    "long captions",
    "truncation",
    "end of text",
    "case and punctuation",
    "trained weights",
    "activation",
    "preprocessing",
]


def errors(encoder: Encoder) -> list[str]:
    return [finding.name for finding in probe(encoder).errors]


def test_a_right_encoder_has_no_errors_and_no_warnings_and_every_probe_answers(plain) -> None:
    report = probe(plain())
    assert [finding.name for finding in report.findings] == NAMES
    assert {finding.severity for finding in report.findings} == {"ok", "not_applicable"}
    assert all(finding.what and not finding.fix for finding in report.findings)


def test_each_tower_gets_at_most_ten_inputs_so_at_most_ten_forward_passes_at_any_batch_size(plain) -> None:
    encoder = plain()
    report = probe(encoder)
    assert sum(encoder.pictures) == report.image_passes == 10
    assert sum(map(len, encoder.texts)) == report.text_passes == 10
    assert len(encoder.pictures) == len(encoder.texts) == 3  # passes at a batch size of 8 or more


@pytest.mark.parametrize(
    ("mistake", "names"),
    [
        ({"nan": "images"}, ["finite"]),
        ({"nan": "texts"}, ["finite"]),
        ({"tokens": "images"}, ["two-dimensional"]),
        ({"tokens": "texts"}, ["two-dimensional"]),
        ({"narrow": "texts"}, ["equal widths"]),
        ({"fails": "texts"}, ["encodes"]),
        ({"random": True}, ["repeatable, pictures", "repeatable, texts", "padding invariance"]),
        ({"constant": "images"}, ["not constant, pictures"]),
        ({"constant": "texts"}, ["not constant, texts", "long captions"]),
        ({"batch": 1e-3}, ["batch invariance"]),
        ({"among_many": 0.01}, ["batch invariance"]),
        ({"reversed": True}, ["row order, pictures"]),
        ({"sorted": True}, ["row order, texts"]),
        ({"padding": 0.01}, ["padding invariance"]),
    ],
)
def test_a_mistake_is_named_and_says_what_to_do(plain, mistake, names) -> None:
    report = probe(plain(**mistake))
    assert [finding.name for finding in report.errors] == names
    assert all(finding.fix for finding in report.errors)


@pytest.mark.parametrize(
    ("words", "noise", "names"),
    [
        ({"dtype": "float32", "device": "cpu"}, 1e-5, []),
        ({"dtype": "float32", "device": "cpu"}, 5e-4, ["batch invariance"]),
        ({"dtype": "float32", "device": "cuda (NVIDIA H100)"}, 1e-4, []),
        ({"dtype": "bfloat16"}, 3e-3, []),
        ({"dtype": "float64"}, 1e-6, ["batch invariance"]),
    ],
)
def test_the_company_in_a_batch_may_move_a_row_as_far_as_its_dtype_allows(plain, words, noise, names) -> None:
    assert errors(plain(batch=noise, words=words)) == names


def test_a_resize_that_skips_pixels_is_a_warning_and_for_a_published_model_an_error(plain) -> None:
    mine = probe(plain(nearest=True))
    assert ([f.name for f in mine.warnings], mine.errors) == (["antialias"], ())
    assert errors(plain(nearest=True, words={"model": "openai/clip-vit-base-patch32"})) == ["antialias"]


@pytest.mark.parametrize(
    ("model", "form", "severity"),
    [
        ("google/siglip-base-patch16-224", "none", "error"),
        ("google/siglip-base-patch16-224", "lower", "error"),
        ("google/siglip-base-patch16-224", "full", "ok"),
        ("google/siglip2-base-patch16-224", "none", "error"),
        ("google/siglip2-base-patch16-224", "lower", "ok"),
        ("openai/clip-vit-base-patch32", "none", "not_applicable"),
    ],
)
def test_case_and_punctuation_are_asked_of_siglip_only(plain, model, form, severity) -> None:
    report = probe(plain(form=form, words={"model": model}))
    assert report.finding("case and punctuation").severity == severity


def test_captions_that_are_cut_must_be_counted_where_there_is_a_counter(plain) -> None:
    silent = plain(length=50)
    uncounted = probe(silent).finding("truncation")
    assert ("does not count" in uncounted.what, uncounted.severity) == (True, "warning")
    assert "'truncated'" in uncounted.fix
    silent.truncated = 4
    assert probe(silent).finding("truncation").severity == "warning"
    assert silent.truncated == 4


def test_a_tokenizer_whose_last_kept_token_is_not_the_end_of_text_is_an_error(plain) -> None:
    encoder = plain()
    encoder.kept_tokens = lambda text: ([1, 5, 2], 2)
    assert probe(encoder).finding("end of text").severity == "ok"
    encoder.kept_tokens = lambda text: ([1, 5, 5], 2)
    assert errors(encoder) == ["end of text"]


def test_frozen_rows_are_not_applicable_with_the_reason(captioned, frozen) -> None:
    from clipeval import load_encoder

    report = probe(load_encoder(frozen(captioned(5))))
    assert (report.image_passes, report.text_passes) == (0, 0)
    assert {finding.severity for finding in report.findings} == {"not_applicable"}
    assert "played back" in report.finding("batch invariance").what
    require_sound(load_encoder(frozen(captioned(5))))


def test_an_encoder_with_an_error_is_refused_with_the_finding_and_the_way_out(plain) -> None:
    with pytest.raises(EncoderError, match=r"rows 0\.0.* apart") as caught:
        require_sound(plain(batch=0.01))
    assert "probe 'batch invariance'" in str(caught.value)
    assert "--no-probe" in str(caught.value)
    with pytest.raises(EncoderError, match="and 2 more"):
        require_sound(plain(random=True))


def test_the_probe_inputs_are_the_same_everywhere() -> None:
    import hashlib

    from clipeval.probes.inputs import grained, long_captions, noise, scene

    pixels = b"".join(np.asarray(picture).tobytes() for picture in (scene(), grained(), noise()))
    words = "\n".join(long_captions()).encode()
    assert hashlib.sha256(pixels).hexdigest()[:16] == "4d656fbb93414080"
    assert hashlib.sha256(words).hexdigest()[:16] == "b966501d47069fca"


def test_of_joined_towers_the_networks_are_probed_and_stored_rows_are_not_asked_to_encode(
    plain, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.npz"
    np.savez(rows, images=np.eye(3), image_ids=["a", "b", "c"])
    stored = load_frozen_tower(rows, modality="images")
    right, wrong = plain(), plain(nan="images")
    for network, expected in ((right, []), (wrong, ["encodes"])):
        joined = JoinedTower((stored, network))
        assert errors(Towers("mine", joined, network)) == expected
    report = probe(Towers("mine", JoinedTower((stored, stored)), right))
    severity = {finding.name: finding.severity for finding in report.findings}
    assert severity["batch invariance"] == "not_applicable"
    assert report.image_passes == 0


def test_a_head_over_stored_rows_and_a_network_is_not_asked_to_carry_the_networks_rows_alone(
    plain, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.npz"
    np.savez(rows, images=np.eye(3), image_ids=["a", "b", "c"])
    network = plain()

    class Carried(Towers):
        def bridge_images(self, rows):
            raise EncoderError(f"the head was trained on more columns than {rows.shape[1]}")

    joined = JoinedTower((load_frozen_tower(rows, modality="images"), network))
    report = probe(Carried("mine", joined, network))
    severity = {finding.name: finding.severity for finding in report.findings}
    assert severity["equal widths"] == "not_applicable"
    assert not report.errors
