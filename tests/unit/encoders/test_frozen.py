"""Embeddings on disk, played back by id."""

from __future__ import annotations

import hashlib
import json
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from clipeval.encoders.base import Playback
from clipeval.encoders.frozen import load, load_frozen_tower
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import parse_spec
from clipeval.errors import EncoderError, NotAvailableError, SpecError

IDS = ["a", "b", "c"]
CAPTION_IDS = ["a#0", "a#1", "b#0", "c#0"]


def encoder_of(path, query=""):
    return load(parse_spec(f"frozen:{path}{query}"), LoadOptions())


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture
def texts():
    return np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)


@pytest.fixture
def npz(tmp_path, images, texts):
    path = tmp_path / "two.npz"
    np.savez(path, images=images, texts=texts, image_ids=np.array(IDS), caption_ids=np.array(CAPTION_IDS))
    return path


@pytest.fixture
def tensors(tmp_path, images, texts):
    path = tmp_path / "two.safetensors"
    ids = {"image_ids": json.dumps(IDS), "caption_ids": json.dumps(CAPTION_IDS)}
    save_file({"images": images, "texts": texts}, path, metadata=ids)
    return path


@pytest.mark.parametrize("kind", ["npz", "tensors"])
def test_rows_are_found_by_id_in_any_order_and_any_selection(kind, request, images, texts):
    encoder = encoder_of(request.getfixturevalue(kind))
    assert isinstance(encoder.image_tower, Playback)
    np.testing.assert_array_equal(encoder.play_images(["c", "a"]), images[[2, 0]])
    np.testing.assert_array_equal(encoder.play_texts(["b#0", "a#1", "b#0"]), texts[[2, 1, 2]])


def test_an_npy_of_two_holds_images_then_texts_in_the_datasets_order(tmp_path):
    both = np.random.default_rng(2).normal(size=(2, 5, 3))
    np.save(tmp_path / "both.npy", both)
    encoder = encoder_of(tmp_path / "both.npy")
    names = [f"item{n}" for n in range(5)]
    np.testing.assert_array_equal(encoder.play_images(names), both[0].astype(np.float32))
    np.testing.assert_array_equal(encoder.play_texts([f"{n}#0" for n in names]), both[1].astype(np.float32))


def test_without_ids_the_counts_must_match_exactly(tmp_path):
    np.save(tmp_path / "both.npy", np.ones((2, 5, 3), dtype=np.float32))
    encoder = encoder_of(tmp_path / "both.npy")
    with pytest.raises(EncoderError, match="5 rows without ids, but the dataset has 4 images"):
        encoder.play_images(["a"] * 4)
    with pytest.raises(EncoderError, match="5 rows without ids, but the dataset has 6 texts"):
        encoder.play_texts(["a"] * 6)


def test_a_played_row_can_be_changed_without_changing_the_next(tmp_path):
    np.save(tmp_path / "both.npy", np.ones((2, 2, 3), dtype=np.float32))
    encoder = encoder_of(tmp_path / "both.npy")
    encoder.play_images(["a", "b"])[:] = 7
    assert encoder.play_images(["a", "b"]).max() == 1


def test_missing_ids_are_counted_and_the_first_is_named(npz):
    with pytest.raises(EncoderError, match=r"2 of 3 ids have no images here, the first is 'x'"):
        encoder_of(npz).play_images(["a", "x", "y"])
    with pytest.raises(EncoderError, match=r"1 of 2 ids have no texts here, the first is 'a'"):
        encoder_of(npz).play_texts(["a", "a#0"])


def test_frozen_embeddings_encode_nothing_new(npz):
    encoder = encoder_of(npz)
    for call in (encoder.encode_images, encoder.encode_texts):
        with pytest.raises(EncoderError, match="played back by id"):
            call([])
    tower = load_frozen_tower(npz, modality="images")
    for call in (tower.encode_images, tower.encode_texts):
        with pytest.raises(EncoderError, match="played back by id"):
            call([])
    with pytest.raises(EncoderError, match="plays back images, not texts"):
        tower.play_texts(["a#0"])


def test_other_array_names_can_be_chosen_and_wrong_ones_show_the_near_one(tmp_path, images):
    path = tmp_path / "named.npz"
    np.savez(path, picture=images, caption=images)
    encoder = encoder_of(path, "?images=picture&texts=caption")
    np.testing.assert_array_equal(encoder.play_texts(["x", "y", "z"]), images)
    with pytest.raises(EncoderError, match="no array 'pictur'") as caught:
        encoder_of(path, "?images=pictur&texts=caption")
    assert "did you mean 'picture'" in str(caught.value)
    with pytest.raises(SpecError, match="did you mean 'images'"):
        encoder_of(path, "?image=picture")


def test_ids_beside_the_file_are_used(tmp_path, images, texts):
    np.savez(tmp_path / "set.npz", images=images, texts=texts)
    (tmp_path / "set-ids.json").write_text(json.dumps({"image_ids": IDS, "caption_ids": CAPTION_IDS}))
    encoder = encoder_of(tmp_path / "set.npz")
    np.testing.assert_array_equal(encoder.play_images(["b"]), images[[1]])
    np.testing.assert_array_equal(encoder.play_texts(["c#0"]), texts[[3]])


def test_one_tower_takes_a_plain_list_of_ids(tmp_path, images):
    np.save(tmp_path / "features.npy", images)
    (tmp_path / "names.json").write_text(json.dumps(IDS))
    tower = load_frozen_tower(tmp_path / "features.npy", modality="images", ids="names.json")
    np.testing.assert_array_equal(tower.play_images(["c", "b"]), images[[2, 1]])
    assert tower.width == 4
    with pytest.raises(EncoderError, match=r"did you mean 'names\.json'"):
        load_frozen_tower(tmp_path / "features.npy", modality="images", ids="name.json")


def test_the_only_array_of_a_file_needs_no_name(tmp_path, images):
    save_file({"features": images.astype(np.float16)}, tmp_path / "one.safetensors")
    tower = load_frozen_tower(tmp_path / "one.safetensors", modality="images")
    rows = tower.play_images(IDS)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, images.astype(np.float16).astype(np.float32))
    assert "stored as float16" in tower.fingerprint["array"]


def test_widths_that_differ_are_named(tmp_path):
    np.savez(tmp_path / "w.npz", images=np.ones((2, 3)), texts=np.ones((2, 5)))
    with pytest.raises(EncoderError, match="image rows have 3 columns, text rows 5"):
        encoder_of(tmp_path / "w.npz")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_refused_by_its_number(tmp_path, value):
    both = np.ones((2, 6, 3), dtype=np.float32)
    both[1, 4, 2] = value
    np.save(tmp_path / "n.npy", both)
    with pytest.raises(
        EncoderError, match=r"row 4 holds NaN or infinity \(\d+ of \d+ rows do\)(.|\n)*to do: embed"
    ):
        encoder_of(tmp_path / "n.npy")


def test_a_double_that_overflows_float32_is_refused_by_its_row(tmp_path):
    both = np.ones((2, 3, 3))
    both[0, 1, 0] = 1e300
    np.save(tmp_path / "o.npy", both)
    with pytest.raises(EncoderError, match="row 1 holds"):
        encoder_of(tmp_path / "o.npy")


def test_the_fingerprint_is_the_files_hash_without_its_folder(npz):
    said = encoder_of(npz).fingerprint
    assert said["weights"] == hashlib.sha256(npz.read_bytes()).hexdigest()
    assert said["model"] == "two.npz"
    assert str(npz.parent) not in json.dumps(dict(said))


def test_other_ids_change_the_fingerprint(tmp_path, images):
    np.save(tmp_path / "f.npy", images)
    words = []
    for ids in (IDS, IDS[::-1]):
        (tmp_path / "f-ids.json").write_text(json.dumps(ids))
        words.append(load_frozen_tower(tmp_path / "f.npy", modality="images").fingerprint)
    assert words[0] != words[1]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ("{", "not JSON"),
        ('["a", "b"]', "2 ids for 3 rows"),
        ('["a", "b", "a"]', "'a' is used twice"),
        ('["a", "b", null]', "list of strings"),
        ('{"other": []}', "no ids for"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_broken_ids_are_refused(ids, words, tmp_path, images):
    np.save(tmp_path / "f.npy", images)
    (tmp_path / "f-ids.json").write_text(ids)
    with pytest.raises(EncoderError, match=words):
        load_frozen_tower(tmp_path / "f.npy", modality="images")


def _objects(path):
    np.save(path, np.array([[object()]], dtype=object), allow_pickle=True)


def _promises_too_much(path):
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f4", "fortran_order": False, "shape": (2, 10**9, 10**6)}
        )
        stream.write(b"\0" * 64)


def _cut(path):
    np.save(path, np.ones((2, 50, 50)))
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "write",
    [
        _objects,
        _promises_too_much,
        _cut,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not numpy at all"),
        lambda path: np.save(path, np.ones((2, 3, 3), dtype=np.int64)),
        lambda path: np.save(path, np.ones((2, 3, 3), dtype=np.complex64)),
        lambda path: np.save(path, np.ones((3, 3, 3))),
        lambda path: np.save(path, np.ones((2, 0, 3))),
        lambda path: np.save(path, np.float32(3)),
    ],
    ids=["objects", "promises", "cut", "empty", "text", "integers", "complex", "three", "no-rows", "scalar"],
)
def test_hostile_and_broken_npy_files_are_refused(write, tmp_path):
    write(tmp_path / "x.npy")
    with pytest.raises(EncoderError, match=r"x\.npy"):
        encoder_of(tmp_path / "x.npy")


def _member_promises_too_much(path):
    inner = path.with_name("inner.npy")
    _promises_too_much(inner)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "images.npy")
        archive.write(inner, "texts.npy")


def _cut_npz(path):
    np.savez(path, images=np.ones((9, 9)), texts=np.ones((9, 9)))
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    "write",
    [
        _member_promises_too_much,
        _cut_npz,
        lambda path: path.write_bytes(b"PK\x03\x04junk"),
        lambda path: np.savez(path, images=np.array([["a"]], dtype=object), texts=np.ones((1, 1))),
        lambda path: np.savez(path, images=np.ones((2, 2)), texts=np.ones((2, 2)), image_ids=np.ones((2, 2))),
    ],
    ids=["promises", "cut", "junk", "objects", "ids"],
)
def test_hostile_and_broken_npz_files_are_refused(write, tmp_path):
    write(tmp_path / "x.npz")
    with pytest.raises(EncoderError, match=r"x\.npz"):
        encoder_of(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, b'\x08\0\0\0\0\0\0\0{"a": 1}', b"\x02\0\0\0\0\0\0\0{}"]
)
def test_hostile_and_broken_safetensors_are_refused(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(EncoderError, match=r"x\.safetensors"):
        encoder_of(tmp_path / "x.safetensors")


def test_absent_files_folders_and_other_endings_say_what_is_read(tmp_path):
    for name, words, kind in [
        ("no.npy", "there is no file", NotAvailableError),
        (".", "is a folder", EncoderError),
    ]:
        with pytest.raises(kind, match=words):
            load_frozen_tower(tmp_path / name, modality="images")
    (tmp_path / "x.pt").write_bytes(b"")
    with pytest.raises(EncoderError, match=r"'\.pt' files"):
        load_frozen_tower(tmp_path / "x.pt", modality="images")


def test_the_coco_features_are_played_back_as_stored(reference_data):
    path = reference_data / "clip-coco500" / "features_clip.npy"
    stored = np.load(path, allow_pickle=False)
    encoder = encoder_of(path)
    names = [f"item{n}" for n in range(500)]
    np.testing.assert_array_equal(encoder.play_images(names), stored[0])
    np.testing.assert_array_equal(encoder.play_texts([f"{n}#0" for n in names]), stored[1])


def test_the_flickr_features_serve_as_one_tower_by_the_shards_keys(reference_data):
    from safetensors import safe_open

    folder = reference_data / "flickr8k"
    path = folder / "features-resnet50.safetensors"
    tower = load_frozen_tower(path, modality="images", tensor="val", ids="features-ids.json")
    with safe_open(path, framework="numpy") as file:
        stored = file.get_tensor("val")
    ids = json.loads((folder / "features-ids.json").read_text())["val"]
    chosen = [ids[900], ids[3]]
    np.testing.assert_array_equal(tower.play_images(chosen), stored[[900, 3]].astype(np.float32))
    with pytest.raises(EncoderError, match="did you mean"):
        load_frozen_tower(path, modality="images", tensor="vall", ids="features-ids.json")


@pytest.mark.parametrize("ending", ["npy", "npz", "safetensors"])
def test_whole_numbers_are_refused_with_the_way_to_convert_them(ending, tmp_path):
    path = tmp_path / f"rows.{ending}"
    rows = np.ones((2, 3), dtype=np.int8)
    if ending == "npy":
        np.save(path, np.stack([rows, rows]))
    elif ending == "npz":
        np.savez(path, images=rows, texts=rows)
    else:
        save_file({"images": rows, "texts": rows.copy()}, path)
    with pytest.raises(EncoderError, match="stored as") as caught:
        load_frozen_tower(path, modality="images")
    assert "rows.astype('float32')" in str(caught.value.fix)
    assert "scale" in str(caught.value.fix)
