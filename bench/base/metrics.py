"""The table of metrics: unit and direction of every figure that a trial can have, in the order of the columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a trial. `unit` is one of fraction, nats, count, bytes, seconds, samples/s, FLOP, FLOP/s, J, ''.

    `timing` says that it depends on the machine: such a figure never pools across environments or code.
    """

    name: str
    unit: str
    higher_is_better: bool
    timing: bool
    meaning: str


_CONTRACT = (
    Metric("test_accuracy", "fraction", True, False, "share of the test set that is classified right"),
    Metric("test_loss", "nats", False, False, "mean cross-entropy over the test set"),
    Metric("train_loss", "nats", False, False, "running mean of the cross-entropy over the last epoch"),
    Metric("parameters", "count", False, False, "parameters of the model"),
    Metric("trainable_parameters", "count", False, False, "parameters that require a gradient"),
    Metric("model_bytes", "bytes", False, False, "parameters and buffers"),
    Metric("host_peak_bytes", "bytes", False, True, "peak of host memory over the baseline, in training"),
    Metric("device_peak_allocated_bytes", "bytes", False, True, "peak that tensors took on the device, in training"),
    Metric("device_peak_reserved_bytes", "bytes", False, True, "peak that the allocator held on the device"),
    Metric("train_samples_per_second", "samples/s", True, True, "samples over time of all timed blocks of steps"),
    Metric("step_seconds", "seconds", False, True, "median time of a step, over blocks"),
    Metric("epoch_seconds", "seconds", False, True, "median epoch with loading and transfer, without evaluation"),
    Metric("end_to_end_samples_per_second", "samples/s", True, True, "samples of an epoch over epoch_seconds"),
    Metric("inference_samples_per_second", "samples/s", True, True, "forward passes at the trial's batch size"),
    Metric("inference_latency_p50_seconds", "seconds", False, True, "median forward pass at batch 1"),
    Metric("inference_latency_p95_seconds", "seconds", False, True, "95th percentile of a forward pass at batch 1"),
    Metric("fit_seconds", "seconds", False, True, "first to last real step, evaluation excluded"),
    Metric("total_seconds", "seconds", False, True, "start of the trial in its process to its record"),
    Metric("time_to_target_seconds", "seconds", False, True, "training seconds until the target accuracy"),
    Metric("flops_per_sample", "FLOP", False, False, "forward and backward, counted from the graph"),
    Metric("achieved_flops_per_second", "FLOP/s", True, True, "counted FLOPs over the time of the timed blocks"),
    Metric("energy_joules", "J", False, True, "energy over the timed blocks, where it was measured"),
)
# Later ones: their columns stand after those that people's scripts know. New ones are appended.
_LATER = (
    Metric("host_tree_peak_bytes", "bytes", False, True, "peak of the process and its loader workers, sampled"),
    Metric("device_process_bytes", "bytes", False, True, "memory of the whole process on the device, sampled"),
    Metric("gradient_bytes", "bytes", False, False, "gradients after the last step"),
    Metric("optimizer_state_bytes", "bytes", False, False, "tensors that the optimizer keeps"),
    Metric("loading_seconds", "seconds", False, True, "median of an epoch's time outside of steps: loading, transfer"),
    Metric("inference_latency_p99_seconds", "seconds", False, True, "99th percentile of a forward pass at batch 1"),
    Metric("energy_joules_per_sample", "J", False, True, "energy_joules over the samples of the timed blocks"),
    Metric("step_data_seconds", "seconds", False, True, "of a mean step: waiting for its batch"),
    Metric("step_transfer_seconds", "seconds", False, True, "of a mean step: copying its batch to the device"),
    Metric("step_compute_seconds", "seconds", False, True, "of a mean step: what the device takes for it"),
    Metric("step_launch_seconds", "seconds", False, True, "of a mean step: the device waiting for the host"),
    Metric("test_macro_f1", "fraction", True, False, "mean over the classes of F1 on the test set"),
    Metric("test_calibration_error", "fraction", False, False, "expected gap between confidence and accuracy, 15 bins"),
    Metric("test_top5_accuracy", "fraction", True, False, "share of the test set whose class is among 5 likeliest"),
    Metric("compile_seconds", "seconds", False, True, "compiling the model with a cold cache, before it trains"),
    Metric("epochs_trained", "count", False, False, "epochs until early stopping ended the training, or all"),
    Metric("best_epoch", "count", False, False, "with the least validation loss: early stopping took its weights"),
)
# Columns of a table of trials that are no metrics: no metric may be called so.
_OTHER = """
    trial_id run_id environment_id code_id cell_id status reason dataset dataset_settings model model_settings seed
    batch_size device precision engine loader threads optimizer learning_rate epochs valid validity_notes n
"""
OTHER_COLUMNS = frozenset(_OTHER.split())
BUILT_IN: dict[str, Metric] = {metric.name: metric for metric in (*_CONTRACT, *_LATER)}
LATER: tuple[str, ...] = tuple(metric.name for metric in _LATER)
