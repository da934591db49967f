"""Trials run inside the test's own process, on small synthetic data, with models that a test registers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.base.records import Component, MeasureSettings, SearchRole, SeedSettings, TrainSettings, Trial
from bench.registry import MODELS
from bench.worker.common import discover
from bench.worker.common.messages import CheckpointPlace, Rates, Request, TrialOutcome
from bench.worker.trial import trial


class Silent:
    """A channel that nobody listens to."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []

    def progress(self, **what: Any) -> None:
        self.told.append(what)


@pytest.fixture
def run_trial(tmp_path: Path) -> Iterator[Callable[..., TrialOutcome]]:
    """`run_trial("mlp", train={...}, measure={...}, ...)` runs one trial here and gives its outcome.

    `others`: seed → artifact of further trials of its cell, in the same process. `checkpoints`: their folder;
    `channel`: who is told of its progress; `rates`: of a range test, in place of the training; `search`: of a training
    that only serves one.
    """
    discover.load_builtin()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def run(
        model: str | Component = "linear",
        *,
        dataset: Component | None = None,
        seed: int = 0,
        batch_size: int = 64,
        device: str = "cpu",
        train: Mapping[str, Any] | None = None,
        measure: Mapping[str, Any] | None = None,
        seeds: Mapping[str, int] | None = None,
        artifact: Path | None = None,
        others: Mapping[int, Path | None] | None = None,
        checkpoints: Path | None = None,
        channel: Silent | None = None,
        rates: Rates | None = None,
        search: SearchRole | None = None,
    ) -> TrialOutcome:
        asked = Trial(
            dataset=dataset or Component("synthetic", {"train": 320, "test": 100}),
            model=Component(model) if isinstance(model, str) else model,
            seed=seed,
            batch_size=batch_size,
            device=device,
            train=TrainSettings(**{"epochs": 2, "threads": 1, **(train or {})}),
            measure=MeasureSettings(**{"timing_seconds": 0, **(measure or {})}),
            seeds=SeedSettings(**(seeds or {})),
            search=search,
        )

        def request(seed: int, artifact: Path | None) -> Request:
            one = replace(asked, seed=seed)
            return Request(one, tmp_path, {}, (), artifact, {"trial_id": one.trial_id}, scratch=tmp_path / "scratch")

        rest = tuple(request(seed, path) for seed, path in (others or {}).items())
        place = None if checkpoints is None else CheckpointPlace(checkpoints, "e" * 16, "c" * 16, resume=True)
        whole = replace(request(seed, artifact), others=rest, checkpoints=place, rates=rates)
        return trial.run(whole, channel or Silent(), started_ns=time.perf_counter_ns())  # type: ignore[arg-type]

    yield run
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.fixture
def register() -> Iterator[Callable[[str, Callable[..., Any]], None]]:
    """Register a model for the length of a test."""
    names = []

    def enter(name: str, build: Callable[..., Any]) -> None:
        MODELS.register(name)(build)
        names.append(name)

    yield enter
    for name in names:
        MODELS._entries.pop(name)
