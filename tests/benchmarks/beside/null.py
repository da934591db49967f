"""A against A beside a busy program: how often a printed interval holds 1, and how often a planted wait is found.

Each comparison is a run of its own of two models that are the same, but for a wait of some share of a step where one is
planted; its ratio and interval are those of `bench compare --by model`. A against A has a thread on every core. Where a
wait is planted there is one thread: others would sleep meanwhile, and to wake them costs more than the wait.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import bench
from tests.benchmarks.beside.busy import beside
from tests.benchmarks.beside.measured import Json, Settings, say
from tests.benchmarks.beside.turns import BUSY_SECONDS, dataset

COMPARISONS, PLANTED, SEEDS = 200, 40, 5  # runs of A against A; of each planted wait; seeds a run
POWER = 0.05  # the wait whose power is told by seeds and by timing_seconds
SEED_COUNTS, TIMING_SECONDS = (3, 5, 10), (0.1, 0.2, 0.5)
PLUGIN = '''
import statistics, time
from torch import nn
from bench.registry import model

class Waits(nn.Sequential):
    """Waits busily for a share of what its steps take without the wait: the median of the last ones, so that a pause
    between two turns is no step."""
    share, began, waited = 0.0, 0.0, 0.0

    def forward(self, images):
        if self.training and len(images) > 2 and self.share:
            now = time.perf_counter()
            self.steps = [*getattr(self, "steps", [])[-14:], now - self.began - self.waited] if self.began else []
            self.began, self.waited = now, self.share * statistics.median(self.steps) if self.steps else 0.0
            while time.perf_counter() < now + self.waited:
                pass
        return super().forward(images)

def mlp(input_shape, num_classes):
    c, h, w = input_shape
    return Waits(nn.Flatten(), nn.Linear(c * h * w, 100), nn.ReLU(), nn.Linear(100, num_classes))

@model("one")
def one(input_shape, num_classes):
    return mlp(input_shape, num_classes)

@model("other")
def other(input_shape, num_classes):
    made = mlp(input_shape, num_classes)
    made.share = SHARE
    return made
'''
SUITE = """
name = "null"
plugins = ["waits.py"]
[grid]
dataset = [{dataset}]
model = ["one", "other"]
seed = [{seeds}]
batch_size = [64]
device = ["cpu"]
[train]
epochs = {epochs}
learning_rate = 0.1
threads = {threads}
[measure]
evaluate = "accuracy"
"""


def measure(settings: Settings) -> Json:
    """Of every comparison [ratio, low, high], by what was planted, seeds and timing_seconds."""
    count = settings.asked_rounds or (2 if settings.quick else COMPARISONS)
    few = max(2, count * PLANTED // COMPARISONS)
    cases: list[tuple[float, int, float | None, int]] = [(0.0, SEEDS, None, count), (0.10, SEEDS, None, few)]
    if not settings.quick:
        cases += [(POWER, seeds, None, few) for seeds in SEED_COUNTS]
        cases += [(POWER, SEEDS, seconds, few) for seconds in TIMING_SECONDS]
    found = []
    with beside(1, most_seconds=BUSY_SECONDS):
        for share, seeds, timing_seconds, comparisons in cases:
            case: Json = {"share": share, "seeds": seeds, "timing_seconds": timing_seconds, "ratios": []}
            for number in range(comparisons):
                drawn = range(number * seeds, (number + 1) * seeds)
                case["ratios"].append(_compared(settings, share, drawn, timing_seconds))
            found.append(case)
            say(f"null, {share:.0%} planted, {seeds} seeds: {found_in(case)} of {comparisons} intervals leave out 1")
    return {"cases": found, "busy_seconds": BUSY_SECONDS}


def found_in(case: Json) -> int:
    """How many of a case's intervals leave out 1."""
    return sum(not low <= 1 <= high for _, low, high in case["ratios"])


def _compared(settings: Settings, share: float, seeds: Sequence[int], timing_seconds: float | None) -> list[float]:
    """Ratio of the speed of the model that may wait to that of the other, and its interval."""
    suite, results = settings.work / "null.toml", settings.work / "null"
    epochs = 1 if settings.quick else 2
    listed = ", ".join(map(str, seeds))
    (settings.work / "waits.py").write_text(PLUGIN.replace("SHARE", str(share)), encoding="utf-8")
    suite.write_text(
        SUITE.format(dataset=dataset(), seeds=listed, epochs=epochs, threads=int(share > 0)), encoding="utf-8"
    )
    sets = [] if timing_seconds is None else [f"measure.timing_seconds={timing_seconds}"]
    frame = bench.run(suite, results=results, sets=sets)
    if list(frame["status"]) != ["ok"] * len(frame):
        raise SystemExit(f"a trial is {', '.join(frame['status'])}: {', '.join(frame['reason'].dropna())}")
    [row] = bench.compare(results / "null", by="model", values=("one", "other")).frame.to_dict("records")
    shutil.rmtree(results)
    return [float(row[name]) for name in ("ratio", "ratio_low", "ratio_high")]
