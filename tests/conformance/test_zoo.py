"""Models that people write: each gives the figures of a plain loop, or is refused in one line, whatever the engine."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch.nn import functional

from bench.base.records import Component, MeasureSettings, TrainSettings, Trial
from bench.registry import MODELS
from bench.worker.common import discover, randomness
from bench.worker.common.messages import Request, TrialOutcome
from bench.worker.trial import trial as trials

SHAPE, CLASSES = (1, 8, 8), 10
DATA = Component("synthetic", {"train": 48, "test": 20})
BATCH_SIZE, EPOCHS, RATE = 16, 3, 0.02


def _zoo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_tests_zoo", Path(__file__).with_name("zoo.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ZOO = _zoo().ZOO
NAMES = list(ZOO)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., TrialOutcome]]:
    """`run(name, engine=..., seeds=(0, 1))`: a trial of a model of the zoo, in this process."""
    discover.load_builtin()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def start(name: str, *, engine: str = "eager", seeds: tuple[int, ...] = (0,), loader: str = "resident") -> Any:
        MODELS.register(name)(ZOO[name].build)
        train = TrainSettings(epochs=EPOCHS, threads=1, learning_rate=RATE, engine=engine, loader=loader)  # type: ignore[arg-type]
        measure = MeasureSettings(warmup_steps=2, evaluate="accuracy")
        trial = Trial(DATA, Component(name), seeds[0], BATCH_SIZE, "cpu", train, measure)
        first = Request(trial, tmp_path, {}, (), None, {}, scratch=tmp_path / "scratch")
        first = replace(first, others=tuple(replace(first, trial=replace(trial, seed=seed)) for seed in seeds[1:]))
        try:
            return trials.run(first, Silent(), started_ns=0)  # type: ignore[arg-type]
        finally:
            MODELS._entries.pop(name)
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)

    yield start
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


class Silent:
    def progress(self, **what: Any) -> None:
        pass


class Figures(NamedTuple):
    train_losses: list[float]
    test_loss: float
    test_accuracy: float


def plainly(name: str, *, seed: int = 0) -> Figures:
    """The training of a trial as anybody would write it, each batch a copy."""
    from bench.worker.datasets.synthetic import synthetic

    data = synthetic(Path(), **DATA.settings)
    images, tests = (torch.from_numpy(each).float() / 255 for each in (data.train_images, data.test_images))
    labels, answers = (torch.from_numpy(each) for each in (data.train_labels, data.test_labels))
    randomness.seed_globals(seed, randomness.INIT)
    model = ZOO[name].build(SHAPE, CLASSES)
    with torch.no_grad():
        model.eval()(tests[:2].clone())  # makes lazy layers
    model.train()
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=RATE)
    generator = randomness.generator(seed, randomness.ORDER)
    randomness.seed_globals(seed, randomness.TRAIN)
    losses = []
    for _ in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(images), generator=generator).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images[rows].clone()), labels[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(images))
    with torch.no_grad():
        logits = torch.cat([model.eval()(part.clone()) for part in tests.split(BATCH_SIZE)])
    right = logits.argmax(1) == answers
    return Figures(losses, float(functional.cross_entropy(logits, answers)), float(right.float().mean()))


def assert_is(outcome: TrialOutcome, wanted: Figures, *, rel: float) -> None:
    assert outcome.curves["train_loss"] == pytest.approx(wanted.train_losses, rel=rel)
    assert outcome.metrics["test_loss"] == pytest.approx(wanted.test_loss, rel=rel)
    assert outcome.metrics["test_accuracy"] == pytest.approx(wanted.test_accuracy, abs=1e-6)


def refusal(name: str) -> str:
    refused = ZOO[name].refused
    return f"model {name!r}{'' if refused[0] == ':' else ' '}{refused}"


def assert_kept(outcome: TrialOutcome, name: str) -> None:
    """The model is refused as it should be, or has trained, with its parameters and its notes."""
    kept = ZOO[name]
    if kept.refused:
        assert (outcome.status, outcome.reason) == ("failed", refusal(name))
        assert outcome.curves == {}
        return
    assert (outcome.status, outcome.reason) == ("ok", ""), outcome.traceback
    trainable = kept.parameters if kept.trainable is None else kept.trainable
    assert (outcome.metrics["parameters"], outcome.metrics["trainable_parameters"]) == (kept.parameters, trainable)
    losses = outcome.curves["train_loss"]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]
    assert len(outcome.notes) == len(kept.notes)
    assert all(note.startswith(start) for note, start in zip(outcome.notes, kept.notes, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_in_engine_eager(run: Any, name: str) -> None:
    outcome = run(name)
    assert_kept(outcome, name)
    if not ZOO[name].refused and ZOO[name].is_fair:
        assert_is(outcome, plainly(name), rel=1e-5)


@pytest.mark.parametrize("name", NAMES[::3])
def test_with_loader_dataloader(run: Any, name: str) -> None:
    outcome = run(name, loader="dataloader")
    assert_kept(outcome, name)
    if not ZOO[name].refused and ZOO[name].is_fair:
        assert_is(outcome, plainly(name), rel=1e-5)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # said of batching rules that torch lacks
@pytest.mark.parametrize("name", NAMES)
def test_in_engine_vectorized(run: Any, name: str) -> None:
    """Two seeds at once give what each gives alone, or the engine says why not."""
    kept = ZOO[name]
    outcome = run(name, engine="vectorized", seeds=(0, 1))
    if kept.vectorized:
        assert outcome.status == "skipped"
        assert outcome.reason.startswith("engine 'vectorized': ")
        assert kept.vectorized in outcome.reason
        assert outcome.reason.endswith("use engine 'eager'")
        return
    assert_kept(outcome, name)
    if not kept.refused and kept.is_fair:
        for seed, each in enumerate((outcome, *outcome.others)):
            assert_is(each, plainly(name, seed=seed), rel=1e-3)


# A minute each.
@pytest.mark.parametrize("name", ["lazy_head", "in_float64"])
def test_in_engine_compiled(run: Any, name: str) -> None:
    outcome = run(name, engine="compiled")
    assert_kept(outcome, name)
    if not ZOO[name].refused:
        assert_is(outcome, plainly(name), rel=1e-4)


def test_a_class_of_the_builders_own_is_named_by_engine_compiled(run: Any) -> None:
    outcome = run("convolutional_head", engine="compiled")
    assert outcome.status == "skipped"
    assert outcome.reason == (
        "engine 'compiled': its builder defines class Written at each call, so that each model has to be compiled "
        "again: define it outside of the builder, or use engine 'eager'"
    )


def test_sixty_models_and_more_are_kept() -> None:
    assert len(ZOO) >= 60
    assert sum(bool(kept.refused) for kept in ZOO.values()) >= 20
