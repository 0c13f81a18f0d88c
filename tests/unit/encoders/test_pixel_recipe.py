"""Pixels made with fewer copies are the library's own, to the bit, or the library is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clipeval.encoders.hf_pictures import geometry_of as geometry_of_processor
from clipeval.encoders.hf_pictures import pixels_of
from clipeval.encoders.pixel_recipe import Geometry, PixelRecipe, RecipeMemo, recipe_of
from clipeval.encoders.resizing import RESIZING
from clipeval.encoders.transforms import geometry_of as geometry_of_transform

BICUBIC = Image.Resampling.BICUBIC


def processor(kind: str, **config):
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    pytest.importorskip("torchvision", reason="needs clipeval[models]")
    made = getattr(transformers, kind)(**config)
    return made, lambda picture: pixels_of(made(images=[picture], return_tensors="np"))


def compose(*names: str, size=32, crop=32):
    transforms = pytest.importorskip("torchvision.transforms", reason="needs clipeval[models]")
    steps = {
        "resize": lambda: transforms.Resize(size, interpolation=transforms.InterpolationMode.BICUBIC),
        "crop": lambda: transforms.CenterCrop(crop),
        "turn": lambda: transforms.Lambda(lambda picture: picture.rotate(90)),
        "tensor": transforms.ToTensor,
        "scale": lambda: transforms.Normalize([0.48, 0.45, 0.4], [0.26, 0.27, 0.28]),
    }
    made = transforms.Compose([steps[name]() for name in names])
    return made, lambda picture: np.asarray(made(picture))


WHOLE = ("resize", "crop", "tensor", "scale")


def makers():
    return {
        "clip": lambda: processor(
            "CLIPImageProcessorPil", size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
        "clip, crop smaller than the edge": lambda: processor(
            "CLIPImageProcessorPil", size={"shortest_edge": 40}, crop_size={"height": 24, "width": 36}
        ),
        "siglip": lambda: processor("SiglipImageProcessorPil", size={"height": 24, "width": 36}),
        "clip, not normalised": lambda: processor(
            "CLIPImageProcessorPil",
            size={"shortest_edge": 32},
            crop_size={"height": 32, "width": 32},
            do_normalize=False,
        ),
        "open_clip": lambda: compose(*WHOLE),
        "squash": lambda: compose("resize", "tensor", "scale", size=(24, 36)),
        "imagenet preset": preset,
    }


def preset():
    presets = pytest.importorskip("torchvision.transforms._presets", reason="needs clipeval[models]")
    made = presets.ImageClassification(crop_size=32, resize_size=37)
    return made, lambda picture: np.asarray(made(picture))


def recipe_for(name: str) -> tuple[PixelRecipe | None, object]:
    made, library = makers()[name]()
    geometry_of = geometry_of_transform if hasattr(made, "forward") or hasattr(made, "transforms") else None
    return recipe_of((geometry_of or geometry_of_processor)(made), library), library


@pytest.fixture(scope="module", params=list(makers()))
def made(request):
    """A recipe and the library that it stands in for."""
    return recipe_for(request.param)


@given(width=st.integers(8, 150), height=st.integers(8, 150), seed=st.integers(0, 9))
@settings(max_examples=40)
@pytest.mark.parametrize("resize", ["Pillow's", "compiled"])
def test_pixels_of_any_shape_are_the_library_s_to_the_bit(made, resize, width, height, seed):
    recipe, library = made
    if resize == "compiled" and not RESIZING.start():
        pytest.skip("needs clipeval[fast]")
    assert recipe is not None
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    out = np.full(recipe.shape, np.nan, dtype=np.float32)
    assert recipe.fill(picture, out)
    assert out.tobytes() == np.ascontiguousarray(library(picture)).tobytes()


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("resize", "crop", "turn", "tensor", "scale"), {}),  # a step that the geometry does not know
        (("crop", "resize", "tensor"), {"size": 24}),  # another order
        (("resize", "crop", "tensor"), {"size": 24}),  # a crop larger than the edge: torchvision pads
    ],
)
def test_a_transform_that_does_more_is_left_to_the_library(names, options):
    made, library = compose(*names, **options)
    assert recipe_of(geometry_of_transform(made), library) is None


def test_a_processor_that_resizes_with_another_library_has_no_geometry():
    made, _ = processor("CLIPImageProcessor", size={"shortest_edge": 32})
    assert made.backend == "torchvision"
    assert geometry_of_processor(made) is None


@pytest.mark.parametrize(
    "config",
    [{"do_resize": False}, {"size": {"longest_edge": 32}}, {"resample": None}],
)
def test_a_processor_without_one_fixed_size_has_no_geometry(config):
    made, _ = processor("CLIPImageProcessorPil", **config)
    assert geometry_of_processor(made) is None


@pytest.mark.parametrize(
    "wrong",
    [
        Geometry(32, BICUBIC, (32, 32), "down"),  # torchvision rounds half to even
        Geometry(32, Image.Resampling.BILINEAR, (32, 32), "even"),
        Geometry(33, BICUBIC, (32, 32), "even"),
        Geometry((32, 32), BICUBIC, None, "even"),
        None,
    ],
)
def test_a_recipe_that_differs_in_one_bit_of_one_picture_is_not_used(wrong):
    _, library = compose(*WHOLE)
    assert recipe_of(Geometry(32, BICUBIC, (32, 32), "even"), library) is not None
    assert recipe_of(wrong, library) is None


def test_a_library_that_looks_at_the_neighbours_of_a_pixel_is_left_alone():
    geometry = Geometry((16, 16), BICUBIC)

    def library(picture):
        values = np.asarray(picture.resize((16, 16), BICUBIC)).transpose(2, 0, 1).astype(np.float32)
        return values - values.mean()

    assert recipe_of(geometry, library) is None


def test_a_picture_of_other_channels_is_left_to_the_library():
    recipe, _ = recipe_for("clip, crop smaller than the edge")
    out = np.zeros(recipe.shape, dtype=np.float32)
    assert not recipe.fill(Image.new("L", (50, 50)), out)
    assert not out.any()


def test_small_crops_that_hold_few_levels_still_give_the_whole_table():
    geometry = Geometry((5, 3), BICUBIC)

    def library(picture):
        levels = np.asarray(picture.resize((5, 3), BICUBIC)).astype(np.float32)
        return (levels / np.float32(255)).transpose(2, 0, 1)

    recipe = recipe_of(geometry, library)
    assert np.array_equal(recipe.table[1], np.arange(256, dtype=np.float32) / np.float32(255))


def test_another_processor_in_its_place_gets_another_recipe():
    memo = RecipeMemo(geometry_of_transform)
    first, one = compose(*WHOLE)
    second, two = compose("resize", "crop", "tensor")
    assert memo.of(first, one) is memo.of(first, one)
    assert memo.of(second, two).table[0, 255] == 1
    assert memo.of(first, one).table[0, 255] != 1
