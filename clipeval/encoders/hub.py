"""Weights that may live on a model hub: look here first, ask the network briefly, fail clearly."""

from __future__ import annotations

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clipeval.encoders.imports import import_models
from clipeval.errors import NotAvailableError, SpecError

# what a transformers folder may hold; safetensors first, pickles only where there is nothing else
DESCRIPTIONS = ("*.json", "*.txt", "*.model")
SAFE_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
PICKLED_WEIGHTS = ("*.bin", "*.bin.index.json")


@dataclass(frozen=True)
class ModelFolder:
    """A folder on this machine that holds a model.

    Parameters
    ----------
    path : Path
        The folder.
    revision : str
        Commit on the hub, or ``"local folder"``.
    """

    path: Path
    revision: str


def check_reachable(url: str, *, what: str, fix: str, where: str | None = None, timeout: float = 2.0) -> None:
    """Ask once whether a server answers, so that no library retries for half a minute.

    One HEAD request; proxies of the environment are respected. Any answer below 500 counts, also "not
    found": the server is there, and the library that downloads says the rest.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    what : str
        What is looked for, for the error.
    fix : str
        How the user can get it otherwise.
    where : str, optional
        The model spec, for the error.
    timeout : float
        Seconds to wait for everything, the name look-up included.

    Raises
    ------
    NotAvailableError
        No answer in time, no such host, a refusing proxy, or a server that is down.
    """
    problem = _ask(url, timeout=timeout)
    if problem:
        parts = urlsplit(url)
        raise NotAvailableError(
            f"{what} cannot be downloaded: {parts.scheme}://{parts.netloc} {problem}", where=where, fix=fix
        )


def _ask(url: str, *, timeout: float) -> str:
    """Return what is wrong, or nothing."""
    if urlsplit(url).scheme not in {"http", "https"}:
        return "is not a web address"
    problems: list[str] = []

    def head() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")  # noqa: S310  (scheme checked above)
            urllib.request.urlopen(request, timeout=timeout).close()  # noqa: S310
            problems.append("")
        except urllib.error.HTTPError as error:
            down = error.code >= 500 or error.code == 407
            problems.append(f"answers {error.code}" if down else "")
            error.close()
        except (OSError, ValueError) as error:
            problems.append(f"cannot be reached ({getattr(error, 'reason', None) or error})")

    # the socket's timeout does not bound the name look-up, the thread's does
    thread = threading.Thread(target=head, daemon=True)
    thread.start()
    thread.join(timeout)
    return problems[0] if problems else f"gave no answer in {timeout:g} s"


def hugging_face() -> Any:
    """Import huggingface_hub with the two submodules that it does not import by itself.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    library = import_models("huggingface_hub")
    import_models("huggingface_hub.constants")
    import_models("huggingface_hub.errors")
    return library


@contextmanager
def no_hub() -> Iterator[None]:
    """Keep huggingface_hub, and all that is built on it, from opening sockets in the block."""
    constants = hugging_face().constants
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def find_folder(name: str, *, revision: str | None, where: str) -> ModelFolder | None:
    """Recognise a local folder without asking anyone.

    Parameters
    ----------
    name : str
        A folder, or a name on the hub.
    revision : str, optional
        Only names on the hub have one.
    where : str
        The model spec, for errors.

    Returns
    -------
    ModelFolder or None
        None for what can only be a name on the hub.

    Raises
    ------
    NotAvailableError
        It is plainly a path, and there is nothing.
    SpecError
        A file instead of a folder, or a revision of a folder.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if revision:
            raise SpecError("a local folder has no revisions", where=where, fix=f"leave out '@{revision}'")
        return ModelFolder(path, "local folder")
    if path.is_file():
        raise SpecError(f"'{name}' is a file", where=where, fix="name the folder that holds it")
    if name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1 or path.is_absolute():
        raise NotAvailableError(
            f"there is no folder '{name}'", where=where, fix="check the path, or write a name on the hub"
        )
    return None


def require_folder(
    repository: str,
    *,
    complete: Callable[[Path], bool],
    where: str,
    family: str,
    revision: str | None = None,
    offline: bool = False,
    patterns: Sequence[str] = DESCRIPTIONS,
    cache: str | None = None,
) -> ModelFolder:
    """Give the local copy of a repository on the Hugging Face hub, downloading it where that is allowed.

    The cache is looked at first, without a socket. Only what is not there is asked for, after one short
    look whether the hub (``HF_ENDPOINT`` is respected) answers at all.

    Parameters
    ----------
    repository : str
        ``organisation/name``.
    complete : callable
        Says whether a folder holds everything that is needed.
    where : str
        The model spec, for errors.
    family : str
        For the advice how to name a folder instead.
    revision : str, optional
        Branch, tag or commit; the main branch by default.
    offline : bool
        Open no socket; ``HF_HUB_OFFLINE=1`` has the same effect.
    patterns : sequence of str
        Files to download beside the weights.
    cache : str, optional
        Another cache folder than Hugging Face's.

    Returns
    -------
    ModelFolder

    Raises
    ------
    NotAvailableError
        Not in the cache and not to be had; within about 3 seconds where the hub cannot be reached.
    SpecError
        The hub does not know the repository or the revision, or the name is impossible.
    """
    hub = hugging_face()
    at = f" at revision '{revision}'" if revision else ""
    what = f"the model '{repository}'{at}"
    fix = (
        f"run `hf download {repository}{f' --revision {revision}' if revision else ''}`"
        f" on a connected machine and copy its cache here, or give a local folder: {family}:FOLDER"
    )
    try:
        with no_hub():
            found = Path(
                hub.snapshot_download(repository, revision=revision, cache_dir=cache, local_files_only=True)
            )
    except hub.errors.HFValidationError as error:
        raise SpecError(
            f"'{repository}' is neither a folder here nor a possible name on the hub",
            where=where,
            fix=str(error).splitlines()[0],
        ) from None
    except (OSError, hub.errors.LocalEntryNotFoundError):
        state = "is not"
    else:
        if complete(found):
            return ModelFolder(found, found.name)
        state = "is incomplete"
    looked = f"it {state} in the cache {_tilde(cache or hub.constants.HF_HUB_CACHE)}"
    if offline or hub.constants.HF_HUB_OFFLINE:
        raise NotAvailableError(
            f"{what} is not here: {looked}, and this run is offline", where=where, fix=fix
        )
    check_reachable(hub.constants.ENDPOINT, what=f"{what} is not here ({looked}) and", where=where, fix=fix)
    folder = _download(
        hub, repository, revision=revision, patterns=patterns, cache=cache, where=where, fix=fix
    )
    if not complete(folder):
        raise NotAvailableError(f"{what} lacks files that are needed", where=f"{where}, {_tilde(folder)}")
    return ModelFolder(folder, folder.name)


def _download(
    hub: Any,
    repository: str,
    *,
    revision: str | None,
    patterns: Sequence[str],
    cache: str | None,
    where: str,
    fix: str,
) -> Path:
    """Download the descriptions and the safest kind of weights that there is."""
    try:
        folder = Path()
        for weights in (SAFE_WEIGHTS, PICKLED_WEIGHTS):
            folder = Path(
                hub.snapshot_download(
                    repository,
                    revision=revision,
                    cache_dir=cache,
                    allow_patterns=[*patterns, *weights],
                    ignore_patterns=["onnx/*", "openvino/*", "*training_args*", "*optimizer*", "*scheduler*"],
                )
            )
            if any(folder.rglob(weights[0])):
                break
    except hub.errors.GatedRepoError:
        raise NotAvailableError(
            f"'{repository}' is open only to those who accepted its terms",
            where=where,
            fix="run `hf auth login`",
        ) from None
    except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError) as error:
        missing = "revision" if isinstance(error, hub.errors.RevisionNotFoundError) else "repository"
        raise NotAvailableError(
            f"the hub knows no such {missing}: {repository}{'@' + revision if revision else ''}",
            where=where,
            fix="check the spelling; a private repository needs `hf auth login`",
        ) from None
    except Exception as error:  # the hub's own tree of network errors has no common root across versions
        raise NotAvailableError(
            f"downloading '{repository}' failed: {type(error).__name__}: {str(error).splitlines()[0]}",
            where=where,
            fix=fix,
        ) from error
    return folder


def _tilde(path: str | Path) -> str:
    """Shorten the home folder: an error's text may end in a report."""
    text, home = str(path), os.path.expanduser("~")  # noqa: PTH111  (Path.home raises where HOME is unset)
    return "~" + text[len(home) :] if home != "/" and text.startswith(home + "/") else text
