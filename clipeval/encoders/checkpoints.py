"""torchvision's weight files: found in torch's own folder or downloaded, and checked either way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from clipeval.encoders.hub import check_reachable
from clipeval.encoders.imports import import_models
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.weight_files import digest
from clipeval.errors import EncoderError, NotAvailableError


def checkpoint_folder() -> Path:
    """Say where torch keeps the files it downloads, without the seconds that importing torch costs.

    Returns
    -------
    Path
        ``checkpoints`` in what ``torch.hub.get_dir()`` would say: ``$TORCH_HOME/hub/checkpoints``, where
        ``TORCH_HOME`` is ``$XDG_CACHE_HOME/torch`` or ``~/.cache/torch`` by default.

    Examples
    --------
    >>> checkpoint_folder().parts[-2:]
    ('hub', 'checkpoints')
    """
    torch_hub = sys.modules.get("torch.hub")
    if torch_hub is not None:  # a program that imported torch may have called torch.hub.set_dir
        return Path(torch_hub.get_dir()) / "checkpoints"
    home = os.environ.get("TORCH_HOME")
    if home is None:
        home = os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/torch"
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"  # noqa: PTH111  (as torch does it)


def find_checkpoint(url: str, options: LoadOptions, *, what: str, where: str) -> tuple[Path, str]:
    """Give the local copy of a checkpoint, asking the network only where it must.

    torchvision writes the first eight digits of a file's SHA-256 into its name. torch compares them after a
    download only; here every file is compared, because a file put there by hand may be another one.

    Parameters
    ----------
    url : str
        Where torchvision would fetch it; the last part is ``NAME-SHA256BEGINS.pth``.
    options : LoadOptions
        ``offline`` forbids the download.
    what : str
        What it is, for errors.
    where : str
        The model spec, for errors.

    Returns
    -------
    file : Path
        Below ``$TORCH_HOME/hub/checkpoints``.
    sha256 : str
        Hexadecimal digest of the whole file.

    Raises
    ------
    NotAvailableError
        Not here and not to be had; found out before torch is imported, and within about 3 seconds where the
        server cannot be reached.
    EncoderError
        The file holds other bytes than its name says.
    """
    file = checkpoint_folder() / url.rpartition("/")[2]
    begins = file.stem.rpartition("-")[2]
    fix = f"download {url} on a connected machine and put it into $TORCH_HOME/hub/checkpoints"
    if not file.is_file():
        if options.offline:
            raise NotAvailableError(f"{what} is not here, and this run is offline", where=where, fix=fix)
        check_reachable(url, what=what, where=where, fix=fix)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            hub = import_models("torch.hub", package="torch")
            hub.download_url_to_file(url, str(file), hash_prefix=begins, progress=False)
        except (OSError, RuntimeError) as error:  # torch reports a wrong hash as a RuntimeError
            raise NotAvailableError(
                f"downloading {what} failed: {type(error).__name__}: {error}", where=where, fix=fix
            ) from error
    sha256 = digest([file])
    if not sha256.startswith(begins):
        raise EncoderError(
            f"{file.name} is not the file that its name promises: its sha256 begins {sha256[: len(begins)]}",
            where=where,
            fix=f"delete it and {fix}",
        )
    return file, sha256
