"""The compiled resize gives Pillow's bits, starts when it is worth it, and steps aside where it must."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipeval.core.compiled import compiler
from clipeval.encoders.resize_taps import taps
from clipeval.encoders.resizing import CompiledResizing

BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
LEVELS = np.tile(np.arange(256, dtype=np.float32), (3, 1))


@pytest.fixture(scope="module")
def started():
    pytest.importorskip("numba", reason="needs clipeval[fast]")
    resizing = CompiledResizing()
    assert resizing.start()
    return resizing


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def by_pillow(picture, size, box, resample, table=LEVELS):
    """Resize everything, cut, look up."""
    levels = np.asarray(picture.resize(size, resample).crop(box))
    return np.stack([table[channel][levels[:, :, channel]] for channel in range(3)])


def room(box, fill=np.nan):
    return np.full((3, box[3] - box[1], box[2] - box[0]), fill, dtype=np.float32)


@st.composite
def resizes(draw):
    """A picture's size, its size behind the resize, and a box inside that."""
    before = draw(st.tuples(st.integers(1, 300), st.integers(1, 300)))
    size = draw(st.tuples(st.integers(1, 120), st.integers(1, 120)))
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    right, bottom = draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))
    return before, size, (left, top, right, bottom)


@given(resize=resizes(), resample=st.sampled_from([BICUBIC, BILINEAR]), seed=st.integers(0, 9))
@settings(max_examples=300, deadline=None)
def test_any_resize_and_crop_is_pillow_s_to_the_bit(started, resize, resample, seed):
    before, size, box = resize
    picture = noise(*before, seed)
    out = room(box)
    if started.fill(picture, size, box, resample, LEVELS, out):
        assert np.array_equal(out, by_pillow(picture, size, box, resample))
    else:
        assert before == size or before[1] - size[1] > 2 * (before[0] - size[0])
        assert np.isnan(out).all()


def test_a_tall_picture_that_pillow_13_resizes_along_its_columns_first_is_left_to_pillow(started):
    box = (0, 0, 41, 89)
    assert not started.fill(noise(97, 211), (41, 89), box, BICUBIC, LEVELS, room(box))


@pytest.mark.parametrize("before", [(3000, 2000), (640, 480), (481, 640), (5000, 230), (15, 9), (1, 1)])
@pytest.mark.parametrize("resample", [BICUBIC, BILINEAR])
def test_photographs_of_many_shapes_become_the_same_224_pixels(started, before, resample):
    picture = noise(*before)
    short = min(before)
    size = tuple(max(224, int(224 * edge / short)) for edge in before)
    left, top = ((edge - 224) // 2 for edge in size)
    box = (left, top, left + 224, top + 224)
    table = np.random.default_rng(1).normal(size=(3, 256)).astype(np.float32)
    out = room(box)
    assert started.fill(picture, size, box, resample, table, out)
    assert out.tobytes() == by_pillow(picture, size, box, resample, table).tobytes()


@pytest.mark.parametrize("level", [0, 255])
def test_what_overshoots_is_cut_to_eight_bits(started, level):
    checks = np.kron([[level, 255 - level]], np.ones((8, 5))).astype(np.uint8)
    picture = Image.fromarray(np.stack([checks] * 3, axis=-1))
    box = (0, 0, 37, 23)
    out = room(box)
    assert started.fill(picture, (37, 23), box, BICUBIC, LEVELS, out)
    assert np.array_equal(out, by_pillow(picture, (37, 23), box, BICUBIC))


@pytest.mark.parametrize(("before", "after"), [(640, 298), (7, 224), (3000, 32), (5, 5)])
@pytest.mark.parametrize("resample", [BICUBIC, BILINEAR])
def test_weights_are_those_of_a_loop_over_pixels(before, after, resample):
    def cubic(x):
        x = abs(x)
        if x < 1:
            return ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1
        return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2 else 0.0

    weigh, support = (cubic, 2.0) if resample == BICUBIC else (lambda x: max(0.0, 1.0 - abs(x)), 1.0)
    scale = before / after
    widening = max(scale, 1.0)
    made = taps(before, after, resample, 0, after)
    for pixel in range(after):
        centre = (pixel + 0.5) * scale
        first = max(int(centre - support * widening + 0.5), 0)
        stop = min(int(centre + support * widening + 0.5), before)
        weights = [weigh((old - centre + 0.5) * (1.0 / widening)) for old in range(first, stop)]
        total = 0.0
        for weight in weights:
            total += weight
        whole = [int(w / total * 2**22 + (0.5 if w >= 0 else -0.5)) for w in weights]
        assert (made.firsts[pixel], made.counts[pixel]) == (first, len(whole))
        assert made.weights[pixel, : len(whole)].tolist() == whole


def test_the_first_pictures_are_left_to_pillow_and_the_rest_is_compiled():
    pytest.importorskip("numba", reason="needs clipeval[fast]")
    resizing, box = CompiledResizing(worth=3), (0, 0, 8, 8)
    done = [resizing.fill(noise(20, 20), (8, 8), box, BICUBIC, LEVELS, room(box)) for _ in range(6)]
    assert done == [False, False, False, True, True, True]


def test_threads_that_come_at_once_all_get_the_same_pixels():
    pytest.importorskip("numba", reason="needs clipeval[fast]")
    resizing, box = CompiledResizing(worth=8), (0, 0, 30, 20)
    rooms = [room(box) for _ in range(32)]

    def work(at):
        if not resizing.fill(noise(90, 70, at), (30, 20), box, BICUBIC, LEVELS, rooms[at]):
            rooms[at][...] = by_pillow(noise(90, 70, at), (30, 20), box, BICUBIC)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(32)))
    for at, made in enumerate(rooms):
        assert np.array_equal(made, by_pillow(noise(90, 70, at), (30, 20), box, BICUBIC))


def test_a_compiled_function_that_differs_from_pillow_in_one_bit_is_not_used(monkeypatch):
    pytest.importorskip("numba", reason="needs clipeval[fast]")
    from clipeval.encoders import compiled_resize

    right = compiled_resize.resize_into

    def wrong(*given):
        right(*given)
        given[-1][0, 0, 0] += 1

    monkeypatch.setattr(compiled_resize, "resize_into", wrong)
    resizing, box = CompiledResizing(), (0, 0, 8, 8)
    assert resizing.start()
    out = room(box)
    assert not resizing.fill(noise(20, 20), (8, 8), box, BICUBIC, LEVELS, out)
    assert np.isnan(out).all()
    monkeypatch.undo()
    assert not resizing.fill(noise(90, 20), (8, 8), box, BICUBIC, LEVELS, out)


@pytest.mark.parametrize("worth", [0, 3])
def test_without_numba_pillow_does_all_the_work_and_it_is_looked_for_once(monkeypatch, worth):
    asked = []
    monkeypatch.setattr(compiler, "find_spec", lambda name: asked.append(name))
    resizing, box = CompiledResizing(worth=worth), (0, 0, 8, 8)
    done = [resizing.fill(noise(20, 20), (8, 8), box, BICUBIC, LEVELS, room(box)) for _ in range(20)]
    assert not any(done)
    assert asked == ["numba"]
    assert not resizing.start()


def test_what_cannot_be_compiled_is_left_to_pillow(monkeypatch):
    pytest.importorskip("numba", reason="needs clipeval[fast]")
    from clipeval.encoders import compiled_resize

    tried = []

    def broken(*given):
        tried.append(given)
        raise OSError("No space left on device")

    monkeypatch.setattr(compiled_resize, "resize_into", broken)
    resizing, box = CompiledResizing(), (0, 0, 8, 8)
    assert resizing.start()
    out = room(box)
    for _ in range(3):
        assert not resizing.fill(noise(20, 20), (8, 8), box, BICUBIC, LEVELS, out)
    assert np.isnan(out).all()
    assert len(tried) == 1


def test_a_picture_of_many_megapixels_is_left_to_pillow(started):
    box = (0, 0, 8, 8)
    assert not started.fill(Image.new("RGB", (4000, 3000)), (10, 8), box, BICUBIC, LEVELS, room(box))


@pytest.mark.parametrize(
    ("size", "resample"),
    [((20, 20), BICUBIC), ((8, 8), Image.Resampling.LANCZOS), ((8, 8), Image.Resampling.BOX)],
)
def test_what_it_does_not_know_is_left_to_pillow(started, size, resample):
    box = (0, 0, 8, 8)
    assert not started.fill(noise(20, 20), size, box, resample, LEVELS, room(box))
