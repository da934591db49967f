"""What is said with a result: a start that the seed does not decide, outputs that are no logits."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.worker.common import randomness
from bench.worker.trial import notes
from bench.worker.trial.notes import OTHER_START, OWN_SEED, Starts, on_outputs

COUNTER = itertools.count()
BACKBONE = nn.Linear(64, 16)
WHOLE = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def linear() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def with_weights(draw: Callable[[], Any]) -> Callable[[], nn.Module]:
    """A builder whose weights are `draw()` (10, 64)."""

    def build() -> nn.Module:
        model, drawn = linear(), torch.as_tensor(draw(), dtype=torch.float32)
        with torch.no_grad():
            model[1].weight.copy_(drawn)
        return model

    return build


def keeping(draw: Callable[[], Any], *, how: str) -> Callable[[], nn.Module]:
    """A builder whose model keeps `draw()` beside its weights."""

    def build() -> nn.Module:
        model, drawn = linear(), draw()
        if how == "buffer":
            model.register_buffer("drawn", drawn, persistent=False)
        else:
            model[1].drawn = drawn
        return model

    return build


def seeded_by_torch_seed() -> nn.Module:
    torch.seed()
    return linear()


def drawn(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(10, 64, generator=generator)


def from_system() -> list[list[float]]:
    source = random.SystemRandom()
    return [[source.random() for _ in range(64)] for _ in range(10)]


UNSEEDED: dict[str, Callable[[], nn.Module]] = {
    "numpy's generator": with_weights(lambda: np.random.default_rng().normal(size=(10, 64))),
    "os.urandom": with_weights(lambda: np.frombuffer(os.urandom(640), np.uint8).reshape(10, 64) / 255.0),
    "SystemRandom": with_weights(from_system),
    "the clock": with_weights(lambda: drawn(torch.Generator().manual_seed(time.time_ns()))),
    "torch.seed": seeded_by_torch_seed,
    "a counter": with_weights(lambda: torch.full((10, 64), float(next(COUNTER)))),
    "a buffer": keeping(lambda: torch.from_numpy(np.random.default_rng().normal(size=5)), how="buffer"),
    "a plain tensor": keeping(lambda: torch.from_numpy(np.random.default_rng().normal(size=5)), how="plain"),
    "a plain array": keeping(lambda: np.random.default_rng().permutation(64), how="plain"),
    "another width": lambda: nn.Linear(64, 10 + next(COUNTER)),
    "another type": lambda: linear().to((torch.float32, torch.float64)[next(COUNTER) // 2 % 2]),
    "the same module": lambda: WHOLE,
    "a shared part": lambda: nn.Sequential(nn.Flatten(), BACKBONE, nn.Linear(16, 10)),
}
SEEDED: dict[str, Callable[[], nn.Module]] = {
    "torch": linear,
    "numpy": with_weights(lambda: np.random.normal(size=(10, 64))),
    "random": with_weights(lambda: [[random.gauss(0, 1) for _ in range(64)] for _ in range(10)]),
    "a generator of its own": with_weights(lambda: drawn(torch.Generator().manual_seed(torch.initial_seed()))),
    "numbers that are the same for all": with_weights(lambda: np.random.default_rng(7).normal(size=(10, 64))),
    "buffers and dropout": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(), nn.Linear(64, 10)),
    "complex, 0-dim, integer, half, empty": lambda: nn.ParameterList(
        nn.Parameter(each, requires_grad=False)
        for each in (torch.ones(2, dtype=torch.complex64), torch.tensor(1), torch.ones(3).half(), torch.empty(0))
    ),
    "sparse and objects": lambda: (
        keeping(lambda: torch.eye(4).to_sparse(), how="plain")().register_forward_hook(print)
        and keeping(lambda: np.array([object()]), how="plain")()
    ),
}


def trained(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)


def looked_at(build: Callable[[], nn.Module], *, seeds: tuple[int, ...] = (3, 4)) -> dict[int, str]:
    starts = Starts()
    for seed in (*seeds, *seeds):
        randomness.seed_globals(seed, randomness.INIT)
        expected = torch.initial_seed()
        model = build()
        starts.look_at(model, seed, torch_seed=expected)
        trained(model)
    return {seed: note for seed in seeds for note in starts.of(seed)}


@pytest.mark.parametrize("name", UNSEEDED)
def test_a_start_that_the_seed_does_not_decide_is_said_of_every_seed(name: str) -> None:
    assert looked_at(UNSEEDED[name]) == {3: OTHER_START, 4: OTHER_START}


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("name", SEEDED)
def test_nothing_is_said_of_a_start_that_the_seed_decides(name: str) -> None:
    build = SEEDED[name]
    starts = Starts()
    for _ in range(3):
        randomness.seed_globals(5, randomness.INIT)
        starts.look_at(build(), 5, torch_seed=torch.initial_seed())
    assert starts.of(5) == []


def test_a_builder_that_sets_the_seed_itself_is_named() -> None:
    def build() -> nn.Module:
        torch.manual_seed(42)
        return linear()

    def careful() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(42)
            return linear()

    assert looked_at(build) == {3: OWN_SEED, 4: OWN_SEED}
    assert looked_at(careful) == {}


def test_looking_costs_no_build_and_at_most_a_mebibyte_a_tensor(
    run_trial: Any, register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, read = [], []
    own = notes.first_bytes
    monkeypatch.setattr(notes, "first_bytes", lambda kept: read.append(len(found := own(kept))) or found)

    def wide(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        built.append(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 5000), nn.Linear(5000, num_classes))

    register("wide", wide)
    outcome = run_trial("wide", train={"steps": 1})
    assert (outcome.status, outcome.notes, len(built)) == ("ok", [], 3)
    assert read == 3 * [2**20, 5000 * 4, 5000 * 10 * 4, 10 * 4]


CLOCKS: dict[str, Callable[[], Any]] = {
    "torch": lambda: drawn(torch.Generator().manual_seed(int(time.time()))),
    "numpy": lambda: np.random.default_rng(int(time.time())).normal(size=(10, 64)),
    "numpy's own": lambda: np.random.seed(int(time.time() // 60)) or np.random.normal(size=(10, 64)),
    "nanoseconds": lambda: np.random.default_rng(time.time_ns() // 10**9).normal(size=(10, 64)),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_builder_that_seeds_itself_by_the_second_is_found_in_a_shorter_trial(
    run_trial: Any, register: Any, name: str
) -> None:
    """The clock stands still, but for what the trial does to it; then it is what it was."""
    own = time.time
    register("by_clock", lambda input_shape, num_classes: with_weights(CLOCKS[name])())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: 1e9)
        patch.setattr(time, "time_ns", lambda: 10**18)
        assert run_trial("by_clock", train={"steps": 1}, measure={"evaluate": "accuracy"}).notes == [OTHER_START]
        assert (time.time(), time.time_ns()) == (1e9, 10**18)
    assert time.time is own


def test_a_trial_says_it_and_says_nothing_of_others(run_trial: Any, register: Any) -> None:
    register("unseeded", lambda input_shape, num_classes: UNSEEDED["numpy's generator"]())
    register("shared", lambda input_shape, num_classes: UNSEEDED["the same module"]())
    assert run_trial("unseeded").notes == [OTHER_START]
    assert run_trial("unseeded", measure={"warmup_steps": 0}).notes == [OTHER_START]
    assert run_trial("shared").notes == [OTHER_START]
    assert run_trial("mlp").notes == []
    together = run_trial("unseeded", train={"engine": "vectorized"}, others={1: None})
    assert [each.notes for each in (together, *together.others)] == [[OTHER_START], [OTHER_START]]
    assert together.to_json()["notes"] == [OTHER_START]


def logits(rows: int = 40, classes: int = 10) -> torch.Tensor:
    return torch.randn(rows, classes, generator=torch.Generator().manual_seed(0)) * 3


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (logits().softmax(1), "each row sums to 1"),
        (logits().bfloat16().softmax(1).float(), "each row sums to 1"),
        ((logits() * 100).softmax(1), "each row sums to 1"),  # 0 and 1 exactly
        (logits(40, 2).softmax(1), "each row sums to 1"),
        (logits().log_softmax(1).exp(), "each row sums to 1"),
        (nn.functional.one_hot(logits().argmax(1), 10).float(), "each row sums to 1"),
        (logits().sigmoid(), "as a sigmoid's do"),
        ((logits().tanh() + 1) / 2, "as a sigmoid's do"),
        (logits().softmax(0), "as a sigmoid's do"),
        (logits(), ""),
        (logits().log_softmax(1), ""),
        (logits().relu(), ""),
        (logits().relu() / 100, ""),
        (logits().tanh(), ""),
        (logits().softmax(1) * 10, ""),
        (logits().softmax(1) - 0.1, ""),
        (torch.zeros(40, 10), ""),
        (logits(40, 1).softmax(1), ""),  # one class: nothing else is possible
        (torch.tensor([[0.3, 0.7]]), ""),  # two numbers may be so by chance
    ],
)
def test_outputs_that_are_probabilities(outputs: torch.Tensor, said: str) -> None:
    (note,) = on_outputs(outputs) or [""]
    assert said in note
    assert bool(note) == bool(said)


def test_a_trial_says_that_its_outputs_are_probabilities(run_trial: Any, register: Any) -> None:
    class Ending(nn.Module):
        def __init__(self, last: nn.Module) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), last)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.layers(x)
            return answer

    register("soft", lambda input_shape, num_classes: Ending(nn.Softmax(dim=1)))
    register("log", lambda input_shape, num_classes: Ending(nn.LogSoftmax(dim=1)))
    said = (
        "the model's outputs look like probabilities (each row sums to 1): cross-entropy expects logits; "
        "leave out the last softmax"
    )
    assert run_trial("soft").notes == [said]
    assert run_trial("soft", train={"precision": "bfloat16"}, measure={"evaluate": "accuracy"}).notes == [said]
    assert run_trial("log").notes == []
    together = run_trial("soft", train={"engine": "vectorized"}, others={1: None})
    assert [each.notes for each in (together, *together.others)] == [[said], [said]]
    plain, log = run_trial("linear", seed=3), run_trial("log", seed=3)
    assert plain.metrics["test_loss"] == pytest.approx(log.metrics["test_loss"], rel=1e-5)
