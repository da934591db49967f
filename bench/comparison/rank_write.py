"""A ranking as files: ranking.md, tables/*.{md,csv,tex}, plots/*.{png,svg}."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.analysis.conditions import conditions
from bench.analysis.metric_words import shown_name
from bench.base.metrics import BUILT_IN
from bench.comparison.rank import DEFAULT_METRIC, Ranking, costs_of
from bench.comparison.rank_sentences import answer
from bench.comparison.rank_tables import SHORT, average_ranks_table, costs_table, duels_table, pairs_table
from bench.comparison.write import refuse_results, write_tables
from bench.errors import BenchError
from bench.present.format import slug
from bench.present.tables import Table, escape_markdown, to_markdown

PAGE = "ranking.md"
MOST_ROWS = 60
MOST_PANELS = 2


def write_ranking(ranking: Ranking, folder: Path) -> Path:
    """Write everything into `folder`; returns the page. BenchError where it cannot be written."""
    tables = list(_tables(ranking))
    refuse_results(folder)
    try:
        write_tables(tables, folder)
        pictures = _draw(ranking, folder / "plots")
        page = "\n\n".join(_page(ranking, tables, pictures)) + "\n"
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise BenchError(
            f"{folder}: the ranking cannot be written there ({error.strerror or error}); choose another --output"
        ) from error
    return folder / PAGE


def _tables(ranking: Ranking) -> Iterator[Table]:
    if ranking.ranks is not None:
        yield average_ranks_table(ranking.ranks, ranking)
        yield pairs_table(ranking.ranks)
    if duels := list(ranking.duels()):
        yield duels_table(duels, ranking.metric)
    if costs_of(ranking):
        yield costs_table(ranking)


def _draw(ranking: Ranking, folder: Path) -> dict[str, str]:
    """Plots by file name, with what each shows."""
    from bench.present import style  # matplotlib: half a second

    folder.mkdir(parents=True, exist_ok=True)
    styles = style.styles_of(ranking.models)
    shown = {}
    with style.setup():
        for name, alt, figure in _figures(ranking, styles):
            style.save(figure, folder / name)
            shown[name] = alt
    return shown


def _figures(ranking: Ranking, styles: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    from bench.comparison import rank_draw as draw
    from bench.plots.points import against

    if ranking.ranks is not None:
        yield "critical-difference", "Average ranks", draw.critical_difference(ranking, ranking.ranks, styles=styles)
    if ranking.profile is not None:
        yield "profiles", "Performance profiles", draw.profiles(ranking, ranking.profile, styles=styles)
    for cost in costs_of(ranking):
        for dataset, cells in ranking.table.items():
            known = [cell for cell in cells.values() if cell.estimate(cost.name) and cell.estimate(DEFAULT_METRIC)]
            if len(known) > 1:
                title = f"Accuracy on {dataset} against {SHORT[cost.name]}"
                figure = against([("", known)], BUILT_IN[DEFAULT_METRIC], cost, title=title, subtitle=ranking.setting,
                                 styles=styles)  # fmt: skip
                yield f"accuracy-{SHORT[cost.name].replace(' ', '-')}-{slug(dataset)}", title, figure


def _page(ranking: Ranking, tables: list[Table], pictures: dict[str, str]) -> Iterator[str]:
    yield f"# {escape_markdown(f'Models by {shown_name(ranking.metric)}')}"
    yield escape_markdown(" ".join(answer(ranking)))
    for table in tables:
        yield f"## {escape_markdown(table.title)}"
        yield to_markdown(table, most_rows=MOST_ROWS).rstrip()
        yield f"This table: [CSV](tables/{table.name}.csv) · [LaTeX](tables/{table.name}.tex)"
    yield "## Plots"
    for name, alt in pictures.items():
        yield f"[![{escape_markdown(alt.replace('[', '(').replace(']', ')'))}](plots/{name}.png)](plots/{name}.svg)"
    yield "## Conditions"
    yield "\n".join(f"- {escape_markdown(f'{each.title}: {conditions(each)}')}" for each in ranking.sections)
