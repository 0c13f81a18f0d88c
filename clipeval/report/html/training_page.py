"""The page of a training run: what was learned, epoch by epoch, beside what chance gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipeval.counted import count
from clipeval.report.figures.learning_curves import learning_curves
from clipeval.report.files import encoded, replace_file
from clipeval.report.html.charts_section import charts_section
from clipeval.report.html.numbers import percent
from clipeval.report.html.page import Page, Section
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.render import page_html
from clipeval.report.html.tables import NOTHING, Cell, table

DOCUMENT = "training.json"
PAGE = "report.html"
COLUMNS = {
    "loss": "Loss",
    "held_out_hit1_i2t": "hit@1 i2t, held out",
    "held_out_hit1_t2i": "hit@1 t2i, held out",
    "train_hit1_i2t": "hit@1 i2t, training",
    "train_hit1_t2i": "hit@1 t2i, training",
    "held_out_mrr": "MRR, held out",
}


def training_page(document: Mapping[str, Any]) -> Page:
    """Lay out the page of a training run.

    Parameters
    ----------
    document : mapping
        ``training.json``, which `clipeval train` writes.

    Returns
    -------
    Page
    """
    data, history = document["data"], document["history"]
    best = history[document["best"]]
    columns = [key for key in COLUMNS if key in history[0]]
    rows = [
        [
            Cell(str(row["epoch"]), below="kept" if at == document["best"] else ""),
            *(
                Cell(f"{row[key]:.3f}", kind="strong" if at == document["best"] else "text")
                for key in columns
            ),
        ]
        for at, row in enumerate(history)
    ]
    answer = {
        **NOTHING,
        "sentences": [_sentence(best), *(finding["text"] for finding in document["findings"])],
        "tables": [table("Every epoch.", ["Epoch", *(COLUMNS[key] for key in columns)], rows)],
    }
    settings = [[key, str(value)] for key, value in document["settings"].items()]
    towers = [
        [side, "\n".join(f"{key}: {value}" for key, value in words.items())]
        for side, words in document["towers"].items()
    ]
    details = {
        **NOTHING,
        "tables": [
            table("Towers.", ["Side", ""], towers),
            table("Settings.", ["Setting", ""], settings),
        ],
    }
    return Page(
        title=str(data["name"]),
        kind="training",
        facts=[
            f"{count(data['train_pairs'], 'pair')} of {count(data['train_images'], 'picture')}",
            f"{count(data['held_out_images'], 'picture')} held out",
            f"{count(document['parameters']['trained'], 'parameter')} trained",
        ],
        sections=[
            Section("answer", "Answer", "tables", answer),
            *charts_section([learning_curves(history, best=document["best"], title=str(data["name"]))]),
            Section("details", "Details", "tables", details),
        ],
    )


def write_training(folder: Path, document: Mapping[str, Any]) -> None:
    """Write what ``--json`` prints as ``training.json``, and its page."""
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    replace_file(folder / DOCUMENT, encoded(text))
    page = training_page(document_without_paths(json.loads(text)))
    replace_file(folder / PAGE, encoded(page_html(page)))


def _sentence(best: Mapping[str, Any]) -> str:
    if "held_out_hit1_t2i" not in best:
        return f"Epoch {best['epoch']} is kept; nothing was held out, so what it is worth is not known."
    return (
        f"Epoch {best['epoch']} is kept: on pictures held out it finds the right one first for "
        f"{percent(best['held_out_hit1_t2i'])} of the captions, and a right caption first for "
        f"{percent(best['held_out_hit1_i2t'])} of the pictures; guessing would for "
        f"{percent(best['held_out_chance1_t2i'])} and {percent(best['held_out_chance1_i2t'])}."
    )
