"""What breaks in a worker comes back as what it is, and names the item; no Ray is needed for that."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from clipeval.cluster.tasks import Encoding, TowerRecipe, decoded
from clipeval.data.dataset import PictureSource
from clipeval.data.load import load_dataset
from clipeval.encoders.load import load_encoder
from clipeval.errors import EncoderError, PictureError
from clipeval.evaluation.elsewhere import NamedPicture

ENCODER = """
import numpy as np

class Encoder:
    def __init__(self, weights):
        self.fingerprint = {"weights": weights}

    def encode_images(self, pictures):
        return np.array([np.asarray(p).mean((0, 1)) for p in pictures], dtype=np.float32)

    def encode_texts(self, texts):
        raise ZeroDivisionError("a bug of the user's")

def make(weights="one"):
    return Encoder(weights)
"""


def row(content: Any) -> dict[str, Any]:
    return {"number": 3, "ids": ["a"], "content": pickle.dumps(content), "failure": b"", "item": ""}


def broken() -> bytes:
    return b"no picture"


@pytest.fixture
def mine(tmp_path, monkeypatch) -> str:
    (tmp_path / "mine_tasks.py").write_text(ENCODER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "python:mine_tasks:make"


def recipe(spec: str, side: str) -> TowerRecipe:
    encoder = load_encoder(spec)
    tower = encoder.image_tower if side == "images" else encoder.text_tower
    return TowerRecipe(spec, {}, side, dict(tower.fingerprint))


def named_pictures(n: int) -> list[NamedPicture]:
    data = load_dataset("embedded")
    return [
        NamedPicture(item.id, item.picture, digest)
        for item, digest in zip(data.items[:n], data.picture_hashes, strict=False)
        if item.picture is not None
    ]


def test_a_batch_goes_through_both_stages(mine) -> None:
    pictures = named_pictures(5)
    found = Encoding(recipe(mine, "images"))(decoded(row(pictures)))
    assert found["failure"] == b""
    rows = pickle.loads(found["content"])  # noqa: S301
    arrays = pickle.loads(decoded(row(pictures))["content"])  # noqa: S301
    np.testing.assert_array_equal(rows, np.array([a.mean((0, 1)) for a in arrays], dtype=np.float32))


def test_a_picture_that_cannot_be_decoded_passes_the_network_as_the_error_that_it_is(mine) -> None:
    bad = NamedPicture("the bad one", PictureSource("bad.png", broken), "")
    first = decoded(row([NamedPicture(bad.item, bad.source, _sha256(broken()))]))
    assert first["item"] == "the bad one"
    found = Encoding(recipe(mine, "images"))(first)
    error = pickle.loads(found["failure"])  # noqa: S301
    assert isinstance(error, PictureError)
    assert (error.what, error.where) == ("this is not a picture of an accepted format", "bad.png")


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def test_another_model_on_a_worker_is_refused_and_the_difference_named(mine) -> None:
    other = TowerRecipe(mine, {}, "texts", {**recipe(mine, "texts").fingerprint, "weights": "two"})
    error = pickle.loads(Encoding(other)(row(["a"]))["failure"])  # noqa: S301
    assert isinstance(error, EncoderError)
    assert "'weights' is 'one' there, 'two' where the command runs" in error.what


def test_what_breaks_in_the_network_is_laid_to_no_single_picture(mine) -> None:
    pictures = named_pictures(2)
    other = TowerRecipe(mine, {}, "images", {"weights": "two"})
    found = Encoding(other)(decoded(row(pictures)))
    assert found["failure"]
    assert found["item"] == ""


def test_a_bug_in_the_users_encoder_is_told_not_lost(mine) -> None:
    error = pickle.loads(Encoding(recipe(mine, "texts"))(row(["a"]))["failure"])  # noqa: S301
    assert "a bug of the user's" in str(error)
