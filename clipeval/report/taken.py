"""Whether a folder is free for the document of a command: a second one in it would break the first."""

from __future__ import annotations

from pathlib import Path

from clipeval.errors import ClipevalError
from clipeval.report.html.recognise import BENCH, CLAIMS, COMPARISON, FILES, SWAP, TRAINING, recognised

COMMANDS = {
    COMPARISON: "clipeval compare",
    CLAIMS: "clipeval check",
    SWAP: "clipeval swap or baseline",
    TRAINING: "clipeval train",
    BENCH: "clipeval bench",
}


def check_free(folder: Path, document: str) -> None:
    """Refuse, before any work, a folder that holds what another command wrote.

    Both would have a ``report.html``, a comparison and a swap an ``items.json`` too, and ``clipeval report``
    could make only one page of the folder again.

    Parameters
    ----------
    folder : Path
        It may be absent.
    document : str
        Name of the document that will be written; one that is there already may be replaced.

    Raises
    ------
    ClipevalError
        It holds the document of another command.

    Examples
    --------
    >>> check_free(Path("absent"), "swap.json")
    """
    for other in FILES:
        command = _command(folder / other) if other != document else None
        if command:
            raise ClipevalError(
                f"the folder holds results of another command, {command}: {other}",
                where=str(folder),
                fix="name another folder, or move those results away",
            )


def check_document(path: Path, kind: str) -> None:
    """Refuse, before any work, a file that is the document of another command.

    Parameters
    ----------
    path : Path
        It may be absent.
    kind : str
        Of the document that will be written; one of this kind may be replaced.

    Raises
    ------
    ClipevalError
        Another command wrote it.
    """
    command = _command(path)
    if command and command != COMMANDS[kind]:
        raise ClipevalError(
            f"the file holds results of another command, {command}",
            where=str(path),
            fix="name another file, or move those results away",
        )


def _command(path: Path) -> str | None:
    """Say which command wrote a document; None where it is absent, or a file of the user's own."""
    try:
        return COMMANDS.get(recognised(path).kind) if path.is_file() else None
    except ClipevalError:
        return None
