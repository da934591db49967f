"""The table of metrics: what is known of every figure that a trial can have, and where each is shown.

A new metric that the worker measures is one row at the end of `_LATER`, and one in docs/measurement.md.
"""

import math
from collections.abc import Container
from dataclasses import dataclass
from typing import NamedTuple


class Bounds(NamedTuple):
    """Where a figure can lie. `logarithmic`: it is above 0, and what changes it changes it by a factor."""

    least: float = -math.inf
    most: float = math.inf
    logarithmic: bool = False

    @property
    def of_differences(self) -> "Bounds":
        """Where the difference of two such figures can lie."""
        return Bounds(self.least - self.most, self.most - self.least)


UNBOUNDED = Bounds()
# Every unit, and how many decimals a figure in it has at most; of bytes, seconds and FLOPs in the unit that they are
# shown in (MiB, ms, GFLOP).
DECIMALS = {
    "": 6, "bytes": 2, "count": 0, "FLOP": 2, "FLOP/s": 2, "fraction": 6, "J": 6, "nats": 6, "samples/s": 0,
    "seconds": 4,
}  # fmt: skip
_COST, _RATE = Bounds(least=0.0), Bounds(least=0.0, logarithmic=True)  # what is counted; times, rates and bytes
BOUNDS = {
    "": UNBOUNDED, "bytes": _RATE, "count": _COST, "FLOP": _COST, "FLOP/s": _RATE, "fraction": Bounds(0.0, 1.0),
    "J": _COST, "nats": _COST, "samples/s": _RATE, "seconds": _RATE,
}  # fmt: skip

TIMED = frozenset({"FLOP/s", "J", "samples/s", "seconds"})


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a trial. `unit` is one of DECIMALS.

    `timing` says that it depends on the machine: such a figure never pools across environments or code.
    `label`: what axes and sentences call it. `short`: what heads its column. `title`: what the title of a plot calls
    it. `word`: what lists and the names of files call it. `absent`: why a trial may not have it. `bounds`: where its
    values and the intervals of their means lie; those of its unit, where nothing else is said.
    """

    name: str
    unit: str
    higher_is_better: bool
    timing: bool
    meaning: str
    label: str = ""
    short: str = ""
    title: str = ""
    word: str = ""
    absent: str = "not measured"
    bounds: Bounds = UNBOUNDED

    def __post_init__(self) -> None:
        plain = self.name.replace("_", " ")
        label = self.label or plain
        for name, text in {"label": label, "short": label, "title": label, "word": plain}.items():
            object.__setattr__(self, name, getattr(self, name) or text)
        if self.bounds == UNBOUNDED:
            object.__setattr__(self, "bounds", BOUNDS[self.unit])

    @property
    def timed(self) -> bool:
        """Whether it is a time, or energy over one: what disturbs timings disturbs it. Memory and counts are not."""
        return self.unit in TIMED

    @property
    def built_in(self) -> bool:
        """Whether it stands in this table. Of a plugin's metric it is not known which of two values is better."""
        return self.name in BUILT_IN


_CONTRACT = (
    Metric("test_accuracy", "fraction", True, False, "share of the test set that is classified right",
           title="accuracy", word="accuracy"),
    Metric("test_loss", "nats", False, False, "mean loss over the test set: cross-entropy, or that of train.loss"),
    Metric("train_loss", "nats", False, False, "running mean of the loss of the steps over the last epoch",
           label="training loss"),
    Metric("parameters", "count", False, False, "parameters of the model", title="number of parameters",
           word="parameters"),
    Metric("trainable_parameters", "count", False, False, "parameters that require a gradient"),
    Metric("model_bytes", "bytes", False, False, "parameters and buffers", label="size of the model"),
    Metric("host_peak_bytes", "bytes", False, True, "peak of host memory over the baseline, in training",
           label="peak of host memory", short="host memory", title="host memory", word="memory"),
    Metric("device_peak_allocated_bytes", "bytes", False, True, "peak that tensors took on the device, in training",
           label="peak of device memory, allocated", short="device memory", title="device memory",
           word="device memory"),
    Metric("device_peak_reserved_bytes", "bytes", False, True, "peak that the allocator held on the device",
           label="peak of device memory, reserved", short="device memory, reserved"),
    Metric("train_samples_per_second", "samples/s", True, True, "samples over time of all timed blocks of steps",
           label="training throughput", short="trained samples/s", word="throughput"),
    Metric("step_seconds", "seconds", False, True, "median time of a step, over blocks", label="time of a step",
           short="step"),
    Metric("epoch_seconds", "seconds", False, True, "median epoch with loading and transfer, without evaluation",
           label="time of an epoch", short="epoch"),
    Metric("end_to_end_samples_per_second", "samples/s", True, True, "samples of an epoch over epoch_seconds",
           label="end-to-end throughput", short="end-to-end samples/s"),
    Metric("inference_samples_per_second", "samples/s", True, True, "forward passes at the trial's batch size",
           label="inference throughput", short="inference samples/s"),
    Metric("inference_latency_p50_seconds", "seconds", False, True, "median forward pass at batch 1",
           label="inference latency p50"),
    Metric("inference_latency_p95_seconds", "seconds", False, True, "95th percentile of a forward pass at batch 1",
           label="inference latency p95"),
    Metric("fit_seconds", "seconds", False, True, "first to last real step, evaluation excluded",
           label="training time", short="fit", word="time"),
    Metric("total_seconds", "seconds", False, True, "start of the trial in its process to its record",
           label="time of the whole trial", short="total"),
    Metric("time_to_target_seconds", "seconds", False, True, "training seconds until the target accuracy",
           label="time to the target accuracy", short="to target", absent="not reached"),
    Metric("flops_per_sample", "FLOP", False, False, "forward and backward, counted from the graph",
           label="FLOPs per sample"),
    Metric("achieved_flops_per_second", "FLOP/s", True, True, "counted FLOPs over the time of the timed blocks",
           label="achieved FLOP/s"),
    Metric("energy_joules", "J", False, True, "energy over the timed blocks, where it was measured", label="energy",
           word="energy"),
)  # fmt: skip
# Later ones: their columns stand after those that people's scripts know. New ones are appended.
_LATER = (
    Metric("host_tree_peak_bytes", "bytes", False, True, "peak of the process and its loader workers, sampled",
           label="peak of host memory with loader workers", short="host memory with workers"),
    Metric("device_process_bytes", "bytes", False, True, "memory of the whole process on the device, sampled",
           label="device memory of the process"),
    Metric("gradient_bytes", "bytes", False, False, "gradients after the last step", label="gradients"),
    Metric("optimizer_state_bytes", "bytes", False, False, "tensors that the optimizer keeps",
           label="state of the optimizer", short="optimizer state"),
    Metric("loading_seconds", "seconds", False, True, "median of an epoch's time outside of steps: loading, transfer",
           label="loading time", short="loading"),
    Metric("inference_latency_p99_seconds", "seconds", False, True, "99th percentile of a forward pass at batch 1",
           label="inference latency p99"),
    Metric("energy_joules_per_sample", "J", False, True, "energy_joules over the samples of the timed blocks",
           label="energy per sample"),
    Metric("step_data_seconds", "seconds", False, True, "of a mean step: waiting for its batch",
           label="step: waiting for data", short="step data"),
    Metric("step_transfer_seconds", "seconds", False, True, "of a mean step: copying its batch to the device",
           label="step: transfer", short="step transfer"),
    Metric("step_compute_seconds", "seconds", False, True, "of a mean step: what the device takes for it",
           label="step: computing", short="step compute"),
    Metric("step_launch_seconds", "seconds", False, True, "of a mean step: the device waiting for the host",
           label="step: launching", short="step launch"),
    Metric("test_macro_f1", "fraction", True, False, "mean over the classes of F1 on the test set",
           label="test macro F1"),
    Metric("test_calibration_error", "fraction", False, False, "expected gap between confidence and accuracy, 15 bins"),
    Metric("test_top5_accuracy", "fraction", True, False, "share of the test set whose class is among 5 likeliest",
           label="test top-5 accuracy"),
    Metric("compile_seconds", "seconds", False, True, "compiling the model with a cold cache, before it trains",
           label="time of compiling", short="compile"),
    Metric("epochs_trained", "count", False, False, "epochs until early stopping ended the training, or all",
           absent="no early stopping"),
    Metric("best_epoch", "count", False, False, "with the least validation loss: early stopping took its weights",
           absent="no early stopping"),
    Metric("r2", "", True, False, "of a regression: share of the variance of the test targets that is predicted",
           label="R²", word="r2", absent="not defined, or not measured", bounds=Bounds(most=1.0)),
    Metric("mae", "", False, False, "of a regression: mean absolute error on the test set, in the unit of the targets",
           label="mean absolute error", short="MAE", absent="a classification", bounds=Bounds(least=0.0)),
    Metric("rmse", "", False, False, "of a regression: root mean squared error on the test set, in that unit",
           label="root mean squared error", short="RMSE", absent="a classification", bounds=Bounds(least=0.0)),
)  # fmt: skip
BUILT_IN: dict[str, Metric] = {metric.name: metric for metric in (*_CONTRACT, *_LATER)}
LATER: tuple[str, ...] = tuple(metric.name for metric in _LATER)

# The metrics that sentences and short tables are about; of memory the device's, where it was measured.
ACCURACY, SPEED = "test_accuracy", "train_samples_per_second"
# What a task's models are judged by; the first is its main metric. On a split other than the test set their curves are
# called after it: `validation_r2`.
SCORES = {"classification": ("accuracy",), "regression": ("r2", "mae", "rmse")}
MEMORY = ("device_peak_allocated_bytes", "host_peak_bytes")


def _table(*names: str) -> tuple[Metric, ...]:
    return tuple(BUILT_IN[name] for name in names)


# Where which metrics are shown, in their order. A table shows those that were measured; plugins' follow.
TABLE_OF_MODELS = _table(
    "parameters", ACCURACY, "r2", "mae", "rmse", SPEED, "end_to_end_samples_per_second",
    "inference_samples_per_second", "host_peak_bytes", "device_peak_allocated_bytes", "fit_seconds",
    "time_to_target_seconds", "epochs_trained", "best_epoch",
)  # fmt: skip
PAGE = _table(  # the others are columns that are not shown at first
    ACCURACY, "r2", "mae", "rmse", SPEED, "host_peak_bytes", "device_peak_allocated_bytes", "fit_seconds",
    "parameters", "energy_joules", "time_to_target_seconds", "epochs_trained", "best_epoch",
)  # fmt: skip
PLOTTED_LEVELS = _table(ACCURACY, "r2", "test_loss")
PLOTTED_COSTS = _table(SPEED, "fit_seconds", "host_peak_bytes", "device_peak_allocated_bytes")
ACCURACY_AGAINST = _table("parameters", "fit_seconds")
RANKING_COSTS = _table("fit_seconds", *MEMORY, "parameters", "energy_joules")

# Columns of a table of trials that are no metrics: no metric may be called so.
_OTHER = """
    trial_id run_id environment_id code_id cell_id status reason dataset dataset_settings model model_settings seed
    batch_size device precision engine loader threads optimizer learning_rate epochs valid validity_notes n
    timing timing_notes train_samples_per_second_half_width
"""
OTHER_COLUMNS = frozenset(_OTHER.split())


MAIN_METRICS = (ACCURACY, "r2")  # what the models of a task are judged by


def main_metric(measured: Container[str]) -> Metric:
    """What the models of a task are judged by, from the names of what was measured of one: R² of a regression, the
    accuracy of anything else."""
    return BUILT_IN["r2" if "rmse" in measured else ACCURACY]


def metric_named(name: str) -> Metric:
    """The metric called `name`; one that is not in the table is a plugin's, of which only the name is known."""
    return BUILT_IN.get(name) or Metric(name, "", True, True, "a plugin's metric", short=name)
