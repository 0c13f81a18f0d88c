"""A folder in which the processes of one session meet: the first one does the work, the others read it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


class SharedFolder:
    """Work that is done once, whichever process comes first.

    Parameters
    ----------
    path : Path
        The same for all processes, empty at the start of the session, removed at its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Give what the first process made.

        The lock belongs to the operating system: if a process dies at work, the next one takes over.

        Parameters
        ----------
        name : str
            Names the work; a file name.
        make : callable
            Does the work. If it raises, nothing is kept and the next process tries.

        Returns
        -------
        bytes

        Examples
        --------
        >>> folder = SharedFolder(Path(tempfile.mkdtemp()))
        >>> folder.once("answer", lambda: b"42"), folder.once("answer", lambda: b"never called")
        (b'42', b'42')
        """
        from filelock import FileLock

        file = self.path / name
        with FileLock(self.path / f"{name}.lock"):
            if not file.exists():
                content = make()
                descriptor, temporary = tempfile.mkstemp(dir=self.path)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                Path(temporary).replace(file)
            return file.read_bytes()
