"""Learning curves over seeds: a point is of all seeds that have a curve, and of one epoch."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.cells import Cell
from bench.analysis.curves import curve
from bench.analysis.plots import plots_of
from bench.analysis.sections import sections_of
from bench.base.records import Component
from bench.results.frame import latest


def results_with(make: ModuleType, curves: list[dict[str, Any]]) -> tuple[Any, list[Any]]:
    plan = make.Plan(models=(Component("mlp"),), seeds=range(len(curves)))
    return plan, [replace(each, curves=found) for each, found in zip(make.run_of(plan), curves, strict=True)]


def cell_with(make: ModuleType, curves: list[dict[str, Any]]) -> Cell:
    plan, results = results_with(make, curves)
    return sections_of(latest(results, plan).rows, plan)[0].cells[0]


def found(epochs: list[float], losses: list[float | None]) -> dict[str, Any]:
    return {"epoch": epochs, "test_loss": losses, "train_seconds": [0.1 * epoch for epoch in epochs]}


@pytest.mark.parametrize(
    ("curves", "x", "mean"),
    [
        ([found([1, 2, 3], [3, 2, 1]), found([1, 2], [5, 4])], [1, 2], [4, 3]),  # one stopped early
        ([found([1, 2, 3, 4], [4, 3, 2, 1]), found([2, 4], [5, 3])], [2, 4], [4, 2]),  # one was looked at half as often
        ([found([1, 2, 3], [3, None, 1]), found([1, 2, 3], [5, 4, 3])], [1, 3], [4, 2]),  # one has a gap
        ([found([1, 2, 3], [3, float("nan"), 1]), found([2, 3], [4, 3])], [3], [2]),
        ([found([3, 4], [3, 2]), found([1, 2], [5, 4])], None, None),  # no epoch of both
    ],
)
def test_a_point_is_one_epoch_of_all_seeds(
    make: ModuleType, curves: list[dict[str, Any]], x: list[float] | None, mean: list[float] | None
) -> None:
    cell = cell_with(make, curves)
    shown, timed = curve(cell, "test_loss", x="epoch"), curve(cell, "test_loss", x="train_seconds")
    if x is None:
        assert shown is timed is None
        return
    assert shown is not None and timed is not None  # noqa: PT018
    assert shown.x.tolist() == x
    assert shown.mean.tolist() == timed.mean.tolist() == mean
    assert timed.x.tolist() == pytest.approx([0.1 * epoch for epoch in x])
    assert shown.n == 2


def test_what_is_left_of_the_seeds_is_said(make: ModuleType) -> None:
    whole, short = found([1, 2, 3], [3, 2, 1]), found([1, 2], [5, 4])
    plan, results = results_with(make, [whole, {}, whole, short, {}])
    (plot,) = [plot for _, plot in plots_of(sections_of(latest(results, plan).rows, plan)) if "epochs" in plot.name]
    assert "curves of mlp: 3 of 5 seeds" in plot.notes[1]
    assert "a line ends where the first of its seeds stopped" in plot.notes[1]
    plan, results = results_with(make, [whole, whole])
    (plot,) = [plot for _, plot in plots_of(sections_of(latest(results, plan).rows, plan)) if "epochs" in plot.name]
    assert plot.notes[1] == "solid: test · dashed: training · line: mean, band: lowest to highest seed"
