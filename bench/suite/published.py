"""Published figures of a suite: what a `[[report.published]]` may say, and the record that it becomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bench.base.metrics import BUILT_IN
from bench.base.records import Json
from bench.errors import nearest
from bench.suite.mistakes import Key, Mistake, show
from bench.suite.plan import Published, Rule

BY_CLASS = ("f1", "precision", "recall")


def check_published(figures: Sequence[Mapping[str, Json]]) -> None:
    """Check the figures as far as that needs no catalogue. Raises Mistake."""
    for index, figure in enumerate(figures):
        key: Key = ("report", "published", index)
        if ("value" in figure) == ("range" in figure):
            raise Mistake(key, "give value or range, one of the two")
        low, high = _ends(figure)
        if low > high:
            raise Mistake((*key, "range"), f"expected [low, high], found [{low:g}, {high:g}]")
        if "seed" in (figure.get("where") or {}):
            raise Mistake((*key, "where", "seed"), "the figure stands beside the mean over all seeds; leave it out")
        if "class" in figure and figure.get("metric") not in BY_CLASS:
            raise Mistake((*key, "metric"), f"the metric of a class is one of {', '.join(BY_CLASS)}")


def check_metric(figure: Mapping[str, Json], plugins: Collection[str], *, key: Key) -> None:
    """Check that trials have the metric; `plugins`: metrics that plugins register. Raises Mistake."""
    metric = figure.get("metric", "test_accuracy")
    if metric in BY_CLASS:
        if "class" not in figure:
            raise Mistake((*key, "class"), f'missing; {metric} is a metric of one class: name it, as in class = "8"')
        return
    known = [*BUILT_IN, *plugins]
    if metric not in known:
        raise Mistake(
            (*key, "metric"), f"unknown metric {show(metric)}{nearest(metric[:64], known)}; see: bench list metrics"
        )


def figure_of(figure: Mapping[str, Json], rule: Rule) -> Published:
    """The record of a checked figure."""
    low, high = _ends(figure)
    metric = str(figure.get("metric", "test_accuracy"))
    return Published(rule, metric, low, high, figure["source"], figure.get("class") or "")


def _ends(figure: Mapping[str, Json]) -> tuple[float, float]:
    low, high = figure["range"] if "range" in figure else (figure["value"],) * 2
    return float(low), float(high)
