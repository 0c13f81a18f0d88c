"""The embeddings that are shipped: the same as those computed here, and only where they belong."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.compare.job import default_models
from clipeval.data import Dataset, Item
from clipeval.errors import SpecError
from clipeval.evaluation import DIRECTIONS, evaluate
from clipeval.evaluation.precomputed import ROWS, WORDS, precomputed_encoder

PRECLIP, CONSE, CLIP = default_models(42)


@pytest.fixture(scope="module")
def computed(models_extra, embedded, conse):
    """Evaluations with the weights of this machine."""
    assert conse.name == CONSE
    return {
        PRECLIP: evaluate(load_encoder(PRECLIP, offline=True), embedded),
        CONSE: evaluate(conse, embedded),
    }


@pytest.mark.parametrize("spec", [PRECLIP, CONSE])
def test_shipped_rows_agree_with_rows_computed_here(spec, computed, embedded):
    here, shipped = computed[spec], evaluate(precomputed_encoder(spec, embedded), embedded, precomputed=True)
    for mine, theirs in ((here.images, shipped.images), (here.texts, shipped.texts)):
        # other processors and library versions sum in other orders; 0 on the machine that made the file
        assert np.abs(mine - theirs).max() < 1e-5 * max(1.0, float(np.abs(theirs).max()))
    for direction in DIRECTIONS:
        assert np.array_equal(here.direction(direction).rank, shipped.direction(direction).rank)
    assert (shipped.encoded, shipped.precomputed, shipped.model) == (0, True, spec)


@pytest.mark.parametrize(
    "query", ["?seed=7", "?projection=sign&seed=3", "?project=text", "?rng=numpy-legacy"]
)
def test_the_shipped_towers_serve_any_projection(query, embedded, lite0_rows, minilm):
    from clipeval.encoders.preclip import join
    from clipeval.encoders.spec import parse_spec

    spec = f"preclip:efficientnet-lite0+all-MiniLM-L6-v2{query}"
    shipped = precomputed_encoder(spec, embedded)
    here = join(parse_spec(spec), shipped.image, shipped.text)
    rows = here.bridge_images(lite0_rows["penultimate"])
    np.testing.assert_allclose(evaluate(shipped, embedded).images, rows, atol=2e-5)
    texts = here.bridge_texts(minilm.encode_texts(embedded.captions))
    np.testing.assert_allclose(evaluate(shipped, embedded).texts, texts, atol=2e-5)


def test_two_seeds_give_two_results(embedded):
    base = PRECLIP.partition("&")[0]
    one, two = (evaluate(precomputed_encoder(f"{base}&seed={s}", embedded), embedded) for s in (1, 2))
    assert np.abs(one.images - two.images).max() > 0.1
    assert one.texts.tobytes() == two.texts.tobytes()


@pytest.mark.parametrize(
    "spec",
    [
        CLIP,
        f"{PRECLIP}&layer=logits",
        f"{PRECLIP}&layer=penultimate",
        f"{CONSE}?top=5",
        f"{CONSE}?centre=false",
        f"{CONSE}?dtype=bfloat16",
        f"{PRECLIP}&dtype=float16",
        f"{PRECLIP}&device=cuda",
        f"{CONSE}?dtype=float32&device=mps",
        f"{CONSE}@main",
        "preclip:efficientnet-lite0+all-MiniLM-L6-v2@main?seed=1",
        "preclip:efficientnet-lite2+all-MiniLM-L6-v2",
        "conse:efficientnet-lite0+all-MiniLM-L12-v2",
    ],
)
def test_nothing_is_shipped_for_another_model_or_option(spec, embedded):
    assert precomputed_encoder(spec, embedded) is None


@pytest.mark.parametrize(
    "spec", [f"{PRECLIP}&dtype=float32", f"{CONSE}?device=cpu", f"{CONSE}?dtype=float32&device=cpu"]
)
def test_shipped_rows_serve_the_dtype_and_device_that_they_were_made_with(spec, embedded):
    assert precomputed_encoder(spec, embedded).name == spec


def test_where_packages_are_absent_the_dtype_and_device_of_the_spec_decide(embedded, monkeypatch):
    from clipeval.errors import MissingExtraError, NotAvailableError
    from clipeval.evaluation import by_spec

    def absent(*_, **__):
        raise MissingExtraError("torch", extra="models")

    monkeypatch.setattr(by_spec, "load_encoder", absent)
    for spec, device in (
        (f"{CONSE}?dtype=bfloat16", "cpu"),
        (f"{CONSE}?device=cuda", "cpu"),
        (f"{PRECLIP}&device=mps", "cpu"),
        (CONSE, "cuda"),
    ):
        with pytest.raises(NotAvailableError, match="stand in only"):
            by_spec.evaluate_spec(spec, embedded, device=device)
    assert by_spec.evaluate_spec(f"{CONSE}?device=cpu", embedded, device="cuda").precomputed


def test_nothing_is_shipped_for_another_dataset(embedded):
    first, *rest = embedded.items
    others = {
        "part": tuple(rest),
        "backwards": embedded.items[::-1],
        "other caption": (Item(first.id, ("a cat",), first.picture, first.category), *rest),
        "other picture": (Item(first.id, first.captions, rest[0].picture, first.category), *rest),
        "no picture": (Item(first.id, first.captions, None, first.category), *rest),
    }
    for name, items in others.items():
        assert precomputed_encoder(PRECLIP, Dataset(name, items)) is None, name
    assert precomputed_encoder(PRECLIP, Dataset("renamed", embedded.items)) is not None


def test_wrong_options_are_refused_as_by_the_model_itself(embedded):
    with pytest.raises(SpecError, match="did you mean 'seed'"):
        precomputed_encoder("preclip:efficientnet-lite0+all-MiniLM-L6-v2?sede=1", embedded)
    with pytest.raises(SpecError, match="'image_tensor'"):
        precomputed_encoder("preclip:efficientnet-lite0+all-MiniLM-L6-v2?image_tensor=x", embedded)


@pytest.mark.parametrize("spec", [PRECLIP, CONSE])
def test_the_shipped_fingerprint_names_the_weights_known_today(spec, embedded, models_extra):
    from clipeval.encoders.image_towers import EFFICIENTNETS
    from clipeval.encoders.text_towers import MINILM_WEIGHTS

    words = precomputed_encoder(spec, embedded).fingerprint
    assert words["image: weights"] == EFFICIENTNETS["efficientnet-lite0"][1].sha256
    assert words["text: weights"] == MINILM_WEIGHTS.sha256


@pytest.mark.parametrize("spec", [PRECLIP, CONSE])
def test_the_shipped_fingerprint_has_the_words_of_todays_encoder(spec, computed, embedded):
    shipped = precomputed_encoder(spec, embedded).fingerprint
    assert set(shipped) == set(computed[spec].fingerprint), "run tools/make_precomputed.py"


def test_shipped_rows_need_no_torch():
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'open_clip', 'torchvision'): sys.modules[name] = None\n"
        "from clipeval.data import load_dataset\n"
        "from clipeval.evaluation import evaluate\n"
        "from clipeval.evaluation.precomputed import precomputed_encoder\n"
        "d = load_dataset('embedded')\n"
        f"for spec in ({PRECLIP!r}, {CONSE!r}):\n"
        "    print(evaluate(precomputed_encoder(spec, d), d).direction('t2i').hit_rate(5) >= 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "True"]


def test_the_shipped_files_are_small_and_readable():
    assert ROWS.stat().st_size < 500_000
    assert set(json.loads(WORDS.read_text(encoding="utf-8"))) == {
        "preclip:efficientnet-lite0+all-MiniLM-L6-v2",
        "conse:efficientnet-lite0+all-MiniLM-L6-v2",
    }
