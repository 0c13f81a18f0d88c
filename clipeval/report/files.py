"""Writing result files: whole or not at all, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from clipeval.errors import ClipevalError
from clipeval.evaluation import DIRECTIONS, Evaluation
from clipeval.report.csv_cell import safe_cell
from clipeval.whole_file import replace_whole


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it.

    Parameters
    ----------
    path : Path
        Its folder exists.
    content : bytes
        The whole file.
    """
    replace_whole(path, [content])


def write_text(path: Path, text: str) -> None:
    """Write a text file that the user named, whole or not at all.

    Parameters
    ----------
    path : Path
        Its folder is made if absent; a file of this name is replaced.
    text : str
        The whole file.

    Raises
    ------
    ClipevalError
        It cannot be written.
    """
    with writing("the file", path, fix="choose another place"):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, encoded(text))


@contextmanager
def writing(what: str, place: Path, *, fix: str = "choose another folder") -> Iterator[None]:
    """Turn what the system says against files that are written inside into an error of clipeval.

    Parameters
    ----------
    what : str
        What is written, for the message.
    place : Path
        A file, or a folder: of that, the error tells the file in it that the system names.
    fix : str
        What to do about it.

    Raises
    ------
    ClipevalError
        A file cannot be written.

    Examples
    --------
    >>> with writing("the report", Path("results")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    clipeval.errors.ClipevalError: cannot write the report: No space left on device
      where: results
      to do: choose another folder
    """
    try:
        yield
    except OSError as error:
        raise ClipevalError(
            f"cannot write {what}: {error.strerror or error}",
            where=_shortened(str(_inside(place, error.filename))),
            fix=fix,
        ) from error


def _inside(place: Path, name: object) -> Path:
    found = Path(str(name or place))
    return found if place in found.parents else place  # a temporary name beside a file would say nothing


def _shortened(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:200]}…"


def check_place(path: Path) -> None:
    """Refuse a file that cannot be written, before work that takes long; nothing is left behind.

    Parameters
    ----------
    path : Path
        Its folder may be absent: `write_text` makes it.

    Raises
    ------
    ClipevalError
        It is a folder, or its folder cannot be made or written to.

    Examples
    --------
    >>> check_place(Path("/"))
    Traceback (most recent call last):
    clipeval.errors.ClipevalError: cannot write the file: this is a folder
      where: /
      to do: choose another place
    """
    folder = next(parent for parent in path.absolute().parents or [path] if parent.exists())
    with writing("the file", path, fix="choose another place"):
        if path.is_dir():
            raise IsADirectoryError(0, "this is a folder")
        with TemporaryFile(dir=folder):
            pass


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as UTF-8 CSV; text cells are quoted and made safe for spreadsheets."""
    buffer = io.StringIO(newline="")
    # older versions of Python leave a carriage return unquoted unless all text is quoted
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for row in rows:
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    replace_file(path, encoded(buffer.getvalue()))


def encoded(text: str) -> bytes:
    r"""Encode as UTF-8; half a surrogate pair (a file name that is not UTF-8) is spelt out.

    Examples
    --------
    >>> encoded("\udcff.jpg")
    b'\\udcff.jpg'
    """
    return text.encode(errors="backslashreplace")


def write_similarities(path: Path, evaluation: Evaluation) -> None:
    """Write the labelled similarity matrix: one row for each picture, one column for each caption.

    A caption that occurs more than once carries its caption id, so that no two columns have one name.
    """
    scores = evaluation.similarity()
    data = evaluation.dataset
    times = Counter(data.captions)
    names = (
        caption if times[caption] == 1 else f"{caption} [{caption_id}]"
        for caption, caption_id in zip(data.captions, data.caption_ids, strict=True)
    )
    header = ["picture", *names]
    rows = (
        [item_id, *(round(float(value), 6) for value in row)]
        for item_id, row in zip(data.ids, scores, strict=True)
    )
    write_csv(path, [header, *rows])


def write_queries(path: Path, evaluation: Evaluation) -> None:
    """Write the record of every query, both directions: rank, score, best rival and its score."""
    header = ["direction", "query", "caption", "category", "rank", "score", "best_rival", "rival_score"]
    rows: list[Sequence[object]] = [header]
    data = evaluation.dataset
    for direction in DIRECTIONS:
        queries, images = evaluation.direction(direction).queries, evaluation.image_of_query(direction)
        for query, image, record in zip(queries, images, evaluation.records(direction), strict=True):
            item = data.items[int(image)]
            rows.append(
                [
                    direction,
                    record.query,
                    item.captions[0] if direction == "i2t" else data.captions[int(query)],
                    item.category or "",
                    record.rank,
                    round(record.positive_score, 9),
                    record.rival or "",
                    "" if record.rival_score is None else round(record.rival_score, 9),
                ]
            )
    write_csv(path, rows)


def write_embeddings(path: Path, evaluation: Evaluation) -> None:
    """Write both sides as safetensors with ids, so that ``frozen:PATH`` plays them back."""
    from safetensors.numpy import save

    data = evaluation.dataset
    metadata = {
        "model": encoded(evaluation.model).decode(),
        "fingerprint": json.dumps(dict(sorted(evaluation.fingerprint.items()))),
        "image_ids": json.dumps(data.ids),
        "caption_ids": json.dumps(data.caption_ids),
    }
    tensors = {"images": evaluation.images, "texts": evaluation.texts}
    replace_file(path, _sorted_header(save(tensors, metadata=metadata)))


def _sorted_header(content: bytes) -> bytes:
    """Sort the keys of a safetensors header, which the library writes in random order."""
    start = 8 + int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format pads the header so that tensors are aligned
    return len(text).to_bytes(8, "little") + text + content[start:]
