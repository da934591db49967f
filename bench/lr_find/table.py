"""The table of learning rates to start from, and what `bench lr-find` prints."""

from collections.abc import Sequence

from bench.lr_find.curve import Curve
from bench.present.columns import cut, to_text, wrapped
from bench.present.format import DASH, figure, scale_of
from bench.present.tables import Column, Columns, Table, TableCell, table_of

NAME = "learning-rates"
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
        (Column("first_loss", "first loss (nats)", place="files"), lambda curve: _loss(curve.losses[:1])),
        (Column("lowest_loss", "lowest, smoothed (nats)", place="files"), lambda curve: _loss(curve.smoothed)),
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
    return TableCell(figure(lowest, None, scale_of("nats", [lowest])), lowest)


def _suite_rates(curve: Curve) -> str:
    return ", ".join(f"{rate:g}" for rate in curve.suite_rates)


def terminal_text(curves: Sequence[Curve]) -> str:
    """Returns the table for a terminal, then why some cells have no rate to start from."""
    why = [f"{DASH} {curve.name}: {curve.why_no_start}" for curve in curves if curve.why_no_start]
    return "\n".join([to_text(table_of_rates(curves)), *(line for text in why for line in wrapped(text, indent="  "))])
