"""Two identical suites on this machine: the smallest difference that `bench doctor` states covers the ratio of each
cell. Takes two to three minutes of a machine that has nothing else to do, so it runs by hand:

    BENCH_QUIET=1 python -m pytest tests/measure/test_smallest_difference.py -s

The statement is one of 95 %: of twenty cells that are as noisy as the noisiest of the doctor's, one is not covered.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Result
from bench.results.store import Store
from bench.statistics.intervals import log_ratio

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "suites/baseline.toml"  # linear, mlp, cnn by two batch sizes: five seeds a cell
THROUGHPUT = "train_samples_per_second"

pytestmark = pytest.mark.skipif(
    not os.environ.get("BENCH_QUIET"), reason="needs a quiet machine: set BENCH_QUIET=1 on one"
)


def cells(folder: Path) -> dict[tuple[str, int], list[float]]:
    """(model, batch size) → throughput of each seed."""
    store = Store(folder / "baseline")
    store.refresh()
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for result in store.results:
        assert isinstance(result, Result)
        assert result.status == "ok", result.reason
        found[result.trial.model.label, result.trial.batch_size].append(result.metrics[THROUGHPUT])
    return found


def test_the_doctors_smallest_difference_covers_two_identical_suites(bench: Any) -> None:
    first, second = bench.folder / "first", bench.folder / "second"
    on_cpu = ("--set", 'grid.device=["cpu"]')
    bench.call("run", SUITE, "--results", first, *on_cpu)
    bench.call("doctor", "--results", bench.folder)
    bench.call("run", SUITE, "--results", second, *on_cpu)
    (outcome,) = (bench.folder / "doctor").glob("*.json")
    smallest = json.loads(outcome.read_text())["smallest_difference"]["cpu"]
    print(f"\nsmallest difference by bench doctor: {smallest:.1%}")
    a, b = cells(first), cells(second)
    assert a.keys() == b.keys()
    assert len(a) == 6
    outside = []
    for cell, throughput in a.items():
        found = log_ratio(throughput, b[cell])
        covered = abs(math.log(found.ratio)) <= math.log1p(smallest)
        outside += [] if covered else [cell]
        model, batch_size = cell
        print(f"{model:8} batch {batch_size:4}  first / second {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]")
    assert not outside
