"""A ranking as files: ranking.md, tables/*.{md,csv,tex}, plots/*.{png,svg}."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.analysis.conditions import conditions
from bench.base import files
from bench.base.metrics import MAIN_METRICS
from bench.comparison.rank import Ranking, costs_of
from bench.comparison.rank_tables import average_ranks_table, costs_table, pairs_table, table_of_pairs
from bench.comparison.rank_text import answer
from bench.comparison.write import picture_links, refuse_results
from bench.present.files import save_figures, table_section, write_tables, writing
from bench.present.format import slug
from bench.present.tables import Table, escape_markdown

PAGE = "ranking.md"


def write_ranking(ranking: Ranking, folder: Path) -> Path:
    """Writes everything into `folder`; returns the page. BenchError where it cannot be written."""
    tables = list(_tables(ranking))
    refuse_results(folder)
    with writing(folder, "the ranking"):
        write_tables(tables, folder / "tables")
        pictures = save_figures(_figures(ranking), folder / "plots")
        page = "\n\n".join(_page(ranking, tables, pictures)) + "\n"
        files.write(folder / PAGE, page)
    return folder / PAGE


def _tables(ranking: Ranking) -> Iterator[Table]:
    if ranking.ranks is not None:
        yield average_ranks_table(ranking.ranks, ranking)
        yield pairs_table(ranking.ranks)
    if (pairs := table_of_pairs(ranking)) is not None:
        yield pairs
    if costs_of(ranking):
        yield costs_table(ranking)


def _figures(ranking: Ranking) -> Iterator[tuple[str, str, Any]]:
    from bench.analysis.plots import against, pairs_plot
    from bench.comparison import rank_draw as draw
    from bench.plots.draw import draw as draw_plot
    from bench.present.colours import styles_of

    styles = styles_of(ranking.models)
    if ranking.ranks is not None:
        yield "critical-difference", "Average ranks", draw.critical_difference(ranking, ranking.ranks, styles=styles)
    if ranking.profile is not None:
        yield "profiles", "Performance profiles", draw.profiles(ranking, ranking.profile, styles=styles)
    for section in ranking.sections if ranking.metric.name in MAIN_METRICS else ():
        if (pairs := pairs_plot(section, ranking.variant)) is not None:
            yield f"{pairs.name}-{slug(section.dataset)}", pairs.title, draw_plot(pairs, styles)
    for cost in costs_of(ranking):
        for dataset, cells in ranking.table.items():
            known = [cell for cell in cells.values() if cell.estimate(cost.name) and cell.estimate(cell.main.name)]
            if len(known) > 1:
                plot = against([("", known)], cost, dataset=dataset, conditions=ranking.setting)
                yield f"{plot.name}-{slug(dataset)}", plot.title, draw_plot(plot, styles)


def _page(ranking: Ranking, tables: list[Table], pictures: dict[str, str]) -> Iterator[str]:
    yield f"# {escape_markdown(f'Models by {ranking.metric.label}')}"
    yield escape_markdown(" ".join(answer(ranking)))
    for table in tables:
        yield from table_section(table)
    yield "## Plots"
    yield from picture_links(pictures)
    yield "## Conditions"
    yield "\n".join(f"- {escape_markdown(f'{each.title}: {conditions(each)}')}" for each in ranking.sections)
