"""From a spec to an encoder: the families, and what the user may choose."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.encoders.load import FAMILIES, check_family
from clipeval.errors import NotAvailableError, SpecError


def load_foreign(spec, options):
    """Stands for what an installed package contributes."""
    return ("foreign", spec.name, options.batch_size)


def test_an_unknown_family_is_refused_with_the_nearest():
    with pytest.raises(SpecError, match="unknown family 'openclip'") as caught:
        load_encoder("openclip:ViT-B-32/openai")
    assert "did you mean 'open_clip'" in str(caught.value)


def test_every_family_has_a_module_with_a_loader():
    from importlib import import_module

    for family, module in FAMILIES.items():
        assert callable(import_module(f"clipeval.encoders.{module}").load), family


def test_a_family_of_an_installed_package_is_found(monkeypatch):
    point = EntryPoint("foreign", f"{__name__}:load_foreign", "clipeval.encoders")
    monkeypatch.setattr("clipeval.encoders.user.entry_points", lambda *, group: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda self: load_foreign)
    assert load_encoder("foreign:thing", batch_size=3) == ("foreign", "thing", 3)
    with pytest.raises(SpecError, match="did you mean 'foreign'"):
        load_encoder("foregn:thing")


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_size_below_one_is_refused(size):
    with pytest.raises(SpecError, match=f"the batch size is {size}"):
        load_encoder("frozen:x.npy", batch_size=size)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"dtype": "float23"}, "did you mean 'float32'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_an_unknown_dtype_or_device_is_refused(models_extra, choice, words):
    with pytest.raises(SpecError, match=words):
        load_encoder("preclip:efficientnet-lite0+all-MiniLM-L6-v2", **choice)


def test_a_device_that_is_not_here_is_not_available(models_extra):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(NotAvailableError, match="'cuda' is not here"):
        load_encoder("preclip:efficientnet-lite0+all-MiniLM-L6-v2", device="cuda")


@pytest.mark.parametrize(
    ("family", "folder"),
    [("hf", "clip_folder"), ("hf", "siglip_folder"), ("hf", "siglip2_folder"), ("st", "clip_folder")],
)
def test_dtype_and_device_of_a_spec_go_before_the_options_of_the_call(
    family, folder, request, pictures, captions
):
    path = request.getfixturevalue(folder)
    exact = load_encoder(f"{family}:{path}")
    spec = f"{family}:{path}?dtype=bfloat16&device=cpu"
    half = load_encoder(spec, dtype="float64", device="no such device")
    assert (half.name, half.fingerprint["dtype"], half.fingerprint["device"]) == (spec, "bfloat16", "cpu")
    for one, other in (
        (exact.encode_images(pictures), half.encode_images(pictures)),
        (exact.encode_texts(captions), half.encode_texts(captions)),
    ):
        assert 0 < np.abs(one - other).max() < 0.1 * np.abs(one).max()


@pytest.mark.parametrize("family", ["preclip", "conse"])
def test_the_dtype_of_a_spec_reaches_both_towers(models_extra, family):
    spec = f"{family}:efficientnet-lite0+all-MiniLM-L6-v2?dtype=bfloat16"
    encoder = load_encoder(spec, offline=True)
    assert encoder.name == spec
    assert encoder.fingerprint["image: dtype"] == encoder.fingerprint["text: dtype"] == "bfloat16"
    exact = load_encoder(spec.partition("?")[0], offline=True)
    one, other = (e.text_tower.encode_texts(["a dog"]) for e in (encoder, exact))
    assert 0 < np.abs(one - other).max() < 0.1 * np.abs(other).max()


def test_the_dtype_of_a_spec_reaches_open_clip(models_extra):
    spec = "open_clip:ViT-B-32?dtype=bfloat16"
    encoder = load_encoder(spec, allow_random_init=True, offline=True)
    assert (encoder.name, encoder.fingerprint["dtype"]) == (spec, "bfloat16")


@pytest.mark.parametrize("option", ["dtype=float32", "device=cpu", "layout=channels-last"])
@pytest.mark.parametrize("name", ["frozen:x.npy", "preclip:frozen:a.npy+frozen:b.npy"])
def test_stored_rows_have_no_dtype_or_device_to_choose(name, option):
    for refuse in (load_encoder, check_family):
        with pytest.raises(SpecError, match=f"option '{option[:5]}.*means nothing for frozen rows"):
            refuse(f"{name}?{option}")


def test_an_unknown_dtype_of_a_spec_is_refused_before_anything_is_loaded():
    for refuse in (load_encoder, check_family):
        with pytest.raises(SpecError, match="unknown dtype 'float23'") as caught:
            refuse("hf:no/such-model?dtype=float23")
        assert "did you mean 'float32'" in str(caught.value)
        assert "where: hf:no/such-model?dtype=float23" in str(caught.value)


def test_an_unknown_layout_of_a_spec_is_refused_before_anything_is_loaded():
    for refuse in (load_encoder, check_family):
        with pytest.raises(SpecError, match="unknown layout 'channels_last'") as caught:
            refuse("hf:no/such-model?layout=channels_last")
        assert "did you mean 'channels-last'" in str(caught.value)


def test_sentence_transformers_has_no_layout_to_choose(models_extra):
    with pytest.raises(SpecError, match="lays its networks out itself"):
        load_encoder("st:no/such-model?layout=channels-last")


def test_a_mistyped_dtype_or_device_is_offered_where_the_family_takes_them(models_extra):
    with pytest.raises(SpecError, match="did you mean 'dtype'"):
        load_encoder("hf:no/such-model?dtyp=float16")
    with pytest.raises(SpecError, match="known: ids, images, texts"):
        load_encoder("frozen:x.npy?dtyp=float16")


def test_an_unknown_device_of_a_spec_is_refused(models_extra):
    with pytest.raises(SpecError, match="unknown device 'gpu'"):
        load_encoder("preclip:efficientnet-lite0+all-MiniLM-L6-v2?device=gpu")


def test_a_family_of_an_installed_package_gets_dtype_and_device_as_load_options(monkeypatch):
    point = EntryPoint("foreign", f"{__name__}:load_foreign", "clipeval.encoders")
    monkeypatch.setattr("clipeval.encoders.user.entry_points", lambda *, group: [point])
    monkeypatch.setattr(EntryPoint, "load", lambda self: lambda spec, options: (dict(spec.options), options))
    rest, options = load_encoder("foreign:thing?device=cuda:1&x=1&dtype=float16")
    assert (rest, options.device, options.dtype) == ({"x": "1"}, "cuda:1", "float16")


def test_dtype_and_device_of_the_users_own_factory_are_its_own_keywords(tmp_path, monkeypatch):
    (tmp_path / "own_placement.py").write_text(
        "class Mine:\n"
        "    fingerprint = {}\n"
        "    encode_images = encode_texts = lambda self, values: [[1.0]] * len(values)\n"
        "def make(device='unset'):\n"
        "    made = Mine()\n"
        "    made.fingerprint = {'device': device}\n"
        "    return made\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    encoder = load_encoder("python:own_placement:make?device=cuda:7")
    assert encoder.fingerprint["device"] == "cuda:7"
    with pytest.raises(SpecError, match="unknown option 'dtype'"):
        load_encoder("python:own_placement:make?dtype=float16")


def test_the_role_of_a_model_does_not_depend_on_its_dtype():
    from clipeval.claims.roles import role_of

    spec = "preclip:efficientnet-lite0+all-MiniLM-L6-v2?seed=1"
    assert role_of(f"{spec}&dtype=bfloat16&device=cuda") == role_of(spec)


def test_the_name_of_a_loaded_encoder_is_the_spec(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32).reshape(2, 2, 4))
    assert load_encoder(f"frozen:{tmp_path}/rows.npy").name == f"frozen:{tmp_path}/rows.npy"


def test_loading_frozen_embeddings_imports_no_torch(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32).reshape(2, 2, 4))
    code = (
        "import sys, clipeval\n"
        f"clipeval.load_encoder({f'frozen:{tmp_path}/rows.npy'!r})\n"
        "print(sorted({'torch', 'transformers', 'open_clip'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
