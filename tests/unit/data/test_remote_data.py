"""Data behind an address are those of the same files on a disk; what breaks is told, secrets are not."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clipeval.data.class_folders import load_classes
from clipeval.data.content import dataset_hash
from clipeval.data.load import load_dataset
from clipeval.data.pictures import read_picture
from clipeval.data.remote_path import place
from clipeval.errors import ClipevalError, DatasetError, NotAvailableError, PictureError

fsspec = pytest.importorskip("fsspec", reason="needs clipeval[remote]: fsspec not installed")
pytest.importorskip("aiohttp", reason="needs clipeval[remote]: aiohttp not installed")

Reach = Callable[[Path], str]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    server = pytest.importorskip("moto.server", reason="needs moto").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["memory", "http", "s3", "file"])
def reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Reach:
    """Put a folder where the scheme finds it, and give the address."""

    def copied(files: Any, folder: Path, to: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                files.pipe_file(f"{to}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def memory(folder: Path) -> str:
        fsspec.filesystem("memory").store.clear()
        copied(fsspec.filesystem("memory"), folder, f"/{folder.name}")
        return f"memory://{folder.name}"

    def s3(folder: Path) -> str:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3"))
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        keys = {"key": "KEYOFTHEUSER", "secret": "secretOfTheUser"}
        files = fsspec.filesystem("s3", **keys, skip_instance_cache=True)
        bucket = f"bucket{abs(hash(str(folder))) % 10**9}"
        files.mkdir(bucket)
        copied(files, folder, f"{bucket}/deep/{folder.name}")
        return f"s3://KEYOFTHEUSER:secretOfTheUser@{bucket}/deep/{folder.name}"

    def http(folder: Path) -> str:
        server = request.getfixturevalue("serve")(folder.parent)
        return f"{server.url}/{folder.name}/?sig=SignedByTheUser"

    ways = {"memory": memory, "s3": s3, "http": http, "file": lambda folder: f"file://{folder}"}
    return ways[request.param]


def pictures(folder: Path, encoded: Callable[..., bytes]) -> None:
    for grey, name in enumerate(["1.png", "two words.png", "cats/a+b%20.png", "cats/ä.png"]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(grey))
        path.with_suffix(".txt").write_text(f"number {grey}\n", encoding="utf-8")
    (folder / ".hidden.png").write_bytes(b"none of them")
    (folder / "README.txt").write_text("no caption", encoding="utf-8")


def shards(folder: Path, encoded: Callable[..., bytes]) -> None:
    for number in range(2):
        with tarfile.open(folder / f"val-{number:03}.tar", "w") as archive:
            for row in range(3):
                key = f"{number}{row}"
                text = json.dumps({"captions": [f"number {key}", "a square"], "category": "grey"})
                for name, data in ((f"{key}.png", encoded(int(key))), (f"{key}.json", text.encode())):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))


def parquet(folder: Path, encoded: Callable[..., bytes]) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    for number in range(2):
        rows = {
            "id": [f"{number}-{row}" for row in range(3)],
            "image": [{"bytes": encoded(10 * number + row), "path": None} for row in range(3)],
            "caption": [f"number {row}" for row in range(3)],
        }
        pq.write_table(pa.table(rows), folder / f"test-{number:05}-of-00002.parquet", row_group_size=2)


def csv(folder: Path, encoded: Callable[..., bytes]) -> None:
    (folder / "images").mkdir()
    rows = ["filename,category,caption"]
    for row in range(3):
        (folder / "images" / f"{row}.png").write_bytes(encoded(row))
        rows.append(f"{row}.png,grey,number {row}")
    (folder / "captions.csv").write_text("\n".join(rows), encoding="utf-8")


def metadata(folder: Path, encoded: Callable[..., bytes]) -> None:
    rows = [{"image": f"{row}.png", "captions": [f"number {row}", "a square"]} for row in range(3)]
    for row in range(3):
        (folder / f"{row}.png").write_bytes(encoded(row))
    (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")


LAYOUTS = [pictures, shards, parquet, csv, metadata]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dataset_behind_an_address_is_that_of_the_same_files_on_a_disk(
    layout, reach, encoded, tmp_path
) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    layout(folder, encoded)
    here, there = load_dataset(folder), load_dataset(reach(folder))
    assert there.name == here.name == "pets"
    assert there.ids == here.ids
    assert [item.picture.where for item in there.items] == [item.picture.where for item in here.items]
    assert dataset_hash(there) == dataset_hash(here)
    # as other processes read them
    sent = pickle.loads(pickle.dumps([item.picture for item in there.items]))  # noqa: S301
    assert [one.read() for one in sent] == [item.picture.read() for item in here.items]


def test_single_files_patterns_and_parts_are_named_as_on_a_disk(reach, encoded, tmp_path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    shards(folder, encoded)
    address = reach(folder).partition("?")[0]
    for name in ("val-{000..001}.tar", "val-*.tar"):
        here, there = (load_dataset(f"{at}/{name}") for at in (folder, address.rstrip("/")))
        assert (there.name, there.ids) == (here.name, here.ids)
    with pytest.warns(UserWarning, match="one of 2 shards"):
        here = load_dataset(folder / "val-001.tar")
    with pytest.warns(UserWarning, match="one of 2 shards"):
        there = load_dataset(f"{address.rstrip('/')}/val-001.tar")
    assert (there.name, dataset_hash(there)) == (here.name, dataset_hash(here))
    part = [load_dataset(f"{at}#train") for at in (folder, address.rstrip("/"))]
    assert part[0].ids == part[1].ids


def test_classes_in_folders_are_read_there_too(reach, encoded, tmp_path) -> None:
    folder = tmp_path / "pets"
    for name in ("cat/1.png", "dog/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(1))
    here, there = load_classes(str(folder)), load_classes(reach(folder))
    assert there.ids == here.ids == ("cat/1.png", "dog/2.png")
    assert dataset_hash(there) == dataset_hash(here)


def test_no_credential_is_kept_in_a_dataset_or_told_in_an_error(reach, encoded, tmp_path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    pictures(folder, encoded)
    address = reach(folder)
    data = load_dataset(address)
    words = [data.name, data.origin, repr(data), str(place(address)), repr(place(address))]
    gone = address.replace("/pets", "/nowhere")
    for ask in (lambda: load_dataset(gone), lambda: place(gone).read_bytes()):
        with pytest.raises((DatasetError, OSError)) as caught:
            ask()
        words += [str(caught.value), "".join(traceback.format_exception(caught.value, chain=True))]
    told = "\n".join(words)
    for secret in ("secretOfTheUser", "KEYOFTHEUSER", "SignedByTheUser"):
        assert secret not in told
    assert "nowhere" in told


def test_a_connection_that_breaks_and_an_object_that_is_gone_are_told_with_address_and_item(
    serve, encoded, tmp_path
) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    metadata(folder, encoded)
    server = serve(tmp_path)
    data = load_dataset(f"{server.url}/pets?sig=SignedByTheUser")
    server.cut.add("/pets/1.png")
    (folder / "2.png").unlink()
    with pytest.raises(PictureError) as broken:
        read_picture(data.items[1].picture)
    assert broken.value.where == "1.png (metadata.json, row 1)"
    assert f"the picture cannot be read: {server.url}/pets/1.png: ClientPayloadError" in broken.value.what
    with pytest.raises(PictureError) as gone:
        read_picture(data.items[2].picture)
    assert gone.value.where == "2.png (metadata.json, row 2)"
    assert gone.value.what == f"the picture cannot be read: {server.url}/pets/2.png: nothing is there"
    assert "SignedByTheUser" not in f"{broken.value}{gone.value}"


def test_a_shard_whose_transfer_breaks_is_told(serve, encoded, tmp_path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    shards(folder, encoded)
    server = serve(tmp_path)
    server.cut.add("/pets/val-001.tar")
    with pytest.raises(DatasetError, match=r"cannot be read: http://.*val-001.tar: ClientPayloadError"):
        load_dataset(f"{server.url}/pets")


def test_a_folder_is_listed_once_not_asked_for_every_picture(serve, encoded, tmp_path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    csv(folder, encoded)
    server = serve(tmp_path)
    load_dataset(f"{server.url}/pets")
    assert not [ask for ask in server.asked if ask[1].endswith(".png")]
    assert sorted(ask[1] for ask in server.asked if ask[0] == "GET" and ask[1].endswith("/")) == [
        "/pets/",
        "/pets/images/",
    ]


def test_a_server_that_sends_no_parts_of_files_is_told(encoded, tmp_path, serve, monkeypatch) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    shards(folder, encoded)
    server = serve(tmp_path)
    data = load_dataset(f"{server.url}/pets")
    from http.server import SimpleHTTPRequestHandler

    monkeypatch.setattr(server.RequestHandlerClass.func, "send_head", SimpleHTTPRequestHandler.send_head)
    with pytest.raises(PictureError, match="the server sends whole files, not parts of them"):
        data.items[0].picture and read_picture(data.items[0].picture)


@pytest.mark.parametrize(
    ("address", "kind", "what", "fix"),
    [
        ("nosuch://x", DatasetError, "'nosuch' is no scheme that fsspec knows", "s3, gs, abfs"),
        ("htps://x/y", DatasetError, "'htps' is no scheme", "did you mean 'https'"),
        ("memory://nowhere", DatasetError, "there is no dataset 'memory://nowhere'", "check the address"),
        ("http://127.0.0.1:9/x.csv", DatasetError, "ClientConnectorError", "check the address, the network"),
    ],
)
def test_an_address_that_leads_nowhere_says_what_to_do(address, kind, what, fix) -> None:
    with pytest.raises(kind) as caught:
        load_dataset(address)
    assert what in caught.value.what
    assert fix in str(caught.value.fix)


def test_a_missing_package_is_named(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(NotAvailableError, match=r"pip install 'clipeval\[remote\]'"):
        load_dataset("s3://me:secretOfTheUser@bucket/x")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(NotAvailableError, match="pip install gcsfs") as caught:
        load_dataset("gs://bucket/x")
    assert caught.value.where == "gs://bucket/x"


def test_what_datasets_saved_is_refused_behind_an_address(encoded) -> None:
    fsspec.filesystem("memory").pipe_file("/saved/state.json", b"{}")
    with pytest.raises(DatasetError, match="can only be read from a disk"):
        load_dataset("memory://saved")


def test_offline_opens_no_socket(monkeypatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a socket was opened"))
    for load in (load_dataset, load_classes):
        with pytest.raises(NotAvailableError, match="which --offline closes") as caught:
            load("https://me:pass@host/photos", offline=True)
        assert caught.value.where == "https://host/photos"


def test_an_address_that_went_through_a_path_is_told() -> None:
    with pytest.raises(ClipevalError) as caught:
        load_dataset(Path("s3://bucket/x"))
    assert caught.value.fix == "give an address as a text, not as a Path"


def test_an_address_that_went_through_a_path_is_told_without_its_credentials() -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(Path("s3://KEY:secretOfTheUser@bucket/photos"))
    assert "secretOfTheUser" not in str(caught.value)
    assert "s3://bucket/photos" in str(caught.value)


def test_a_signature_that_the_library_spells_otherwise_is_not_told_and_no_redirect_s_either(
    serve, tmp_path, monkeypatch
) -> None:
    def refuse(self: Any) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/boom?X-Amz-Signature=OfTheServer")
            self.end_headers()
        else:
            self.send_error(403)

    server = serve(tmp_path)
    monkeypatch.setattr(server.RequestHandlerClass.func, "do_GET", refuse)
    monkeypatch.setattr(server.RequestHandlerClass.func, "do_HEAD", refuse)
    for name in ("photos.csv", "moved.csv"):
        with pytest.raises(ClipevalError) as caught:
            load_dataset(f"{server.url}/{name}?sig=ab%2FcdSigned%2Bx%3D")
        told = str(caught.value)
        assert name in told
        assert not [word for word in ("cdSigned", "OfTheServer") if word in told]


def test_names_that_a_web_page_must_quote_are_found(serve, encoded, tmp_path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for grey, name in enumerate(["what?", "c#1", "100%", "a&b"]):
        (folder / f"{name}.png").write_bytes(encoded(grey))
        (folder / f"{name}.txt").write_text(f"number {grey}", encoding="utf-8")
    behind = load_dataset(f"{serve(tmp_path).url}/odd")
    assert behind.ids == load_dataset(folder).ids
    assert dataset_hash(behind) == dataset_hash(load_dataset(folder))


def test_a_page_without_links_hides_no_picture_that_a_table_names(serve, encoded, tmp_path) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    csv(folder, encoded)
    for page in (folder, folder / "images"):
        (page / "index.html").write_text("<html><body>nothing to see</body></html>", encoding="utf-8")
    table = next(folder.glob("*.csv"))
    behind = load_dataset(f"{serve(tmp_path).url}/table/{table.name}")
    assert dataset_hash(behind) == dataset_hash(load_dataset(table))


def test_the_root_of_an_archive_and_of_memory_are_folders_too(encoded, tmp_path) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    csv(folder, encoded)
    table = next(folder.glob("*.csv"))
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
                memory.pipe_file(f"/{path.relative_to(folder).as_posix()}", path.read_bytes())
    expected = dataset_hash(load_dataset(table))
    for address in (
        f"zip://{table.name}::{tmp_path}/a.zip",
        f"memory://{table.name}",
        f"MEMORY://{table.name}",
    ):
        assert dataset_hash(load_dataset(address)) == expected, address
