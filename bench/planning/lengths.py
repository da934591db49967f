"""The jobs that a pilot runs: of each kind a short and a longer one; of many kinds a few."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.base.records import Trial
from bench.planning.costs import JobKind, kind_of, length_of

MOST_KINDS = 12  # that a pilot runs; the times of the others are estimated from these
STEPS_SHARE = 8  # a pilot of a trial of N steps has N / 8 and N / 4


def lengths(trial: Trial) -> tuple[int, ...]:
    """Epochs, or steps, of the pilot's trials: two, as far as the trial itself is not shorter."""
    whole = length_of(trial)
    if trial.train.steps is None:
        return (1, 2) if whole > 2 else tuple(sorted({1, whole}))
    part = math.ceil(whole / STEPS_SHARE)
    return tuple(sorted({part, min(whole, 2 * part)}))


def shortened(job: Sequence[Trial], length: int) -> list[Trial]:
    """The job with that many epochs, or steps. Nothing stops it before."""
    key = "epochs" if job[0].train.steps is None else "steps"
    changes = {key: length, "early_stopping_patience": 0}
    return [replace(trial, train=replace(trial.train, **changes)) for trial in job]  # type: ignore[arg-type]


def sampled(jobs: Iterable[Sequence[Trial]], *, most: int = MOST_KINDS) -> tuple[list[Sequence[Trial]], int]:
    """One job of each kind, and how many kinds there are; of more than `most` those that span them: of each model on
    each data set and device the ends first (they lie in the order of the plan: batch sizes, then settings)."""
    kinds: dict[JobKind, Sequence[Trial]] = {}
    for job in jobs:
        kinds.setdefault(kind_of(job[0], seeds=len(job)), job)
    if len(kinds) <= most:
        return list(kinds.values()), len(kinds)
    groups: dict[tuple[str, str, str], list[Sequence[Trial]]] = {}
    for kind, job in kinds.items():
        groups.setdefault((kind.device, kind.dataset, kind.model), []).append(job)
    ordered = [_ends_first(group) for group in _spread(list(groups.values()), most)]
    rounds = [group[place] for place in range(max(map(len, ordered))) for group in ordered if place < len(group)]
    return rounds[:most], len(kinds)


def _spread(groups: list[list[Sequence[Trial]]], most: int) -> list[list[Sequence[Trial]]]:
    """At most `most` of the groups, evenly over their order."""
    if len(groups) <= most:
        return groups
    return [groups[place * (len(groups) - 1) // max(1, most - 1)] for place in range(most)]


def _ends_first(group: Sequence[Sequence[Trial]]) -> list[Sequence[Trial]]:
    """First, last, then what lies between."""
    return [group[0], *reversed(group[1:])]
