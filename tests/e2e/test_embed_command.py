"""``clipeval embed`` as a user meets it: killed, interrupted, run twice, continued, and played back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]

ENCODERS = """
import os, pathlib, signal, time
import numpy as np

class Encoder:
    def __init__(self, weights):
        self.fingerprint = {"weights": weights}
        self.batches = 0

    def encode_images(self, pictures):
        print("noise of the user's own")
        self.batches += 1
        if self.batches > int(os.environ.get("KILLED_AFTER", "1000")):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.batches == int(os.environ.get("SLOW_AT", "0")):
            pathlib.Path("started").touch()
            time.sleep(60)
        with open("asked.txt", "a") as log:
            log.writelines(f"{np.asarray(p)[0, 0, 0]}\\n" for p in pictures)
        return np.array([[np.asarray(p)[0, 0, 0], 60.0, 1.0] for p in pictures], dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[len(t), 20.0, 2.0] for t in texts], dtype=np.float32)

def one():
    return Encoder("one")

def two():
    return Encoder("two")

def constant():
    encoder = Encoder("constant")
    encoder.encode_images = lambda pictures: np.ones((len(pictures), 3), dtype=np.float32)
    return encoder

def bare():
    encoder = Encoder("none")
    encoder.fingerprint = None
    return encoder
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with 70 pictures (three shards of 32) and the user's own encoders."""
    (tmp_path / "mine_embed.py").write_text(ENCODERS, encoding="utf-8")
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = []
    for row in range(70):
        Image.new("RGB", (4, 4), (3 * row, 0, 0)).save(folder / f"{row}.png")
        rows.append({"image": f"{row}.png", "captions": [f"picture {'x' * row}", f"number {row}"]})
    (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(clipeval: Run, here: Path) -> Run:
    """Run the command in that folder."""

    def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return clipeval(*arguments, cwd=here, env={"CLIPEVAL_CACHE": str(here / "cache"), **env})

    return command


def embed(store: str, *more: str, model: str = "one") -> list[str]:
    spec = f"python:mine_embed:{model}"
    words = ["--model", spec, "--data", "pictures", "--out", store, "--shard-size", "32", "--no-probe"]
    return ["embed", *words, *more]


def test_a_killed_job_goes_on_and_ends_as_one_that_was_not(run: Run, here: Path) -> None:
    assert run(*embed("whole")).returncode == 0
    (here / "asked.txt").unlink()
    assert run(*embed("killed"), KILLED_AFTER="2").returncode == -signal.SIGKILL
    again = run(*embed("killed", "--json"))
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    # 70 distinct pictures and 140 captions: the captions and two of three shards of pictures were there
    assert document["shards"] == {"all": 4, "made": 1, "kept": 3}
    assert (document["encoded"], document["mended"]) == (6, [])
    asked = (here / "asked.txt").read_text(encoding="utf-8").splitlines()
    assert (len(asked), len(set(asked))) == (70, 70)
    names = {path.name for path in (here / "whole").iterdir()}
    assert names == {path.name for path in (here / "killed").iterdir()}
    for name in names:
        assert (here / "whole" / name).read_bytes() == (here / "killed" / name).read_bytes()


def test_played_back_it_gives_the_numbers_of_the_model_itself(run: Run, here: Path) -> None:
    assert run(*embed("store")).returncode == 0
    models = ["--model", "python:mine_embed:one", "--model", "frozen:store"]
    compared = run("compare", "--data", "pictures", "--no-probe", "--json", *models)
    assert compared.returncode == 0, compared.stderr
    direct, played = json.loads(compared.stdout)["models"]
    assert direct["spec"] != played["spec"]
    same: dict[str, Any] = {key: played[key] for key in played if key in ("scores", "categories", "chance")}
    assert same
    assert {key: direct[key] for key in same} == same


def test_an_unfinished_store_is_not_run_with_how_much_is_there(run: Run, here: Path) -> None:
    assert run(*embed("part"), KILLED_AFTER="1").returncode == -signal.SIGKILL
    compared = run("compare", "--data", "pictures", "--model", "frozen:part", "--json")
    assert compared.returncode == 1
    (model,) = json.loads(compared.stdout)["models"]
    assert model["status"] == "not_run"
    assert "it holds 2 of 4 shards" in model["reason"]
    assert "clipeval embed --model python:mine_embed:one --data DATA --out part" in model["reason"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupted_it_says_that_it_can_go_on_and_a_second_job_waits_for_nobody(
    run: Run, here: Path
) -> None:
    env = os.environ | {"CLIPEVAL_CACHE": str(here / "cache"), "SLOW_AT": "2"}
    process = subprocess.Popen(
        [sys.executable, "-m", "clipeval", *embed("store")],
        cwd=here,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (here / "started").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    second = run(*embed("store"))
    assert second.returncode == 3
    assert second.stderr.startswith("error: another job is writing this store\n")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    last = err.splitlines()[-1]
    assert last == "interrupted: finished shards are kept in store, the same command goes on with the rest"
    went_on = run(*embed("store"))
    assert went_on.returncode == 0
    assert "now: 38 encoded, 2 shards made; 2 were there\n" in went_on.stdout


def test_it_says_what_it_made_and_how_to_use_it(run: Run, here: Path) -> None:
    done = run(*embed("my store"))
    assert done.stdout.splitlines() == [
        "70 images (70 distinct) and 140 captions (140 distinct), 3 columns, 4 shards in my store",
        "now: 210 encoded, 4 shards made; 0 were there",
        "compare it: clipeval compare --model 'frozen:my store' --data pictures",
    ]
    (here / "my store" / "images-00002.safetensors").write_bytes(b"broken")
    mended = run(*embed("my store"))
    assert "damaged and made again: images-00002.safetensors\n" in mended.stdout


def test_another_model_other_data_and_no_fingerprint_are_wrong_usage(run: Run, here: Path) -> None:
    assert run(*embed("store")).returncode == 0
    other = run(*embed("store", model="two"))
    assert other.returncode == 3
    assert "another model: 'model' is 'mine_embed:one' there, 'mine_embed:two' here" in other.stderr
    assert "here; also: weights\n" in other.stderr
    (here / "pictures" / "0.png").write_bytes((here / "pictures" / "1.png").read_bytes())
    changed = run(*embed("store"))
    assert changed.returncode == 3
    assert "the item '0.png' has another picture than when it was embedded" in changed.stderr
    bare = run(*embed("another", model="bare"))
    assert bare.returncode == 3
    assert "the encoder has no fingerprint" in bare.stderr
    assert not (here / "another").exists()


def test_the_probes_look_first(run: Run, here: Path) -> None:
    words = [word for word in embed("store", model="constant") if word != "--no-probe"]
    refused = run(*words)
    assert refused.returncode == 3
    assert "--no-probe" in refused.stderr
    assert not (here / "store").exists()
    assert run(*words, "--no-probe").returncode == 0


def grow(here: Path) -> None:
    """Forty more pictures, 38 of them new, between the old ones; half of their captions are new."""
    rows = json.loads((here / "pictures" / "metadata.json").read_text(encoding="utf-8"))
    for row in range(40):
        colour = (3 * row, 200, 0) if row < 38 else (3 * row, 0, 0)
        Image.new("RGB", (4, 4), colour).save(here / "pictures" / f"new{row}.png")
        rows.insert(2 * row, {"image": f"new{row}.png", "captions": [f"number {row}", f"new {row}"]})
    (here / "pictures" / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")


def test_a_killed_append_leaves_the_old_store_and_the_same_command_finishes_it(run: Run, here: Path) -> None:
    assert run(*embed("store")).returncode == 0
    shutil.copytree(here / "store", here / "whole")
    shutil.copytree(here / "pictures", here / "old")
    grow(here)
    assert run(*embed("whole", "--append")).returncode == 0
    (here / "asked.txt").unlink()
    assert run(*embed("store", "--append"), KILLED_AFTER="1").returncode == -signal.SIGKILL
    played = ["--model", "frozen:store", "--json", "--no-probe"]
    assert run("compare", "--data", "old", *played).returncode == 0
    grown = json.loads(run("compare", "--data", "pictures", *played).stdout)["models"][0]
    assert grown["status"] == "not_run"
    assert "40 of 110 ids have no images here, the first is 'new0.png'" in grown["reason"]
    assert "--data DATA --out store --append" in grown["reason"]
    again = run(*embed("store", "--append", "--json"))
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    # 4 shards were there, then the new captions and the first of two shards of new pictures
    assert document["shards"] == {"all": 7, "made": 1, "kept": 6}
    assert (document["appended"], document["encoded"], document["given_up"]) == (40, 6, [])
    asked = (here / "asked.txt").read_text(encoding="utf-8").splitlines()
    assert len(asked) == 38
    names = {path.name for path in (here / "whole").iterdir()}
    assert names == {path.name for path in (here / "store").iterdir()}
    for name in names:
        assert (here / "whole" / name).read_bytes() == (here / "store" / name).read_bytes()
    assert run("compare", "--data", "pictures", *played).returncode == 0


def test_it_says_what_it_appended_and_without_the_option_names_it(run: Run, here: Path) -> None:
    assert run(*embed("store")).returncode == 0
    grow(here)
    refused = run(*embed("store"))
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.splitlines() == [
        "error: the dataset has grown since the store was made: the store's 70 items are unchanged, 40 more "
        "are new, the first is 'new0.png'",
        "  where: store: 'pictures' there, 'pictures' here",
        "  to do: --append embeds what is new into this store; or name another folder",
    ]
    done = run(*embed("store", "--append"))
    assert done.stdout.splitlines() == [
        "110 images (108 distinct) and 220 captions (180 distinct), 3 columns, 7 shards in store",
        "now: 78 encoded, 3 shards made; 4 were there",
        "appended: 40 items",
        "compare it: clipeval compare --model frozen:store --data pictures",
    ]
    assert "appended: nothing, all items were there\n" in run(*embed("store", "--append")).stdout
    assert run(*embed("store")).returncode == 0
    mistyped = run(*embed("strore", "--append"))
    assert mistyped.returncode == 3
    assert mistyped.stderr.startswith("error: there is no store 'strore' to append to\n")
    assert not (here / "strore").exists()


def test_help_has_examples(run: Run) -> None:
    text = run("embed", "--help", COLUMNS="100").stdout
    assert "clipeval embed photos/ --model hf:openai/clip-vit-base-patch32 --out store/" in text
    assert "goes on" in text
    assert "-o store/ --append   it has grown" in text


def test_bad_pictures_end_the_job_or_are_left_out_and_listed(run: Run, here: Path) -> None:
    (here / "pictures" / "7.png").write_bytes(b"no picture")
    failed = run(*embed("store"))
    assert failed.returncode == 3
    assert "this is not a picture of an accepted format\n  where: 7.png" in failed.stderr
    told = run(*embed("part", "--bad-pictures", "skip"))
    assert told.returncode == 0, told.stderr
    assert "69 images" in told.stdout
    assert "PARTIAL: without 1 of 70 items" in told.stdout
    assert "  7.png: this is not a picture of an accepted format" in told.stdout
    document = json.loads(run(*embed("part", "--bad-pictures", "skip", "--json")).stdout)
    assert document["partial"] is True
    assert [item["id"] for item in document["skipped"]] == ["7.png"]
    assert document["dataset"]["name"] == "pictures without 1 of 70 items"
    # the store is never taken for the whole
    compared = run("compare", "--data", "pictures", "--model", "frozen:part", "--json")
    assert compared.returncode == 1
    assert "1 of 70 ids have no images here, the first is '7.png'" in compared.stdout


def test_options_of_a_cluster_need_one(run: Run) -> None:
    wrong = run(*embed("store", "--workers", "2"))
    assert wrong.returncode == 3
    assert "add --engine ray" in wrong.stderr
    assert "did you mean 'ray'" in run(*embed("store", "--engine", "rax")).stderr
