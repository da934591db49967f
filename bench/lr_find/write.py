"""What `bench lr-find` prints and writes: a page, the table of rates to start from, and the curves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.base import files
from bench.lr_find.sweep import Curve
from bench.present.columns import to_text, wrapped
from bench.present.files import save_figures, write_tables, writing
from bench.present.format import DASH, figure, scale_of
from bench.present.names import cut
from bench.present.tables import (
    Column,
    Columns,
    Table,
    TableCell,
    escape_markdown,
    table_of,
    to_markdown,
)

NAME = "learning-rates"
FOLDER = "lr-find"  # under results/<suite>
MOST_PANELS = 12  # of one picture
HOW = (
    "One seed of each cell, another batch each step, and a learning rate that rises by the same factor from step to "
    "step; what the model has learnt on the way is thrown away. loss: of the batch before its step; smoothed: its "
    "running mean, which remembers a tenth of the sweep. Ends where the smoothed loss is four times its lowest, or a "
    "loss is not finite."
)
NOTE = (
    "steepest: where the smoothed loss falls fastest over the logarithm of the rate. lowest / 10: a tenth of the rate "
    "at which it is lowest; neither where it still fell at the end: raise --to. start from: the smaller of the two "
    "(Smith 2017, fastai), for a constant rate, of one seed: no promise, and no part of the results."
)


def table_of_rates(curves: Sequence[Curve]) -> Table:
    """One row a cell: the suggested rates, the losses, where the test ended, the rates of the suite."""
    columns: Columns[Curve] = [
        (Column("cell", "cell", numeric=False), lambda curve: curve.name),
        (Column("optimizer", "optimizer", numeric=False, place="files"), lambda curve: curve.trial.train.optimizer),
        (Column("start", "start from"), lambda curve: _rate(curve, "start")),
        (Column("steepest", "steepest"), lambda curve: _rate(curve, "steepest")),
        (Column("tenth_of_lowest", "lowest / 10"), lambda curve: _rate(curve, "tenth_of_lowest")),
        (Column("first_loss", "first loss", place="files"), lambda curve: _loss(curve.losses[:1])),
        (Column("lowest_loss", "lowest, smoothed", place="files"), lambda curve: _loss(curve.smoothed)),
        (Column("ended", "ended", numeric=False, place="files"), lambda curve: curve.why_no_start or curve.ended),
        (Column("suite", "the suite has", numeric=False, place="files"), lambda curve: _suite_rates(curve)),
        (Column("suite", "the suite has", place="terminal"), lambda curve: cut(_suite_rates(curve), 14)),
        (Column("ended", "ended", numeric=False, place="terminal"), lambda curve: curve.ended or DASH),
    ]
    return table_of(NAME, "Learning rates to start from", curves, columns, notes=[NOTE])


def _rate(curve: Curve, name: str) -> TableCell:
    if curve.suggestion is None:
        return TableCell(DASH)
    rate = getattr(curve.suggestion, name)
    return TableCell(f"{rate:.2g}", rate)


def _loss(losses: Sequence[float]) -> TableCell:
    """Returns the lowest of `losses`."""
    if not losses:
        return TableCell(DASH)
    lowest = min(losses)
    return TableCell(figure(lowest, scale_of("nats", [lowest])), lowest)


def _suite_rates(curve: Curve) -> str:
    return ", ".join(f"{rate:g}" for rate in curve.suite_rates)


def terminal_text(curves: Sequence[Curve]) -> str:
    """Returns the table for a terminal, then why some cells have no rate to start from."""
    why = [f"{DASH} {curve.name}: {curve.why_no_start}" for curve in curves if curve.why_no_start]
    return "\n".join([to_text(table_of_rates(curves)), *(line for text in why for line in wrapped(text, indent="  "))])


def write(folder: Path, curves: Sequence[Curve], *, title: str) -> Path:
    """Writes lr-find.md, learning-rates.{md,csv,tex} and the pictures into `folder`; returns the page. BenchError."""
    table, page = table_of_rates(curves), folder / "lr-find.md"
    with writing(folder, "the learning rates", inside=folder.parent, option="--results"):
        for old in folder.glob(f"{NAME}-*.*"):
            old.unlink()
        write_tables([table], folder)
        pictures = save_figures(_figures(curves, title=title), folder)
        blocks = [f"# Learning rates: {escape_markdown(title)}", HOW, to_markdown(table).rstrip()]
        blocks += [f"![{shows}]({name}.png)" for name, shows in pictures.items()]
        files.write(page, "\n\n".join(blocks) + "\n")
    return page


def _figures(curves: Sequence[Curve], *, title: str) -> Iterator[tuple[str, str, Any]]:
    """Yields pictures of at most twelve panels each, as many as it takes."""
    from bench.lr_find import draw
    from bench.present.colours import styles_of

    known = [curve for curve in curves if len(curve.rates) > 1]
    styles = styles_of([curve.trial.model.label for curve in known])
    for start in range(0, len(known), MOST_PANELS):
        figure = draw.rates(known[start : start + MOST_PANELS], title=title, styles=styles)
        yield f"{NAME}-{start // MOST_PANELS + 1}", "Smoothed loss against learning rate", figure
