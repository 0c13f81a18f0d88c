"""Language models of transformers as text towers: their hidden states, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipeval.encoders.base import Fingerprint, Rows, as_rows
from clipeval.encoders.batching import batches, stack
from clipeval.encoders.descriptions import description_words
from clipeval.encoders.hub import ModelFolder, find_folder, no_hub, require_folder
from clipeval.encoders.imports import import_models, require_installed, versions
from clipeval.encoders.library_output import quiet
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import check_placement, place, placement_words
from clipeval.encoders.random_init import refuse_missing
from clipeval.encoders.running import network_words
from clipeval.encoders.weight_files import digest, weight_files
from clipeval.errors import EncoderError, NotAvailableError

# transformers writes this where a tokenizer does not know how much its model reads
_NO_LIMIT = 10**6


@dataclass(frozen=True)
class MeanPooledTower:
    """A transformers language model, its last hidden states averaged over the real tokens.

    Padding takes no part in the mean.

    Parameters
    ----------
    where : str
        The model spec, for errors.
    model : transformers.PreTrainedModel
        In evaluation mode, on the device.
    tokenizer : transformers.PreTrainedTokenizerBase
        Pads, and cuts at the length that the model reads.
    options : LoadOptions
        Device, dtype and batch size.
    fingerprint : mapping
        Everything that can change a row.
    width : int
        d.
    """

    where: str
    model: Any
    tokenizer: Any
    options: LoadOptions
    fingerprint: Fingerprint
    width: int

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The model gave NaN or infinity.
        """
        torch = import_models("torch")
        device, _ = place(self.options, where=self.where)
        parts = []
        with torch.inference_mode():
            for batch in batches(texts, self.options.batch_size):
                tokens = self._tokens(batch)
                hidden = self.model(**tokens.to(device)).last_hidden_state.float()
                real = tokens["attention_mask"].to(device)[..., None]
                rows = (hidden * real).sum(dim=1) / real.sum(dim=1)
                parts.append(as_rows(rows.cpu().numpy(), expected=len(batch), where=self.where))
        return stack(parts, width=self.width)

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network; their mean pools no single one."""
        return self._tokens([text])["input_ids"][0].tolist(), None

    def _tokens(self, texts: Sequence[str]) -> Any:
        return self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")


def load_mean_pooled(
    name: str, options: LoadOptions, *, revision: str | None = None, where: str
) -> MeanPooledTower:
    """Load a transformers language model as a text tower.

    Parameters
    ----------
    name : str
        A local folder or a name on the hub.
    options : LoadOptions
        Device, dtype, batch size, offline.
    revision : str, optional
        Branch, tag or commit of a name on the hub.
    where : str
        The model spec, for errors.

    Returns
    -------
    MeanPooledTower

    Raises
    ------
    NotAvailableError
        Weights neither on disk nor reachable, or a package missing.
    EncoderError
        The folder holds no language model, is broken, or lacks parameters.
    """
    require_installed("torch", "transformers")
    check_placement(options, where=where)
    found = find_folder(name, revision=revision, where=where) or require_folder(
        name,
        complete=lambda path: (path / "config.json").is_file() and bool(weight_files(path)),
        where=where,
        family="preclip",
        revision=revision,
        offline=options.offline,
    )
    require_weights(found.path, description="config.json", where=where)
    device, dtype = place(options, where=where)
    with no_hub(), quiet():
        model = load_network(found.path, dtype=dtype, where=where)
        try:
            tokenizer = import_models("transformers").AutoTokenizer.from_pretrained(
                found.path, local_files_only=True
            )
        except Exception as error:  # a broken folder can fail anywhere below
            raise broken("the tokenizer", error, where=where) from error
    if tokenizer.pad_token is None:  # GPT-2 and its kin; masked tokens take no part in the mean
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise EncoderError("the tokenizer has no token to pad a batch with", where=where)
    if tokenizer.model_max_length > _NO_LIMIT:
        tokenizer.model_max_length = _positions(model)
    model.eval().to(device)
    return MeanPooledTower(
        where,
        model,
        tokenizer,
        options,
        {
            "model": f"{shown_name(name, found)}, mean of the last hidden states",
            "weights": digest(weight_files(found.path), root=found.path),
            **description_words(found.path),
            **network_words(model),
            "text length": f"{tokenizer.model_max_length} tokens",
            **versions("torch", "transformers", "tokenizers"),
            **placement_words(options),
        },
        int(model.config.hidden_size),
    )


def load_network(folder: Path, *, dtype: Any, where: str) -> Any:
    """Load a transformers network and refuse one that would keep random parameters.

    Parameters
    ----------
    folder : Path
        Holds ``config.json`` and weights.
    dtype : torch.dtype
        Of the parameters.
    where : str
        The model spec, for errors.

    Returns
    -------
    transformers.PreTrainedModel

    Raises
    ------
    EncoderError
        It cannot be loaded, or its checkpoint lacks parameters.
    """
    transformers = import_models("transformers")
    dtype_word = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **{dtype_word: dtype},
        )
    except Exception as error:  # see above
        raise broken("the model", error, where=where) from error
    # the pooler is not used here, and many checkpoints lack it
    refuse_missing((key for key in report["missing_keys"] if "pooler" not in key), where=where)
    return model


def broken(what: str, error: Exception, *, where: str) -> EncoderError:
    """Word a library's failure to load something as one error."""
    first = (str(error).strip().splitlines() or [""])[0][:300]
    return EncoderError(
        f"cannot load {what}: {type(error).__name__}: {first}",
        where=where,
        fix="the folder is incomplete or damaged: fetch it again",
    )


def require_weights(folder: Path, *, description: str, where: str) -> None:
    """Refuse a folder that holds no model, or a model without weights.

    Raises
    ------
    EncoderError
        The description is absent.
    NotAvailableError
        The weights are.
    """
    if not (folder / description).is_file():
        raise EncoderError(
            f"the folder has no {description}",
            where=where,
            fix="name a folder that sentence-transformers saved; for the mean of a language model's hidden"
            " states write bert:FOLDER",
        )
    if not weight_files(folder, deep=True):
        raise NotAvailableError(
            "there are no weights: the model would be evaluated with random numbers",
            where=where,
            fix="put *.safetensors into the folder",
        )


def shown_name(name: str, found: ModelFolder) -> str:
    """Name a model without the user's folders."""
    return found.path.resolve().name if found.revision == "local folder" else name


def _positions(model: Any) -> int:
    """Count the tokens that a model reads; RoBERTa's positions start behind the padding's number."""
    config = model.config
    positions = int(getattr(config, "max_position_embeddings", None) or 512)
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return positions - (padding + 1 if padding is not None else 0)
