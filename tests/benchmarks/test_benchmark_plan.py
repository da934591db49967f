"""Planning of ten thousand trials: from a suite file to what is to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.execute.ask_worker import ask_catalogue
from bench.execute.plan import Identifier, Plan, make_plan
from bench.suite.read import read_suite
from bench.suite.resolve import resolve

SUITE = """
name = "large"
[grid]
dataset = ["synthetic"]
model = ["linear", { name = "mlp", hidden = 50 }]
seed = { count = 500 }
batch_size = [16, 64]
device = ["cpu"]
"train.learning_rate" = [0.3, 0.1, 0.03, 0.01, 0.003]
"""
TRIALS = 10_000


@pytest.mark.benchmark(group=f"plan: {TRIALS} trials")
def test_plan(benchmark: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text(SUITE)
    catalogue = ask_catalogue()

    def plan() -> Plan:
        suite = resolve(read_suite(path), catalogue, data_root=tmp_path)
        return make_plan(suite.trials(), Identifier(suite, catalogue), results=[])

    found = benchmark.pedantic(plan, rounds=5, warmup_rounds=1)
    assert (found.total, len(found.to_run)) == (TRIALS, TRIALS)
