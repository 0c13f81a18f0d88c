"""The same store from a cluster of two raylets, whatever dies, breaks or is started twice meanwhile."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval import rank_retrieval
from clipeval.cli import main
from clipeval.cluster import ClusterSettings, RayEngine, rank_store, stream
from clipeval.compare.job import compare
from clipeval.data.dataset import Dataset, Item, PictureSource
from clipeval.data.load import load_dataset
from clipeval.encoders.base import JointEncoder
from clipeval.encoders.load import load_encoder
from clipeval.errors import NotAvailableError, PictureError
from clipeval.evaluation import DIRECTIONS
from clipeval.evaluation.readable import readable_part
from clipeval.evaluation.store import StoredEmbeddings, embed_to_store
from clipeval.evaluation.store.lock import only_job

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs clipeval[ray]: ray not installed"
    ),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

ENCODERS = """
import json, os, pathlib, time
import numpy as np

class Encoder:
    fingerprint = {"weights": "one"}

    def __init__(self):
        now = json.loads(pathlib.Path("now.json").read_text())
        self.log, self.pause, self.deadly = pathlib.Path(now["log"]), now["pause"], now["deadly"]

    def encode_images(self, pictures):
        keys = [int(np.asarray(p)[0, 0, 0]) for p in pictures]
        with (self.log / f"{os.getpid()}.asked").open("a") as log:
            log.writelines(f"{key}\\n" for key in keys)
        if self.deadly in keys:
            os.kill(os.getpid(), 9)
        time.sleep(self.pause)
        with (self.log / f"{os.getpid()}.done").open("a") as log:
            log.writelines(f"{key}\\n" for key in keys)
        # a row depends on its place in the batch, as in the last bits of a network's
        return np.array([[k, 60.0, at] for at, k in enumerate(keys)], dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[len(t), 20.0, at] for at, t in enumerate(texts)], dtype=np.float32)

def one():
    return Encoder()
"""
SPEC = "python:mine_cluster:one"
SETTINGS = {"batch size": "32"}  # as the command notes them
N = 160  # five shards of 32


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two raylets on this machine, and this process connected to them; nothing is left behind."""
    from clipeval.cluster.session import ray_library, short_folder

    ray = ray_library()
    from ray.cluster_utils import Cluster

    where = tmp_path_factory.mktemp("encoders")
    (where / "mine_cluster.py").write_text(ENCODERS, encoding="utf-8")
    small = {"object_store_memory": 200 * 2**20, "include_dashboard": False}
    with ExitStack() as held:
        folder = short_folder()  # not /tmp/ray, which other clusters of this machine share
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        held.callback(os.chdir, Path.cwd())
        os.chdir(where)  # where the user's own encoder is found, here and by the workers
        before = signal.getsignal(signal.SIGTERM)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "temp_dir": folder, **small})
        held.callback(cluster.shutdown)
        cluster.add_node(num_cpus=2, object_store_memory=200 * 2**20)
        held.callback(ray.shutdown)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        signal.signal(signal.SIGTERM, before)
        yield cluster.address


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "pictures"
    folder.mkdir()
    rows = []
    for row in range(N):
        Image.new("RGB", (4, 4), (row, 0, 0)).save(folder / f"{row}.png")
        rows.append({"image": f"{row}.png", "captions": [f"number {row}"]})
    (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


@pytest.fixture
def log(tmp_path: Path, address: str) -> Path:
    """Where the user's encoder writes down what it is asked."""
    return begin_log(tmp_path / "log")


def begin_log(folder: Path, *, pause: float = 0.0, deadly: int = -1) -> Path:
    folder.mkdir(exist_ok=True)
    now = {"log": str(folder), "pause": pause, "deadly": deadly}
    Path("now.json").write_text(json.dumps(now), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def reference(pictures: Path, tmp_path_factory: pytest.TempPathFactory, address: str) -> dict[str, bytes]:
    """The files that one machine makes."""
    folder = tmp_path_factory.mktemp("reference")
    begin_log(folder / "log")
    stored = embed_to_store(
        load_encoder(SPEC), load_dataset(pictures), folder / "store", shard_size=32, settings=SETTINGS
    )
    return files(stored.folder)


def files(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def embed(
    data: Path | Dataset, store: Path, *, workers: int = 2, told: list[str] | None = None
) -> StoredEmbeddings:
    engine = RayEngine(ClusterSettings(workers=workers), log=None if told is None else told.append)
    encoder = engine.spread(load_encoder(SPEC), spec=SPEC, options={})
    dataset = data if isinstance(data, Dataset) else load_dataset(data)
    return embed_to_store(
        encoder,
        dataset,
        store,
        shard_size=32,
        settings=SETTINGS,
        hashed=engine.hashed,
        log=engine.log,
    )


def without_pictures(reference: dict[str, bytes], store: Path) -> Path:
    """A store whose captions are there and whose pictures are not."""
    store.mkdir()
    for name, content in reference.items():
        if not name.startswith("images"):
            (store / name).write_bytes(content)
    return store


def said(log: Path, what: str) -> list[int]:
    return [int(line) for path in log.glob(f"*.{what}") for line in path.read_text().split()]


def wait_for(ready: Callable[[], Any], job: threading.Thread) -> Any:
    while not (found := ready()):
        assert job.is_alive(), "it never came to that"
        time.sleep(0.02)
    return found


@pytest.fixture(params=[1, 3], ids=["a batch in each task", "three batches in a task"])
def carried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Batches of a task; jobs as small as these have one each, unless told otherwise."""
    if request.param > 1:
        monkeypatch.setattr(stream, "BLOCKS_OF_A_PROCESS", 1)
        monkeypatch.setattr(stream, "ROWS_OF_A_BLOCK", request.param)
    assert stream.number_of_blocks(N // 32, processes=1) == -(-N // 32 // request.param)
    return int(request.param)


def test_the_store_is_that_of_one_machine_to_the_bit(
    carried, address, pictures, reference, log, tmp_path
) -> None:
    told: list[str] = []
    stored = embed(pictures, tmp_path / "store", told=told)
    assert files(stored.folder) == reference
    assert sorted(said(log, "done")) == list(range(N))
    assert str(os.getpid()) not in {path.stem for path in log.glob("*.done")}  # it was done elsewhere
    assert [line.partition(":")[0] for line in told] == [
        f"{side}-{n:05}.safetensors" for side, n in [("texts", 0), *(("images", n) for n in range(5))]
    ]


def test_workers_open_an_address_themselves_and_the_command_opens_no_picture(
    address, pictures, reference, log, tmp_path, serve, monkeypatch
) -> None:
    pytest.importorskip("aiohttp", reason="needs clipeval[remote]: aiohttp not installed")
    from clipeval.data.remote import Remote

    server = serve(pictures.parent)
    data = load_dataset(f"{server.url}/pictures")

    def refused(*_: object) -> bytes:
        raise AssertionError("the command opened a picture")

    monkeypatch.setattr(Remote, "whole", refused)  # in this process, and in no other
    monkeypatch.setattr(Remote, "span", refused)
    server.asked.clear()
    assert files(embed(data, without_pictures(reference, tmp_path / "store")).folder) == reference
    opened = [path for method, path, _ in server.asked if method == "GET"]
    assert {path.rpartition("/")[2] for path in opened} == {f"{row}.png" for row in range(N)}


def test_decoding_is_a_stage_of_its_own(address) -> None:
    from clipeval.cluster import tasks

    recipe = tasks.TowerRecipe(SPEC, {}, "images", {"none": "such"})
    rows = [{"number": 0, "ids": ["a"], "content": pickle.dumps([])}]
    data = stream.pipeline(rows, recipe, workers=1, cpus=1, gpus=0).materialize()
    # fused they would be one operator, "Map(decoded)->Map(Encoding)"
    assert "Operator 1 Map(decoded):" in data.stats()
    assert "Operator 2 Map(Encoding):" in data.stats()


def test_a_killed_worker_costs_nothing_but_time(carried, address, pictures, reference, log, tmp_path) -> None:
    begin_log(log, pause=0.4 if carried == 1 else 2.5)
    store = without_pictures(reference, tmp_path / "store")
    found: list[StoredEmbeddings] = []
    told: list[str] = []
    job = threading.Thread(target=lambda: found.append(embed(pictures, store, workers=1, told=told)))
    job.start()
    # its first batch is with the command by then, and its death is noticed by another's first
    wait_for(lambda: any(line.startswith("images-00000") for line in told), job)
    victim = int(next(log.glob("*.asked")).stem)
    os.kill(victim, signal.SIGKILL)
    job.join(timeout=180)
    assert found, "the job did not end"
    assert files(found[0].folder) == reference
    assert {path.stem for path in log.glob("*.asked")} > {str(victim)}
    assert any(line.startswith("a worker had died, and another took its place") for line in told)
    done = said(log, "done")
    assert set(done) == set(range(N))


def test_a_batch_that_kills_every_worker_is_given_up_and_told(
    address, pictures, reference, log, tmp_path, monkeypatch, capfd
) -> None:
    monkeypatch.setattr(stream, "RETRIES", 1)
    begin_log(log, deadly=77)
    told: list[str] = []
    with pytest.raises(NotAvailableError, match=r"could not be encoded, 2 times its process died") as stopped:
        embed(pictures, without_pictures(reference, tmp_path / "store"), workers=1, told=told)
    assert str(stopped.value.where).startswith("images, batch ")
    assert "--engine local" in str(stopped.value.fix)
    assert said(log, "asked").count(77) == 2
    assert "Traceback" not in "".join(capfd.readouterr())
    begin_log(log)
    assert files(embed(pictures, tmp_path / "store").folder) == reference


def test_a_picture_that_cannot_be_decoded_is_named_as_on_one_machine(
    address, pictures, reference, log, tmp_path
) -> None:
    data = broken_copy(pictures, tmp_path)
    told: list[str] = []
    with pytest.raises(PictureError, match="not a picture of an accepted format") as stopped:
        embed(data, tmp_path / "store", told=told)
    assert stopped.value.where == "7.png (metadata.json, row 7)"
    assert any("failed, at item '7.png', on" in line for line in told)
    assert any(line.startswith("images-") and "not made" in line for line in told)


def test_pictures_that_are_skipped_are_listed_and_the_store_is_that_of_the_others(
    address, pictures, log, tmp_path
) -> None:
    data = broken_copy(pictures, tmp_path)
    engine = RayEngine(ClusterSettings())
    part, skipped = readable_part(load_dataset(data), looked=engine.looked)
    assert [(item.id, item.reason) for item in skipped] == [
        ("7.png", "this is not a picture of an accepted format")
    ]
    assert part.name == "pictures without 1 of 160 items"
    there = embed(part, tmp_path / "store")
    here = embed_to_store(load_encoder(SPEC), part, tmp_path / "here", shard_size=32, settings=SETTINGS)
    assert files(there.folder) == files(here.folder)
    assert there.manifest.last.dataset == part.name


def broken_copy(pictures: Path, folder: Path) -> Path:
    copy = folder / "pictures"
    copy.mkdir()
    for path in pictures.iterdir():
        (copy / path.name).write_bytes(b"no picture" if path.name == "7.png" else path.read_bytes())
    return copy


def test_a_second_job_on_one_store_is_refused(address, pictures, log, tmp_path) -> None:
    with (
        only_job(tmp_path / "store"),
        pytest.raises(NotAvailableError, match="another job is writing this store"),
    ):
        embed(pictures, tmp_path / "store")
    assert said(log, "asked") == []


def test_a_driver_that_is_stopped_and_one_that_is_killed_lose_nothing(
    address, pictures, reference, tmp_path
) -> None:
    store = without_pictures(reference, tmp_path / "store")
    words = ["embed", "--model", SPEC, "--data", str(pictures), "--out", str(store), "--shard-size", "32"]
    words += ["--engine", "ray", "--address", address, "--workers", "1", "--no-probe"]
    finished: set[int] = set()
    for number, (stop, status) in enumerate([(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]):
        log = begin_log(tmp_path / f"log{number}", pause=0.3)
        command = [sys.executable, "-m", "clipeval", *words]
        job = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        shard = f"images-{2 * number:05}.safetensors: 32 rows"
        assert job.stderr is not None
        assert any(line.startswith(shard) for line in job.stderr), "it ended before that"
        job.send_signal(stop)
        out, err = job.communicate(timeout=120)
        assert job.returncode == status, (out, err)
        if stop == signal.SIGINT:
            assert f"finished shards are kept in {store}" in err
        # what was finished before this job began was not encoded again
        assert not set(said(log, "asked")) & finished
        finished = rows_of({path.name for path in store.glob("images-*.safetensors")}, pictures)
    n_finished = len(finished) // 32
    assert 3 <= n_finished < 5
    log = begin_log(tmp_path / "log2")
    last = embed(pictures, store)
    assert (last.kept, last.made) == (1 + n_finished, 5 - n_finished)
    assert sorted(said(log, "asked")) == sorted(set(range(N)) - finished)
    assert files(store) == reference


def rows_of(shards: set[str], pictures: Path) -> set[int]:
    """The pictures that the shards hold: rows stand in the order of the pictures' hashes."""
    order = sorted(
        range(N), key=lambda row: hashlib.sha256((pictures / f"{row}.png").read_bytes()).hexdigest()
    )
    return {
        order[at]
        for n in range(5)
        if f"images-{n:05}.safetensors" in shards
        for at in range(32 * n, 32 * n + 32)
    }


def test_a_full_disk_is_told_and_what_was_written_is_kept(
    address, pictures, reference, log, tmp_path, monkeypatch
) -> None:
    from clipeval.evaluation.store import files as store_files

    store = without_pictures(reference, tmp_path / "store")

    write = store_files.replace_whole

    def full(path: Path, parts: Any, **more: Any) -> None:
        if path.name == "images-00002.safetensors":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, parts, **more)

    monkeypatch.setattr(store_files, "replace_whole", full)
    with pytest.raises(OSError, match="No space left"):
        embed(pictures, store)
    monkeypatch.undo()
    finished = rows_of({path.name for path in store.glob("images-*")}, pictures)
    assert len(finished) == 64
    again = embed(pictures, store)
    assert (again.kept, again.made) == (3, 3)
    assert files(again.folder) == reference
    assert all(said(log, "asked").count(key) == 1 for key in finished)


def test_real_towers_give_the_store_of_one_machine_to_the_bit(address, one_thread, tmp_path) -> None:
    spec = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"
    options = {"offline": True}
    encoder, data = load_encoder(spec, **options), load_dataset("embedded")
    here = embed_to_store(encoder, data, tmp_path / "here")
    engine = RayEngine(ClusterSettings(workers=1))
    there = embed_to_store(engine.spread(encoder, spec=spec, options=options), data, tmp_path / "there")
    assert files(there.folder) == files(here.folder)
    told = "\n".join(engine.timing.told(cpus=1))
    assert "20 pictures in" in told
    assert "decoding" in told


@pytest.fixture
def one_thread(models_extra: None) -> Iterator[None]:
    """A network here runs as those of the workers do."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def joined(models_extra: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A head over two networks side by side, each of which is spread for itself."""
    folder = tmp_path_factory.mktemp("trained") / "joined"
    towers = "--image-tower efficientnet-lite0+efficientnet-lite1 --text-tower all-MiniLM-L6-v2"
    words = f"train {towers} --epochs 1 --batch-size 8 --dim 8 --held-out 0 --no-cache --offline"
    with pytest.raises(SystemExit) as end:
        main([*words.split(), "--data", "embedded#train", "--out", str(folder)])
    assert not end.value.code
    return f"dual:{folder}"


RIDGE = "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=ridge&fit=embedded&part=train"


@pytest.mark.parametrize("family", [RIDGE, "joined"], ids=["a learned bridge", "joined towers"])
def test_what_is_made_of_towers_here_is_the_same_over_towers_elsewhere(
    family, address, one_thread, request
) -> None:
    spec = request.getfixturevalue("joined") if family == "joined" else family
    data = load_dataset("embedded#test")
    runs = [
        compare([spec], data, probing=False, offline=True, engine=engine).models[0]
        for engine in (None, RayEngine(ClusterSettings(workers=1)))
    ]
    here, there = (run.evaluation for run in runs)
    assert here is not None, runs[0].reason
    assert there is not None, runs[1].reason
    np.testing.assert_array_equal(there.images, here.images)
    np.testing.assert_array_equal(there.texts, here.texts)
    for direction in DIRECTIONS:
        assert list(there.records(direction)) == list(here.records(direction))


def test_a_comparison_on_the_cluster_gives_the_document_of_one_machine(
    address, pictures, log, tmp_path
) -> None:
    from clipeval.compare.document import comparison_document

    dataset = load_dataset(pictures)
    alone = compare([SPEC], dataset, probing=False)
    spread = compare([SPEC], dataset, probing=False, engine=RayEngine(ClusterSettings()))
    assert alone.models[0].status == "ok"
    assert len({path.stem for path in log.glob("*.done")} - {str(os.getpid())}) >= 1
    documents = [comparison_document(job) for job in (alone, spread)]
    times = [document.pop("times") for document in documents]
    assert [time_["models"][0]["encoded"] for time_ in times] == [2 * N, 2 * N]
    assert documents[0] == documents[1]
    one, other = (job.models[0].evaluation for job in (alone, spread))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.texts, other.texts)
    for direction in DIRECTIONS:
        assert list(one.records(direction)) == list(other.records(direction))


def test_a_block_whose_process_dies_is_counted_again_and_given_up_if_each_dies(
    address, tmp_path, monkeypatch
) -> None:
    from clipeval.cluster import ranking

    def block(number: int, deaths: int) -> int:  # a closure: workers cannot import this file
        place = tmp_path / str(number)
        place.mkdir(exist_ok=True)
        if len(list(place.iterdir())) < deaths:
            (place / str(os.getpid())).touch()
            os.kill(os.getpid(), 9)
        return 10 * number

    found = dict(ranking.RayWorkers().run(block, [(0, 0), (1, 2), (2, 0)]))
    assert found == {0: 0, 1: 10, 2: 20}
    assert len(list((tmp_path / "1").iterdir())) == 2
    monkeypatch.setattr(ranking, "RETRIES", 1)
    with pytest.raises(NotAvailableError, match="a block could not be ranked") as stopped:
        dict(ranking.RayWorkers().run(block, [(3, 99)]))
    assert str(stopped.value.where).startswith("block 0; ")


def test_a_ranking_that_fails_leaves_no_block_at_work_that_hears_no_interrupt(address, tmp_path) -> None:
    from clipeval.cluster import ranking
    from clipeval.errors import EncoderError

    def block(number: int) -> int:
        (tmp_path / f"{number}-{os.getpid()}").touch()
        if number == 0:
            while not list(tmp_path.glob("1-*")):
                time.sleep(0.02)
            raise EncoderError("a damaged shard")
        return ctypes.CDLL(None).sleep(60)  # in C, as a product of matrices

    with pytest.raises(EncoderError, match="a damaged shard"):
        dict(ranking.RayWorkers().run(block, [(0,), (1,)]))
    process = Path("/proc", next(tmp_path.glob("1-*")).name[len("1-") :])
    left = time.monotonic() + 20
    while process.exists() and process.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < left, "it works on"
        time.sleep(0.1)


def test_a_store_is_ranked_in_blocks_as_in_memory(address, tmp_path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(-2, 3, size=(1500, 8)).astype(np.float32)  # many ties, many copies
    texts = images[rng.integers(0, 1500, size=2500)] + rng.choice([0, 0, 1], size=(2500, 1)).astype(
        np.float32
    )
    items, n = [], 0
    for row in range(1500):
        many = 2 if row < 1000 else 1
        captions = tuple(f"{n + k}" for k in range(many))
        items.append(Item(f"{row}", captions, PictureSource(f"{row}", f"{row}".encode)))
        n += many
    data = Dataset("ties", tuple(items))
    store = store_of(images, texts, data, tmp_path / "store")
    blocks: list[tuple[int, int]] = []

    found = rank_store(store, data, block_rows=400, top=3, progress=lambda *told: blocks.append(told))
    assert blocks == [(n + 1, blocks[0][1]) for n in range(blocks[0][1])]
    whole = rank_retrieval(images, texts, data.image_of_caption, top=3)
    for direction in DIRECTIONS:
        one, other = getattr(found, direction), getattr(whole, direction)
        for name in ("better", "tied", "positives_tied", "positive_score", "best_rival", "rival_score"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        np.testing.assert_array_equal(one.top.candidates, other.top.candidates)


class Given(JointEncoder):
    """Rows that are known, for pictures and captions that are their numbers."""

    name = "given"
    fingerprint = {"weights": "given"}  # noqa: RUF012

    def __init__(self, images: np.ndarray, texts: np.ndarray) -> None:
        self._images, self._texts = images, texts

    def encode_sources(self, batches: Any) -> Any:
        for batch in batches:
            yield self._images[[int(picture.item) for picture in batch]]

    def encode_images(self, pictures: Any) -> np.ndarray:
        raise NotImplementedError

    def encode_texts(self, texts: Any) -> np.ndarray:
        return self._texts[[int(text) for text in texts]]


def store_of(images: np.ndarray, texts: np.ndarray, data: Dataset, folder: Path) -> Path:
    return embed_to_store(Given(images, texts), data, folder, shard_size=256).folder
