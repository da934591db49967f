"""The costs of trials, from past ones: of a job by its kind and length, of a run by device.

A job is what one process trains: a trial, or the cell of an engine that trains its seeds side by side.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from bench.base.records import Result, Trial, canonical_json, non_defaults
from bench.errors import BenchError
from bench.statistics.forecast import Forecast, Noise, Span, forecast, noise_of, total

HOST, ALLOCATED, RESERVED = "host_peak_bytes", "device_peak_allocated_bytes", "device_peak_reserved_bytes"
MEMORY = (HOST, ALLOCATED, RESERVED)
# They change what is learned, and neither what a step takes nor what an epoch holds.
FREE = frozenset({"epochs", "steps", "learning_rate", "early_stopping_patience"})
RESUMED = "resumed_after_epochs"  # samples of a trial that went on from a checkpoint
HOUR_SECONDS = 3600.0
UNLIKE = 0.5  # relative error of a forecast from jobs of one other kind


class JobKind(NamedTuple):
    """Jobs of one kind cost the same, except for their length."""

    model: str
    dataset: str
    device: str
    batch_size: int
    settings: str
    counted_in: str  # epochs or steps
    seeds: int  # that train side by side


def kind_of(trial: Trial, *, seeds: int = 1) -> JobKind:
    """The kind of the job that `trial` is the first of."""
    train = {key: value for key, value in non_defaults(trial.train).items() if key not in FREE}
    measure = {key: value for key, value in non_defaults(trial.measure).items() if key == "evaluate"}
    return JobKind(
        model=trial.model.canonical,
        dataset=trial.dataset.canonical,
        device=trial.device,
        batch_size=trial.batch_size,
        settings=canonical_json([train, measure]),
        counted_in=counted_in(trial),
        seeds=seeds,
    )


def counted_in(trial: Trial) -> str:
    """The unit of the length of a trial."""
    return "epochs" if trial.train.steps is None else "steps"


def length_of(trial: Trial) -> int:
    """Epochs of the trial, or its steps where it is given in those."""
    return trial.train.epochs if trial.train.steps is None else trial.train.steps


@dataclass(frozen=True, slots=True)
class PastJob:
    """A job that ran to its end: the seconds that it took the run, and those of its training."""

    kind: JobKind
    length: int
    seconds: float
    fit_seconds: float
    memory: Mapping[str, float]


def past_jobs(results: Iterable[Result]) -> Iterator[PastJob]:
    """The jobs that `results` come from, each once. Only those that are ok and ran in one process: another one may have
    ended early, and a part of a trial says little about the whole."""
    jobs: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        whole = result.status == "ok" and RESUMED not in result.samples
        if whole and {"total_seconds", "fit_seconds"} <= result.metrics.keys():
            own = result.trial.cell_id if result.trial.together else result.trial_id
            jobs.setdefault((result.run_id, own, result.started_at), []).append(result)
    beside = _beside([job[0] for job in jobs.values()])
    for job in jobs.values():
        metrics = job[0].metrics
        yield PastJob(
            kind=kind_of(job[0].trial, seeds=len(job)),
            length=_ran(job[0]),
            seconds=max(each.metrics["total_seconds"] for each in job) + beside,
            fit_seconds=max(metrics["fit_seconds"], 1e-9),
            memory={name: metrics[name] for name in MEMORY if name in metrics},
        )


def _ran(result: Result) -> int:
    """Epochs that the trial ran, which early stopping may have made fewer; or its steps."""
    epochs = len(result.curves.get("epoch", ()))
    return epochs if epochs and result.trial.train.steps is None else length_of(result.trial)


def _beside(results: Sequence[Result]) -> float:
    """Seconds that a job takes beside those of its process: starting it, storing what it left; of `results`, one a job.
    Jobs that took turns share what their group took beside all their turns. The (lower) median: the first trial of a
    run also waits for the import of torch."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        alone = (result.run_id, result.trial_id, result.started_at)
        groups.setdefault((result.run_id, result.group_id) if result.group_id else alone, []).append(result)
    found: list[float] = []
    for group in groups.values():
        with suppress(ValueError, TypeError):  # a result that does not say when
            begun = min(datetime.fromisoformat(each.started_at) for each in group)
            ended = max(datetime.fromisoformat(each.finished_at) for each in group)
            own = sum(each.metrics["total_seconds"] for each in group)
            found += [((ended - begun).total_seconds() - own) / len(group)] * len(group)
    return max(0.0, statistics.median_low(found)) if found else 0.0


@dataclass
class Costs:
    """The costs of jobs, estimated from past ones."""

    _past: dict[JobKind, list[PastJob]] = field(default_factory=dict)
    _noise: Noise | None = None

    def add(self, found: Iterable[PastJob]) -> None:
        """Estimate from these as well."""
        for one in found:
            self._past.setdefault(one.kind, []).append(one)
            self._noise = None

    def knows(self, kind: JobKind) -> bool:
        """Whether a job of the kind has run."""
        return kind in self._past

    @property
    def noise(self) -> Noise:
        """The noise from process to process, pooled over all kinds and lengths."""
        if self._noise is None:
            groups: dict[tuple[JobKind, int], list[float]] = {}
            for one in chain.from_iterable(self._past.values()):
                groups.setdefault((one.kind, one.length), []).append(one.seconds)
            self._noise = noise_of(groups.values())
        return self._noise

    def job(self, kind: JobKind, length: int) -> Forecast | None:
        """The seconds that a job takes: from jobs of its kind, else of similar ones; None where none has run."""
        if own := self._past.get(kind):
            return self._of(own, length)
        found = [self._of(self._past[other], length) for other in self._like(kind)]
        if not found:
            return None
        seconds = [each.seconds for each in found]
        middle = statistics.median(seconds)
        spread = (max(seconds) - min(seconds)) / 2 if len(seconds) > 1 else UNLIKE * middle
        return Forecast(middle, max(spread, *(each.error_seconds for each in found)))

    def _of(self, own: Sequence[PastJob], length: int) -> Forecast:
        return forecast(
            [one.length for one in own],
            [one.seconds for one in own],
            fit_seconds=[min(one.fit_seconds, one.seconds) for one in own],
            at=length,
            noise=self.noise,
        )

    def _like(self, kind: JobKind) -> list[JobKind]:
        """The most similar kinds: those that share most of model, data set and batch size, on the same device."""
        known = [other for other in self._past if (other.counted_in, other.device) == (kind.counted_in, kind.device)]
        for same in (("model", "dataset", "batch_size"), ("model", "dataset"), ("dataset", "batch_size"), ("dataset",)):
            near = [each for each in known if all(getattr(each, name) == getattr(kind, name) for name in same)]
            if near:
                return near
        return []

    def memory(self, kind: JobKind) -> Mapping[str, float]:
        """Metric → the most bytes that a job of the kind took; empty where none has run."""
        found: dict[str, float] = {}
        for one in self._past.get(kind, ()):
            for name, value in one.memory.items():
                found[name] = max(value, found.get(name, 0.0))
        return found


@dataclass(slots=True)
class DeviceEstimate:
    """What trials take on one device, or on all. `unknown`: trials to run of which no time is known."""

    trials: int = 0
    there: int = 0
    to_run: int = 0
    unknown: int = 0
    seconds: Span | None = None  # of the trials to run; None where nothing is known of any of them
    memory: dict[str, float] = field(default_factory=dict)  # metric → the most that a trial of a kind that ran took
    price: float | None = None  # of an hour
    cost: Span | None = None


@dataclass(frozen=True, slots=True)
class KindEstimate:
    """What the jobs of one kind take."""

    kind: JobKind
    trial: Trial  # one of them
    jobs: int
    each: Forecast | None
    looked_at: bool  # whether jobs of the kind have run; else the time is from similar ones


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run takes: by device, in all, and by kind of job, the longest first."""

    devices: Mapping[str, DeviceEstimate]
    all: DeviceEstimate
    rows: Sequence[KindEstimate]
    upper: bool  # early stopping can shorten trials: the estimate is the most that they take


def estimate(
    jobs: Sequence[Sequence[Trial]],
    costs: Costs,
    *,
    trials: Mapping[str, int],
    there: Mapping[str, int],
    prices: Mapping[str, float],
) -> RunEstimate:
    """What `jobs` take. `trials`, `there`: device → how many are planned, are there. `prices`: device → of an hour."""
    groups: dict[tuple[JobKind, int], list[Trial]] = {}
    for job in jobs:
        groups.setdefault((kind_of(job[0], seeds=len(job)), length_of(job[0])), []).append(job[0])
    rows = [
        KindEstimate(kind, trials_of[0], len(trials_of), costs.job(kind, length), costs.knows(kind))
        for (kind, length), trials_of in groups.items()
    ]
    rows.sort(key=lambda row: -row.jobs * row.each.seconds if row.each else 0.0)
    devices = {
        device: _of_device([row for row in rows if row.kind.device == device], costs, price=prices.get(device))
        for device in trials
    }
    for device, part in devices.items():
        part.trials, part.there = trials[device], there.get(device, 0)
    upper = any(job[0].train.early_stopping_patience for job in jobs)
    return RunEstimate(devices, _all(devices.values(), rows, costs), rows, upper)


def _of_device(rows: Sequence[KindEstimate], costs: Costs, *, price: float | None = None) -> DeviceEstimate:
    known = [(row.each, row.jobs) for row in rows if row.each is not None]
    part = DeviceEstimate(
        to_run=sum(row.jobs * row.kind.seeds for row in rows),
        unknown=sum(row.jobs * row.kind.seeds for row in rows if row.each is None),
        seconds=total(known, noise=costs.noise) if known or not rows else None,
        price=price,
    )
    for row in rows:
        for name, value in costs.memory(row.kind).items():
            part.memory[name] = max(value, part.memory.get(name, 0.0))
    if price is not None and part.seconds is not None:
        part.cost = part.seconds.times(price / HOUR_SECONDS)
    return part


def _all(devices: Iterable[DeviceEstimate], rows: Sequence[KindEstimate], costs: Costs) -> DeviceEstimate:
    every, parts = _of_device(rows, costs), list(devices)
    every.trials, every.there = sum(part.trials for part in parts), sum(part.there for part in parts)
    priced = [part.cost for part in parts if part.cost is not None]
    if priced:  # ends added up: what makes one device slower than expected may make all of them slower
        every.cost = Span(*(sum(getattr(span, name) for span in priced) for name in ("value", "low", "high")))
    return every


def read_prices(given: Iterable[str], *, devices: Sequence[str]) -> dict[str, float]:
    """`["cuda=2.5"]` → {"cuda": 2.5}. BenchError: no DEVICE=NUMBER, or a device that nobody registered."""
    found = {}
    for text in given:
        device, _, price = text.partition("=")
        try:
            value = float(price)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise BenchError(f"--price {text}: expected DEVICE=PRICE_OF_AN_HOUR, as in cuda=2.5")
        if device not in devices:
            raise BenchError(f"--price {text}: no device {device!r} (there are: {', '.join(devices)})")
        found[device] = value
    return found
