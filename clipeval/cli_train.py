"""``clipeval train``: a dual encoder from pairs; heads over frozen towers, or whole networks."""

from __future__ import annotations

import json
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipeval.cli_options import Device, NoCache, Offline
from clipeval.encoders.spec import parse_spec
from clipeval.errors import SpecError
from clipeval.messages import say
from clipeval.stopping import stoppable

if TYPE_CHECKING:
    from clipeval.training.job import Trained

SCHEMA = "clipeval-train/1"
EPILOG = """Examples:

[cyan]clipeval train --image-tower efficientnet-lite0 --text-tower all-MiniLM-L6-v2 -d photos/ -o mine/[/]
   heads over towers that stay as they are: seconds, once their rows are there

[cyan]clipeval train --image-tower frozen:features.npz --text-tower hf:all-MiniLM-L6-v2 --freeze text:4
-d photos/ -o mine/[/]   stored image rows, and the last two blocks of a text network

[cyan]clipeval train --image-tower tiny-vit --text-tower tiny-bert --allow-random-init --epochs 5
--batch-size 64 --dim 128 -d photos/ -o mine/[/]   both networks from scratch

[cyan]clipeval compare --model dual:mine/ --data others/[/]   what it is worth"""


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("it is empty")
    return value


def _folder_name(value: str) -> str:
    named = parse_spec(f"dual:{_not_empty(value)}")
    if named.name != value or named.options or named.revision:
        raise SpecError(
            f"dual:{value} would be read as another folder",
            where="--out",
            fix="choose a name without ?, @ and %",
        )
    return value


def train(
    image_tower: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="As it is: efficientnet-lite0, resnet50, frozen:PATH?tensor=NAME, or several, A+B; trained: "
            "hf:NAME, torchvision:NAME, timm:NAME, each also behind random:, or tiny-resnet, tiny-vit.",
        ),
    ],
    text_tower: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="As it is: all-MiniLM-L6-v2, all-MiniLM-L6-v2.words, bert:NAME, frozen:PATH; trained: "
            "hf:NAME, random:hf:NAME, tiny-bert, tiny-gpt2.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            metavar="PATH",
            callback=_not_empty,
            help="A CSV, metadata.json, folder, COCO JSON, Parquet or tar shards.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="DIR", callback=_folder_name, help="A new folder; dual:DIR later."
        ),
    ],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over all pairs.")] = 5,
    batch_size: Annotated[int, typer.Option(min=2, help="Pairs that are contrasted with each other.")] = 64,
    accumulate: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="PARTS",
            help="Cut a batch into so many parts to save memory; it is contrasted whole all the same.",
        ),
    ] = 1,
    dim: Annotated[int, typer.Option(min=1, help="Width of the common space.")] = 128,
    loss: Annotated[str, typer.Option(help="infonce or siglip.")] = "infonce",
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIDE[:N]",
            help="image or text: do not train that network; text:4: nor its embeddings and first 4 blocks.",
        ),
    ] = None,
    text_pooling: Annotated[
        str | None,
        typer.Option(
            metavar="mean|first|last|end",
            help="What of a text network's tokens is the row. Default: the last real one where it reads "
            "causally, else the mean.",
        ),
    ] = None,
    hidden: Annotated[
        int, typer.Option(min=0, help="Width of a second layer in both heads; 0: linear heads.")
    ] = 0,
    dropout: Annotated[float, typer.Option(min=0, max=0.99, help="Of what comes into the heads.")] = 0.0,
    hidden_dropout: Annotated[
        float | None, typer.Option(min=0, max=0.99, help="Of their second layer; default: the same.")
    ] = None,
    ensemble: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Heads on each side, trained side by side; their cosines are averaged."
        ),
    ] = 1,
    learning_rate: Annotated[float, typer.Option(min=0, help="Highest, of heads and temperature.")] = 1e-3,
    tower_learning_rate: Annotated[float, typer.Option(min=0, help="Highest, of networks.")] = 1e-4,
    weight_decay: Annotated[float, typer.Option(min=0, help="Of matrices.")] = 0.1,
    warmup: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of the steps; a cosine follows.")
    ] = 0.1,
    clip: Annotated[float, typer.Option(min=0, help="Largest norm of all gradients; 0: no limit.")] = 1.0,
    precision: Annotated[
        str, typer.Option(help="Of the networks' arithmetic: float32 or bfloat16.")
    ] = "float32",
    held_out: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of the data that is not trained on; 0: none.")
    ] = 0.1,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without a better held-out MRR; 0: never.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and dropout.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's checkpoint, to the same bits.")
    ] = False,
    checkpoint_every: Annotated[
        int, typer.Option(min=0, metavar="STEPS", help="Also between epochs; 0: at their ends only.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first items; the name then says so.")
    ] = None,
    device: Device = "cpu",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: Annotated[
        bool, typer.Option("--allow-random-init", help="Accept networks without trained weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only a JSON document.")] = False,
) -> None:
    """Train a dual encoder with a contrastive loss; dual:DIR then works in every command.

    Towers that stay as they are encode each picture and caption once. A share of the data is held out, whole
    units with the same picture or caption, and the epoch that retrieves best there is kept. A run that was
    stopped goes on with --resume and ends with the same bits, on the same machine.

    Exit status: 0 trained; 1 trained, but it does not retrieve (the likely cause is named); 3 wrong usage,
    data or model; 130 interrupted.
    """
    from contextlib import redirect_stdout

    from clipeval.encoders.imports import require_installed

    require_installed("torch")  # what follows imports it
    from clipeval.data.load import load_dataset
    from clipeval.encoders.options import LoadOptions
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress
    from clipeval.report.chart import write_chart
    from clipeval.report.figures.learning_curves import learning_curves
    from clipeval.report.html.training_page import DOCUMENT, write_training
    from clipeval.report.taken import check_free
    from clipeval.report.write import check_folder
    from clipeval.stopping import Ended
    from clipeval.training.job import train as run
    from clipeval.training.settings import TrainingSettings

    settings = TrainingSettings(
        epochs=epochs,
        batch_size=batch_size,
        parts=accumulate,
        dim=dim,
        loss=loss,  # type: ignore[arg-type]
        learning_rate=learning_rate,
        tower_learning_rate=tower_learning_rate,
        weight_decay=weight_decay,
        warmup=warmup,
        clip=clip,
        hidden=(hidden, hidden),
        dropout=dropout,
        hidden_dropout=hidden_dropout,
        ensemble=ensemble,
        precision=precision,
        held_out=held_out,
        patience=patience,
        seed=seed,
    )
    folder = Path(out)
    check_folder(folder)
    check_free(folder, DOCUMENT)
    with (
        stoppable(partial(_left_behind, folder)),
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        dataset = load_dataset(
            data, require_pictures=_needs_pictures(image_tower), limit=limit, offline=offline
        )

        def told(what: str, done: int, total: int) -> None:
            progress(f"dual:{out}", "training" if what.startswith("epoch") else what, done, total)

        trained = run(
            dataset,
            image_tower=image_tower,
            text_tower=text_tower,
            out=folder,
            settings=settings,
            freeze=freeze or (),
            pooling=text_pooling,
            options=LoadOptions(device=device, offline=offline, allow_random_init=allow_random_init),
            resume=resume,
            checkpoint_every=checkpoint_every,
            cache=None if no_cache else default_cache(),
            progress=told,
        )
        title = f"{image_tower} + {text_tower}"[:110]
        write_chart(folder, learning_curves(trained.history, best=trained.best, title=title))
        write_training(folder, _document(trained))
    if as_json:
        typer.echo(json.dumps(_document(trained), indent=2, sort_keys=True))
    else:
        typer.echo(_told(trained, out=out))
    for finding in trained.findings:
        say(f"warning: {finding.kind}: {finding.text}")
    if any(finding.kind == "collapsed" for finding in trained.findings):
        raise Ended(1)


def _needs_pictures(image_tower: str) -> bool:
    from clipeval.encoders.joined_towers import split_joined

    return not all(part.startswith("frozen:") for part in split_joined(image_tower))


def _left_behind(folder: Path) -> str:
    from clipeval.training.job import CHECKPOINT

    if (folder / CHECKPOINT).is_file():
        return f"interrupted: finished epochs are in {folder}, the same command with --resume goes on"
    return "interrupted: no epoch was finished, the same command begins anew (rows that are encoded are kept)"


def _document(trained: Trained) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "model": f"dual:{trained.folder}",
        "data": dict(trained.data),
        "settings": trained.settings.document(),
        "towers": {side: dict(words) for side, words in trained.towers.items()},
        "parameters": dict(trained.parameters),
        "history": [dict(row) for row in trained.history],
        "best": trained.best,
        "findings": [{"kind": finding.kind, "text": finding.text} for finding in trained.findings],
    }


def _told(trained: Trained, *, out: str) -> str:
    from clipeval.report.text import printable

    data, best = trained.data, trained.history[trained.best]
    lines = [
        f"{data['name']}: trained on {data['train_pairs']:,} pairs of {data['train_images']:,} pictures, "
        f"{data['held_out_pairs']:,} pairs of {data['held_out_images']:,} held out",
        f"parameters: {trained.parameters['trained']:,} trained, {trained.parameters['frozen']:,} frozen",
        "epoch    loss  scale"
        + ("   held out: i2t    t2i   training: i2t    t2i" if "held_out_mrr" in best else ""),
    ]
    for number, row in enumerate(trained.history):
        line = f"{row['epoch']:5}  {row['loss']:6.3f}  {row['scale']:5.1f}"
        if "held_out_mrr" in row:
            line += (
                f"          {row['held_out_hit1_i2t']:.3f}  {row['held_out_hit1_t2i']:.3f}"
                f"           {row['train_hit1_i2t']:.3f}  {row['train_hit1_t2i']:.3f}"
            )
        lines.append(line + ("  kept" if number == trained.best else ""))
    if "held_out_mrr" in best:
        n = data["held_out_images"]
        lines.append(
            f"hit@1 among {n:,} pictures; chance {best['held_out_chance1_i2t']:.4f} i2t, "
            f"{best['held_out_chance1_t2i']:.4f} t2i"
        )
    lines.append(
        f"files in {out}/: dual.json, weights.safetensors, curves.png, curves.svg, curves.csv, "
        "training.json, report.html, checkpoint"
    )
    lines.append(
        "use it: " + shlex.join(["clipeval", "compare", "--model", f"dual:{out}", "--data", "OTHERS"])
    )
    return "\n".join(printable(line) for line in lines)
