"""What `bench lr-find` writes: a page, the table in every format, and the curves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.lr_find.curve import Curve
from bench.lr_find.table import NAME, table_of_rates
from bench.present.files import save_figures, writing
from bench.present.tables import escape_markdown, to_csv, to_latex, to_markdown
from bench.results.store import write_whole

FOLDER = "lr-find"  # under results/<suite>
MOST_PANELS = 12  # of one picture
HOW = (
    "One seed of each cell, another batch each step, and a learning rate that rises by the same factor from step to "
    "step; what the model has learnt on the way is thrown away. loss: of the batch before its step; smoothed: its "
    "running mean, which remembers a tenth of the sweep. Ends where the smoothed loss is four times its lowest, or a "
    "loss is not finite."
)


def write(folder: Path, curves: Sequence[Curve], *, title: str) -> Path:
    """Writes lr-find.md, learning-rates.{md,csv,tex} and the pictures into `folder`; returns the page. BenchError."""
    table, page = table_of_rates(curves), folder / "lr-find.md"
    with writing(folder, "the learning rates", option="--results"):
        for old in folder.glob(f"{NAME}-*.*"):
            old.unlink()
        for ending, form in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
            write_whole(folder / f"{NAME}.{ending}", form(table))
        pictures = save_figures(_figures(curves, title=title), folder)
        blocks = [f"# Learning rates: {escape_markdown(title)}", HOW, to_markdown(table).rstrip()]
        blocks += [f"![{shows}]({name}.png)" for name, shows in pictures.items()]
        write_whole(page, "\n\n".join(blocks) + "\n")
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
