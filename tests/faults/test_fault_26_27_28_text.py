"""Faults 26 to 28: a name is text, in a page, in a spreadsheet and in a plot."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.base.records import Component
from bench.present.tables import Column, Table, TableCell, quote_formula, to_csv, write_frame
from bench.report.render import render
from bench.results.frame import trials_frame


def report_of(folder: Path, plan: Any, results: Any) -> str:
    return render(folder, suite=plan, results=results).report_path.read_text(encoding="utf-8")


def table(name: str) -> Table:
    return Table("models", "Models", (Column("model", "model", numeric=False),), ((TableCell(name),),), ())


def test_hostile_names_are_text_in_every_output(make: ModuleType, tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>|=CMD()|$\\frac$\x1b[31m\nüñ模"
    plan = make.Plan(
        title=bad,
        source="a b`;rm -rf.toml",
        datasets=(Component("digits", {"note": bad}),),
        models=(Component("=CMD()", {"x": bad}), Component("_x"), Component("linear")),
        seeds=(0, 1),
    )
    results = make.run_of(plan)
    results[0] = make.result_of(results[0].trial, status="failed", reason="=HYPERLINK() <img src=x>")
    text = report_of(tmp_path, plan, results)
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "    python -m bench run 'a b`;rm -rf.toml'\n" in text
    for table in (tmp_path / "report" / "tables").glob("*.md"):
        rows = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) == 1
    with (tmp_path / "report" / "tables" / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows_of_csv = list(csv.DictReader(file))
    assert rows_of_csv[0]["model"] == "'=CMD()"
    assert rows_of_csv[0]["reason"].startswith("'=HYPERLINK()")
    names = [path.name for path in (tmp_path / "report").rglob("*") if path.is_file()]
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") for name in names)


@pytest.mark.parametrize("text", ["=CMD()", "+A1", "-A1", "@x", "\t=x", "\r=x", " =x", "＝x"])
def test_formulas_are_quoted(text: str) -> None:
    shown = "'" + text.replace("\r", " ")
    assert quote_formula(text) == shown
    (row,) = csv.DictReader(io.StringIO(to_csv(table(text)), newline=""))
    assert row["model"] == shown


@pytest.mark.parametrize("text", ["-1.5", "+2", "-1e-05", "mlp", "a=b", ""])
def test_numbers_and_words_are_not(text: str) -> None:
    assert quote_formula(text) == text


def test_negative_numbers_stay_numbers(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),))
    (trial,) = plan.trials()
    write_frame(trials_frame([make.result_of(trial, metrics={"score": -1.5})], plan), tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["score"] == "-1.5"


NAMES = ("$\\frac$", "_x", "<script>", "a|b", "=CMD()", "模型 ü", "$$", "^{", "\\", "%s")


def test_plots_draw_names_as_they_are(make: ModuleType, tmp_path: Path) -> None:
    """In the text of every SVG, and in the legend too: matplotlib leaves out what starts with an underscore."""
    plan = make.Plan(models=[Component("m", {"x": name}) for name in NAMES], baseline="", batch_sizes=(64, 256))
    render(tmp_path, suite=plan, results=make.run_of(plan))
    plots = sorted((tmp_path / "report/plots").glob("*.svg"))
    assert len(plots) >= 5
    for plot in plots:
        text = " ".join(ElementTree.parse(plot).getroot().itertext())
        # The matrix of pairs has the first models only, and shortens the names above its narrow columns.
        missing = [name for name in NAMES if f"m(x={name})" not in text]
        assert missing == [] or (plot.name.startswith("pairs") and len(missing) < len(NAMES)), plot.name
        assert "<script" not in plot.read_text(encoding="utf-8")


def test_a_legend_has_a_model_whose_name_starts_with_an_underscore(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(models=[Component("_hidden"), Component("$\\frac$"), Component("_")], baseline="")
    render(tmp_path, suite=plan, results=make.run_of(plan))
    for plot in (tmp_path / "report/plots").glob("*.svg"):
        words = [text.strip() for text in ElementTree.parse(plot).getroot().itertext()]
        assert {"_hidden", "$\\frac$", "_"} <= set(words), plot.name
