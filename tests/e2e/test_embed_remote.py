"""``clipeval embed`` and ``compare`` on data behind a web server: the files of the same data on a disk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("aiohttp", reason="needs clipeval[remote]: aiohttp not installed")

Run = Callable[..., subprocess.CompletedProcess[str]]

ENCODER = """
import numpy as np

class Encoder:
    fingerprint = {"weights": "one"}

    def encode_images(self, pictures):
        rows = [[np.asarray(p)[0, 0, 0], 60.0, at] for at, p in enumerate(pictures)]
        return np.array(rows, dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[len(t), 20.0, 2.0] for t in texts], dtype=np.float32)

def one():
    return Encoder()
"""
SPEC = "python:mine_remote:one"
HOW = ("--model", SPEC, "--shard-size", "8", "--batch-size", "8", "--no-probe")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "mine_remote.py").write_text(ENCODER, encoding="utf-8")
    (tmp_path / "web" / "pets").mkdir(parents=True)
    for row in range(20):
        path = tmp_path / "web" / "pets" / f"{row}.png"
        Image.new("RGB", (4, 4), (9 * row, 0, 0)).save(path)
        path.with_suffix(".txt").write_text(f"picture {'x' * row}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(clipeval: Run, here: Path) -> Run:
    cache = {"XDG_CACHE_HOME": str(here / "cache"), "PYTHONPATH": str(here)}
    return lambda *words, **more: clipeval(*words, cwd=here, env=cache, **more)


def files(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_the_store_is_that_of_the_same_files_on_a_disk_and_holds_no_credential(run, here, serve) -> None:
    address = f"{serve(here / 'web').url}/pets?sig=SignedByTheUser"
    on_disk = run("embed", "web/pets", "--out", "one", *HOW)
    assert on_disk.returncode == 0, on_disk.stderr
    remote = run("embed", address, "--out", "two", *HOW)
    assert remote.returncode == 0, remote.stderr
    assert files(here / "one") == files(here / "two")
    assert run("embed", f"file://{here}/web/pets", "--out", "three", *HOW).returncode == 0
    assert files(here / "one") == files(here / "three")
    assert "--data http://127.0.0.1" in remote.stdout.splitlines()[-1]
    assert "SignedByTheUser" not in remote.stdout + remote.stderr
    assert not [
        path for path in here.rglob("*") if path.is_file() and b"SignedByTheUser" in path.read_bytes()
    ]


def test_a_comparison_gives_the_same_document_and_finds_the_same_rows_in_the_cache(run, here, serve) -> None:
    address = f"{serve(here / 'web').url}/pets?sig=SignedByTheUser"
    words = ("compare", "--model", SPEC, "--no-probe", "--json", "--out")
    here_, there = (
        json.loads(run(*words, out, "--data", data).stdout)
        for out, data in (("a", "web/pets"), ("b", address))
    )
    times = [document.pop("times")["models"][0] for document in (here_, there)]
    assert here_ == there
    assert [one["encoded"] for one in times] == [40, 0]
    assert not [
        path for path in here.rglob("*") if path.is_file() and b"SignedByTheUser" in path.read_bytes()
    ]


def test_a_transfer_that_breaks_ends_the_job_with_address_and_item_and_it_goes_on(run, here, serve) -> None:
    server = serve(here / "web")
    assert run("embed", "web/pets", "--out", "whole", *HOW).returncode == 0
    server.cut.add("/pets/13.png")
    broken = run("embed", f"{server.url}/pets", "--out", "store", *HOW)
    assert broken.returncode == 3
    assert f"{server.url}/pets/13.png: ClientPayloadError" in broken.stderr
    assert "where: 13.png" in broken.stderr
    server.cut.clear()
    assert run("embed", f"{server.url}/pets", "--out", "store", *HOW).returncode == 0
    assert files(here / "store") == files(here / "whole")


def test_offline_and_an_address_exclude_each_other(run, here, serve) -> None:
    server = serve(here / "web")
    refused = run("embed", f"{server.url}/pets?sig=SignedByTheUser", "--out", "store", "--offline", *HOW)
    assert refused.returncode == 3
    assert "the data lie behind a network, which --offline closes" in refused.stderr
    assert server.asked == []
    assert "SignedByTheUser" not in refused.stderr


def test_the_data_are_named_once_and_by_position_or_option(run, here) -> None:
    assert run("embed", "--data", "web/pets", "--out", "one", *HOW).returncode == 0
    twice = run("embed", "web/pets", "--data", "s3://me:secretOfTheUser@b/x", "--out", "two", *HOW)
    assert twice.returncode == 3
    assert "the data are named twice" in twice.stderr
    assert "secretOfTheUser" not in twice.stderr
    missing = run("embed", "--out", "two", *HOW)
    assert missing.returncode == 3
    assert "DATA is missing" in missing.stderr
    assert run("embed", "", "--out", "two", *HOW).returncode == 3
