"""Probe an encoder: at most ten inputs for each tower, then everything that its fingerprint tells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clipeval.encoders.base import Encoder, Fingerprint, ImageTower, Playback
from clipeval.encoders.joined_towers import JoinedTower
from clipeval.errors import EncoderError
from clipeval.probes.images import PictureRows, encode_probe_pictures, picture_findings
from clipeval.probes.inputs import long_captions
from clipeval.probes.networks import activations, arithmetic, evaluation_mode, reach_networks
from clipeval.probes.provenance import activation, preprocessing, trained_weights
from clipeval.probes.published import published_preprocessing
from clipeval.probes.report import ProbeFinding, ProbeReport
from clipeval.probes.rows import Rejected
from clipeval.probes.store import ProbeStore
from clipeval.probes.texts import TextRows, encode_probe_texts, text_findings, text_form_of

PLAYED_BACK = "the rows were computed elsewhere and are played back: nothing can be encoded"
IMAGE_PROBES = (
    "repeatable, pictures",
    "row order, pictures",
    "not constant, pictures",
    "batch invariance",
    "antialias",
)
TEXT_PROBES = (
    "repeatable, texts",
    "row order, texts",
    "not constant, texts",
    "padding invariance",
    "long captions",
    "truncation",
    "end of text",
    "case and punctuation",
)


def probe(encoder: Encoder, *, store: ProbeStore | None = None) -> ProbeReport:
    """Ask an encoder what would ruin its scores in silence.

    Parameters
    ----------
    encoder : Encoder
        From `clipeval.load_encoder`, or your own.
    store : ProbeStore, optional
        Where reports without errors are kept; a second run of the same fingerprint then encodes nothing. What
        the network is like now (mode, dtype, activation) is looked at each time.

    Returns
    -------
    ProbeReport
        Every probe has a finding; those that cannot be asked say why.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.encoders.frozen import FrozenEncoder
    >>> import tempfile, pathlib
    >>> from clipeval import load_encoder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "rows.npz"
    ...     np.savez(path, images=np.eye(3), texts=np.eye(3))
    ...     report = probe(load_encoder(f"frozen:{path}"))
    >>> {finding.severity for finding in report.findings if finding.name == "batch invariance"}
    {'not_applicable'}
    """
    kept = store.get(encoder.name, encoder.fingerprint) if store else None
    if kept is not None:
        return _as_it_is_now(kept, encoder)
    pictures, picture_words, n_pictures = _ask_pictures(encoder)
    texts, text_words, n_texts = _ask_texts(encoder)
    # only now: towers build their networks when they are first asked
    networks = reach_networks(encoder)
    words = encoder.fingerprint
    report = ProbeReport(
        encoder.name,
        (
            *_shapes(encoder, pictures, texts, [*picture_words, *text_words], whole=_encodes_all(encoder)),
            evaluation_mode(networks),
            arithmetic(networks, words),
            *(f for f in (*picture_words, *text_words) if f.name not in ("two-dimensional", "finite")),
            _trained(encoder, words),
            activation(words, activations(networks)),
            preprocessing(words, encoder.name),
        ),
        n_pictures,
        n_texts,
    )
    # an error is looked for again: its cause (user code, a full memory) need not be in the fingerprint
    if store and not report.errors:
        store.put(report, words)
    return report


def _trained(encoder: Encoder, words: Fingerprint) -> ProbeFinding:
    """Judge the weights; the hash of a file of rows names none."""
    found = trained_weights(words)
    if found.severity != "ok" or not all(
        isinstance(tower, Playback) for tower in (encoder.image_tower, encoder.text_tower)
    ):
        return found
    reason = "the rows were computed elsewhere: nothing here names the weights"
    return ProbeFinding(found.name, "not_applicable", reason)


def _as_it_is_now(kept: ProbeReport, encoder: Encoder) -> ProbeReport:
    """Look again at what a fingerprint does not cover: the state of a network, where it can be reached."""
    networks = reach_networks(encoder)
    if not networks:
        return kept
    words = encoder.fingerprint
    now = (
        evaluation_mode(networks),
        arithmetic(networks, words),
        activation(words, activations(networks)),
    )
    by_name = {finding.name: finding for finding in now}
    return replace(kept, findings=tuple(by_name.get(one.name, one) for one in kept.findings))


def require_sound(encoder: Encoder, *, store: ProbeStore | None = None) -> ProbeReport:
    """Probe an encoder before it is evaluated, and refuse it if a probe found an error.

    Parameters
    ----------
    encoder : Encoder
        Any.
    store : ProbeStore, optional
        As in `probe`.

    Returns
    -------
    ProbeReport
        Without errors; its warnings belong beside the scores.

    Raises
    ------
    EncoderError
        The first error's text and what to do about it; says how many there are.
    """
    report = probe(encoder, store=store)
    if report.errors:
        first, more = report.errors[0], len(report.errors) - 1
        others = f" (and {more} more: clipeval probe shows them)" if more else ""
        where = f"{encoder.name}, probe '{first.name}'{others}"
        raise EncoderError(first.what, where=where, fix=f"{first.fix}; --no-probe evaluates it all the same")
    return report


def _ask_pictures(encoder: Encoder) -> tuple[PictureRows | None, list[ProbeFinding], int]:
    tower = _without_stored_rows(encoder.image_tower)
    if tower is None:
        return None, _cannot(IMAGE_PROBES, PLAYED_BACK), 0
    try:
        rows, asked = encode_probe_pictures(tower)
    except Rejected as refusal:
        return None, [refusal.finding, *_cannot(IMAGE_PROBES, "the image tower's answer was refused")], 10
    known = published_preprocessing(_called(encoder))
    return rows, picture_findings(rows, tower, family=known.family if known else None), asked


def _without_stored_rows(tower: ImageTower | Playback) -> ImageTower | None:
    """Take what can encode a picture: of joined towers the networks, None where there is none."""
    if isinstance(tower, JoinedTower):
        networks = tuple(part for part in tower.parts if not isinstance(part, Playback))
        return JoinedTower(networks) if networks else None
    return None if isinstance(tower, Playback) else tower


def _ask_texts(encoder: Encoder) -> tuple[TextRows | None, list[ProbeFinding], int]:
    tower = encoder.text_tower
    if isinstance(tower, Playback):
        return None, _cannot(TEXT_PROBES, PLAYED_BACK), 0
    form = text_form_of(encoder.name, " ".join(tower.fingerprint.values()))
    try:
        rows, asked = encode_probe_texts(tower, form=form)
    except Rejected as refusal:
        return None, [refusal.finding, *_cannot(TEXT_PROBES, "the text tower's answer was refused")], 10
    return rows, text_findings(rows, tower, form=form, tokens=_kept_tokens(tower)), asked


def _called(encoder: Encoder) -> str:
    return encoder.fingerprint.get("model", encoder.name)


def _cannot(names: tuple[str, ...], reason: str) -> list[ProbeFinding]:
    return [ProbeFinding(name, "not_applicable", reason) for name in names]


def _kept_tokens(tower: Any) -> tuple[list[int], int] | None:
    """Ask a tower that can tell (``kept_tokens``) which tokens of a long caption reach the network."""
    tell = getattr(tower, "kept_tokens", None)
    if tell is None:
        return None
    kept, end = tell(long_captions()[0])
    return None if end is None else (list(kept), int(end))


def _encodes_all(encoder: Encoder) -> bool:
    """Whether a picture's whole row can be made here: of some joined towers a part is stored."""
    tower = encoder.image_tower
    return not isinstance(tower, JoinedTower) or not any(isinstance(part, Playback) for part in tower.parts)


def _shapes(
    encoder: Encoder,
    pictures: PictureRows | None,
    texts: TextRows | None,
    said: list[ProbeFinding],
    *,
    whole: bool,
) -> list[ProbeFinding]:
    """Judge shape and finiteness (what a refusal said, or fine), and whether the widths are equal."""
    refusals = {finding.name: finding for finding in said if finding.name in ("two-dimensional", "finite")}
    asked = pictures is not None or texts is not None
    findings = [
        refusals.get(name)
        or ProbeFinding(name, "ok" if asked else "not_applicable", words if asked else PLAYED_BACK)
        for name, words in (
            ("two-dimensional", "one row for each input"),
            ("finite", "no NaN and no infinity"),
        )
    ]
    if pictures is None or texts is None or not whole:
        reason = "one of the towers encodes nothing, or only a part of its rows"
        return [*findings, ProbeFinding("equal widths", "not_applicable", reason)]
    image, text = (
        bridge(row[None].astype("float32")).shape[1]
        for bridge, row in (
            (encoder.bridge_images, pictures.scene),
            (encoder.bridge_texts, texts.short),
        )
    )
    if image == text:
        return [*findings, ProbeFinding("equal widths", "ok", f"both towers give {image} columns")]
    what = f"picture rows have {image} columns, text rows {text}"
    fix = "return both towers' projected embeddings, or join two spaces with preclip:"
    return [*findings, ProbeFinding("equal widths", "error", what, fix)]
