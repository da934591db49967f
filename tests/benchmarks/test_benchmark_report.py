"""A whole report: tables, plots and page of three models at two batch sizes."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.report.render import RenderOutcome, render


@pytest.mark.benchmark(group="report: render 30 results")
def test_render(benchmark: Any, make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    results, folders = make.run_of(plan), count()

    def fresh() -> tuple[tuple[Path], dict[str, object]]:
        return (tmp_path / str(next(folders)),), {}

    def draw(folder: Path) -> RenderOutcome:
        return render(folder, suite=plan, results=results)

    outcome = benchmark.pedantic(draw, setup=fresh, rounds=3, warmup_rounds=1)
    assert outcome.rendered
    assert outcome.report_path.is_file()
