"""Rule 17: same seed and threads, bitwise equal weights on the CPU. Init, order and split have a generator each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.worker.evaluate import inference


@pytest.fixture
def weights(run_trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(inference, "BUDGET_SECONDS", 0.01)  # weights are asked for, not how fast they answer

    def train(model: str = "mlp", **asked: Any) -> dict[str, Any]:
        path = tmp_path / "trained.h5"
        run_trial(model, artifact=path, **asked)
        with h5py.File(path) as file:
            return {name: file["weights"][name][()] for name in file["weights"]}

    return train


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("model", "train"),
    [
        ("mlp", {"threads": 2}),
        ("cnn", {"threads": 2}),
        ("mlp", {"loader": "dataloader"}),
        ("cnn", {"loader": "dataloader", "num_workers": 2}),
        ("mlp", {"optimizer": "adam", "learning_rate": 0.01, "validation_split": 0.2}),
    ],
    ids=str,
)
def test_same_seed_and_threads_give_bitwise_the_same_weights(weights: Any, model: str, train: dict[str, Any]) -> None:
    first = weights(model, seed=3, train=train)
    torch.rand(7)  # what somebody else draws must not matter
    np.random.rand(7)  # the global generator is what it is about
    assert same(first, weights(model, seed=3, train=train))
    assert not same(first, weights(model, seed=4, train=train))


def test_energy_and_warm_up_change_no_weight(weights: Any) -> None:
    plain = weights()
    assert same(plain, weights(measure={"energy": True}))
    assert same(plain, weights(measure={"warmup_steps": 3}))


def test_the_order_of_the_data_does_not_hang_on_the_model(run_trial: Any, register: Any) -> None:
    """One stream for everything would tie them together: more layers to initialise, more draws of dropout, another
    order of the data.
    """
    seen: dict[str, list[torch.Tensor]] = {}

    def watching(layers: int) -> Any:
        def build(shape: tuple[int, int, int], classes: int) -> nn.Module:
            mine: list[torch.Tensor] = []
            seen[str(layers)] = mine  # the last instance is the trial's own
            hidden = [layer for _ in range(layers) for layer in (nn.Linear(64, 64), nn.Dropout())]
            whole = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, classes))
            whole.register_forward_pre_hook(lambda module, given: mine.append(given[0]) if module.training else None)
            return whole

        return build

    for layers in (0, 3):
        register(f"watching{layers}", watching(layers))
        run_trial(f"watching{layers}", seed=5)
    few, many = (torch.cat(seen[key]) for key in ("0", "3"))
    assert torch.equal(few, many)
