"""The hash of prepared pixels: exact in grey levels, blind to float noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipeval.baseline.pixel_hash import UNIT, grey_levels, pixel_hash
from clipeval.probes.inputs import grained, noise

OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
NONE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
BYTES = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))
SCALES = {"openai": OPENAI, "imagenet": IMAGENET, "half": HALF, "lite": LITE, "none": NONE, "bytes": BYTES}


def levels_of(side: int = 64) -> np.ndarray:
    """Real grey levels, channels first."""
    return np.asarray(grained().resize((side, side))).transpose(2, 0, 1).astype(np.int64)


def scaled(levels: np.ndarray, scale) -> np.ndarray:
    mean, sd = (np.array(part, dtype=np.float32)[:, None, None] for part in scale)
    return (levels.astype(np.float32) / np.float32(255) - mean) / sd


def scaled_in_one_step(levels: np.ndarray, scale) -> np.ndarray:
    """The same numbers as torchvision's processors compute them: scaling folded into mean and deviation."""
    mean, sd = (np.array(part, dtype=np.float32)[:, None, None] * np.float32(255) for part in scale)
    return (levels.astype(np.float32) - mean) / sd


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_grey_levels_are_recovered_whatever_scale_and_mean(scale):
    levels = levels_of()
    for channel, pixels in zip(levels, scaled(levels, scale), strict=True):
        found, lowest, step = grey_levels(pixels.astype(np.float64))
        assert np.array_equal(found, channel - channel.min())
        assert lowest == pytest.approx(float(pixels.min()))
        assert step == pytest.approx((float(pixels.max()) - lowest) / (channel.max() - channel.min()))


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_two_ways_of_scaling_that_differ_in_the_last_bits_have_one_hash(scale):
    one, other = scaled(levels_of(), scale), scaled_in_one_step(levels_of(), scale)
    assert pixel_hash([one]) == pixel_hash([other])
    if scale in (OPENAI, IMAGENET):
        assert one.tobytes() != other.tobytes(), "nothing was tested"


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from(sorted(SCALES)))
def test_noise_of_float32_flips_no_hash_of_a_published_scale(seed, scale):
    pixels = scaled(levels_of(), SCALES[scale]).astype(np.float64)
    rng = np.random.default_rng(seed)
    # four roundings of the last bit, more than scaling and normalising make
    noisy = pixels * (1 + rng.uniform(-1, 1, pixels.shape) * 4 * 2.0**-24)
    assert pixel_hash([pixels]) == pixel_hash([noisy])


def test_published_scales_at_usual_sizes_lie_far_from_the_border_of_a_rounding():
    sides = (224, 240, 256, 260, 288, 299, 320, 336, 378, 384, 448, 512)
    kinds = (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
    darkest = {
        int(level)
        for made, side, kind in itertools.product((grained, noise), sides, kinds)
        for level in np.asarray(made().resize((side, side), kind)).min(axis=(0, 1))
    }
    borders = {}
    for name, (means, sds) in SCALES.items():
        for mean, sd in zip(means, sds, strict=True):
            borders |= {(name, mean, level): (level / 255 - mean) / UNIT for level in darkest}
            borders[name, sd] = np.log(1 / sd) / UNIT
    distances = {key: abs(value - np.floor(value) - 0.5) * UNIT for key, value in borders.items()}
    nearest = min(distances, key=distances.get)
    # what four roundings of float32 move a value of the size of the whole scale
    assert distances[nearest] > 4 * 2.0**-24, nearest


@pytest.mark.parametrize("change", ["one level", "one pixel moved", "mean", "deviation", "size", "channels"])
def test_every_change_of_a_pixel_changes_the_hash(change):
    levels = levels_of()
    before = scaled(levels, OPENAI)
    if change == "one level":
        altered = levels.copy()
        altered[1, 30, 30] += 1
        after = scaled(altered, OPENAI)
    elif change == "one pixel moved":
        altered = levels.copy()
        altered[0] = np.roll(altered[0], 1, axis=1)
        after = scaled(altered, OPENAI)
    elif change == "mean":
        after = scaled(levels, ((0.4825, *OPENAI[0][1:]), OPENAI[1]))
    elif change == "deviation":
        after = scaled(levels, (OPENAI[0], (0.2696, *OPENAI[1][1:])))
    elif change == "size":
        after = scaled(levels, OPENAI)[:, :, :-1]
    else:
        after = before[::-1]
    assert pixel_hash([before]) != pixel_hash([after])
    assert pixel_hash([before, before]) != pixel_hash([before])


def test_a_grey_level_that_all_pixels_gain_changes_the_hash():
    levels = levels_of()
    assert levels.max() < 255
    assert pixel_hash([scaled(levels, OPENAI)]) != pixel_hash([scaled(levels + 1, OPENAI)])


def test_pixels_resized_as_floats_are_hashed_by_blocks_and_their_grain_counts():
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    pictures = [np.asarray(made()).transpose(2, 0, 1).astype(np.float32) / 255 for made in (grained, noise)]

    def resized(antialias: bool) -> list[np.ndarray]:
        return [
            torch.nn.functional.interpolate(
                torch.from_numpy(p)[None], size=(64, 64), mode="bilinear", antialias=antialias
            )[0].numpy()
            for p in pictures
        ]

    smooth, skipped = resized(True), resized(False)
    assert all(grey_levels(channel.astype(np.float64)) is None for channel in smooth[0])
    assert pixel_hash(smooth) != pixel_hash(skipped)
    moved = [np.nextafter(p, np.float32(2)) for p in smooth]
    assert pixel_hash(smooth) == pixel_hash(moved)


def test_a_picture_of_one_colour_has_levels_too():
    grey = np.full((3, 8, 8), 0.25, dtype=np.float32)
    assert grey_levels(grey[0].astype(np.float64))[0].max() == 0
    assert pixel_hash([grey]) != pixel_hash([grey + np.float32(0.01)])
