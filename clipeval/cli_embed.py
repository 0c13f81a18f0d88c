"""``clipeval embed``: a dataset's embeddings on disk, shard by shard; a stopped job goes on where it was."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipeval.cli_options import Address, BatchSize, EngineName, WorkerCpus, WorkerGpus, Workers
from clipeval.messages import say
from clipeval.stopping import stoppable

if TYPE_CHECKING:
    from clipeval.data.dataset import Dataset
    from clipeval.encoders.base import Encoder
    from clipeval.evaluation.batch_size import BatchSize as Wanted
    from clipeval.evaluation.readable import Skipped
    from clipeval.evaluation.store import StoredEmbeddings

BATCH_SIZE = "batch size"
SCHEMA = "clipeval-embed/1"
EPILOG = """Examples:

[cyan]clipeval embed photos/ --model hf:openai/clip-vit-base-patch32 --out store/[/]

[cyan]clipeval embed photos/ --model hf:openai/clip-vit-base-patch32 --out store/[/]   goes on

[cyan]clipeval embed photos/ -m hf:openai/clip-vit-base-patch32 -o store/ --append[/]   it has grown

[cyan]clipeval embed s3://bucket/photos -m hf:openai/clip-vit-base-patch32 -o store/[/]   where they lie

[cyan]clipeval embed photos/ -m hf:openai/clip-vit-base-patch32 -o store/ --engine ray[/]   on a cluster

[cyan]clipeval compare --model frozen:store/ --data photos/[/]   the same numbers, nothing is encoded"""


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("it is empty")
    return value


def _one_of(data: str | None, named: str | None) -> str:
    from clipeval.data.address import shown

    if data is not None and named is not None:
        raise typer.BadParameter(f"the data are named twice: '{shown(data)}' and --data '{shown(named)}'")
    found = named if data is None else data
    if found is None:
        raise typer.BadParameter("DATA is missing: clipeval embed DATA --model SPEC --out STORE")
    return _not_empty(found)


def _policy(value: str) -> str:
    if value not in ("fail", "skip"):
        raise typer.BadParameter(f"'{value}' is neither 'fail' nor 'skip'")
    return value


def embed(
    model: Annotated[str, typer.Option("--model", "-m", metavar="SPEC", help="A model spec, family:name.")],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="STORE",
            callback=_not_empty,
            help="A new folder, or a store to go on with.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="A CSV, metadata.json, folder, COCO JSON, Parquet or tar shards, also at an address "
            "(s3://bucket/photos); or 'embedded'.",
            show_default=False,
        ),
    ] = None,
    named_data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="PATH", help="The same, as other commands have it."),
    ] = None,
    append: Annotated[
        bool,
        typer.Option("--append", help="The data have grown: embed what is new into a finished store."),
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps ...")] = "cpu",
    batch_size: BatchSize = "32",
    shard_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rows in a shard, rounded up to whole batches; a killed job loses at most one shard. "
            "Default: the store's own, or 8192.",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Open no socket at all.")] = False,
    allow_random_init: Annotated[
        bool, typer.Option("--allow-random-init", help="Accept a model without trained weights.")
    ] = False,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Embed also where 'clipeval probe' finds an error.")
    ] = False,
    bad_pictures: Annotated[
        str,
        typer.Option(
            metavar="fail|skip",
            callback=_policy,
            help="A picture that cannot be decoded: end with its name, or leave its item out and list it.",
        ),
    ] = "fail",
    engine: EngineName = "local",
    address: Address = None,
    workers: Workers = None,
    worker_cpus: WorkerCpus = 1,
    worker_gpus: WorkerGpus = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print only a JSON document.")] = False,
) -> None:
    """Embed a dataset into a folder that frozen:STORE plays back.

    Pictures and captions are encoded once each and written in shards. A job that was stopped or killed is
    continued by the same command, and the files end as if it had never been stopped; a store that is not
    finished is never read as whole. With --append, a dataset that has grown is embedded into the store of
    what it was: only new pictures and captions are encoded, and until all are, the store reads as before.
    With --engine ray a cluster decodes and encodes, and the store is the same.

    Exit status: 0 the store is whole; 1 it could not be written; 3 wrong usage, model, data or store;
    130 interrupted.
    """
    from contextlib import redirect_stdout
    from functools import cache, partial

    from clipeval.cli_cluster import engine_for
    from clipeval.data.load import load_dataset
    from clipeval.encoders.load import check_family, load_encoder
    from clipeval.evaluation import default_cache
    from clipeval.evaluation.batch_size import fitting, try_largest
    from clipeval.evaluation.learning import learned
    from clipeval.evaluation.readable import readable_part
    from clipeval.evaluation.store import embed_to_store
    from clipeval.probes import default_store, require_sound
    from clipeval.progress import encoding_progress

    data = _one_of(data, named_data)
    check_family(model)
    with (
        stoppable(f"interrupted: finished shards are kept in {out}, the same command goes on with the rest"),
        encoding_progress(quiet=as_json, lines=engine != "local") as progress,
        # what a user's encoder prints must not get into the document
        redirect_stdout(sys.stderr),
        engine_for(
            engine, address=address, workers=workers, cpus=worker_cpus, gpus=worker_gpus, quiet=as_json
        ) as opened,
    ):
        whole = load_dataset(data, offline=offline)

        @cache
        def readable() -> tuple[Dataset, tuple[Skipped, ...]]:  # by the cluster, which a sound model starts
            if bad_pictures == "fail":
                return whole, ()
            cluster = opened()
            looked = cluster.looked if cluster else None
            return readable_part(whole, looked=looked, progress=partial(progress, model))

        def options_for(size: int) -> dict[str, Any]:
            return {
                "device": device,
                "batch_size": size,
                "offline": offline,
                "allow_random_init": allow_random_init,
            }

        def ready(size: int, _: object) -> tuple[Encoder, int]:
            loaded = load_encoder(model, **options_for(size), cache=default_cache())
            encoder = learned(loaded, cache=default_cache(), progress=partial(progress, model))
            if not no_probe:
                require_sound(encoder, store=default_store())
            if wanted == "auto":
                try_largest(encoder, readable()[0])
            return encoder, size

        wanted = _size_of_store(Path(out)) if batch_size == "auto" else batch_size
        encoder, size = fitting(
            ready, wanted, spec=model, device=device, say=lambda text: say(f"note: {text}")
        )
        dataset, skipped = readable()
        cluster = opened()
        if cluster:
            encoder = cluster.spread(encoder, spec=model, options=options_for(size))
        stored = embed_to_store(
            encoder,
            dataset,
            Path(out),
            append=append,
            shard_size=shard_size,
            settings={BATCH_SIZE: str(size)},
            progress=partial(progress, model),
            hashed=cluster.hashed if cluster else None,
            log=cluster.log if cluster else None,
        )
    if as_json:
        typer.echo(json.dumps(_document(stored, skipped), indent=2, sort_keys=True))
        return
    typer.echo(_told(stored, skipped, out=out, data=data, append=append))
    if cluster:
        typer.echo("\n".join(cluster.timing.told(cpus=worker_cpus)))


def _size_of_store(folder: Path) -> Wanted:
    """Give the batch size that a store was begun with; ``auto`` for a new one."""
    from clipeval.encoders.store_manifest import MANIFEST
    from clipeval.evaluation.store.plan import begun

    before = begun(folder) if (folder / MANIFEST).exists() else None
    said = before.settings.get(BATCH_SIZE, "") if before else ""
    return int(said) if said.isdecimal() else "auto"


def _document(stored: StoredEmbeddings, skipped: tuple[Skipped, ...]) -> dict[str, Any]:
    manifest, data = stored.manifest, stored.manifest.last
    counts = {
        "images": {"all": data.n_images, "distinct": manifest.images.rows},
        "captions": {"all": data.n_captions, "distinct": manifest.texts.rows},
    }
    return {
        "schema": SCHEMA,
        "store": str(stored.folder),
        "model": manifest.model,
        "fingerprint": dict(manifest.fingerprint),
        "dataset": {"name": data.dataset, "sha256": data.dataset_sha256},
        "width": manifest.width,
        "shards": {"all": manifest.n_shards, "made": stored.made, "kept": stored.kept},
        "mended": list(stored.mended),
        "appended": stored.appended,
        "given_up": list(stored.given_up),
        "encoded": stored.encoded,
        "partial": bool(skipped),
        "skipped": [{"id": item.id, "reason": item.reason} for item in skipped],
        **counts,
    }


def _told(
    stored: StoredEmbeddings, skipped: tuple[Skipped, ...], *, out: str, data: str, append: bool
) -> str:
    from clipeval.data.address import shown
    from clipeval.report.text import printable

    manifest, last = stored.manifest, stored.manifest.last
    lines = [
        f"{last.n_images:,} images ({manifest.images.rows:,} distinct) and {last.n_captions:,} "
        f"captions ({manifest.texts.rows:,} distinct), {manifest.width} columns, "
        f"{manifest.n_shards} shards in {out}",
        f"now: {stored.encoded:,} encoded, {stored.made} shards made; {stored.kept} were there",
    ]
    if stored.mended:
        lines.append(f"damaged and made again: {', '.join(stored.mended)}")
    if stored.given_up:
        lines.append(f"removed, of an append that was never finished: {', '.join(stored.given_up)}")
    if append:
        new = f"{stored.appended:,} items" if stored.appended else "nothing, all items were there"
        lines.append(f"appended: {new}")
    if skipped:
        of = last.n_images + len(skipped)
        lines.append(f"PARTIAL: without {len(skipped):,} of {of:,} items, whose pictures cannot be decoded:")
        lines += [f"  {item.id}: {item.reason}" for item in skipped]
    compare = shlex.join(["clipeval", "compare", "--model", f"frozen:{out}", "--data", shown(data)])
    lines.append(f"compare it: {compare}")
    return "\n".join(printable(line) for line in lines)
