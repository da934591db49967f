"""The table of metrics: every row is whole, has its words, and stands in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.base.metrics import BUILT_IN, DECIMALS, OTHER_COLUMNS, PAGE, TABLE_OF_MODELS, Metric, metric_named
from bench.present.format import Scale, axis_text, head

PAGE_OF_METRICS = Path(__file__).resolve().parents[2] / "docs" / "measurement.md"


def documented() -> set[str]:
    """The names in the first column of the page's table of figures."""
    table = PAGE_OF_METRICS.read_text(encoding="utf-8").partition("| figure | how |")[2].partition("\n\n")[0]
    return {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if row else "")}


def test_every_metric_has_a_row_in_the_documentation_and_every_row_a_metric() -> None:
    assert documented() == set(BUILT_IN)


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=lambda metric: metric.name)
def test_a_row_is_whole(metric: Metric) -> None:
    assert metric.unit in DECIMALS
    assert metric.name not in OTHER_COLUMNS
    assert metric.meaning
    assert not [word for word in (metric.label, metric.short, metric.title, metric.word) if "_" in word or not word]


def test_no_two_columns_have_one_head() -> None:
    for words in ("label", "short", "word"):
        assert len({getattr(metric, words) for metric in BUILT_IN.values()}) == len(BUILT_IN)
    assert len(set(TABLE_OF_MODELS)) == len(TABLE_OF_MODELS)
    assert len(set(PAGE)) == len(PAGE)


def test_heads_and_axes_name_their_unit_once() -> None:
    speed, memory, accuracy = (
        BUILT_IN[name] for name in ("train_samples_per_second", "host_peak_bytes", "test_accuracy")
    )
    assert head(speed, Scale("samples/s")) == "trained samples/s"
    assert head(memory, Scale("MiB")) == "host memory (MiB)"
    assert axis_text(memory, Scale("MiB")) == "peak of host memory (MiB)"
    assert (head(accuracy, Scale("")), axis_text(accuracy, Scale(""))) == ("test accuracy", "test accuracy (fraction)")


def test_of_a_plugins_metric_only_the_name_is_known() -> None:
    own = metric_named("my_score")
    assert (own.short, own.label, own.unit, own.built_in) == ("my_score", "my score", "", False)
