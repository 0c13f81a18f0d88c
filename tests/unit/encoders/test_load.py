"""From a spec to an encoder: the families, and what the user may choose."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.encoders.load import FAMILIES
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
