"""The tables that a suite asks for under `[report]`: published figures beside ours, and the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.analysis.cells import Section
from bench.analysis.sections import sections_of
from bench.base.records import Result
from bench.report import published_figures as beside
from bench.report import weights_table
from bench.report.page import Extra
from bench.results.frame import latest
from bench.suite.plan import Suite


def extras_of(sections: Sequence[Section], suite: Suite | None, *, folder: Path) -> tuple[Extra, ...]:
    """Published figures, then weights; none where the suite asks for none. `folder`: results/<suite>."""
    found = []
    if isinstance(suite, Suite) and suite.published:
        figures = beside.figures_of(sections, suite, folder=folder)
        if figures:
            found.append(Extra("Beside published figures", beside.sentence(figures), beside.table_of(figures)))
    if isinstance(suite, Suite) and suite.weights:
        found += weights_table.extra_of(sections, folder=folder)
    return tuple(found)


def sentence(results: Sequence[Result], suite: Suite | None, *, folder: Path) -> str:
    """What a terminal is told of published figures; empty where the suite has none."""
    if not isinstance(suite, Suite) or not suite.published:
        return ""
    figures = beside.figures_of(sections_of(latest(results, suite).rows, suite), suite, folder=folder)
    return beside.sentence(figures) if figures else ""
