"""Pictures prepared in threads: the same bits for any number of them, the first error in order, no rest."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from clipeval.data.dataset import PictureSource
from clipeval.encoders.staging import WholePictures, stage_of
from clipeval.errors import EncoderError, InvalidInputError, PictureError
from clipeval.evaluation.overlap import AHEAD, encode_pictures, encoded_in_order, plan_for


def png(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


def threads_of_pictures() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("clipeval-pictures")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert threads_of_pictures() == []


class Stage:
    """Two steps that can be slow in any order, and note what happens."""

    def __init__(self, *, cores: int | None = 1, delay=None) -> None:
        self.cores = cores
        self.rooms = 0
        self.full: list[int] = []
        self._delay = delay or (lambda value: 0.0)
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def room(self, n):
        self.rooms += 1
        return [None] * n

    def put(self, room, at, picture):
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self._delay(picture))
        room[at] = picture
        with self._lock:
            self._now -= 1

    def rows(self, room, n):
        self.full.append(n)
        found = np.array(room[:n], dtype=np.float32)[:, None]
        room[:] = [None] * len(room)
        return found


class Tower:
    """A tower whose stage is given."""

    fingerprint: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, stage) -> None:
        self._stage = stage

    def encode_images(self, pictures):
        raise AssertionError("its two steps are used")

    def image_stage(self):
        return self._stage


def numbers(found) -> list[list[float]]:
    return [None if rows is None else rows[:, 0].tolist() for rows in found]


# --- order and bits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("cores", [1, None])
def test_rows_come_in_order_however_long_each_picture_takes(workers, cores):
    stage = Stage(cores=cores, delay=lambda value: 0.002 * (7 * value % 5))
    batches = [[0, 1, 2, 3], [4, 5, 6], [7], [8, 9, 10, 11]]
    found = encoded_in_order(Tower(stage), batches, float, workers=workers)
    assert numbers(found) == [[0, 1, 2, 3], [4, 5, 6], [7], [8, 9, 10, 11]]
    assert stage.most_at_once <= workers


def test_what_somebody_has_already_keeps_its_turn():
    found = encoded_in_order(Tower(Stage()), [None, [1], None, None, [2], [3], None], float, workers=2)
    assert numbers(found) == [None, [1], None, None, [2], [3], None]


def test_a_network_is_not_loaded_where_nothing_is_encoded():
    class Unloadable(Tower):
        def image_stage(self):
            raise AssertionError("loaded")

        def encode_images(self, pictures):
            raise AssertionError("loaded")

    assert list(encoded_in_order(Unloadable(None), [None, None], float)) == [None, None]
    assert list(encoded_in_order(Unloadable(None), [], float)) == []


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_rows_of_picture_files_are_those_of_encode_images(counting, workers):
    files = [png((n, 1, 2)) for n in range(11)]
    sources = [PictureSource(f"{n}.png", lambda data=data: data) for n, data in enumerate(files)]
    batches = [sources[:5], sources[5:10], sources[10:]]
    found = list(encode_pictures(counting(), batches, workers=workers))
    from clipeval.data.pictures import read_picture

    for rows, batch in zip(found, batches, strict=True):
        alone = counting().encode_images([read_picture(source) for source in batch])
        assert rows.tobytes() == alone.tobytes()


# --- memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "most"), [(None, 1), (0, AHEAD + 1)])
def test_no_more_batches_are_pulled_than_the_plan_says(cores, most):
    pulled, stage = [], Stage(cores=cores)

    def batches():
        for number in range(9):
            pulled.append(number)
            yield [float(number)]

    with_rows = 0
    for _ in encoded_in_order(Tower(stage), batches(), float, workers=2):
        with_rows += 1
        assert len(pulled) - with_rows <= most - 1
    assert with_rows == 9
    assert stage.rooms == most


def test_rooms_are_used_again_and_a_shorter_last_batch_gets_its_own():
    stage = Stage(cores=None)
    list(encoded_in_order(Tower(stage), [[1, 2]] * 6 + [[3]], float, workers=2))
    assert (stage.rooms, stage.full) == (2, [2] * 6 + [1])


def test_decoded_pictures_of_a_tower_without_steps_are_let_go(counting):
    stage = WholePictures(counting())
    room = stage.room(2)
    stage.put(room, 1, Image.new("RGB", (2, 2), (1, 1, 1)))
    stage.put(room, 0, Image.new("RGB", (2, 2)))
    stage.rows(room, 2)
    assert room == [None, None]


# --- errors --------------------------------------------------------------------------------------------


def failing(*bad: int, slow: int | None = None):
    def read(value: int) -> float:
        if value == slow:
            time.sleep(0.1)
        if value in bad:
            raise PictureError(f"picture {value} is bad")
        return float(value)

    return read


@pytest.mark.parametrize("cores", [1, None])
def test_the_first_bad_picture_in_order_is_named_even_if_a_later_one_fails_sooner(cores):
    batches = [[0, 1, 2, 3], [4, 5, 6, 7]]
    found = encoded_in_order(Tower(Stage(cores=cores)), batches, failing(2, 3, 5, slow=2), workers=4)
    with pytest.raises(PictureError, match="picture 2 is bad"):
        list(found)


def test_rows_before_the_bad_picture_are_given_out():
    found = encoded_in_order(Tower(Stage()), [[0], [1], [2]], failing(2), workers=2)
    assert numbers([next(found), next(found)]) == [[0], [1]]
    with pytest.raises(PictureError, match="picture 2"):
        next(found)


def test_an_error_of_the_network_comes_before_a_bad_picture_of_a_later_batch():
    class Broken(Stage):
        def rows(self, room, n):
            raise EncoderError("the network is broken")

    with pytest.raises(EncoderError, match="network"):
        list(encoded_in_order(Tower(Broken()), [[0], [1]], failing(1), workers=2))


def test_after_an_error_nothing_more_is_read():
    read, gate = [], threading.Event()

    def slow(value: int) -> float:
        read.append(value)
        if value == 0:
            raise PictureError("bad")
        gate.wait(0.02)
        return float(value)

    with pytest.raises(PictureError):
        list(encoded_in_order(Tower(Stage()), [list(range(500))], slow, workers=2))
    assert len(read) < 50


def test_closing_in_the_middle_ends_the_threads():
    found = encoded_in_order(Tower(Stage(delay=lambda value: 0.01)), [[n] for n in range(50)], float)
    next(found)
    found.close()
    assert threads_of_pictures() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
def test_ctrl_c_in_the_middle_ends_the_threads():
    code = """
import threading, time
import numpy as np
from clipeval.evaluation.overlap import encoded_in_order

class Tower:
    fingerprint = {}
    def encode_images(self, pictures):
        return np.zeros((len(pictures), 1), dtype=np.float32)

def read(value):
    time.sleep(0.05)
    return value

try:
    for rows in encoded_in_order(Tower(), [list(range(20))] * 1000, read, workers=3):
        print("going", flush=True)
except KeyboardInterrupt:
    left = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    print("stopped", left, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out.splitlines()[-1] == "stopped []"


# --- the plan ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("busy", "cores", "plan"),
    [
        (2, 2, (2, 0)),  # the network has both cores: preparation takes its turn on both
        (None, 4, (4, 0)),  # nobody knows what a user's network does
        (1, 2, (1, AHEAD)),  # torch on one thread of two
        (1, 16, (15, AHEAD)),  # a GPU
        (4, 2, (2, 0)),  # more threads than cores
        (1, 1, (1, 0)),
        (1, 200, (32, AHEAD)),
    ],
)
def test_threads_take_what_the_network_leaves(busy, cores, plan):
    found = plan_for(SimpleNamespace(cores=busy), cores=cores)
    assert (found.workers, found.ahead) == plan


def test_no_workers_are_refused():
    with pytest.raises(InvalidInputError, match="0 threads"):
        list(encoded_in_order(Tower(Stage()), [[1]], float, workers=0))


# --- whose two steps -----------------------------------------------------------------------------------


def test_a_subclass_that_encodes_otherwise_is_not_bypassed():
    class Other(Tower):
        def encode_images(self, pictures):
            return np.ones((len(pictures), 1), dtype=np.float32)

    assert isinstance(stage_of(Other(Stage())), WholePictures)
    replaced = Tower(Stage())
    assert isinstance(stage_of(replaced), Stage)
    replaced.encode_images = lambda pictures: None
    assert isinstance(stage_of(replaced), WholePictures)


def test_a_subclass_with_steps_of_its_own_has_them():
    class Both(Tower):
        def encode_images(self, pictures):
            raise AssertionError

        def image_stage(self):
            return "its own"

    assert stage_of(Both(None)) == "its own"
