"""The comparison as tables on a terminal, 80 columns wide."""

from __future__ import annotations

from string import ascii_uppercase

from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipeval.compare.job import Comparison, ModelResult, PairedComparison
from clipeval.core.verdict import Verdict
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.evaluation.scores import Metric, Scores
from clipeval.report.names import display_name

LEGEND = "i2t: image finds caption; t2i: caption finds image; [95 % interval]"


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
    categories = f", {len(data.categories)} categories" if data.categories else ""
    console.print(
        f"[bold]{escape(data.name)}[/]: {data.n_images} pictures, {data.n_captions} captions{categories}"
    )
    letters = _letters(job)
    for result in job.models:
        console.print(_legend(letters[result.spec], result))
    console.print()
    ran = [(letters[r.spec], r, r.scores) for r in job.models if r.scores is not None]
    if ran:
        console.print(_retrieval(ran), "")
        console.print(_diagonals(ran), "")
        if data.categories:
            console.print(_categories(ran), "")
    if job.pairs:
        console.print(_pairs(job, letters), "")


Row = tuple[str, ModelResult, Scores]


def _letters(job: Comparison) -> dict[str, str]:
    names = list(ascii_uppercase) + [f"{a}{b}" for a in ascii_uppercase for b in ascii_uppercase]
    return {result.spec: names[at] for at, result in enumerate(job.models)}


def _legend(letter: str, result: ModelResult) -> Group:
    head = Text.assemble((letter, "bold"), "  ", display_name(result.spec))
    more = ""
    if result.status == "not_run":
        head.append("  not_run", style="yellow")
        more = "\n".join(line.strip() for line in result.reason.splitlines())
    elif result.evaluation is not None and result.evaluation.precomputed:
        head.append("  precomputed", style="yellow")
        more = "shipped with clipeval; pip install 'clipeval[models]' computes them on this machine"
    return Group(head, Padding(Text(more, style="dim"), (0, 0, 0, 3))) if more else Group(head)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=" " not in column)
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
    keys: list[tuple[Direction, str]] = [(d, f"hit_rate@{k}") for d in DIRECTIONS for k in (1, 5)]
    table = _table("", "", *(f"{d} {name}" for d, name in keys))
    table.title = Text.assemble(("Retrieval  ", "bold"), (LEGEND, "not bold dim"))
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
            f"{d.off_mean:.3f} ± {d.off_sd:.3f}",
            f"{scores.dominance[0]:.0%} of rows",
            f"{d.auroc:.3f}",
        )
    chance = ran[0][2].metrics["i2t"]["hit_rate@1"].chance or 0.0
    table.add_row("chance", "", "", f"{chance:.0%} of rows", "0.500", style="dim")
    return table


def _categories(ran: list[Row]) -> Table:
    table = _table(
        "By category: hit_rate@1 i2t / t2i, mean similarity of right pairs",
        "",
        "pictures",
        *(letter for letter, *_ in ran),
    )
    for name, first in ran[0][1].categories.items():
        cells = []
        for _, result, _ in ran:
            part = result.categories[name]
            hits = [part.metrics[d]["hit_rate@1"].value or 0.0 for d in DIRECTIONS]
            cells.append(f"{hits[0]:.2f} / {hits[1]:.2f}  {part.diagonal.mean:+.3f}")
        table.add_row(escape(name), str(first.n_images), *cells)
    return table


def _pairs(job: Comparison, letters: dict[str, str]) -> Table:
    table = _table(
        f"Paired: hit_rate@1 on the same queries, p corrected over all {len(job.pairs)} tests (Holm)",
        "",
        "",
        "difference",
        "only one right",
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
            f"{test.p:.2g}",
            f"{pair.p_holm:.2g}",
            _verdict(pair, a, b),
        )
    return table


def _verdict(pair: PairedComparison, a: str, b: str) -> Text:
    if pair.verdict is Verdict.HOLDS:
        return Text(f"{a} better", style="green")
    if pair.verdict is Verdict.REFUTED:
        return Text(f"{b} better", style="green")
    return Text(pair.verdict.value, style="yellow")
