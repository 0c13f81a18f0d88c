"""Family ``st``: sentence-transformers models that encode pictures and texts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from clipeval.encoders.base import Encoder, Fingerprint, JointEncoder, Rows, as_rows
from clipeval.encoders.batching import batches, stack
from clipeval.encoders.descriptions import description_words
from clipeval.encoders.hf_pictures import picture_words, pixels_of
from clipeval.encoders.hub import DESCRIPTIONS, find_folder, no_hub, require_folder
from clipeval.encoders.imports import import_models, require_installed, versions
from clipeval.encoders.library_output import quiet
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import check_options, place, placement_words
from clipeval.encoders.random_init import refuse_missing, refuse_random_init
from clipeval.encoders.running import network_words
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.weight_files import digest, weight_files
from clipeval.errors import EncoderError, SpecError

# captions that sentence-transformers 6 would fetch or open as pictures, sounds and films
LOOKS_LIKE_MEDIA = (
    "https://example.invalid/dog.jpg",
    "data:image/png;base64,AAAA",
    "https://example.invalid/dog.mp4",
    "https://example.invalid/dog.wav",
)


def load(spec: ModelSpec, options: LoadOptions) -> Encoder:
    """Load a multimodal model of sentence-transformers.

    Parameters
    ----------
    spec : ModelSpec
        ``st:NAME_OR_FOLDER[@revision]``; a name without organisation means ``sentence-transformers/NAME``.
    options : LoadOptions
        Device, dtype, batch size, network.

    Returns
    -------
    SentenceTransformersEncoder

    Raises
    ------
    NotAvailableError
        The model is not here and cannot be had, has no weights, or sentence-transformers is not installed.
    EncoderError
        The model encodes no pictures or no texts, is broken, or its checkpoint lacks parameters.
    """
    spec.only(())
    where = str(spec)
    if options.layout != "channels-first":
        raise SpecError(
            "sentence-transformers lays its networks out itself",
            where=where,
            fix="leave 'layout' out, or use hf: for the same model",
        )
    require_installed("torch", "sentence_transformers")
    check_options(options, where=where)
    found = find_folder(spec.name, revision=spec.revision, where=where) or require_folder(
        spec.name if "/" in spec.name else f"sentence-transformers/{spec.name}",
        complete=_complete,
        where=where,
        family="st",
        revision=spec.revision,
        offline=options.offline,
        patterns=(*DESCRIPTIONS, "*.md"),
        cache=os.environ.get("SENTENCE_TRANSFORMERS_HOME"),
    )
    return SentenceTransformersEncoder(
        name=where,
        model_name=found.path.resolve().name if found.revision == "local folder" else spec.name,
        folder=found.path,
        revision=found.revision,
        options=options,
    )


def _complete(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("modules.json", "config.json")) and bool(
        weight_files(folder, deep=True)
    )


class SentenceTransformersEncoder(JointEncoder):
    """A sentence-transformers model with a picture and a text side.

    A caption is always encoded as a text. Left alone, sentence-transformers 6 opens a caption such as
    ``https://.../dog.jpg`` or ``dog.jpg`` (where that file exists) and encodes what it finds as a picture.

    Parameters
    ----------
    name : str
        The model spec.
    model_name : str
        For the fingerprint: name on the hub, or the folder's last part.
    folder : Path
        Where the files are.
    revision : str
        Commit, or ``local folder``.
    options : LoadOptions
        Device, dtype, batch size.

    Attributes
    ----------
    truncated : int or None
        Texts so far that were longer than the model reads; None where the model's tokenizer cannot say.
    """

    def __init__(
        self, *, name: str, model_name: str, folder: Path, revision: str, options: LoadOptions
    ) -> None:
        self.name = name
        self._options = options
        _, dtype = place(options, where=name)
        files = weight_files(folder, deep=True)
        if not files:
            if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
                raise EncoderError(
                    "the folder has neither modules.json nor config.json",
                    where=name,
                    fix="name a folder that sentence-transformers saved",
                )
            refuse_random_init(
                LoadOptions(), where=name, looked="looked for *.safetensors and *.bin in the folder and below"
            )
        with no_hub(), quiet():
            self._model = _load_model(folder, dtype=dtype, options=options, where=name)
            _refuse_incomplete(folder, dtype=dtype, where=name)
        self._model.eval()
        self._as_text = _text_form(self._model, where=name)
        self.truncated: int | None = _tokens_cut(self._model, [""])
        self._fingerprint = {
            "family": "st",
            "model": model_name,
            "revision": revision,
            "weights": digest(files, root=folder),
            **description_words(folder),
            **network_words(self._model),
            "modules": " ".join(type(module).__name__ for module in self._model),
            **_processor_words(self._model),
            "prompt": str(getattr(self._model, "default_prompt_name", None) or "none"),
            "text length": _length_words(self._model),
            **placement_words(options),
            **versions(
                "torch", "sentence-transformers", "transformers", "tokenizers", "torchvision", "pillow"
            ),
        }

    @property
    def fingerprint(self) -> Fingerprint:
        """Everything that can change an embedding, in words."""
        return self._fingerprint

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode decoded RGB pictures to float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            Not one finite row for each picture.
        """
        return self._encode(list(pictures), what="images")

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``, also those that look like a path or an address.

        Raises
        ------
        EncoderError
            Not one finite row for each text.
        """
        if self.truncated is not None and len(texts):
            self.truncated += _tokens_cut(self._model, texts) or 0
        return self._encode([self._as_text(text) for text in texts], what="texts")

    def prepared_pixels(self, picture: Image) -> NDArray[np.float32]:
        """Give the pixels of a picture that reach the network, float32 of shape ``(3, h, w)``."""
        return pixels_of(self._prepare(picture))

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network; which one is pooled, the library does not say."""
        return self._prepare(self._as_text(text))["input_ids"][0].tolist(), None

    def _prepare(self, one: Any) -> Any:
        return (getattr(self._model, "preprocess", None) or self._model.tokenize)([one])

    def _encode(self, inputs: list[Any], *, what: str) -> Rows:
        def run(batch: Sequence[Any]) -> Rows:
            try:
                output = self._model.encode(
                    list(batch),
                    batch_size=self._options.batch_size,
                    show_progress_bar=False,
                    convert_to_tensor=True,
                )
            except (IndexError, ValueError, RuntimeError) as error:
                raise EncoderError(
                    f"sentence-transformers cannot encode a batch: {type(error).__name__}: {error}",
                    where=f"{self.name}, {what}",
                    fix="a text longer than the model reads fails if the tokenizer has no model_max_length",
                ) from error
            return as_rows(output.float().cpu().numpy(), expected=len(batch), where=f"{self.name}, {what}")

        return stack(map(run, batches(inputs, self._options.batch_size)), width=0)


def _load_model(folder: Path, *, dtype: Any, options: LoadOptions, where: str) -> Any:
    library, transformers = import_models("sentence_transformers"), import_models("transformers")
    dtype_word = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        model = library.SentenceTransformer(
            str(folder),
            device=options.device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={dtype_word: dtype},
        )
    except Exception as error:  # a broken folder can fail anywhere below
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise EncoderError(
            f"sentence-transformers cannot load the model: {type(error).__name__}: {first}", where=where
        ) from error
    known = set(getattr(model, "modalities", ()) or ()) or _old_modalities(model)
    lacking = [kind for kind in ("image", "text") if kind not in known]
    if lacking:
        does = " and ".join(sorted(map(str, known))) or "nothing known"
        raise EncoderError(
            f"the model encodes {does}, not {' and '.join(lacking)}",
            where=where,
            fix="a text model can be one tower of preclip: or conse:",
        )
    return model.to(dtype=dtype)


def _old_modalities(model: Any) -> set[str]:
    """Before 5.4 only the module CLIPModel took pictures."""
    return {"text", "image"} if type(model[0]).__name__ == "CLIPModel" else {"text"}


def _refuse_incomplete(folder: Path, *, dtype: Any, where: str) -> None:
    """Load each transformers part once more for its load report, which sentence-transformers throws away."""
    transformers = import_models("transformers")
    dtype_word = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    for path in sorted(folder.rglob("config.json")):
        try:
            is_network = "model_type" in json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError):
            continue  # a module of sentence-transformers itself; it was loaded above
        if is_network and weight_files(path.parent):
            _, report = transformers.AutoModel.from_pretrained(
                path.parent,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                **{dtype_word: dtype},
            )
            refuse_missing(report.get("missing_keys", ()), where=where)


def _text_form(model: Any, *, where: str) -> Callable[[str], Any]:
    """Find the input form in which this version takes a string as a text, whatever it looks like."""

    def named(text: str) -> Any:
        return {"text": text}

    def plain(text: str) -> Any:
        return text

    prepare = getattr(model, "preprocess", None) or model.tokenize
    for form in (named, plain):
        try:
            features = [prepare([form(text)]) for text in LOOKS_LIKE_MEDIA]
        except Exception:  # noqa: S112  (versions refuse a form in many ways; the next one is tried)
            continue
        if all("input_ids" in f and "pixel_values" not in f for f in features):
            return form
    raise EncoderError(
        "this version of sentence-transformers takes captions that look like addresses for pictures",
        where=where,
        fix="pip install -U sentence-transformers, or use hf: for the same model",
    )


def _tokens_cut(model: Any, texts: Sequence[str]) -> int | None:
    """Count the texts that have more tokens, special ones included, than the model reads."""
    tokenizer = getattr(model.tokenizer, "tokenizer", model.tokenizer)  # a processor holds one
    limit = getattr(model, "max_seq_length", None) or getattr(tokenizer, "model_max_length", None)
    prompt = (getattr(model, "prompts", None) or {}).get(getattr(model, "default_prompt_name", None), "")
    try:
        whole = tokenizer(
            [f"{prompt}{text}" for text in texts], padding=False, truncation=False, verbose=False
        )
        return None if limit is None else sum(len(tokens) > limit for tokens in whole["input_ids"])
    except (TypeError, ValueError, KeyError, AttributeError):
        return None  # a tokenizer of another library, such as that of static word vectors


def _processor_words(model: Any) -> dict[str, str]:
    """Describe the preprocessing; sentence-transformers picks the backend by what is installed."""
    processor = getattr(model[0], "processor", None)
    pictures = getattr(processor, "image_processor", processor)
    if not hasattr(pictures, "to_dict"):
        return {"picture processor": type(pictures).__name__}
    return picture_words(pictures)


def _length_words(model: Any) -> str:
    length = getattr(model, "max_seq_length", None)
    return f"{length} tokens" if isinstance(length, int) and length < 10**6 else "not bounded"
