"""Family ``hf``: dual encoders of transformers (CLIP, SigLIP, SigLIP 2), from a folder or the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipeval.encoders.base import Encoder, Fingerprint, JointEncoder, Rows
from clipeval.encoders.batching import batches, pooled, stack
from clipeval.encoders.descriptions import TOKENIZER_FILES
from clipeval.encoders.hf_pictures import geometry_of, picture_words, pixels_of, without_antialias
from clipeval.encoders.hf_text import TextPreparation
from clipeval.encoders.hub import find_folder, no_hub, require_folder
from clipeval.encoders.imports import import_models, require_installed, versions
from clipeval.encoders.library_output import quiet
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.pixel_recipe import RecipeMemo
from clipeval.encoders.placement import check_options, laid_out, layout_words, place, placement_words
from clipeval.encoders.random_init import RANDOM_INIT, refuse_missing, refuse_random_init, seeded
from clipeval.encoders.running import network_words
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.staging import ImageStage, PixelStage, WholePictures, encode_in_steps
from clipeval.encoders.weight_files import digest, weight_files
from clipeval.errors import ClipevalError, EncoderError, SpecError

ARCHITECTURES = ("clip", "siglip", "siglip2")
PICTURE_FILES = ("preprocessor_config.json", "processor_config.json")


def load(spec: ModelSpec, options: LoadOptions) -> Encoder:
    """Load a dual encoder of transformers.

    Parameters
    ----------
    spec : ModelSpec
        ``hf:NAME_OR_FOLDER[@revision]`` with the options ``processor=pil|torchvision`` (``pil``, equal to
        open_clip's transform, unless asked), ``antialias=true|false`` (to see what a resize without it costs:
        only torchvision can) and ``canonical=auto|full|lower|none`` (what is done to the
        text before the tokenizer; ``auto`` is what the model was trained with).
    options : LoadOptions
        Device, dtype, batch size, network and the word on random weights.

    Returns
    -------
    HfEncoder

    Raises
    ------
    NotAvailableError
        The model is not here and cannot be had, there are no weights, or no transformers.
    SpecError
        An unknown option, or an architecture that is no dual encoder.
    EncoderError
        The folder is broken, or its checkpoint lacks parameters.
    """
    spec.only({"processor", "antialias", "canonical"})
    backend = spec.choice("processor", ["pil", "torchvision"], default="pil")
    canonical = spec.choice("canonical", ["auto", "full", "lower", "none"], default="auto")
    antialias = spec.flag("antialias", default=True)
    where = str(spec)
    if not antialias and backend == "pil":
        raise SpecError(
            "Pillow cannot resize without antialiasing", where=where, fix="add processor=torchvision"
        )
    require_installed("torch", "transformers")
    check_options(options, where=where)
    found = find_folder(spec.name, revision=spec.revision, where=where) or require_folder(
        spec.name,
        complete=_complete,
        where=where,
        family="hf",
        revision=spec.revision,
        offline=options.offline,
    )
    return HfEncoder(
        name=where,
        model_name=spec.name,
        folder=found.path,
        revision=found.revision,
        backend=backend,
        antialias=antialias,
        canonical=canonical,
        options=options,
    )


def _complete(folder: Path) -> bool:
    """Say whether a cached snapshot can be used as it stands."""
    return (
        (folder / "config.json").is_file()
        and bool(weight_files(folder))
        and any((folder / name).is_file() for name in PICTURE_FILES)
        and any((folder / name).is_file() for name in TOKENIZER_FILES)
    )


class HfEncoder(JointEncoder):
    """A CLIP, SigLIP or SigLIP 2 of transformers, in evaluation mode.

    Parameters
    ----------
    name : str
        The model spec.
    model_name : str
        Name on the hub, or the folder; only its last part reaches the fingerprint of a folder.
    folder : Path
        Where the files are.
    revision : str
        Commit, or ``local folder``.
    backend : str
        ``pil`` or ``torchvision``: they differ by up to one grey level.
    antialias : bool
        Whether torchvision resizes with antialiasing; Pillow always does.
    canonical : str
        ``auto``, ``full``, ``lower`` or ``none``.
    options : LoadOptions
        Device, dtype, batch size.

    Attributes
    ----------
    truncated : int
        Texts so far that were longer than the model reads.
    """

    def __init__(
        self,
        *,
        name: str,
        model_name: str,
        folder: Path,
        revision: str,
        backend: str,
        antialias: bool,
        canonical: str,
        options: LoadOptions,
    ) -> None:
        self.name = name
        self._options = options
        self._device, self._dtype = place(options, where=name)
        kind = _architecture(folder, where=name)
        with no_hub(), quiet():
            self._model, weights = _load_model(folder, options=options, dtype=self._dtype, where=name)
            self._pictures = _load_pictures(folder, backend=backend, where=name)
            if not antialias:
                without_antialias(self._pictures)
            tokenizer = _load_tokenizer(folder, where=name)
        laid_out(self._model.eval().to(device=self._device, dtype=self._dtype), options)
        self._text = TextPreparation.of(
            tokenizer,
            architecture=kind,
            max_length=self._model.config.text_config.max_position_embeddings,
            canonical=canonical,
        )
        self.truncated = 0
        self._recipe = RecipeMemo(geometry_of)
        self._width = _width(self._model)
        self._fingerprint = {
            "family": "hf",
            "model": folder.resolve().name if revision == "local folder" else model_name,
            "revision": revision,
            "architecture": kind,
            "weights": weights,
            "configuration": digest([folder / "config.json"]),
            **network_words(self._model),
            "tokenizer": digest(folder / f for f in TOKENIZER_FILES if (folder / f).is_file()),
            **self._text.words(),
            **picture_words(self._pictures),
            **placement_words(options),
            **layout_words(options),
            **versions("torch", "transformers", "tokenizers", "pillow"),
            **(versions("torchvision") if backend == "torchvision" else {}),
        }

    @property
    def fingerprint(self) -> Fingerprint:
        """Everything that can change an embedding, in words."""
        return self._fingerprint

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode decoded RGB pictures to float32 rows, shape ``(n, d)``, not normalised.

        Raises
        ------
        EncoderError
            The model's answer is not one finite pooled row for each picture.
        """
        stage = self.image_stage()
        if isinstance(stage, PixelStage):
            return encode_in_steps(stage, pictures)
        return stack(
            (self._encode_pictures(b) for b in batches(pictures, self._options.batch_size)), width=self._width
        )

    def image_stage(self) -> ImageStage:
        """Give the two steps of the picture side; see `clipeval.encoders.staging`."""
        recipe = self._recipe.of(self._pictures, self.prepared_pixels)
        if recipe is None:  # the processor looks at a whole batch, or resizes with another library
            return WholePictures(self)
        return PixelStage(
            shape=recipe.shape,
            recipe=recipe,
            library=self.prepared_pixels,
            network=lambda pixels: self._forward(
                self._model.get_image_features,
                {"pixel_values": pixels},
                expected=len(pixels),
                what="images",
            ),
            batch_size=self._options.batch_size,
            device=self._device,
            dtype=self._dtype,
            width=self._width,
        )

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``, not normalised.

        Raises
        ------
        EncoderError
            The model's answer is not one finite pooled row for each text.
        """
        return stack(
            (self._encode_texts(b) for b in batches(texts, self._options.batch_size)), width=self._width
        )

    def prepared_pixels(self, picture: Image) -> NDArray[np.float32]:
        """Give the pixels of a picture that reach the network, float32 of shape ``(3, h, w)``."""
        return pixels_of(self._prepare([picture]))

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network, and the one that CLIP pools (None for others)."""
        inputs, _ = self._text.prepare([text])
        end = None if self._text.pad_to_max else self._text.tokenizer.eos_token_id
        return inputs["input_ids"][0].tolist(), end

    def _encode_pictures(self, pictures: Sequence[Image]) -> Rows:
        inputs = self._prepare(pictures)
        return self._run(self._model.get_image_features, inputs, expected=len(pictures), what="images")

    def _prepare(self, pictures: Sequence[Image]) -> Any:
        return self._pictures(images=list(pictures), return_tensors="pt")

    def _encode_texts(self, texts: Sequence[str]) -> Rows:
        inputs, truncated = self._text.prepare(texts)
        self.truncated += truncated
        return self._run(self._model.get_text_features, inputs, expected=len(texts), what="texts")

    def _run(self, method: Any, inputs: Mapping[str, Any], *, expected: int, what: str) -> Rows:
        moved = {
            key: value.to(self._device, self._dtype) if value.is_floating_point() else value.to(self._device)
            for key, value in inputs.items()
        }
        return self._forward(method, moved, expected=expected, what=what)

    def _forward(self, method: Any, moved: Mapping[str, Any], *, expected: int, what: str) -> Rows:
        torch = import_models("torch")
        with torch.inference_mode():
            return pooled(method(**moved), expected=expected, where=f"{self.name}, {what}")


def _architecture(folder: Path, *, where: str) -> str:
    """Read which architecture the folder holds, before transformers guesses."""
    path = folder / "config.json"
    if not path.is_file():
        raise EncoderError(
            "the folder has no config.json", where=where, fix="name a folder that transformers saved"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except (ValueError, TypeError, KeyError) as error:
        raise EncoderError(
            f"cannot read the configuration: {type(error).__name__} {error}", where=f"{where}, config.json"
        ) from None
    if kind not in ARCHITECTURES:
        raise SpecError(
            f"the architecture '{kind}' is not a dual encoder that this family knows",
            where=f"{where}, config.json",
            fix=f"known: {', '.join(ARCHITECTURES)}; for others write your own with python:module:factory",
        )
    return str(kind)


def _load_model(folder: Path, *, options: LoadOptions, dtype: Any, where: str) -> tuple[Any, str]:
    """Build the network and say which weights it has."""
    transformers = import_models("transformers")
    files = weight_files(folder)
    # transformers 5 takes a checkpoint's own dtype unless told (a float16 file would run in float16)
    dtype_word = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        if not files:
            refuse_random_init(options, where=where, looked="looked for *.safetensors and *.bin")
            config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
            with seeded():
                return transformers.AutoModel.from_config(config, trust_remote_code=False), RANDOM_INIT
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **{dtype_word: dtype},
        )
    except ClipevalError:
        raise
    except Exception as error:  # a broken folder can fail anywhere below
        raise _broken("the model", error, where=where) from error
    refuse_missing(report.get("missing_keys", ()), where=where)
    return model, digest(files)


def _load_pictures(folder: Path, *, backend: str, where: str) -> Any:
    """Load the picture processor with a named backend, whatever else is installed."""
    transformers = import_models("transformers")
    modern = int(transformers.__version__.split(".")[0]) >= 5
    choice = {"backend": backend} if modern else {"use_fast": backend == "torchvision"}
    try:
        return transformers.AutoImageProcessor.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, **choice
        )
    except Exception as error:
        raise _broken("the picture processor (preprocessor_config.json)", error, where=where) from error


def _load_tokenizer(folder: Path, *, where: str) -> Any:
    transformers = import_models("transformers")
    try:
        return transformers.AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        raise _broken("the tokenizer", error, where=where) from error


def _broken(what: str, error: Exception, *, where: str) -> EncoderError:
    first = (str(error).strip().splitlines() or [""])[0]
    return EncoderError(
        f"cannot load {what}: {type(error).__name__}: {first}",
        where=where,
        fix="save model and processor into one folder with save_pretrained",
    )


def _width(model: Any) -> int:
    """Width of the embeddings, known before the first forward pass."""
    return int(getattr(model.config, "projection_dim", None) or model.config.vision_config.hidden_size)
