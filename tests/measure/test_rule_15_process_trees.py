"""Rule 15: a tree of processes is summed by PSS. 512 MiB that four workers share are 512 MiB, not five times that."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux's")

MIB, SHARED = 2**20, 512
# Four forked workers read all of what their parent holds.
CODE = """
import json, os, psutil, sys
import numpy as np
from bench.worker.measure.memory import TreePeak, descendants
peak = TreePeak()
peak.start()
resident = psutil.Process().memory_info().rss
held = np.ones(int(sys.argv[1]) * 2**20, dtype=np.uint8)
ready, told = os.pipe()
stay, go = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        os.close(go)
        held.sum()
        os.write(told, b"x")
        os.read(stay, 1)
        os._exit(0)
for _ in range(4):
    os.read(ready, 1)
peak.observe()
processes = [psutil.Process(pid) for pid in (os.getpid(), *descendants(os.getpid()))]
print(json.dumps([len(processes), peak.bytes, sum(each.memory_info().rss for each in processes) - resident]))
"""


def test_what_four_workers_share_is_counted_once() -> None:
    done = subprocess.run([sys.executable, "-c", CODE, str(SHARED)], capture_output=True, text=True, check=True)
    processes, found, by_rss = json.loads(done.stdout)
    assert processes == 5
    assert abs(found / (SHARED * MIB) - 1) < 0.1
    assert by_rss > 4 * SHARED * MIB, "the sum of RSS should be wrong here, else this shows nothing"


PLUGIN = """
@model("holds")
def holds(input_shape, num_classes, *, mebibytes: int = 0):
    known = Known(input_shape, num_classes, lambda: None)
    known.register_buffer("held", torch.ones(mebibytes * 2**20, dtype=torch.uint8), persistent=False)
    return known
"""
SUITE = """
dataset = [{ name = "synthetic", train = 256, test = 64 }]
model = ["holds", { name = "holds", mebibytes = 512 }]
device = ["cpu"]
[train]
epochs = 3
threads = 1
loader = "dataloader"
num_workers = 4
"""


def test_through_a_run_with_loader_workers_it_is_read_and_called_sampled(bench: Any) -> None:
    """A model that holds 512 MiB, with four loader workers forked from its process, less the same without."""
    results = bench.run(SUITE, plugin=PLUGIN)
    assert [result.status for result in results] == ["ok", "ok"], results[0].traceback
    without, held = (result.metrics["host_tree_peak_bytes"] for result in results)
    assert abs((held - without) / (SHARED * MIB) - 1) < 0.1
    assert all("sampled" in result.instruments["host_tree_peak_bytes"] for result in results)


def test_without_workers_there_is_no_tree_and_no_figure(run_trial: Any) -> None:
    outcome = run_trial()
    assert outcome.metrics["host_tree_peak_bytes"] is None
    assert "host_tree_peak_bytes" not in outcome.instruments
