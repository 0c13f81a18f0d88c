"""``clipeval bridges``: a contest of all ways to join two towers, printed and written to files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipeval.cli_options import Device, NoCache, Offline, RandomInit
from clipeval.stopping import stoppable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipeval.core.bridges.folds import Bridge
    from clipeval.encoders.base import Rows
    from clipeval.evaluation.learning import Learner

    Integers = NDArray[np.int64]

HEADS = "heads"

EPILOG = """Examples:

[cyan]clipeval bridges efficientnet-lite0+all-MiniLM-L6-v2 --fit photos/#train --data photos/#test[/]

[cyan]clipeval bridges efficientnet-lite0+all-MiniLM-L6-v2 --fit train/ --data test/ --sizes 100,1000,5000[/]

[cyan]clipeval bridges TOWERS --fit train/ --data test/ -m conse:efficientnet-lite2+all-MiniLM-L6-v2[/]"""


def _sizes(value: str) -> str:
    for part in filter(None, value.split(",")):
        if not part.strip().isdecimal() or int(part) < 2:
            raise typer.BadParameter(f"'{part}' is not a number of pictures, 2 or more")
    return value


def _kinds(value: str) -> str:
    from clipeval.core.bridges.fit import KINDS
    from clipeval.errors import near

    for part in filter(None, value.split(",")):
        if part not in (*KINDS, "heads"):
            raise typer.BadParameter(f"unknown bridge '{part}'; {near(part, [*KINDS, 'heads'])}")
    return value


def bridges(
    towers: Annotated[
        str,
        typer.Argument(
            metavar="TOWERS",
            help="IMAGE+TEXT, or a preclip: spec without a projection, for options of frozen towers.",
        ),
    ],
    fit: Annotated[
        str, typer.Option("--fit", metavar="PATH", help="Pairs to learn from; PATH#train: a part.")
    ],
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="PATH", help="Held-out items; PATH#test: the other part.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="SPEC", help="A model to run beside them; repeat it."),
    ] = None,
    published: Annotated[
        list[str] | None,
        typer.Option("--published", metavar="NAME", help="Show published figures of a dataset: flickr8k."),
    ] = None,
    kinds: Annotated[
        str, typer.Option(callback=_kinds, metavar="LIST", help="Which bridges learn, with commas between.")
    ] = "procrustes,ridge,cca,relative,asif,heads",
    sizes: Annotated[
        str,
        typer.Option(
            callback=_sizes,
            metavar="LIST",
            help="Numbers of training pictures for the learning curve, as 100,1000,5000. Default: no curve.",
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Subsets of each size for the learning curve.")] = 3,
    head_seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Train heads so often, each time with another seed.")
    ] = 1,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR", help="Where files are written.")
    ] = "bridges",
    seed: Annotated[
        int, typer.Option(min=0, help="Of projection, folds, heads, subsets and bootstrap.")
    ] = 42,
    device: Device = "cpu",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: RandomInit = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the JSON document.")] = False,
) -> None:
    """Compare all ways to join two towers: chance, random, learned from pairs, trained, published.

    Everybody learns from the same pairs (parameters are chosen inside them) and is scored on the same
    held-out items; a test item that is among the training pairs ends the contest.
    """
    from contextlib import redirect_stdout

    from rich.console import Console
    from rich.text import Text

    from clipeval.bridges.contest import contest
    from clipeval.bridges.curve import Way, learning_curve
    from clipeval.bridges.published import published_rows
    from clipeval.data.load import load_dataset
    from clipeval.encoders.base import Playback
    from clipeval.encoders.load import check_family, load_encoder
    from clipeval.encoders.preclip import check_options
    from clipeval.encoders.spec import parse_spec
    from clipeval.encoders.towers import Towers
    from clipeval.errors import SpecError
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress, working
    from clipeval.report.contest_table import print_contest
    from clipeval.report.write import check_folder
    from clipeval.report.write_contest import contest_text, write_contest
    from clipeval.training.heads_job import DEFAULT

    spec = parse_spec(towers if towers.startswith("preclip:") else f"preclip:{towers}")
    for option in ("projection", "fit", "part", "project", "seed", "rng"):
        if option in spec.options:
            raise SpecError(
                f"option '{option}' is the contest's to choose", where=str(spec), fix="name the towers only"
            )
    check_options(spec)
    for one in model or []:
        check_family(one)
    rows = [row for name in published or [] for row in published_rows(name)]
    check_folder(Path(out))
    asked = list(filter(None, kinds.split(",")))
    closed = [kind for kind in asked if kind != "heads"]
    heads = {HEADS: Way(heads_learner, repr(DEFAULT))} if "heads" in asked else {}
    cache = None if no_cache else default_cache()
    with (
        stoppable("interrupted: nothing was written"),
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        # its projection is never used: a spec without one has a fixed one
        loaded = load_encoder(
            str(spec) + ("&" if spec.options else "?") + "projection=procrustes&fit=none",
            device=device,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
        )
        pair = Towers(str(spec), loaded.image_tower, loaded.text_tower)  # type: ignore[arg-type]
        needed = not isinstance(pair.image, Playback)
        train = load_dataset(fit, require_pictures=needed, offline=offline)
        test = load_dataset(data, require_pictures=needed, offline=offline)
        job = contest(
            spec,
            pair,
            train,
            test,
            kinds=closed,
            learners={
                name if not more else f"{name}, seed {seed + more}": way.learner(seed + more)
                for name, way in heads.items()
                for more in range(head_seeds)
            },
            models=model or [],
            published=rows,
            seed=seed,
            device=device,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
            progress=progress,
        )
        points = (
            learning_curve(
                pair,
                train,
                test,
                sizes=[int(part) for part in sizes.split(",") if part],
                seeds=[seed + n for n in range(seeds)],
                kinds=closed,
                learners=heads,
                cache=cache,
                progress=lambda what, done, total: progress(
                    str(spec), f"learning curve, {what}", done, total
                ),
            )
            if sizes
            else ()
        )
    with stoppable("interrupted while files were written"), working(quiet=as_json) as step:
        step(out)
        written = write_contest(Path(out), job, points)
    if as_json:
        typer.echo(contest_text(job, points), nl=False)
        return
    console = Console(highlight=False)
    print_contest(job, points, console)
    console.print(Text(f"{len(written)} files in {out}/: {', '.join(written)}"))


def heads_learner(seed: int) -> Learner:
    """Train heads over the rows: the one way that takes steps, and torch."""

    def learner(images: Rows, texts: Rows, owner: Integers, units: Integers) -> Bridge:
        from dataclasses import replace

        from clipeval.training.heads_job import DEFAULT, train_heads

        del units  # nothing is held out of the training pairs: the settings were chosen before
        return train_heads(images, texts, owner, settings=replace(DEFAULT, seed=seed))

    return learner
