"""Family ``open_clip``: a built-in name with a tag, a local folder, or a weight file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipeval.encoders.base import Encoder, Fingerprint, JointEncoder, Rows
from clipeval.encoders.batching import batches, pooled, stack
from clipeval.encoders.hub import DESCRIPTIONS, require_folder
from clipeval.encoders.imports import import_models, versions
from clipeval.encoders.open_clip_build import PRECISIONS, build
from clipeval.encoders.open_clip_names import Choice, choose
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.pixel_recipe import RecipeMemo
from clipeval.encoders.placement import laid_out, layout_words, place, placement_words
from clipeval.encoders.random_init import RANDOM_INIT
from clipeval.encoders.running import network_words
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.staging import PixelStage, encode_in_steps, pixel_stage
from clipeval.encoders.transforms import geometry_of
from clipeval.encoders.weight_files import digest, weight_files
from clipeval.errors import EncoderError


def load(spec: ModelSpec, options: LoadOptions) -> Encoder:
    """Load a model of open_clip.

    Parameters
    ----------
    spec : ModelSpec
        ``open_clip:NAME/TAG`` with a tag of ``open_clip.list_pretrained()``;
        ``open_clip:local-dir:FOLDER`` with an ``open_clip_config.json``; ``open_clip:hf-hub:ORG/REPOSITORY``;
        ``open_clip:NAME/FILE?activation=gelu|quickgelu``: a weight file does not say which activation it was
        trained with, so the user must.
    options : LoadOptions
        Device, dtype, batch size, network and the word on random weights.

    Returns
    -------
    OpenClipEncoder

    Raises
    ------
    SpecError
        An unknown name, tag or option; near ones are offered before any network is touched.
    NotAvailableError
        No weights and no consent to random ones, weights that cannot be had, or no open_clip.
    EncoderError
        The activation of model and weights differs, or the files are broken.
    """
    spec.only({"activation"})
    where = str(spec)
    import_models("open_clip", package="open_clip_torch")
    place(options, where=where)
    if options.dtype not in PRECISIONS:
        raise EncoderError(f"open_clip has no {options.dtype}", where=where, fix="use float32")
    return OpenClipEncoder(name=where, choice=choose(spec), revision=spec.revision, options=options)


class OpenClipEncoder(JointEncoder):
    """A model of open_clip, in evaluation mode, rows not normalised.

    Parameters
    ----------
    name : str
        The model spec.
    choice : Choice
        Which architecture and which weights.
    revision : str or None
        Of an ``hf-hub:`` repository.
    options : LoadOptions
        Device, dtype, batch size.

    Attributes
    ----------
    truncated : int
        Texts so far that were longer than the model reads.
    """

    def __init__(self, *, name: str, choice: Choice, revision: str | None, options: LoadOptions) -> None:
        self.name = name
        self._options = options
        self._device, _ = place(options, where=name)
        commit = "none"
        if choice.kind == "hub":
            found = require_folder(
                choice.source,
                complete=lambda folder: (
                    (folder / "open_clip_config.json").is_file() and bool(weight_files(folder))
                ),
                where=name,
                family="open_clip:local-dir",
                revision=revision,
                offline=options.offline,
                patterns=DESCRIPTIONS,
            )
            choice, commit = Choice("folder", f"local-dir:{found.path}", str(found.path)), found.revision
        self._model, self._transform, self._tokenizer, files = build(choice, options=options, where=name)
        laid_out(self._model.eval(), options)
        self._length = int(getattr(self._tokenizer, "context_length", None) or 77)
        self.truncated = 0
        self._recipe = RecipeMemo(geometry_of)
        picture = dict(getattr(self._model.visual, "preprocess_cfg", {}))
        self._fingerprint = {
            "family": "open_clip",
            "model": choice.label if commit == "none" else spec_model(name),
            "revision": commit,
            "weights": digest(files) if files else RANDOM_INIT,
            "configuration": digest([Path(choice.source) / "open_clip_config.json"])
            if choice.kind == "folder"
            else "built in",
            **network_words(self._model),
            "image processor backend": "pil",
            "picture transform": " ".join(str(self._transform).split()),
            "preprocessing": " ".join(f"{key} {value}" for key, value in sorted(picture.items())),
            "antialias": "yes (Pillow)",
            "tokenizer": _tokenizer_words(self._tokenizer),
            "text length": f"{self._length} tokens, longer ones cut",
            **placement_words(options),
            **layout_words(options),
            **versions("torch", "torchvision", "open_clip_torch", "timm", "pillow"),
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
            The model's answer is not one finite row for each picture.
        """
        return encode_in_steps(self.image_stage(), pictures)

    def image_stage(self) -> PixelStage:
        """Give the two steps of the picture side; see `clipeval.encoders.staging`."""
        return pixel_stage(
            self._recipe.of(self._transform, self.prepared_pixels),
            library=self.prepared_pixels,
            network=self._encode_pixels,
            batch_size=self._options.batch_size,
            device=self._device,
            dtype=getattr(import_models("torch"), self._options.dtype),
        )

    def _encode_pixels(self, pixels: Any) -> Rows:
        with import_models("torch").inference_mode():
            output = self._model.encode_image(pixels)
        return pooled(output, expected=len(pixels), where=f"{self.name}, images")

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``, not normalised.

        Raises
        ------
        EncoderError
            The model's answer is not one finite row for each text.
        """
        torch = import_models("torch")

        def encode(batch: Sequence[str]) -> Rows:
            tokens = self._tokenizer(list(batch)).to(self._device)
            self.truncated += sum(self._cut(text) for text in batch)
            with torch.inference_mode():
                output = self._model.encode_text(tokens)
            return pooled(output, expected=len(batch), where=f"{self.name}, texts")

        return stack(map(encode, batches(texts, self._options.batch_size)), width=0)

    def prepared_pixels(self, picture: Image) -> NDArray[np.float32]:
        """Give the pixels of a picture that reach the network, float32 of shape ``(3, h, w)``."""
        return np.asarray(self._transform(picture), dtype=np.float32)

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network, and the one that CLIP pools (None for others)."""
        return self._tokenizer([text])[0].tolist(), getattr(self._tokenizer, "eot_token_id", None)

    def _cut(self, text: str) -> bool:
        """Say whether a text is longer than the model reads."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return len(inner(text, verbose=False)["input_ids"]) > self._length
        return len(self._tokenizer.encode(text)) + 2 > self._length  # start and end of text


def spec_model(name: str) -> str:
    """Give the model part of a spec's text.

    Examples
    --------
    >>> spec_model("open_clip:hf-hub:org/name@abc?activation=gelu")
    'hf-hub:org/name'
    """
    return (
        name.partition(":")[2].partition("?")[0].rpartition("@")[0]
        or name.partition(":")[2].partition("?")[0]
    )


def _tokenizer_words(tokenizer: Any) -> str:
    inner = getattr(tokenizer, "tokenizer", None)
    backend = getattr(inner, "backend_tokenizer", None)
    if backend is not None:
        import hashlib

        return f"{type(inner).__name__} {hashlib.sha256(backend.to_str().encode()).hexdigest()}"
    default = import_models("open_clip.tokenizer").default_bpe()
    return f"{type(tokenizer).__name__} {digest([Path(default)])}"
