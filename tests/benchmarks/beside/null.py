"""A against A beside a busy program: how often a printed interval holds 1, and how often a planted wait is found.

Each run trains two models that are the same, but for a wait of some share of a step where one is planted. Ratio and
interval are those of `bench compare --by model`: of all seeds of a run, and of fewer of them by the same function. A
against A has a thread on every core. Where a wait is planted there is one thread: others would sleep meanwhile, and to
wake them costs more than the wait.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np

import bench
from bench.base.records import Result
from bench.results.rounds import by_seed
from bench.results.store import Store
from bench.statistics.intervals import Ratio
from bench.statistics.paired_ratios import log_ratios, paired_ratio
from tests.benchmarks.beside.busy import beside
from tests.benchmarks.beside.measured import Json, Settings, say
from tests.benchmarks.beside.turns import BUSY_SECONDS, dataset

RUNS = 40  # of A against A and of a wait of 10 %; a quarter as many of each other
# (share of a step that is waited, seeds of a run, timing_seconds or None for the default, at how many seeds a
# comparison is looked at)
CASES: tuple[tuple[float, int, float | None, tuple[int, ...]], ...] = (
    (0.0, 5, None, (1, 5)),
    (0.10, 5, None, (5,)),
    (0.05, 10, None, (3, 5, 10)),
    (0.05, 5, 0.1, (5,)),
    (0.05, 5, 0.5, (5,)),
    (0.05, 5, 1.0, (5,)),
)
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
epochs = 1
learning_rate = 0.1
threads = {threads}
[measure]
evaluate = "accuracy"
"""


def measure(settings: Settings) -> Json:
    """Of every run the logarithms of the ratios of its rounds, a list a seed, by what was planted."""
    count = settings.asked_rounds or (2 if settings.quick else RUNS)
    found = []
    with beside(1, most_seconds=BUSY_SECONDS):
        for place, (share, seeds, timing_seconds, counts) in enumerate(CASES[:2] if settings.quick else CASES):
            case: Json = {"share": share, "timing_seconds": timing_seconds, "seed_counts": counts, "runs": []}
            found.append(case)
            for number in range(count if place < 2 else max(2, count // 4)):
                drawn = range(number * seeds, (number + 1) * seeds)
                case["runs"].append(_rounds(settings, share, drawn, timing_seconds))
                settings.keep({"cases": found, "busy_seconds": BUSY_SECONDS})
            for looked in counts:
                ratios = intervals(case, looked)
                say(f"null, {share:.0%} planted, {looked} seeds: {found_in(ratios)} of {len(ratios)} leave out 1")
    return {"cases": found, "busy_seconds": BUSY_SECONDS}


def intervals(case: Json, seeds: int) -> list[Ratio]:
    """Ratios with their intervals of each so many seeds of each run; every seed is in one at most."""
    groups = [run[first : first + seeds] for run in case["runs"] for first in range(0, len(run) - seeds + 1, seeds)]
    return [ratio for ratio in (paired_ratio([np.array(rounds) for rounds in group]) for group in groups) if ratio]


def found_in(ratios: Sequence[Ratio]) -> int:
    """How many intervals leave out 1."""
    return sum(not ratio.low <= 1 <= ratio.high for ratio in ratios if ratio.low is not None and ratio.high is not None)


def _rounds(settings: Settings, share: float, seeds: Sequence[int], timing_seconds: float | None) -> list[list[float]]:
    """Log of how many times as fast as the other the model is that may wait: by seed, of each round."""
    suite, results = settings.work / "null.toml", settings.work / "null"
    listed = ", ".join(map(str, seeds))
    (settings.work / "waits.py").write_text(PLUGIN.replace("SHARE", str(share)), encoding="utf-8")
    suite.write_text(SUITE.format(dataset=dataset(), seeds=listed, threads=int(share > 0)), encoding="utf-8")
    sets = [] if timing_seconds is None else [f"measure.timing_seconds={timing_seconds}"]
    frame = bench.run(suite, results=results, sets=sets)
    if list(frame["status"]) != ["ok"] * len(frame):
        raise SystemExit(f"a trial is {', '.join(frame['status'])}: {', '.join(frame['reason'].dropna())}")
    stored = Store(results / "null").refresh()
    one, other = (by_seed(filter(lambda each, name=name: _is(each, name), stored)) for name in ("one", "other"))
    found = [log_ratios(other[seed].rounds, one[seed].rounds) for seed in seeds]
    [row] = bench.compare(results / "null", by="model", values=("one", "other")).frame.to_dict("records")
    printed = paired_ratio(found)
    if printed is None or not np.allclose([row["ratio"], row["ratio_low"]], [printed.ratio, printed.low]):
        raise SystemExit(f"bench compare prints {row['ratio']}, of the rounds it is {printed}")
    shutil.rmtree(results)
    return [[round(value, 5) for value in seed] for seed in found]


def _is(result: Result, model: str) -> bool:
    return result.trial.model.name == model
