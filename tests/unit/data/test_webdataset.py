from __future__ import annotations

import gzip
import io
import json
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import load_dataset, read_picture, read_webdataset
from clipeval.data.shards import expand_braces, whole_series
from clipeval.errors import DatasetError, PictureError

PutTar = Callable[[str, dict[str, bytes]], Path]
Encoded = Callable[..., bytes]


def captions(*texts: str, **more: object) -> bytes:
    return json.dumps({"captions": texts, **more}).encode()


def test_json_and_text_captions_in_any_order_of_members(put_tar: PutTar, encoded: Encoded) -> None:
    path = put_tar(
        "val.tar",
        {
            "./a.json": captions("a cat", "a pet", category="cats"),
            "./a.png": encoded(1),
            "sub/b.x.json": b"ignored",
            "c.jpg": encoded(2, kind="JPEG"),
            "c.txt": "un café\nun bar\n".encode(),
            "c.json": json.dumps({"width": 4}).encode(),
            "c.cls": b"7",
            "d.webp": encoded(3, kind="WEBP"),
            "d.json": json.dumps({"caption": "one"}).encode(),
            "d.txt": b"another",
        },
    )
    dataset = read_webdataset(path)
    assert dataset.name == "val"
    assert [(item.id, item.captions, item.category) for item in dataset.items] == [
        ("a", ("a cat", "a pet"), "cats"),
        ("c", ("un café", "un bar"), None),
        ("d", ("one",), None),
    ]
    assert [item.picture.where for item in dataset.items] == [
        "val.tar: a.png",
        "val.tar: c.jpg",
        "val.tar: d.webp",
    ]
    assert [item.picture.read() for item in dataset.items] == [
        encoded(1),
        encoded(2, kind="JPEG"),
        encoded(3, kind="WEBP"),
    ]


@pytest.fixture
def put_series(put_tar: PutTar, encoded: Encoded) -> Callable[..., None]:
    def put(*names: str) -> None:
        for name in names:
            key = name.removesuffix(".tar")
            put_tar(name, {f"{key}.png": encoded(1), f"{key}.json": captions(f"caption of {key}")})

    return put


def test_a_folder_pattern_or_list_of_shards_is_one_dataset_in_order(
    tmp_path: Path, put_series: Callable[..., None]
) -> None:
    put_series("val-002.tar", "val-000.tar", "val-001.tar")
    expected = ("val-000", "val-001", "val-002")
    folder = read_webdataset(tmp_path)
    assert (folder.name, folder.ids) == (tmp_path.name, expected)
    pattern = read_webdataset(tmp_path / "val-*.tar")
    assert (pattern.name, pattern.ids) == ("val", expected)
    assert read_webdataset(str(tmp_path / "val-{000..002}.tar")).ids == expected
    assert read_webdataset([tmp_path / "val-001.tar", tmp_path / "val-000.tar"]).ids == expected[:2]


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("val-000.tar", "val-002.tar"), "shard 1 of the series 'val' is missing: 2 of 3 are there"),
        (("val-002.tar", "val-003.tar"), "shard 1 of the series 'val' is missing"),
        (("val-003.tar",), "shard 1 of the series 'val' is missing"),
        (("val-0-of-3.tar", "val-1-of-3.tar"), "shard 2 of the series 'val' is missing: 2 of 3"),
        (("val-0-of-2.tar",), "shard 1 of the series 'val' is missing: 1 of 2"),
        (("val-0-of-2.tar", "val-1-of-3.tar"), "disagree about how many there are: [2, 3]"),
        (("val-00.tar", "val-000.tar"), "shard 0 is there twice"),
        (("train-000.tar", "val-000.tar"), "shards of 2 series: train, val"),
        ((), "there are no shards"),
    ],
)
def test_an_incomplete_or_mixed_series_is_refused(
    names: tuple[str, ...], what: str, tmp_path: Path, put_series: Callable[..., None]
) -> None:
    put_series(*names)
    with pytest.raises(DatasetError) as caught:
        read_webdataset(tmp_path)
    assert what in caught.value.what


@pytest.mark.parametrize(
    "names", [("val-1.tar", "val-2.tar"), ("pets-2017.tar",), ("pets.tar",), ("000.tar",)]
)
def test_series_from_one_and_single_files_are_whole(
    names: tuple[str, ...], tmp_path: Path, put_series: Callable[..., None]
) -> None:
    put_series(*names)
    assert read_webdataset(tmp_path).n_images == len(names)


def test_a_brace_pattern_promises_all_its_shards(tmp_path: Path, put_series: Callable[..., None]) -> None:
    put_series("val-000.tar", "val-001.tar")
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_webdataset(tmp_path / "val-{000..002}.tar")


def test_one_shard_of_many_is_read_with_a_warning_and_under_its_own_name(
    tmp_path: Path, put_series: Callable[..., None]
) -> None:
    put_series("val-000.tar", "val-001.tar", "train-000.tar")
    with pytest.warns(UserWarning, match=r"'val-001\.tar' is one of 2 shards"):
        dataset = read_webdataset(tmp_path / "val-001.tar")
    assert (dataset.name, dataset.ids) == ("val-001", ("val-001",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_webdataset(tmp_path / "train-000.tar").n_images == 1


def test_a_key_in_two_shards_names_both(tmp_path: Path, put_tar: PutTar, encoded: Encoded) -> None:
    for number in range(2):
        put_tar(f"val-{number}.tar", {"a.png": encoded(1), "a.txt": b"a"})
    with pytest.raises(DatasetError, match="the key 'a' is used twice") as caught:
        read_webdataset(tmp_path)
    assert caught.value.where == "val-0.tar and val-1.tar"


@pytest.mark.parametrize(
    ("members", "what", "where"),
    [
        ({"a.json": captions("a")}, "the key 'a' has no picture", "x.tar"),
        ({"a.png": b"p"}, "the key 'a' has no caption", "x.tar"),
        ({"a.png": b"p", "a.jpg": b"q", "a.txt": b"a"}, "has 2 pictures", "x.tar: a.png, a.jpg"),
        ({"a.png": b"p", "a.json": b"{"}, "not JSON", "x.tar: a.json, line 1, column 2"),
        ({"a.png": b"p", "a.json": b"[]"}, "must hold an object", "x.tar: a.json"),
        ({"a.png": b"p", "a.json": b'{"captoins": ["a"]}'}, "no caption", "x.tar"),
        ({"a.png": b"p", "a.json": captions("a", " ")}, "caption is empty", "x.tar: a.json, caption 1"),
        ({"a.png": b"p", "a.txt": b"\n"}, "no caption", "x.tar: a.txt"),
        ({"a.png": b"p", "a.txt": b"\xff"}, "not UTF-8", "x.tar: a.txt, line 1"),
        ({"a.json": captions("a"), "./a.json": captions("b")}, "there twice", "x.tar"),
        ({"../a.png": b"p", "../a.txt": b"a"}, "leaves the dataset folder", "x.tar: ../a.png"),
        ({"/a.png": b"p", "/a.txt": b"a"}, "leaves the dataset folder", "x.tar: /a.png"),
        ({"README.md": b"hi"}, "hold no pictures", "x"),
    ],
)
def test_a_shard_that_is_wrong_names_the_member(
    members: dict[str, bytes], what: str, where: str, put_tar: PutTar
) -> None:
    path = put_tar("x.tar", members)
    with pytest.raises(DatasetError) as caught:
        read_webdataset(path)
    assert what in caught.value.what
    assert caught.value.where == where


def test_a_misspelt_key_in_the_json_is_pointed_at(put_tar: PutTar) -> None:
    path = put_tar("x.tar", {"a.png": b"p", "a.json": b'{"captoins": ["a"]}'})
    with pytest.raises(DatasetError, match="did you mean 'captoins'"):
        read_webdataset(path)


def test_without_pictures_a_key_is_enough(put_tar: PutTar) -> None:
    (item,) = read_webdataset(put_tar("x.tar", {"a.txt": b"a cat"}), require_pictures=False).items
    assert (item.id, item.picture) == ("a", None)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_devices_and_sparse_files_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(info)
    with pytest.raises(DatasetError, match="not a plain file") as caught:
        read_webdataset(tmp_path / "x.tar")
    assert caught.value.where == "x.tar: a.png"


def test_a_tar_cut_at_any_block_or_inside_one_is_refused(
    tmp_path: Path, put_tar: PutTar, encoded: Encoded
) -> None:
    members = {
        f"{key}.{ending}": data for key in "abc" for ending, data in (("png", encoded(1)), ("txt", b"t"))
    }
    whole = put_tar("x.tar", members).read_bytes()
    end = 6 * 1024  # six members, each a header block and a data block
    assert read_webdataset(tmp_path / "x.tar").ids == ("a", "b", "c")
    cut_file = tmp_path / "cut.tar"
    for cut in [*range(0, end + 1, 512), *range(100, end, 512)]:
        cut_file.write_bytes(whole[:cut])
        with pytest.raises(DatasetError, match="truncated or corrupt") as caught:
            read_webdataset(cut_file)
        assert caught.value.where == "cut.tar"


def test_a_damaged_header_in_the_middle_does_not_end_the_dataset_in_silence(
    tmp_path: Path, put_tar: PutTar, encoded: Encoded
) -> None:
    path = put_tar("x.tar", {"a.png": encoded(1), "a.txt": b"a", "b.png": encoded(1), "b.txt": b"b"})
    data = bytearray(path.read_bytes())
    data[2048] ^= 0xFF  # the first letter of the third member's name: the header's checksum no longer fits
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="no end mark"):
        read_webdataset(path)


def test_two_tars_joined_into_one_file_are_refused(tmp_path: Path, put_tar: PutTar, encoded: Encoded) -> None:
    parts = [
        put_tar(f"{key}.tar", {f"{key}.png": encoded(1), f"{key}.txt": b"t"}).read_bytes() for key in "ab"
    ]
    (tmp_path / "both.tar").write_bytes(b"".join(parts))
    with pytest.raises(DatasetError, match="two tars joined"):
        read_webdataset(tmp_path / "both.tar")


def test_a_compressed_shard_says_so(tmp_path: Path, put_tar: PutTar, encoded: Encoded) -> None:
    path = put_tar("x.tar", {"a.png": encoded(1), "a.txt": b"a"})
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DatasetError, match="the shard is compressed"):
        read_webdataset(path)


@pytest.mark.parametrize("data", [b"", b"this is no tar", b"x" * 2000])
def test_what_is_no_tar_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(DatasetError, match="truncated or corrupt") as caught:
        read_webdataset(tmp_path / "x.tar")
    assert caught.value.where == "x.tar"


def test_a_shard_that_shrinks_after_loading_is_noticed_when_read(put_tar: PutTar, encoded: Encoded) -> None:
    path = put_tar("x.tar", {"a.png": encoded(1), "a.txt": b"a"})
    (item,) = read_webdataset(path).items
    path.write_bytes(path.read_bytes()[:520])
    with pytest.raises(PictureError, match="ends inside this picture") as caught:
        read_picture(item.picture)
    assert caught.value.where == "x.tar: a.png"


def test_a_truncated_picture_names_shard_and_member(put_tar: PutTar, encoded: Encoded) -> None:
    path = put_tar("x.tar", {"a.png": encoded(1)[:40], "a.txt": b"a"})
    (item,) = read_webdataset(path).items
    with pytest.raises(PictureError) as caught:
        read_picture(item.picture)
    assert caught.value.where == "x.tar: a.png"


def test_the_real_flickr8k_validation_shard(reference_data: Path) -> None:
    dataset = load_dataset(reference_data / "flickr8k" / "flickr8k-val-000.tar")
    assert (dataset.name, dataset.n_images, dataset.n_captions) == ("flickr8k-val-000", 1000, 5000)
    assert {len(item.captions) for item in dataset.items} == {5}
    assert dataset.items[0].id == "2090545563_a4e66ec76b"
    assert dataset.items[0].captions[1] == "Two girls play on a skateboard in a courtyard ."
    for item in dataset.items[::250]:
        assert read_picture(item.picture).size == (224, 224)
    with tarfile.open(reference_data / "flickr8k" / "flickr8k-val-000.tar") as archive:
        member = archive.extractfile(f"{dataset.items[-1].id}.jpg")
        assert member is not None
        assert dataset.items[-1].picture.read() == member.read()


def test_the_real_flickr8k_rows_are_in_the_order_of_the_stored_features(reference_data: Path) -> None:
    folder = reference_data / "flickr8k"
    ids = json.loads((folder / "features-ids.json").read_text())
    assert list(load_dataset(folder / "flickr8k-val-*.tar").ids) == ids["val"]
    train = load_dataset(str(folder / "flickr8k-train-{000..005}.tar"))
    assert (train.name, train.n_captions) == ("flickr8k-train", 30_000)
    assert list(train.ids) == ids["train"]


def test_the_real_flickr8k_folder_holds_two_splits_and_is_not_mixed(reference_data: Path) -> None:
    with pytest.raises(DatasetError, match="shards of 2 series: flickr8k-train, flickr8k-val"):
        read_webdataset(reference_data / "flickr8k")


def test_members_stay_where_they_are(tmp_path: Path, put_tar: PutTar, encoded: Encoded) -> None:
    path = put_tar("x.tar", {"a.png": encoded(1), "a.txt": b"a"})
    (item,) = read_webdataset(path).items
    assert io.BytesIO(item.picture.read()).read(4) == b"\x89PNG"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.tar"]


@pytest.mark.parametrize("braces", ["{000..99999999999}", "{0..1000000}", "{0.." + "9" * 5000 + "}"])
def test_a_pattern_of_absurdly_many_shards_is_refused_at_once(braces: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="more than 1,000,000 files"):
        expand_braces(f"x{braces}.tar")
    with pytest.raises(DatasetError, match=r"more than 1,000,000 files|File name too long"):
        load_dataset(tmp_path / f"x{braces}.tar")


def test_a_shard_that_promises_any_number_of_others_is_refused_at_once() -> None:
    with pytest.raises(DatasetError, match="shard 1 of the series 'x' is missing: 1 of 99999999999"):
        whole_series([Path("x-00000-of-99999999999.tar")], where="x")
