"""Text of strangers: what a terminal would obey, XML refuse or UTF-8 not hold becomes a question mark everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.analysis.models_table import models_table
from bench.analysis.plots import plots_of
from bench.analysis.sections import sections_of
from bench.base.records import Component
from bench.errors import BenchError
from bench.execute.opening_lines import title_line, wrapped
from bench.plots.draw import draw
from bench.present import style
from bench.present.colours import styles_of
from bench.present.files import save_figures
from bench.present.format import printable_lines
from bench.present.glyphs import dress
from bench.present.images import image_grid
from bench.present.names import short_names
from bench.present.tables import to_latex, to_markdown
from bench.report.html.payload import payload
from bench.report.html.write import page_html
from bench.report.page import Part, Report, page
from bench.report.terminal import terminal_summary
from bench.results.frame import latest

HOSTILE = ("\x1b[31mred\x1b[0m", "nul\x00", "bell\x07", "\u202eturned", "a\u2028b", "half \ud800", "two\nlines",
           "back\x08\x7f", "c1 \x9b31m", "soft\u00adhyphen", "\ufeffmark", "\u2066isolated")  # fmt: skip


def unsafe(text: str) -> list[str]:
    return [each for each in text if not each.isprintable() and each not in "\n\u00a0"]


@pytest.fixture(scope="module")
def seen(make: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any], Report]:
    """Every hostile text as a setting, in the reason of a failed trial, in a note, a log line and the suite's title."""
    folder = tmp_path_factory.mktemp("seen")
    models = [Component("net", {"tag": text}) for text in HOSTILE]
    plan = make.Plan(title=" ".join(HOSTILE), models=models, seeds=(0, 1), baseline="", source="".join(HOSTILE))
    results = make.run_of(plan)
    text = " ".join(HOSTILE)
    results[0] = make.result_of(results[0].trial, status="failed", reason=text, traceback=f"Traceback\n\t{text}")
    results[1] = replace(results[1], valid=False, validity_notes=(f"{text}: 3 %",))
    found = latest(results, plan)
    parts = tuple(Part(each, models_table(each, name="models")) for each in sections_of(found.rows, plan))
    return plan, results, Report(folder, plan, found, parts=parts)


def test_terminal_markdown_latex_and_page(seen: tuple[Any, list[Any], Report]) -> None:
    plan, results, report = seen
    table = report.parts[0].table
    texts = {
        "terminal": terminal_summary(results, plan, report_path="".join(HOSTILE)),
        "markdown": to_markdown(table),
        "latex": to_latex(table),
        "report": page(report),
        "head": "\n".join(wrapped(title_line(plan))),
    }
    assert {name: unsafe(text) for name, text in texts.items() if unsafe(text.replace("\t", " "))} == {}
    data = json.dumps(payload(report), ensure_ascii=True)
    assert not any(code in data for code in ("\\u001b", "\\u0000", "\\u202e", "\\u2028", "\\ud800", "\\u2066"))
    assert "?[31mred?[0m" in data
    html = page_html(payload(report))
    assert not set(html) & set("\x1b\x00\x07\x08\x7f\x9b\u202e\u2028\u2066\ufeff")  # what its libraries hold is theirs
    for text in (html, *texts.values()):
        text.encode("utf-8")


def test_pictures(seen: tuple[Any, list[Any], Report], tmp_path: Path) -> None:
    plan, results, _ = seen
    sections = sections_of(latest(results, plan).rows, plan)
    styles = styles_of(cell.model for section in sections for cell in section.cells)

    def figures() -> Iterator[tuple[str, str, Any]]:
        for plot in [plot for _, plot in plots_of(sections)][:2]:
            yield plot.name, plot.title, draw(plot, styles)
        # Class names of a stranger's data set, titles of a stranger's suite.
        image = np.zeros((1, 2, 2))
        grid = image_grid([image, image], HOSTILE[:2], title=HOSTILE[1], subtitles=[HOSTILE[0]])
        grid.axes[0].set_xlabel("".join(HOSTILE))
        grid.legend(handles=grid.axes[0].plot([0, 1], [0, 1], label=HOSTILE[2]))
        yield "grid", "", grid

    save_figures(figures(), tmp_path)
    for path in tmp_path.glob("*.svg"):
        texts = "".join(ElementTree.parse(path).getroot().itertext())
        assert unsafe(texts.replace("\t", " ")) == []


def test_names_that_differ_in_what_cannot_be_shown_stay_apart() -> None:
    names = [f"{'x' * 40}{each}" for each in ("\x00", "\x01", "\u202e")] + ["a\x00", "a\x01"]
    found = short_names(names)
    assert len(set(found.values())) == 5
    assert unsafe("".join(found.values())) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_is_one_line_that_can_be_shown(text: str) -> None:
    said = str(BenchError(f"--model {text}: no result is of it"))
    assert said.isprintable()


def test_lines_stay_lines() -> None:
    assert printable_lines("a\n  b\x1b[2J\n95\u00a0%") == "a\n  b?[2J\n95\u00a0%"


def test_titles_keep_the_spaces_at_which_they_are_not_broken(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(seeds=(0, 1))
    sections = sections_of(latest(make.run_of(plan), plan).rows, plan)
    plot = next(plot for _, plot in plots_of(sections))
    with style.setup():
        figure = draw(plot, styles_of(sections[0].models))
        assert dress(figure) == set()
    assert any("95\u00a0% interval" in text.get_text() for text in figure.texts)
