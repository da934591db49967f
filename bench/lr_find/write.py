"""The outcome of a learning-rate range test: a page, a table and curves in small multiples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analysis.cells import DOTTED, axis_label, hashable, value_text
from bench.base.records import Trial
from bench.errors import BenchError
from bench.present.columns import aligned, cut
from bench.present.format import DASH, figure, scale_of
from bench.present.tables import Column, Table, TableCell, escape_markdown, to_csv, to_latex, to_markdown
from bench.results.store import write_whole
from bench.statistics.learning_rate import Suggestion, suggest

FOLDER, NAME = "lr-find", "learning-rates"  # under results/<suite>
MOST_PANELS = 12  # of one picture
LEFT_OUT = frozenset({"train.learning_rate", "train.schedule", "train.epochs", "train.steps", "train.engine"})
HOW = (
    "One seed of each cell, another batch each step, and a learning rate that rises by the same factor from step to "
    "step; what the model has learnt on the way is thrown away. loss: of the batch before its step; smoothed: its "
    "running mean, which remembers a tenth of the sweep. Ends where the smoothed loss is four times its lowest, or a "
    "loss is not finite."
)
NOTES = (
    "steepest: where the smoothed loss falls fastest over the logarithm of the rate. lowest / 10: a tenth of the rate "
    "at which it is lowest; neither where it still fell at the end: raise --to. start from: the smaller of the two "
    "(Smith 2017, fastai), for a constant rate, of one seed: no promise, and no part of the results.",
)


@dataclass(frozen=True, slots=True)
class Curve:
    """One range test: rates, losses, smoothed losses (n,); `reason` where there are none."""

    trial: Trial
    suite_rates: tuple[float, ...]
    reason: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    diverged: bool

    @property
    def suggestion(self) -> Suggestion | None:
        return suggest(self.rates, self.smoothed, ended=not self.diverged)


def names_of(curves: Sequence[Curve]) -> list[str]:
    """How each is called: model, and what else differs between them."""
    shown = _varying(curves)
    several = len({curve.trial.dataset.canonical for curve in curves}) > 1
    devices = len({curve.trial.device for curve in curves}) > 1
    names = []
    for curve in curves:
        trial = curve.trial
        parts = [trial.model.label, *([trial.dataset.label] if several else []), *([trial.device] if devices else [])]
        names.append(" · ".join(parts + [f"{axis_label(name)} {value_text(trial.setting(name))}" for name in shown]))
    return names


def _varying(curves: Sequence[Curve]) -> list[str]:
    names = [name for name in DOTTED if name not in LEFT_OUT]
    return [name for name in names if len({hashable(curve.trial.setting(name)) for curve in curves}) > 1]


def table_of(curves: Sequence[Curve]) -> Table:
    """One row a cell."""
    heads = (
        Column("cell", "cell", numeric=False), Column("optimizer", "optimizer", numeric=False),
        Column("start", "start from"), Column("steepest", "steepest"), Column("tenth_of_lowest", "lowest / 10"),
        Column("first_loss", "first loss (nats)"), Column("lowest_loss", "lowest, smoothed (nats)"),
        Column("ended", "ended", numeric=False), Column("suite", "the suite has", numeric=False),
    )  # fmt: skip
    rows = []
    for curve, name in zip(curves, names_of(curves), strict=True):
        found = curve.suggestion
        shown = (found.start, found.steepest, found.tenth_of_lowest) if found else ()
        rates = [TableCell(f"{each:.2g}", each) for each in shown] or [TableCell(DASH)] * 3
        losses = [_loss(curve.losses[0]), _loss(min(curve.smoothed))] if curve.losses else [TableCell(DASH)] * 2
        suite = ", ".join(f"{rate:g}" for rate in curve.suite_rates)
        rows.append((TableCell(name), TableCell(curve.trial.train.optimizer), *rates, *losses,
                     TableCell(_ended(curve)), TableCell(suite)))  # fmt: skip
    return Table(NAME, "Learning rates to start from", heads, tuple(rows), NOTES)


def _loss(value: float) -> TableCell:
    return TableCell(figure(value, None, scale_of("nats", [value])), value)


def _ended(curve: Curve) -> str:
    if not curve.rates:
        return curve.reason or "no step was taken"
    if curve.diverged:
        return f"diverged at {curve.rates[-1]:.2g}"
    return f"at {curve.rates[-1]:.2g}" + ("" if curve.suggestion else ", still falling: raise --to")


def write(folder: Path, curves: Sequence[Curve], *, title: str) -> list[Path]:
    """Write folder/lr-find.md, learning-rates.{md,csv,tex} and the pictures. Returns the page first. BenchError."""
    table = table_of(curves)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{NAME}-*.*"):
            old.unlink()
        for ending, form in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
            write_whole(folder / f"{NAME}.{ending}", form(table))
        pictures = _draw(folder, curves, title=title)
        blocks = [f"# Learning rates: {escape_markdown(title)}", HOW, to_markdown(table).rstrip()]
        blocks += [f"![Smoothed loss against learning rate]({path.name})" for path in pictures]
        page = folder / "lr-find.md"
        write_whole(page, "\n\n".join(blocks) + "\n")
    except OSError as error:
        raise BenchError(f"{folder}: the outcome cannot be written there ({error.strerror or error})") from error
    return [page, *pictures]


def _draw(folder: Path, curves: Sequence[Curve], *, title: str) -> list[Path]:
    """Small multiples, as many pictures as it takes."""
    from bench.lr_find import draw as draw_rates
    from bench.present import style  # matplotlib: half a second

    known = [(curve, name) for curve, name in zip(curves, names_of(curves), strict=True) if len(curve.rates) > 1]
    models = style.styles_of(list(dict.fromkeys(curve.trial.model.label for curve, _ in known)))
    paths = []
    with style.setup():
        for start in range(0, len(known), MOST_PANELS):
            stem = folder / f"{NAME}-{start // MOST_PANELS + 1}"
            drawn: Any = draw_rates.rates(known[start : start + MOST_PANELS], title=title, styles=models)
            style.save(drawn, stem)
            paths.append(stem.with_name(f"{stem.name}.png"))
    return paths


def terminal(curves: Sequence[Curve], *, width: int = 80) -> str:
    """What a terminal is told: one line a cell, then why some have none."""
    rows = [["cell", "start from", "steepest", "lowest/10", "the suite has", "ended"]]
    notes = []
    names = names_of(curves)
    room = max(12, width - 68)
    for curve, name in zip(curves, names, strict=True):
        found = curve.suggestion
        shown = (found.start, found.steepest, found.tenth_of_lowest) if found else ()
        rates = [f"{rate:.2g}" for rate in shown] or [DASH] * 3
        suite = cut(", ".join(f"{rate:g}" for rate in curve.suite_rates), 14)
        ended = _ended(curve).replace(": raise", ", raise").partition(",")[0] if curve.rates else DASH
        rows.append([cut(name, room), *rates, suite, ended])
        if curve.reason:
            notes.append(f"{DASH} {name}: {curve.reason}")
        elif found is None:
            notes.append(f"{DASH} {name}: {_ended(curve)}")
    return "\n".join([*aligned(rows), *notes])
