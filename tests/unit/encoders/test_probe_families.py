"""The families that clipeval loads pass its own probes: no false alarm, and at most ten forward passes."""

from __future__ import annotations

import pytest

from clipeval import load_encoder
from clipeval.probes import probe
from clipeval.probes.networks import reach_networks

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("family", ["clip_folder", "siglip_folder", "siglip2_folder"])
def test_a_right_model_of_transformers_passes_in_at_most_ten_forward_passes(
    family, batch_size, request
) -> None:
    encoder = load_encoder(f"hf:{request.getfixturevalue(family)}", batch_size=batch_size)
    runs = {"vision_model": 0, "text_model": 0}
    (network,) = reach_networks(encoder)

    def count(name: str):
        def counted(*_: object) -> None:
            runs[name] += 1

        return counted

    for name in runs:
        getattr(network, name).register_forward_hook(count(name))
    report = probe(encoder)
    assert [(finding.name, finding.what) for finding in (*report.errors, *report.warnings)] == []
    assert 0 < runs["vision_model"] <= 10
    assert 0 < runs["text_model"] <= 10
    # ten inputs for each tower: eight together, one of them twice alone
    assert runs == dict.fromkeys(runs, 10 if batch_size == 1 else 3)


def test_a_right_model_of_sentence_transformers_passes_and_counts_what_it_cuts(clip_folder) -> None:
    report = probe(load_encoder(f"st:{clip_folder}"))
    assert [(finding.name, finding.what) for finding in (*report.errors, *report.warnings)] == []
    assert report.finding("truncation").severity == "ok"


def test_the_default_bridges_pass(models_extra) -> None:
    for spec in (
        "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42",
        "conse:efficientnet-lite0+all-MiniLM-L6-v2",
    ):
        report = probe(load_encoder(spec, offline=True))
        assert [(finding.name, finding.what) for finding in (*report.errors, *report.warnings)] == []
        assert report.finding("evaluation mode").severity == "ok"
