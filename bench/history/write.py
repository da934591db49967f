"""What `bench history` writes: the table in every format, and a plot."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.base.metrics import Metric
from bench.history.steps import Trend
from bench.history.table import history_table
from bench.present.files import save_figures, write_tables, writing


def write(trends: Sequence[Trend], metric: Metric, *, folder: Path, title: str) -> list[Path]:
    """Writes history-<metric>.{md,csv,tex,png,svg} into `folder`; returns the files. A single run has no plot."""
    table = history_table(trends, metric, title=title)
    with writing(folder, "the history"):
        files = write_tables([table], folder)
        pictures = save_figures(_figures(table.name, trends, metric, title=title), folder)
    return [*files, *(folder / f"{name}.{ending}" for name in pictures for ending in ("png", "svg"))]


def _figures(name: str, trends: Sequence[Trend], metric: Metric, *, title: str) -> Iterator[tuple[str, str, Any]]:
    from bench.history import draw
    from bench.present.colours import styles_of

    if drawn := [trend for trend in trends if len(trend.runs) > 1]:
        styles = styles_of([trend.model for trend in trends])
        yield name, title, draw.history(drawn, metric, title=title, styles=styles)
