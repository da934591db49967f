"""The words for a verdict on a metric: a speed is faster, memory is less, a loss is better."""

from bench.base.metrics import BUILT_IN, SCORES, Metric, metric_named
from bench.errors import BenchError, nearest
from bench.present.format import times
from bench.statistics.ratios import Verdict

# What the doctor compares with itself is throughput in training; these are the same clock and the same blocks.
DOCTORED = frozenset({"train_samples_per_second", "step_seconds", "achieved_flops_per_second"})
TIMED = frozenset({"samples/s", "FLOP/s", "seconds"})
LEVELS = frozenset({"fraction", "nats"})


def is_level(metric: Metric) -> bool:
    """Whether it says how well a model learnt, and not what that cost."""
    return metric.unit in LEVELS or metric.name in SCORES["regression"]


def metric_called(name: str, *, measured: frozenset[str]) -> Metric:
    """The metric called `name`; one of a plugin where a result has it. Its direction is then not known."""
    if name in BUILT_IN or name in measured:
        return metric_named(name)
    raise BenchError(
        f"--metric {name}: no such metric{nearest(name, [*BUILT_IN, *measured])} (see: bench list metrics)"
    )


def said(verdict: Verdict, metric: Metric) -> str:
    """The word for `verdict`: `faster` is the better end of any metric, `slower` the worse one."""
    if verdict in ("same", "ambiguous", "doubtful") or metric.unit in TIMED:
        return verdict
    better = verdict == "faster"
    if not metric.built_in:
        return "higher" if better else "lower"
    if is_level(metric):
        return "better" if better else "worse"
    return "less" if better else "more"  # bytes, joules, counts: all of them are costs


def factor_words(ratio: float, metric: Metric) -> str:
    """What a ratio of B over A means of work: `takes 1.10 times as long`."""
    if metric.unit not in TIMED or not ratio:
        return ""
    time = 1 / ratio if metric.higher_is_better else ratio
    return f"takes {times(time)} times as long" if time >= 1 else f"is {times(1 / time)} times as fast"
