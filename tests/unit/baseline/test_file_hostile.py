"""Files that are no baseline, or not the one that was written: a clear error, nothing executed or changed."""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipeval.baseline import file as module
from clipeval.baseline.document import RowsFile, baseline_document, document_text
from clipeval.baseline.file import check_target, load_baseline, save_baseline
from clipeval.baseline.reading import snapshot_from
from clipeval.baseline.snapshot import Snapshot
from clipeval.errors import BaselineError

GOLDEN = Path(__file__).parents[3] / "fixtures" / "baseline-version-1" / "clip.json"

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")


@pytest.fixture(autouse=True)
def _locks_elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def kept(snapshot, pairs) -> Snapshot:
    return snapshot(*pairs(5), model="old")


@pytest.fixture
def path(tmp_path, kept) -> Path:
    return save_baseline(tmp_path / "clip.json", kept)[0]


def _refused(path: Path) -> BaselineError:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(BaselineError) as caught:
        load_baseline(path)
    assert str(path) in (caught.value.where or "")
    assert caught.value.fix
    assert before is None or path.read_bytes() == before
    return caught.value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"caption 0 of 0001"', b'"caption 0 of 0001, edited"'),
        (b'"model": "old"', b'"model": "new"'),
        (b'"dtype": "float32"', b'"dtype": "float16"'),
        (b'["0002.jpg", 0, 0,', b'["0002.jpg", 0, 1,'),
        (b'"precomputed": false', b'"precomputed": true'),
        (b'"sha256": "', b'"sha256": "0'),
    ],
)
def test_every_edit_by_hand_is_recognised(path, old, new) -> None:
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1) if b"sha256" not in old else _other_sum(text))
    error = _refused(path)
    assert error.what == "the baseline was edited by hand or merged: its content does not fit its checksum"
    assert "clipeval baseline save" in error.fix
    assert "--clipeval-update" in error.fix


def _other_sum(text: bytes) -> bytes:
    head, mark, rest = text.partition(b'"sha256": "')
    return head + mark + (b"1" if rest[:1] == b"0" else b"0") + rest[1:]


def test_a_file_that_breaks_off_anywhere_is_refused(path) -> None:
    whole = path.read_bytes()
    for size in [*range(60), *range(60, len(whole) - 1, 97), len(whole) - 2]:
        path.write_bytes(whole[:size])
        error = _refused(path)
        assert ("empty" if size == 0 else "breaks off") in error.what, size


def test_the_line_where_a_file_breaks_off_is_named(path) -> None:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:9]) + b'\n    "attent')
    assert _refused(path).where == f"{path}, line 10"


def test_conflict_markers_are_named_with_their_line(path) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[6:7] = [b"<<<<<<< HEAD", lines[6], b"=======", b'  "data": "other",', b">>>>>>> topic"]
    path.write_bytes(b"\n".join(lines))
    error = _refused(path)
    assert error.what == "the file holds merge conflict markers"
    assert error.where == f"{path}, line 7"
    path.write_bytes(b"\r\n".join(lines))
    assert _refused(path).where == f"{path}, line 7"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"hello\n", "not JSON"),
        (b"model,hit@1\n", "not JSON"),
        (b"[1, 2]", "this is JSON, but no baseline"),
        (b"{}", "this is JSON, but no baseline"),
        (b'{"clipeval": "0.1.0", "strict": true}', "this is JSON, but no baseline"),
        (b'{"format": "other baseline", "version": 1}', "this is JSON, but no baseline"),
        (b'{"format": ["clipeval baseline"]}', "this is JSON, but no baseline"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8 text"),
        (b"\x80\x04\x95\x0e\x00\x00\x00.", "not UTF-8 text"),
        ('{"format": "clipeval baseline"}'.encode("utf-16"), "not UTF-8 text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git-lfs pointer"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested too deeply"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b'{"format": "clipeval baseline", "version": ' + b"9" * 5000 + b"}", "thousands of digits"),
        (b'{"format": "clipeval baseline", "version": NaN}', "NaN is no number"),
        (b'{"format": "clipeval baseline", "version": -Infinity}', "-Infinity is no number"),
        (b'{"format": "clipeval baseline", "format": "x"}', "the key 'format' stands twice"),
        (b'{"format": "clipeval baseline"}', "the key 'version' is missing"),
        (b'{"format": "clipeval baseline", "version": 1e999}', "the key 'sha256' is missing"),
        (
            b'{"format": "clipeval baseline", "version": 3, "clipeval": "7.0"}',
            "made by clipeval 7.0, needs a newer",
        ),
        (b'{"format": "clipeval baseline", "version": 3, "clipeval": "\\u001b[2J"}', "of unknown version"),
    ],
)
def test_what_is_no_baseline_is_refused_in_words(tmp_path, content, what) -> None:
    path = tmp_path / "clip.json"
    path.write_bytes(content)
    assert what in _refused(path).what


def test_a_number_that_overflows_to_infinity_is_no_score(path) -> None:
    text = path.read_bytes()
    changed, times = re.subn(rb'(\["0000\.jpg", 0, 0, 0, 1, )-?[0-9.]+', rb"\g<1>1e999", text, count=1)
    assert times == 1
    path.write_bytes(changed)
    error = _refused(path)
    assert error.where == f"{path}, t2i.queries[0], score"


def test_a_key_that_stands_twice_is_named(path) -> None:
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"category": null', b'"category": null, "id": "again"', 1))
    error = _refused(path)
    assert "the key 'id' stands twice" in error.what


def test_nothing_there_is_said(tmp_path) -> None:
    assert "there is no such baseline" in _refused(tmp_path / "clip.json").what


def test_a_folder_a_pipe_a_socket_and_a_device_are_named_and_not_waited_for(tmp_path, kept) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    plug = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path)  # the path of a socket must be short
    try:
        plug.bind("socket.json")
    finally:
        os.chdir(here)
        plug.close()
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("folder", "pipe", "socket", "device"):
        path = tmp_path / f"{name}.json"
        assert f"this is a {name}, not a file" in _refused(path).what
        with pytest.raises(BaselineError, match=f"this is a {name}"):
            save_baseline(path, kept, replace=True)


def test_links_in_a_circle_and_to_nowhere_are_refused(tmp_path, kept) -> None:
    (tmp_path / "a.json").symlink_to("b.json")
    (tmp_path / "b.json").symlink_to("a.json")
    (tmp_path / "c.json").symlink_to("nowhere.json")
    assert "cannot be looked up" in _refused(tmp_path / "a.json").what
    assert "the link leads nowhere" in _refused(tmp_path / "c.json").what
    for name in ("a.json", "c.json"):
        with pytest.raises(BaselineError):
            save_baseline(tmp_path / name, kept, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "c.json"]


def test_impossible_names_are_refused(tmp_path, kept) -> None:
    for name in ("x" * 300 + ".json", "nul\0.json"):
        for act in (load_baseline, check_target, lambda path: save_baseline(path, kept)):
            with pytest.raises(BaselineError, match="cannot be looked up"):
                act(tmp_path / name)


def test_a_file_in_the_way_of_the_folder_is_said(tmp_path, kept) -> None:
    (tmp_path / "file").write_text("mine")
    for act in (load_baseline, check_target, lambda path: save_baseline(path, kept)):
        with pytest.raises(BaselineError):
            act(tmp_path / "file" / "clip.json")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_larger_than_the_limit_is_not_read(tmp_path, monkeypatch) -> None:
    path = tmp_path / "clip.json"
    with path.open("wb") as stream:
        stream.truncate(module.MAX_BYTES + 1)  # a hole: takes no room
    error = _refused_unread(path)
    assert error.what == "the file is too large: 537 MB, the limit is 537 MB"
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    path.write_bytes(b"{}" * 6)
    assert "too large" in _refused(path).what


def _refused_unread(path: Path) -> BaselineError:
    with pytest.raises(BaselineError) as caught:
        load_baseline(path)
    return caught.value


def _in_a_child(act: Callable[[], object], *, prepare: Callable[[], object]) -> str:
    """Run in a process of its own and give what it was refused with."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"nothing was refused"
        try:
            prepare()
            act()
        except BaselineError as error:
            said = str(error).encode()
        except BaseException as error:
            said = repr(error).encode()
        os.write(into, said)
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said.decode()


def _become_nobody() -> None:
    if os.geteuid() == 0:  # root may do everything
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


@pytest.fixture
def open_folder():
    """A folder that any user may look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@posix
def test_a_file_that_may_not_be_read_is_said(open_folder, kept) -> None:
    (path,) = save_baseline(open_folder / "clip.json", kept)
    path.chmod(0)
    assert "cannot be read: Permission denied" in _in_a_child(
        lambda: load_baseline(path), prepare=_become_nobody
    )


@posix
def test_a_folder_that_may_not_be_written_to_is_said_and_the_old_file_stays(open_folder, kept) -> None:
    (path,) = save_baseline(open_folder / "clip.json", kept)
    path.chmod(0o666)
    open_folder.chmod(0o555)
    before = path.read_bytes()
    said = _in_a_child(lambda: save_baseline(path, kept, replace=True), prepare=_become_nobody)
    assert "the baseline cannot be written: Permission denied" in said
    said = _in_a_child(lambda: check_target(open_folder / "new.json"), prepare=_become_nobody)
    assert "the folder may not be written to" in said
    open_folder.chmod(0o755)
    assert path.read_bytes() == before
    assert [path.name for path in open_folder.iterdir()] == ["clip.json"]


@posix
def test_a_file_that_may_not_be_written_is_not_replaced(open_folder, kept) -> None:
    (path,) = save_baseline(open_folder / "clip.json", kept)
    path.chmod(0o444)
    open_folder.chmod(0o777)
    said = _in_a_child(lambda: save_baseline(path, kept, replace=True), prepare=_become_nobody)
    assert "the file may not be written to" in said


@posix
@pytest.mark.parametrize("embeddings", [False, True])
def test_a_full_disk_leaves_the_old_files_as_they_were(tmp_path, kept, snapshot, pairs, embeddings) -> None:
    import resource

    path, rows = save_baseline(tmp_path / "clip.json", kept, embeddings=True)
    before = {place.name: place.read_bytes() for place in tmp_path.iterdir()}
    large = snapshot(*pairs(40, seed=3), model="large")

    def no_room() -> (
        None
    ):  # no file may grow beyond the one that is there; the rows of 40 fit, their JSON does not
        room = 12_000 if embeddings else 1000
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    said = _in_a_child(
        lambda: save_baseline(path, large, embeddings=embeddings, replace=True), prepare=no_room
    )
    assert "the baseline cannot be written: File too large" in said
    assert {place.name: place.read_bytes() for place in tmp_path.iterdir()} == before
    assert load_baseline(path).images is not None
    assert rows.exists()


@given(data=st.data())
def test_no_change_of_a_few_bytes_passes_or_crashes(data) -> None:
    """Either it is refused, or it says exactly what was written (a changed space between two values)."""
    whole = GOLDEN.read_bytes()
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        end = min(len(content), start + data.draw(st.integers(0, 3)))
        content[start:end] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"-", b"9", b"e9", b'"', b"null", b"{}", b"[", b" "])
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.json")
        path.write_bytes(bytes(content))
        found = _outcome(lambda: load_baseline(path))
    if isinstance(found, BaselineError):
        assert found.where
        assert found.fix
    else:
        named = json.loads(whole)["embeddings"]
        rows = RowsFile(named["file"], named["file_sha256"])
        assert document_text(baseline_document(found, rows=rows)).encode() == whole


def _outcome(act: Callable[[], Snapshot]) -> Snapshot | BaselineError:
    try:
        return act()
    except BaselineError as error:
        return error


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


@given(data=st.data())
def test_no_value_in_any_place_crashes_the_reader(data) -> None:
    document = json.loads(GOLDEN.read_bytes())
    at, key = document, data.draw(st.sampled_from(list(document)))
    while isinstance(at[key], dict | list) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
    at[key] = data.draw(JSON_VALUES)
    found = _outcome(lambda: snapshot_from(document, where="clip.json", fix="look")[0])
    assert not isinstance(found, BaselineError) or found.where.startswith("clip.json")
