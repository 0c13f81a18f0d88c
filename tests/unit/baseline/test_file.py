"""Saving and loading: what stands in the folder afterwards, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from clipeval.baseline.file import check_target, load_baseline, save_baseline
from clipeval.baseline.snapshot import Snapshot
from clipeval.errors import BaselineError


@pytest.fixture(autouse=True)
def _locks_elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def kept(snapshot, pairs) -> Snapshot:
    return snapshot(*pairs(5, per_image=2), per_image=2, model="old")


@pytest.fixture
def other(snapshot, pairs) -> Snapshot:
    return snapshot(*pairs(5, per_image=2, seed=1), per_image=2, model="new")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_but_the_file_stands_in_the_folder(tmp_path, kept) -> None:
    path = tmp_path / "deep" / "er" / "clip.json"
    assert save_baseline(path, kept) == (path,)
    assert _names(path.parent) == ["clip.json"]
    assert path.read_bytes().endswith(b"\n}\n")
    assert b"\r" not in path.read_bytes()


def test_what_is_loaded_answers_like_what_was_saved(tmp_path, kept) -> None:
    save_baseline(tmp_path / "clip.json", kept)
    found = load_baseline(tmp_path / "clip.json")
    for direction in ("i2t", "t2i"):
        np.testing.assert_array_equal(found.direction(direction).ranks(), kept.direction(direction).ranks())
    assert (found.model, found.data, found.items) == ("old", "toy", kept.items)
    assert (found.images, found.texts, found.notes) == (None, None, ())


def test_the_same_snapshot_gives_the_same_bytes(tmp_path, kept, snapshot, pairs) -> None:
    again = snapshot(*pairs(5, per_image=2), per_image=2, model="old", order=[4, 2, 0, 1, 3])
    names = []
    for folder, one in (("a", kept), ("b", again)):
        names.append(
            [path.name for path in save_baseline(tmp_path / folder / "clip.json", one, embeddings=True)]
        )
    assert names[0] == names[1]
    for name in names[0]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_loaded_baseline_saved_again_is_the_same_file(tmp_path, kept) -> None:
    save_baseline(tmp_path / "clip.json", kept)
    save_baseline(tmp_path / "again.json", load_baseline(tmp_path / "clip.json"))
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "clip.json").read_bytes()


def test_embeddings_come_back_to_the_bit(tmp_path, kept) -> None:
    path, rows = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    assert _names(tmp_path) == sorted([path.name, rows.name])
    found = load_baseline(path)
    np.testing.assert_array_equal(found.images, kept.images)
    np.testing.assert_array_equal(found.texts, kept.texts)
    with safe_open(rows, framework="numpy") as file:  # the library reads what clipeval wrote
        assert sorted(file.keys()) == ["images", "texts"]
        assert file.metadata() == {"format": "clipeval baseline embeddings", "version": "1"}


def test_absent_embeddings_are_a_note_not_an_error(tmp_path, kept) -> None:
    path, rows = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    rows.unlink()
    found = load_baseline(path)
    assert (found.images, found.texts) == (None, None)
    assert found.notes == (
        f"the baseline's embeddings are not here: '{rows.name}' is not beside the baseline",
    )


def test_embeddings_that_git_lfs_did_not_fetch_are_a_note(tmp_path, kept) -> None:
    path, rows = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    rows.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 640\n")
    assert "git lfs pull" in load_baseline(path).notes[0]


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-1], lambda b: b[:-1] + b"\x7f", lambda b: b"", lambda b: b + b"x"]
)
def test_other_embeddings_are_refused_by_name(tmp_path, kept, spoil) -> None:
    path, rows = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    rows.write_bytes(spoil(rows.read_bytes()))
    with pytest.raises(BaselineError, match="SHA-256 differs") as caught:
        load_baseline(path)
    assert caught.value.where == str(rows)


def test_a_pipe_in_the_place_of_embeddings_is_not_waited_for(tmp_path, kept) -> None:
    path, rows = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    rows.unlink()
    os.mkfifo(rows)
    with pytest.raises(BaselineError, match="this is a pipe"):
        load_baseline(path)


def test_rows_that_contradict_their_hash_are_not_written(tmp_path, kept, other) -> None:
    with pytest.raises(BaselineError, match="'images' has another hash"):
        save_baseline(tmp_path / "clip.json", replace(kept, images=other.images), embeddings=True)
    with pytest.raises(BaselineError, match="no embeddings to keep"):
        save_baseline(tmp_path / "clip.json", replace(kept, images=None), embeddings=True)
    assert _names(tmp_path) == []


def test_a_baseline_is_replaced_only_if_that_is_meant(tmp_path, kept, other) -> None:
    path = tmp_path / "clip.json"
    save_baseline(path, kept)
    with pytest.raises(BaselineError, match="there is a file already"):
        save_baseline(path, other)
    with pytest.raises(BaselineError, match="there is a file already"):
        check_target(path)
    assert load_baseline(path).model == "old"
    check_target(path, replace=True)
    save_baseline(path, other, replace=True)
    assert load_baseline(path).model == "new"


def test_new_embeddings_take_the_place_of_old_ones_and_of_nothing_else(tmp_path, kept, other) -> None:
    path, old = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    _, beside = save_baseline(tmp_path / "clip-2.json", kept, embeddings=True)
    mine = tmp_path / "clip-0123456789ab.safetensors"
    mine.write_bytes(b"a file of the user's whose name looks like ours")
    _, new = save_baseline(path, other, embeddings=True, replace=True)
    assert not old.exists()
    assert _names(tmp_path) == sorted(["clip.json", "clip-2.json", new.name, beside.name, mine.name])
    save_baseline(path, other, replace=True)
    assert not new.exists()
    assert load_baseline(tmp_path / "clip-2.json").images is not None


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"{}",
        b'{"clipeval": "0.1.0", "models": []}',
        b"notes\n",
        b"\x89PNG\r\n",
        b'{"version": 1}',
        b"null",
    ],
)
def test_a_file_that_is_no_baseline_is_never_replaced(tmp_path, kept, content) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(content)
    for act in (lambda: save_baseline(path, kept, replace=True), lambda: check_target(path, replace=True)):
        with pytest.raises(BaselineError, match="this file is no baseline; it is not replaced"):
            act()
    assert path.read_bytes() == content
    assert _names(tmp_path) == ["notes.json"]


def test_a_baseline_of_a_newer_clipeval_is_not_replaced(tmp_path, kept) -> None:
    path = tmp_path / "clip.json"
    path.write_text('{"format": "clipeval baseline", "version": 2}')
    with pytest.raises(BaselineError, match="a newer clipeval"):
        save_baseline(path, kept, replace=True)


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:300], lambda b: b"", lambda b: b"<<<<<<< HEAD\n" + b, lambda b: b + b"}"]
)
def test_a_broken_baseline_can_be_written_again(tmp_path, kept, spoil) -> None:
    (path,) = save_baseline(tmp_path / "clip.json", kept)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BaselineError):
        load_baseline(path)
    save_baseline(path, kept, replace=True)
    assert load_baseline(path).model == "old"


def test_a_new_file_has_the_permissions_that_the_user_gives_new_files(tmp_path, kept) -> None:
    for umask, expected in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        try:
            written = save_baseline(tmp_path / f"{umask:o}.json", kept, embeddings=True)
        finally:
            os.umask(before)
        assert [stat.S_IMODE(path.stat().st_mode) for path in written] == [expected] * 2


def test_an_existing_file_keeps_its_permissions(tmp_path, kept, other) -> None:
    (path,) = save_baseline(tmp_path / "clip.json", kept)
    path.chmod(0o640)
    save_baseline(path, other, replace=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_followed_and_stays_one(tmp_path, kept, other) -> None:
    (tmp_path / "shared").mkdir()
    save_baseline(tmp_path / "shared" / "clip.json", kept)
    link = tmp_path / "clip.json"
    link.symlink_to(Path("shared", "clip.json"))
    _, rows = save_baseline(link, other, replace=True, embeddings=True)
    assert link.is_symlink()
    assert rows.parent == tmp_path / "shared"
    assert load_baseline(link).images is not None
    assert load_baseline(tmp_path / "shared" / "clip.json").model == "new"
    assert _names(tmp_path) == ["clip.json", "shared"]


def test_the_place_of_the_data_is_kept_relative_to_the_file(tmp_path, kept, monkeypatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    (path,) = save_baseline("tests/clip.json", replace(kept, data="photos"))
    assert path == Path("tests/clip.json")
    assert load_baseline(path).data == "../photos"


def test_a_caption_that_cannot_be_written_is_named_and_leaves_the_old_file(
    tmp_path, kept, snapshot, pairs
) -> None:
    (path,) = save_baseline(tmp_path / "clip.json", kept)
    before = path.read_bytes()
    hostile = snapshot(*pairs(2), captions=["a cat", "half \udc80"])
    with pytest.raises(BaselineError, match="half a character") as caught:
        save_baseline(path, hostile, replace=True)
    assert caught.value.where == "clip.json, items[1].captions[0]"
    assert path.read_bytes() == before


def test_a_score_that_is_not_a_number_is_refused_on_saving(tmp_path, kept) -> None:
    query = replace(kept.t2i.queries[0], score=float("nan"))
    broken = replace(kept, t2i=replace(kept.t2i, queries=(query, *kept.t2i.queries[1:])))
    with pytest.raises(BaselineError, match="between -1 and 1") as caught:
        save_baseline(tmp_path / "clip.json", broken)
    assert caught.value.where == "clip.json, t2i.queries[0], score"
    assert _names(tmp_path) == []


def test_a_reviewer_can_check_the_sum_with_grep(tmp_path, kept) -> None:
    (path,) = save_baseline(tmp_path / "clip.json", kept)
    command = "grep -v '^  \"sha256\"' clip.json | sha256sum"
    found = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f'"sha256": "{found.stdout.split()[0]}"' in path.read_text(encoding="utf-8")


def test_line_ends_of_windows_and_another_indentation_are_no_edit(tmp_path, kept) -> None:
    (path,) = save_baseline(tmp_path / "clip.json", kept)
    text = path.read_bytes()
    for other_text in (
        text.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + text,
        json.dumps(json.loads(text), indent=4, sort_keys=True).encode(),
    ):
        path.write_bytes(other_text)
        assert load_baseline(path).model == "old"


def test_500_items_with_a_caption_each_stay_below_300_kb(tmp_path, snapshot, pairs) -> None:
    names = [f"a person in a red coat walks a small dog along street number {row}" for row in range(500)]
    (path,) = save_baseline(tmp_path / "clip.json", snapshot(*pairs(500), captions=names))
    assert path.stat().st_size < 300_000
