"""The record of a trial, from its log: metrics, raw samples, how each was read, and whether to trust it."""

import math
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.base.answers import Answers
from bench.base.metrics import ACCURACY, SCORES
from bench.base.records import Trial
from bench.errors import BenchError, one_line
from bench.registry import METRICS
from bench.worker.common.messages import Metrics, Request, TrialOutcome
from bench.worker.datasets.splits import Inputs, Targets, digest_of
from bench.worker.devices.base import Device
from bench.worker.engines.base import Learner
from bench.worker.evaluate import diagnosis, residuals
from bench.worker.evaluate.inference import Inference
from bench.worker.evaluate.judge import Evaluation, metric_of
from bench.worker.measure import validity
from bench.worker.measure.memory import Peaks
from bench.worker.measure.watch import Watch
from bench.worker.train.loop import FitLog
from bench.worker.train.turns import NO_ROUND
from bench.worker.trial import artifacts
from bench.worker.trial.data import Sizes
from bench.worker.trial.notes import on_outputs


def size_of(model: nn.Module) -> Metrics:
    """Parameters, those that are trained, and bytes of parameters and buffers."""
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "model_bytes": _bytes([*model.parameters(), *model.buffers()]),
    }


def state_of(learner: Learner) -> Metrics:
    """Bytes of what training keeps beside the model: gradients after the last step, the optimizer's tensors."""
    return {
        "gradient_bytes": _bytes(p.grad for p in learner.model.parameters() if p.grad is not None),
        "optimizer_state_bytes": _bytes(_tensors(learner.optimizer.state)),
    }


def state_of_stack(parameters: Sequence[torch.Tensor], optimizer: torch.optim.Optimizer, *, models: int) -> Metrics:
    """The share of one of `models` that are stacked. The optimizer's count of steps is one for all."""
    kept = list(_tensors(optimizer.state))
    stacked = [tensor for tensor in kept if tensor.dim()]
    return {
        "gradient_bytes": _bytes(p.grad for p in parameters if p.grad is not None) // models,
        "optimizer_state_bytes": _bytes(stacked) // models + _bytes(tensor for tensor in kept if not tensor.dim()),
    }


def _bytes(tensors: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _tensors(kept: Any) -> Iterator[torch.Tensor]:
    """Every tensor in dicts and lists of them: LBFGS keeps a history."""
    if isinstance(kept, torch.Tensor):
        yield kept
    elif isinstance(kept, dict):
        yield from (t for each in kept.values() for t in _tensors(each))
    elif isinstance(kept, list | tuple):
        yield from (t for each in kept for t in _tensors(each))


def times_of(log: FitLog, *, batch_size: int, flops_per_sample: float | None) -> Metrics:
    """Times of a step, an epoch and loading, and throughput of each kind."""
    whole = [epoch for epoch in log.epochs if epoch.whole]
    epoch_seconds = statistics.median(epoch.seconds for epoch in whole) if whole else None
    samples, seconds = sum(e.samples for e in log.epochs), log.seconds
    blocks = log.blocks.followed_by(log.timing_only)
    rate = blocks.samples_per_second
    return {
        "train_samples_per_second": rate,
        "step_seconds": blocks.median_step_seconds(batch_size),
        "epoch_seconds": epoch_seconds,
        "end_to_end_samples_per_second": whole[0].samples / epoch_seconds if epoch_seconds else samples / seconds,
        "loading_seconds": statistics.median(e.seconds - e.block_seconds for e in whole) if whole else None,
        "fit_seconds": seconds,
        "achieved_flops_per_second": rate * flops_per_sample if rate and flops_per_sample else None,
    }


def split_of(log: FitLog) -> Metrics:
    """Seconds of the mean step by what they went to: waiting for data, transfer, computing, launching.

    Where the device was timed alone, launching is what the blocks took longer; elsewhere computing is all of a block.
    """
    steps, transfers = log.steps, [e.transfer_seconds for e in log.epochs if e.transfer_seconds is not None]
    in_blocks, alone = sum(log.blocks.seconds) / sum(log.blocks.steps), log.alone_seconds
    return {
        "step_data_seconds": sum(e.data_seconds for e in log.epochs) / steps,
        "step_transfer_seconds": sum(transfers) / steps if transfers else None,
        "step_compute_seconds": in_blocks if alone is None else alone,
        "step_launch_seconds": None if alone is None else in_blocks - alone,
    }


def _how_split(metrics: Metrics, device: Device) -> dict[str, str]:
    """How the parts of a step were read."""
    if metrics["step_launch_seconds"] is not None:
        compute = f"{device.how_marks}, around steps that ran without a gap behind a kernel that held the device"
    elif device.is_host:
        compute = "the time of the timed blocks"
    else:
        compute = "the time of the timed blocks: what launching takes is in it"
    found = {"step_compute_seconds": compute}
    return found | ({"step_transfer_seconds": device.how_marks} if metrics["step_transfer_seconds"] is not None else {})


def last_of(curves: dict[str, list[float | None]], *, epoch: int = 0) -> Metrics:
    """Scores and losses after the last epoch, or after `epoch`, counted from 1."""
    found = {name: curves[name][epoch - 1] for name in ("test_loss", "train_loss")}
    scores = [name for names in SCORES.values() for name in names if f"test_{name}" in curves]
    return {metric_of(name): curves[f"test_{name}"][epoch - 1] for name in scores} | found


def fill(
    outcome: TrialOutcome,
    *,
    trial: Trial,
    log: FitLog,
    found: Inference,
    peaks: Peaks,
    watch: Watch,
    models: int = 1,
) -> None:
    """Puts everything that was timed and read into `outcome`, and whether something disturbed it.

    `models` train side by side: a full step has a batch of each.
    """
    flops, blocks = outcome.metrics.get("flops_per_sample"), log.blocks.followed_by(log.timing_only)
    outcome.metrics |= times_of(log, batch_size=trial.batch_size * models, flops_per_sample=flops)
    outcome.metrics |= split_of(log)
    outcome.metrics |= peaks.metrics() | found.metrics()
    outcome.metrics |= watch.metrics(block_seconds=log.blocks.seconds, samples=sum(log.blocks.samples))
    outcome.instruments = peaks.instruments() | watch.instruments | _how_split(outcome.metrics, peaks.device)
    outcome.samples |= watch.samples() | {
        "block_seconds": blocks.seconds,
        "block_steps": [float(n) for n in blocks.steps],
        "block_samples": [float(n) for n in blocks.samples],
        "epoch_seconds": [epoch.seconds for epoch in log.epochs],
        "epoch_data_seconds": [epoch.data_seconds for epoch in log.epochs],
        "inference_block_seconds": found.blocks.seconds,
        "inference_block_samples": [float(n) for n in found.blocks.samples],
        "latency_seconds": found.latency_seconds,
    }
    if log.timing_only.seconds:
        outcome.samples["timing_only_blocks"] = [float(len(log.timing_only.seconds))]  # the last ones
    if any(number != NO_ROUND for number in blocks.rounds):
        outcome.samples["block_round"] = [float(number) for number in blocks.rounds]
    outcome.validity_notes = validity.notes(
        contention_share=watch.contention.over_wall("wait_seconds"),
        pressure_share=watch.contention.over_wall("pressure_seconds"),
        throttled_share=watch.contention.over_wall("throttled_seconds"),
        of_device=watch.device.notes(),
        warmup_steps=trial.measure.warmup_steps,
        loader_workers=trial.train.num_workers if trial.train.loader == "dataloader" else 0,
    )
    outcome.valid = not outcome.validity_notes


@contextmanager
def _leaves(outcome: TrialOutcome, what: str) -> Iterator[None]:
    """Notes what is raised inside, and goes on: what was measured before is as true without it."""
    try:
        yield
    except Exception as error:
        outcome.notes.append(one_line(f"{what}: {type(error).__name__}: {error}".rstrip(": ")))


def save(
    request: Request,
    outcome: TrialOutcome,
    *,
    model: nn.Module,
    last: Evaluation,
    targets: Targets,
    inputs: Inputs,
    before: np.ndarray | None,
    data: Sizes,
) -> None:
    """Diagnoses the model, looks at its data, measures the metrics of plugins, and writes the file of arrays.

    `last`: evaluation of the test set after the last epoch; `targets` (N,) or (N, T) and `inputs` are its, as they lie
    in the data set; `before`: see `first_answers`. Raises BenchError where a plugin's metric is not finite.
    """
    if data.judge.task == "classification":
        outcome.notes += on_outputs(last.outputs)
    with _leaves(outcome, "the data was not looked at"):
        outcome.notes += data.notes(request.trial.split_seed)
    # A resumed trial that is not deterministic may give another accuracy.
    if last.right is not None and last.scores["accuracy"] == outcome.metrics[ACCURACY]:
        with _leaves(outcome, "which test examples were right was not stored"):
            test_set = digest_of(inputs, targets)
            outcome.answers = Answers.of(last.right.numpy(), test_set=test_set, trained_on=data.train_size)
    found: dict[str, Any] = {} if before is None else {"first_batch/before": before}
    if request.trial.measure.evaluate == "full":
        with _leaves(outcome, "not diagnosed"):
            found |= _diagnosed(last, targets, inputs)
            if last.right is not None:
                outcome.metrics |= diagnosis.summary(found)
    _add_metrics_of_plugins(outcome, last.outputs, torch.from_numpy(np.array(targets)))
    if request.artifact is not None:
        artifacts.write(
            request,
            outcome,
            model=model,
            outputs=last.outputs,
            targets=targets,
            names=data.names,
            diagnosis=found,
        )


def _diagnosed(last: Evaluation, targets: Any, inputs: Inputs) -> dict[str, Any]:
    if targets.dtype.kind == "f":
        return residuals.diagnose(last.outputs.numpy(), targets)
    return diagnosis.diagnose(last.outputs.numpy(), targets, images=inputs)


def _add_metrics_of_plugins(outcome: TrialOutcome, outputs: torch.Tensor, targets: torch.Tensor) -> None:
    """Logits (N, K) and labels (N,), or predictions and targets, both (N,), or (N, T) where there are several."""
    task = "regression" if targets.is_floating_point() else "classification"
    if task == "regression" and outputs.shape[1] == 1:
        outputs, targets = outputs.flatten(), targets.flatten()
    for entry in METRICS:
        if entry.task not in (None, task):
            continue
        value = float(entry.build(outputs, targets))
        if not math.isfinite(value):
            raise BenchError(f"metric {entry.name!r} gave {value}: a figure that was measured is finite")
        outcome.metrics[entry.name] = value
