"""Learning curves over seeds: each to its own end; a point of the mean is one epoch of all seeds that are left."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.cells import Cell
from bench.analysis.curves import curve, legend
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
    ("curves", "x", "mean", "counts"),
    [
        ([found([1, 2, 3], [3, 2, 1]), found([1, 2], [5, 4])], [1, 2, 3], [4, 3, 1], [2, 2, 1]),  # one stopped early
        (
            [found([1, 2, 3, 4], [4, 3, 2, 1]), found([2, 4], [5, 3])],
            [2, 4],
            [4, 2],
            [2, 2],
        ),  # one was looked at half as often
        ([found([1, 2, 3], [3, None, 1]), found([1, 2, 3], [5, 4, 3])], [1, 3], [4, 2], [2, 2]),  # one has a gap
        ([found([1, 2, 3], [3, float("nan"), 1]), found([2, 3], [4, 3])], [3], [2], [2]),
        ([found([3, 4], [3, 2]), found([1, 2], [5, 4])], [3, 4], [3, 2], [1, 1]),  # no epoch of both
    ],
)
def test_a_point_is_one_epoch_of_all_seeds_that_are_left(
    make: ModuleType, curves: list[dict[str, Any]], x: list[float], mean: list[float], counts: list[int]
) -> None:
    cell = cell_with(make, curves)
    shown, timed = curve(cell, "test_loss", x="epoch"), curve(cell, "test_loss", x="train_seconds")
    assert shown is not None and timed is not None  # noqa: PT018
    assert shown.x.tolist() == x
    assert shown.mean.tolist() == timed.mean.tolist() == mean
    assert timed.x.tolist() == pytest.approx([0.1 * epoch for epoch in x])
    assert shown.n == 2
    assert shown.counts.tolist() == counts
    assert [each.x[-1] for each in shown.seeds] == [max(each["epoch"]) for each in curves]  # each to its own end
    assert shown.end == max(each.x[-1] for each in shown.seeds)


def test_the_mean_is_a_piece_for_each_number_of_seeds(make: ModuleType) -> None:
    """The fast seed goes on alone: its seconds lie before those of both together, and no line leads back there."""
    fast, slow = found([1, 2, 3], [3, 2, 1]), found([1, 2], [5, 4])
    slow["train_seconds"] = [10.0, 20.0]
    timed = curve(cell_with(make, [fast, slow]), "test_loss", x="train_seconds")
    assert timed is not None
    assert [timed.x[piece].tolist() for piece in timed.stretches] == [pytest.approx([5.05, 10.1]), pytest.approx([0.3])]


def test_steps_of_the_rate_and_the_best_epoch_are_points_of_each_seed(make: ModuleType) -> None:
    rates = {"learning_rate": [0.1, 0.1, 0.01, 0.01, 0.001]}
    trained = found([1, 2, 3, 4, 5], [5, 4, 2, 3, 4]) | rates
    plan = make.Plan(models=(Component("mlp"),), seeds=(0,), settings={"train.schedule": ("plateau", "cosine")})
    results = [replace(each, curves=trained, metrics={**each.metrics, "best_epoch": 3.0}) for each in make.run_of(plan)]
    cells = sections_of(latest(results, plan).rows, plan)[0].cells
    stepped, smooth = (curve(cell, "test_loss", x="epoch") for cell in cells)
    assert stepped is not None and smooth is not None  # noqa: PT018
    assert stepped.seeds[0].falls == ((2, 4), (4, 3))
    assert stepped.seeds[0].best == (3, 2)
    assert not smooth.seeds[0].falls  # a rate that changes with every epoch has no steps
    assert "▼" in legend([("test", stepped)], several=False)
    assert "▼" not in legend([("train", stepped), ("test", smooth)], several=False)
    assert "dotted: validation" in legend([("validation", smooth)], several=False)


def test_what_is_left_of_the_seeds_is_said(make: ModuleType) -> None:
    whole, short = found([1, 2, 3], [3, 2, 1]), found([1, 2], [5, 4])
    plan, results = results_with(make, [whole, {}, whole, short, {}])
    (plot,) = [plot for _, plot in plots_of(sections_of(latest(results, plan).rows, plan)) if "epochs" in plot.name]
    assert "curves of mlp: 3 of 5 seeds" in plot.notes[1]
    assert "n: seeds that are left where one stopped" in plot.notes[1]
    plan, results = results_with(make, [whole, whole])
    (plot,) = [plot for _, plot in plots_of(sections_of(latest(results, plan).rows, plan)) if "epochs" in plot.name]
    assert (
        plot.notes[1] == "solid: test · dashed: training · thin: each seed, thick: their mean, band: lowest to highest"
    )
