"""What a spec may say about a bridge that is learned, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.core.bridges.fit import Wish
from clipeval.encoders.learned import UnlearnedPreClip
from clipeval.errors import EncoderError, SpecError


@pytest.fixture
def towers(tmp_path):
    np.savez(tmp_path / "rows.npz", images=np.eye(6), texts=np.ones((6, 4)))
    return f"preclip:frozen:{tmp_path}/rows.npz+frozen:{tmp_path}/rows.npz"


@pytest.mark.parametrize(
    ("query", "wish", "fit"),
    [
        ("projection=ridge&fit=photos/", Wish("ridge"), "photos/"),
        ("projection=ridge&fit=photos/&part=train", Wish("ridge"), "photos/#train"),
        ("projection=ridge&fit=p#train&project=text", Wish("ridge", project="text"), "p#train"),
        ("projection=ridge&fit=p&strength=0.5&seed=7", Wish("ridge", strength=0.5, seed=7), "p"),
        ("projection=cca&fit=p&dim=3&penalty=1", Wish("cca", dim=3, penalty=1.0), "p"),
        ("projection=asif&fit=p&top=10&power=4", Wish("asif", top=10, power=4.0), "p"),
        ("projection=relative&fit=train-*.tar", Wish("relative"), "train-*.tar"),
    ],
)
def test_a_spec_says_what_is_learned_and_from_where(towers, query, wish, fit):
    encoder = load_encoder(f"{towers}?{query}")
    assert isinstance(encoder, UnlearnedPreClip)
    assert (encoder.wish, encoder.fit) == (wish, fit)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("projection=ridge", "none are named"),
        ("projection=ridje&fit=p", "did you mean 'ridge'"),
        ("projection=gaussian&fit=p", "which learns nothing"),
        ("fit=p", "which learns nothing"),
        ("projection=ridge&fit=p&penalty=1", "'penalty' means nothing for projection=ridge"),
        ("projection=procrustes&fit=p&project=text", "its own are: none"),
        ("projection=cca&fit=p&rng=clipeval", "'rng' is for gaussian"),
        ("projection=asif&fit=p&power=much", "write a number"),
        ("projection=cca&fit=p&dim=1.5", "write a whole number"),
        ("projection=cca&fit=p&part=half", "option 'part' is 'half'"),
        ("projection=ridge&fit=b.safetensors&strength=1", "comes too late"),
        ("projection=ridge&fit=b.safetensors&part=train", "comes too late"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(towers, query, words):
    with pytest.raises(SpecError, match=words):
        load_encoder(f"{towers}?{query}")


def test_several_arrays_of_a_file_are_one_tower(tmp_path):
    np.savez(tmp_path / "rows.npz", train=np.eye(3), val=2 * np.eye(3)[:2], texts=np.ones((5, 4)))
    (tmp_path / "ids.json").write_text('{"train": ["a", "b", "c"], "val": ["d", "e"], "texts": ["1"]}')
    rows = f"frozen:{tmp_path}/rows.npz"
    tower = load_encoder(f"preclip:{rows}+{rows}?image_tensor=train,val&image_ids=ids.json").image_tower
    assert tower.play_images(["e", "a"]).tolist() == [[0, 2, 0], [1, 0, 0]]
    assert tower.fingerprint["array"].startswith("train,val, 5 x 3")


@pytest.mark.parametrize(
    ("second", "ids", "words"),
    [
        (np.eye(4), '{"train": ["a", "b", "c"], "val": ["d", "e", "f", "g"]}', "different widths: 3, 4"),
        (np.eye(3), '{"train": ["a", "b", "c"], "val": ["c", "d", "e"]}', "the id 'c' is used twice"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path, second, ids, words):
    np.savez(tmp_path / "rows.npz", train=np.eye(3), val=second, texts=np.ones((5, 4)))
    (tmp_path / "ids.json").write_text(ids)
    rows = f"frozen:{tmp_path}/rows.npz"
    with pytest.raises(EncoderError, match=words):
        load_encoder(f"preclip:{rows}+{rows}?image_tensor=train,val&image_ids=ids.json")
