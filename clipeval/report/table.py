"""The comparison as tables on a terminal, 80 columns wide."""

from __future__ import annotations

from string import ascii_uppercase

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipeval.compare.job import Comparison, ModelResult, PairedComparison
from clipeval.core.verdict import Verdict
from clipeval.counted import count
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.evaluation.scores import CUTOFFS_SHOWN, Metric, Scores, auroc
from clipeval.report.learned_table import learned_table
from clipeval.report.names import display_names
from clipeval.report.text import printable

LEGEND = "i2t: image finds caption; t2i: caption finds image; [95 % interval]"
SMALLEST_P = 1e-300
"""A p below is shown as a bound: it is near the smallest number there is."""

WIDTH = 80
"""Of a terminal for which the tables are made."""

MODELS_ABREAST = 3
"""Models beside each other in the table by category: what 80 columns hold."""


def print_comparison(job: Comparison, console: Console) -> None:
    """Print all tables of a comparison.

    Parameters
    ----------
    job : Comparison
        What ran and what did not.
    console : Console
        Colours only where it is a terminal.
    """
    data = job.dataset
    counts = [(data.n_images, "picture", "pictures"), (data.n_captions, "caption", "captions")]
    if data.categories:
        counts.append((len(data.categories), "category", "categories"))
    words = ", ".join(f"{number} {one if number == 1 else many}" for number, one, many in counts)
    console.print(Text.assemble((printable(data.name, longest=120), "bold"), f": {words}"))
    units = next((len(set(r.evaluation.units.tolist())) for r in job.models if r.evaluation), data.n_images)
    if units < data.n_images:
        console.print(
            f"{data.n_images - units} repeat another's picture or caption: "
            f"intervals and tests count {units} units"
        )
    letters = _letters(job)
    names = display_names([result.spec for result in job.models])
    for result in job.models:
        console.print(_legend(letters[result.spec], names[result.spec], result))
    console.print()
    ran = [(letters[r.spec], r, r.scores) for r in job.models if r.scores is not None]
    if ran:
        _print(console, _retrieval(ran))
        bridges = [
            (letter, result.evaluation.learned, scores)
            for letter, result, scores in ran
            if result.evaluation is not None and result.evaluation.learned is not None
        ]
        if bridges:
            table, below = learned_table(bridges)
            _print(console, table, *below)
        _print(console, _diagonals(ran))
        if data.categories:
            for start in range(0, len(ran), MODELS_ABREAST):
                _print(console, _categories(ran[start : start + MODELS_ABREAST]))
    if job.pairs:
        _print(console, _pairs(job, letters), _smallest(job, letters))


def _print(console: Console, table: Table, *below: Text) -> None:
    if console.width >= WIDTH:
        for column in table.columns[1:]:  # a long name gives way to numbers; in less room all are broken
            column.no_wrap = " " not in str(column.header)
    # rich would break a title at the width of its table
    title, table.title = table.title, None
    head, _, rest = str(title).partition("  ")
    heading = Text.assemble((head, "bold"), "  " if rest else "", (rest, "dim"))
    console.print(heading, table, *below, "", sep="\n")


Row = tuple[str, ModelResult, Scores]


def _letters(job: Comparison) -> dict[str, str]:
    names = list(ascii_uppercase) + [f"{a}{b}" for a in ascii_uppercase for b in ascii_uppercase]
    return {result.spec: names[at] for at, result in enumerate(job.models)}


def _legend(letter: str, name: str, result: ModelResult) -> Group:
    head = Text.assemble((letter, "bold"), "  ", name)
    more = ""
    if result.status == "not_run":
        head.append("  not_run", style="yellow")
        more = "\n".join(printable(line.strip()) for line in result.reason.splitlines())
    elif result.evaluation is not None and result.evaluation.precomputed:
        head.append("  precomputed", style="yellow")
        more = "shipped with clipeval; pip install 'clipeval[models]' computes them on this machine"
    elif result.evaluation is not None and result.evaluation.warnings:
        found = result.evaluation.warnings
        head.append(f"  {count(len(found), 'warning')}", style="yellow")
        more = "\n".join(f"{f.name}: {printable(f.what)}; {printable(f.fix)}" for f in found)
    return Group(head, Padding(Text(more, style="dim"), (0, 0, 0, 3), expand=False)) if more else Group(head)


def _table(title: str, *columns: str, gap: int = 2) -> Table:
    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        padding=(0, gap - 1, 0, 0),  # the frame adds one
        show_edge=False,
        pad_edge=False,
    )
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _cell(metric: Metric) -> str:
    if metric.value is None:
        return "n/a"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} \\[{_short(metric.low)}, {_short(metric.high)}]"


def _short(value: float, *, sign: bool = False) -> str:
    text = f"{value:+.2f}" if sign else f"{value:.2f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.995 else text


def _retrieval(ran: list[Row]) -> Table:
    keys: list[tuple[Direction, str]] = [(d, f"hit_rate@{k}") for d in DIRECTIONS for k in CUTOFFS_SHOWN]
    table = _table(f"Retrieval  {LEGEND}", "", *(f"{d} {name}" for d, name in keys), gap=1)
    for letter, _, scores in ran:
        table.add_row(letter, *(_cell(scores.metrics[d][name]) for d, name in keys))
    chance = [ran[0][2].metrics[d][name].chance for d, name in keys]
    table.add_row("chance", *("n/a" if value is None else f"{value:.3f}" for value in chance), style="dim")
    return table


def _diagonals(ran: list[Row]) -> Table:
    table = _table(
        "Cosine similarity of right pairs (the diagonal) and wrong pairs",
        "",
        "right pairs",
        "wrong pairs",
        "right beats all wrong",
        "AUROC",
    )
    for letter, _, scores in ran:
        d = scores.diagonal
        table.add_row(
            letter,
            f"{d.mean:.3f} ± {d.sd:.3f}",
            f"{d.off_mean:.3f} ± {d.off_sd:.3f}" if d.n_negative else "n/a",
            f"{scores.dominance[0]:.0%} of rows",
            _cell(auroc(scores)),
        )
    chance = ran[0][2].metrics["i2t"]["hit_rate@1"].chance or 0.0
    table.add_row("chance", "", "", f"{chance:.0%} of rows", "0.500", style="dim")
    return table


def _categories(ran: list[Row]) -> Table:
    table = _table(
        "By category (n pictures): hit_rate@1 i2t / t2i, similarity of right pairs",
        "",
        "n",
        *(letter for letter, *_ in ran),
        gap=1 if len(ran) == MODELS_ABREAST else 2,
    )
    for name, first in ran[0][1].categories.items():
        cells = []
        for _, result, _ in ran:
            part = result.categories[name]
            hits = [part.metrics[d]["hit_rate@1"].value or 0.0 for d in DIRECTIONS]
            cells.append(f"{hits[0]:.2f} / {hits[1]:.2f}  {part.diagonal.mean:+.3f}")
        table.add_row(Text(printable(name, longest=48)), str(first.n_images), *cells)
    return table


def _pairs(job: Comparison, letters: dict[str, str]) -> Table:
    # with parts of hits (ties) or means over captions, a model can be better without being right
    binary = all(pair.test.row == "paired-binary" for pair in job.pairs)
    table = _table(
        f"Paired: hit_rate@1 on the same queries, p corrected over all {len(job.pairs)} tests (Holm)",
        "",
        "",
        "difference",
        "only one right" if binary else "only one better",
        "exact p" if all("McNemar" in pair.test.method for pair in job.pairs) else "p",
        "p Holm",
        "verdict",
    )
    for pair in job.pairs:
        test, (a, b) = pair.test, (letters[pair.first], letters[pair.second])
        low, high = (_short(bound, sign=True) for bound in (test.interval.low, test.interval.high))
        table.add_row(
            f"{a} - {b}",
            pair.direction,
            f"{test.difference:+.3f} \\[{low}, {high}]",
            f"{a} {test.discordant[0]} : {b} {test.discordant[1]}",
            _p_value(test.p),
            _p_value(pair.p_holm),
            _verdict(pair, a, b),
        )
    return table


def _p_value(p: float) -> str:
    return f"{p:.2g}" if p >= SMALLEST_P else f"<{SMALLEST_P:.0e}"


def _smallest(job: Comparison, letters: dict[str, str]) -> Text:
    """Say what difference could have been found, both directions of a pair together."""
    found: dict[str, list[str]] = {}
    for pair in job.pairs:
        effect = pair.test.minimum_detectable_effect
        words = f"{pair.direction} {'n/a' if effect is None else f'{effect:.3f}'}"
        found.setdefault(f"{letters[pair.first]} - {letters[pair.second]}", []).append(words)
    text = "; ".join(f"{names} {', '.join(words)}" for names, words in found.items())
    return Text(f"Smallest true difference found with power 0.8: {text}", style="dim")


def _verdict(pair: PairedComparison, a: str, b: str) -> Text:
    if pair.verdict is Verdict.HOLDS:
        return Text(f"{a} better", style="green")
    if pair.verdict is Verdict.REFUTED:
        return Text(f"{b} better", style="green")
    return Text(pair.verdict.value, style="yellow")
