"""Time, memory and money that jobs will take, by device, with the interval of what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.base.records import Trial
from bench.errors import BenchError
from bench.planning.costs import Costs, JobKind, kind_of, length_of
from bench.statistics.forecast import Forecast, Span, total

HOUR_SECONDS = 3600.0


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
