"""``clipeval fit``: learn a bridge between two towers once, and keep it in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clipeval.cli_options import BatchSize, Device, NoCache, Offline, RandomInit
from clipeval.messages import say
from clipeval.stopping import stoppable

EPILOG = """Examples:

[cyan]clipeval fit 'preclip:IMAGE+TEXT?projection=ridge&fit=photos/&part=train' ridge.safetensors[/]

[cyan]clipeval compare --data photos/#test -m 'preclip:IMAGE+TEXT?projection=ridge&fit=ridge.safetensors'[/]

with towers in the place of IMAGE and TEXT, as efficientnet-lite0+all-MiniLM-L6-v2."""


def fit(
    spec: Annotated[
        str,
        typer.Argument(
            help="preclip:IMAGE+TEXT?projection=KIND&fit=PATH; kinds: procrustes, ridge, cca, relative, asif."
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the bridge is kept: NAME.safetensors.")],
    device: Device = "cpu",
    batch_size: BatchSize = "32",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: RandomInit = False,
) -> None:
    """Learn a bridge from pairs and write it to a file, with hashes of the pairs it has seen.

    The file stands where the training pairs stood: fit=FILE. What the bridge has learned from is refused as
    test data, whoever evaluates it. The hit rates printed are those on training pairs: too good by nature.
    """
    from contextlib import redirect_stdout
    from functools import partial

    from rich.console import Console
    from rich.text import Text

    from clipeval.encoders.bridge_file import ENDING
    from clipeval.encoders.learned import LearnedPreClip, UnlearnedPreClip
    from clipeval.encoders.load import load_encoder
    from clipeval.errors import SpecError
    from clipeval.evaluation import default_cache
    from clipeval.evaluation.batch_size import fitting
    from clipeval.evaluation.embed import Progress
    from clipeval.evaluation.learning import learn, save_bridge
    from clipeval.progress import encoding_progress
    from clipeval.report.learned_table import training_words

    if file.suffix != ENDING:
        raise SpecError(
            f"a bridge is kept in a file that ends with {ENDING}", where=str(file), fix="rename it"
        )
    cache = None if no_cache else default_cache()

    def run(size: int, report: Progress | None) -> tuple[LearnedPreClip, UnlearnedPreClip]:
        loaded = load_encoder(
            spec,
            device=device,
            batch_size=size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
        )
        if not isinstance(loaded, UnlearnedPreClip):
            raise SpecError(
                "there is nothing to learn",
                where=spec,
                fix="name a kind and its pairs: preclip:IMAGE+TEXT?projection=ridge&fit=PATH",
            )
        return learn(loaded, cache=cache, progress=report), loaded

    with (
        stoppable("interrupted: nothing was written"),
        encoding_progress() as progress,
        redirect_stdout(sys.stderr),
    ):
        found, asked = fitting(
            run,
            batch_size,
            spec=spec,
            device=device,
            say=lambda text: say(f"note: {text}"),
            progress=partial(progress, spec),
        )
    save_bridge(file, found, asked.wish)
    console = Console(highlight=False)
    for line in training_words(found):
        console.print(Text(line))
    console.print(Text(f"written: {file}"))
