"""Rule 8: threads are explicit, recorded, and part of what a trial is. The worker's count equals the record's."""

from __future__ import annotations

from typing import Any

import pytest

from bench.worker.measure.environment import physical_cores

SUITE = """
dataset = [{ name = "synthetic", train = 64, test = 10 }]
model = ["linear"]
device = ["cpu"]
"train.threads" = [0, 1, 2]
[train]
epochs = 1
"""

PLUGIN = """
from bench.registry import metric

@metric("threads_of_worker", unit="count")
def threads_of_worker(logits, labels):
    return torch.get_num_threads()
"""


def test_threads_that_are_bound_to_cores_are_as_many(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # OpenMP binds the first thread as soon as torch is imported: from then on that thread may use one core.
    monkeypatch.setenv("OMP_PROC_BIND", "true")
    monkeypatch.setenv("OMP_PLACES", "threads")
    (result,) = bench.run(SUITE.replace("[0, 1, 2]", "[0]"), plugin=PLUGIN)
    assert result.threads == result.metrics["threads_of_worker"] == physical_cores()


def test_the_workers_count_is_the_records(bench: Any) -> None:
    results = {result.trial.train.threads: result for result in bench.run(SUITE, plugin=PLUGIN)}
    assert set(results) == {0, 1, 2}
    for asked, result in results.items():
        assert result.threads == result.metrics["threads_of_worker"] == (asked or physical_cores())
    assert len({result.trial_id for result in results.values()}) == 3
    # The resolved number is in the environment too: `every core` is another one on another machine.
    assert len({result.environment_id for result in results.values()}) == len({r.threads for r in results.values()})
