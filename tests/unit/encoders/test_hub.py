"""Weights that are not here: one clear error, soon, in silence."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clipeval.encoders.hub import check_reachable, find_folder, hugging_face, no_hub, require_folder
from clipeval.errors import NotAvailableError, SpecError

NAME = "nobody/no-such-model"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """huggingface_hub with an empty cache, not told to be offline, and no proxies in between."""
    pytest.importorskip("huggingface_hub", reason="needs clipeval[models]")
    library = hugging_face()
    monkeypatch.setattr(library.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(library.constants, "HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return library


@pytest.fixture
def server():
    """A web server on this machine that answers with a chosen status."""

    class Answer(BaseHTTPRequestHandler):
        status = 200
        headers_to_send: dict[str, str] = {}  # noqa: RUF012
        seen: list[str] = []  # noqa: RUF012

        def do_GET(self):
            self.seen.append(f"{self.command} {self.path}")
            self.send_response(self.status)
            for key, value in self.headers_to_send.items():
                self.send_header(key, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    Answer.seen = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    Answer.url = f"http://127.0.0.1:{running.server_port}"
    yield Answer
    running.shutdown()
    running.server_close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def require(**options):
    defaults = {"complete": lambda _: True, "where": f"hf:{NAME}", "family": "hf"}
    return require_folder(NAME, **{**defaults, **options})


def cache_snapshot(hub, *, files=("config.json",), commit="a" * 40):
    from pathlib import Path

    root = Path(hub.constants.HF_HUB_CACHE) / "models--nobody--no-such-model"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    snapshot = root / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name in files:
        (snapshot / name).write_text("{}")
    return snapshot


def test_a_cached_model_is_found_without_a_socket(hub, no_sockets):
    snapshot = cache_snapshot(hub)
    found = require()
    assert found.path == snapshot
    assert found.revision == "a" * 40
    assert no_sockets == []


def test_offline_opens_no_socket_and_says_what_where_and_how(hub, no_sockets):
    with pytest.raises(NotAvailableError, match=f"'{NAME}' is not here") as caught:
        require(offline=True)
    text = str(caught.value)
    assert "cache" in text
    assert "offline" in text
    assert f"hf download {NAME}" in text
    assert "hf:FOLDER" in text
    assert no_sockets == []


def test_the_offline_variable_of_hugging_face_is_obeyed(hub, no_sockets, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NotAvailableError, match="offline"):
        require()
    assert no_sockets == []


def test_an_incomplete_cache_is_called_incomplete(hub, no_sockets):
    cache_snapshot(hub)
    with pytest.raises(NotAvailableError, match="is incomplete in the cache"):
        require(offline=True, complete=lambda folder: (folder / "model.safetensors").is_file())
    assert no_sockets == []


def test_an_unreachable_hub_is_one_error_within_three_seconds_and_silent(hub, monkeypatch, capfd):
    monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    start = time.monotonic()
    with pytest.raises(NotAvailableError, match="cannot be reached") as caught:
        require(revision="v1")
    assert time.monotonic() - start < 3
    assert "--revision v1" in str(caught.value)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_silent_server_is_given_up_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(NotAvailableError, match=r"gave no answer|timed out"):
            check_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", what="x", fix="y", timeout=0.3)
        assert time.monotonic() - start < 3


def test_a_name_look_up_that_hangs_is_given_up_in_time(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(20) and [])
    start = time.monotonic()
    with pytest.raises(NotAvailableError, match=r"gave no answer in 0\.2 s"):
        check_reachable("http://hub.invalid", what="x", fix="y", timeout=0.2)
    assert time.monotonic() - start < 3
    release.set()


@pytest.mark.parametrize("status", [200, 401, 403, 404])
def test_a_server_that_answers_is_reachable_by_one_head_request(server, status):
    server.status = status
    check_reachable(f"{server.url}/file", what="x", fix="y")
    assert server.seen == ["HEAD /file"]


@pytest.mark.parametrize("status", [407, 500, 503])
def test_a_server_that_is_down_is_not_reachable(server, status):
    server.status = status
    with pytest.raises(NotAvailableError, match=f"answers {status}") as caught:
        check_reachable(f"{server.url}/file", what="the weights", fix="copy them", where="hf:x")
    assert "the weights" in str(caught.value)
    assert "hf:x" in str(caught.value)
    assert "copy them" in str(caught.value)


def test_an_address_that_is_no_web_address_is_refused():
    with pytest.raises(NotAvailableError, match="not a web address"):
        check_reachable("file:///etc/passwd", what="x", fix="y")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RepoNotFound", "no such repository"),
        ("RevisionNotFound", "no such revision"),
        ("GatedRepo", "its terms"),
    ],
)
def test_what_the_hub_does_not_give_is_said_in_one_sentence(hub, server, monkeypatch, code, words):
    server.status = 404 if code != "GatedRepo" else 403
    server.headers_to_send = {"X-Error-Code": code}
    monkeypatch.setattr(hub.constants, "ENDPOINT", server.url)
    monkeypatch.setattr("huggingface_hub._snapshot_download.HfApi", _api_at(hub, server.url))
    with pytest.raises(NotAvailableError, match=words):
        require()


def _api_at(hub, url):
    return lambda *args, **kwargs: hub.HfApi(*args, **{**kwargs, "endpoint": url})


def test_a_folder_is_a_folder_and_a_path_that_is_not_there_says_so_without_a_socket(tmp_path, no_sockets):
    assert find_folder(str(tmp_path), revision=None, where="hf:x").path == tmp_path
    for absent in ("./absent", "/no/such/folder", "../absent", "~/absent-folder", "a/b/c"):
        with pytest.raises(NotAvailableError, match="there is no folder"):
            find_folder(absent, revision=None, where="hf:x")
    assert find_folder("openai/clip-vit-base-patch32", revision=None, where="hf:x") is None
    assert no_sockets == []


def test_a_file_or_a_revision_of_a_folder_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(SpecError, match="is a file"):
        find_folder(str(tmp_path / "model.bin"), revision=None, where="hf:x")
    with pytest.raises(SpecError, match="no revisions"):
        find_folder(str(tmp_path), revision="main", where="hf:x")


def test_an_impossible_name_is_refused_without_a_socket(hub, no_sockets):
    with pytest.raises(SpecError, match="possible name"):
        require_folder("bad name!", complete=lambda _: True, where="hf:x", family="hf")
    assert no_sockets == []


def test_the_offline_state_is_put_back(hub):
    def fail_inside():
        with no_hub():
            raise RuntimeError(f"offline: {hub.constants.HF_HUB_OFFLINE}")

    with pytest.raises(RuntimeError, match="offline: True"):
        fail_inside()
    assert hub.constants.HF_HUB_OFFLINE is False


OFFLINE_SCRIPT = """
import sys
opened = []
watched = ("socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda name, args: opened.append(name) if name in watched else None)
from clipeval.encoders.hf import load
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import parse_spec
from clipeval.errors import NotAvailableError
try:
    load(parse_spec("hf:nobody/no-such-model"), LoadOptions(offline=True))
except NotAvailableError:
    sys.exit(f"sockets: {opened}" if opened else 0)
sys.exit("it was loaded")
"""


def test_no_socket_is_opened_in_a_fresh_offline_process_imports_included(tmp_path):
    pytest.importorskip("torch", reason="needs clipeval[models]")
    import os

    environment = {k: v for k, v in os.environ.items() if k not in {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE_SCRIPT],
        env={**environment, "HF_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


@pytest.fixture
def downloads(hub, server, monkeypatch, tmp_path):
    """A hub whose repository holds the files of a list; what was asked for is recorded."""
    from fnmatch import fnmatch

    monkeypatch.setattr(hub.constants, "ENDPOINT", server.url)
    held, asked = [], []

    def snapshot_download(name, *, local_files_only=False, allow_patterns=(), **_):
        if local_files_only:
            raise hub.errors.LocalEntryNotFoundError("nothing here")
        asked.append(tuple(allow_patterns))
        for file in held:
            if any(fnmatch(file, pattern) for pattern in allow_patterns):
                (tmp_path / file).write_bytes(b"")
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    return held, asked


def test_pickled_weights_are_left_on_the_hub_where_there_are_safetensors(downloads, tmp_path):
    downloads[0][:] = ["config.json", "model.safetensors", "pytorch_model.bin", "flax_model.msgpack"]
    assert require().path == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    assert len(downloads[1]) == 1


def test_pickled_weights_are_fetched_where_there_is_nothing_else(downloads, tmp_path):
    downloads[0][:] = ["config.json", "pytorch_model.bin"]
    require()
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "pytorch_model.bin"}


def test_a_repository_that_lacks_what_is_needed_is_an_error(downloads):
    downloads[0][:] = ["config.json"]
    with pytest.raises(NotAvailableError, match="lacks files"):
        require(complete=lambda folder: (folder / "model.safetensors").is_file())


@pytest.mark.parametrize("module", ["hf", "st", "open_clip"])
def test_without_its_library_a_family_names_the_extra(module, monkeypatch):
    import importlib
    import importlib.util

    from clipeval.encoders.options import LoadOptions
    from clipeval.encoders.spec import parse_spec
    from clipeval.errors import MissingExtraError

    family = importlib.import_module(f"clipeval.encoders.{module}")
    find, load = importlib.util.find_spec, importlib.import_module
    absent = {"torch", "open_clip"}

    def absent_import(name, *rest):
        if name in absent:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return load(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in absent else find(n, *a))
    monkeypatch.setattr(importlib, "import_module", absent_import)
    with pytest.raises(MissingExtraError, match=r"clipeval\[models\]"):
        family.load(parse_spec(f"{module}:any/thing"), LoadOptions())
