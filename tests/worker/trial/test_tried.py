"""A model tried before it trains: the same line in every engine and with every loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bench.base.records import Component
from bench.worker.common.messages import Rates

BATCH_NORM = "raises ValueError on 1 image in training mode: Expected more than 1 value per channel when training"


class Squeezing(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x.flatten(1)).squeeze()
        return answer


class Pooled(nn.Module):
    """Down to one pixel, and a norm over its samples there."""

    def __init__(self, classes: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 8), norm(8), nn.Flatten(), nn.Linear(8, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layers(x)
        return answer


BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "normed": lambda k: nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, k)),
    "squeezing": Squeezing,
    "batch_norm_2d": lambda k: Pooled(k, nn.BatchNorm2d),
    "no_statistics": lambda k: Pooled(k, lambda n: nn.BatchNorm2d(n, track_running_stats=False)),
    "instance_norm": lambda k: Pooled(k, nn.InstanceNorm2d),
    "group_norm": lambda k: Pooled(k, lambda n: nn.GroupNorm(2, n)),
    "layer_norm": lambda k: nn.Sequential(nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, k)),
}


@pytest.fixture
def run(run_trial: Any, register: Any) -> Callable[..., Any]:
    """`run("normed", 41, batch_size=20)`: a trial on 41 training images and 40 test images, by seed 0."""
    for name, build in BUILDERS.items():
        register(name, lambda input_shape, num_classes, build=build: build(num_classes))

    def start(name: str, images: int, *, test: int = 40, batch_size: int = 20, **asked: Any) -> Any:
        data = Component("synthetic", {"train": images, "test": test})
        train = {"epochs": 1, **asked.pop("train", {})}
        return run_trial(name, dataset=data, batch_size=batch_size, train=train, **asked)

    return start


@pytest.mark.parametrize(
    "train", [{}, {"loader": "dataloader"}, {"engine": "vectorized"}], ids=lambda train: str(train)
)
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("normed", f"{BATCH_NORM}, got input size torch.Size([1, 8])"),
        ("batch_norm_2d", f"{BATCH_NORM}, got input size torch.Size([1, 8, 1, 1])"),
        ("squeezing", "answers with (10,) to a batch of (1, 1, 8, 8); it has to be a tensor of logits (1, 10)"),
    ],
)
def test_a_last_batch_of_one_is_refused_in_one_line(run: Any, name: str, why: str, train: dict[str, Any]) -> None:
    outcome = run(name, 41, train=train)
    assert (outcome.status, outcome.reason) == (
        "failed",
        f"model {name!r}: the last batch has 1 of 41 training images at batch size 20: "
        f"take another batch_size, train.drop_last = true, or another train_limit; it {why}",
    )
    assert outcome.curves == {}
    assert run(name, 41, train=train | {"drop_last": True}).status == "ok"
    assert run(name, 42, train=train).status == "ok"


@pytest.mark.parametrize("name", ["group_norm", "layer_norm", "linear", "mlp"])
def test_a_last_batch_of_one_is_trained_on_by_models_that_can(run: Any, name: str) -> None:
    outcome = run(name, 41, test=21)
    assert (outcome.status, sum(outcome.samples["block_samples"])) == ("ok", 41)


@pytest.mark.parametrize("train", [{}, {"engine": "vectorized"}], ids=lambda train: str(train))
def test_a_last_batch_of_one_that_is_only_evaluated(run: Any, train: dict[str, Any]) -> None:
    wrong = "answers with (10,) to a batch of (1, 1, 8, 8); it has to be a tensor of logits (1, 10)"
    of_test = "the last batch has 1 of 41 test images at batch size 20: take another batch_size or another test_limit"
    assert run("squeezing", 40, test=41, train=train).reason == f"model 'squeezing': {of_test}; it {wrong}"
    held = run("squeezing", 122, train=train | {"validation_split": 0.5})  # 61 of each
    assert held.reason == (
        "model 'squeezing': the last batch has 1 of 61 validation images at batch size 20: "
        f"take another batch_size or another train.validation_split; it {wrong}"
    )
    assert run("normed", 40, test=41, train=train).status == "ok"


def test_batches_of_one_throughout(run: Any) -> None:
    reason = run("normed", 5, batch_size=1).reason
    assert reason.startswith("model 'normed': at batch size 1 every batch has 1 image: take another batch_size; it ")
    assert run("mlp", 5, batch_size=1).status == "ok"


@pytest.mark.parametrize("name", ["instance_norm", "no_statistics"])
def test_a_norm_over_one_pixel(run: Any, name: str) -> None:
    """An instance norm has one value a channel whatever the batch is; a batch norm without statistics one an image."""
    said = {
        "instance_norm": " raises ValueError on 2 images in eval mode: Expected more than 1 spatial",
        "no_statistics": ": latency is measured on one image; it raises ValueError on 1 image in eval mode: Expected",
    }
    assert run(name, 40).reason.startswith(f"model {name!r}{said[name]}")


@pytest.mark.parametrize("test", [1, 3, 5, 15])
def test_a_small_test_set_leaves_no_image_alone(run: Any, test: int) -> None:
    assert run("squeezing", 40, test=test).status == ("failed" if test == 1 else "ok")
    assert run("squeezing", 40, test=test, train={"engine": "vectorized"}).status == ("failed" if test == 1 else "ok")


def test_a_range_test_says_it_too(run: Any) -> None:
    assert "the last batch has 1 of 41 training images" in run("normed", 41, rates=Rates(1e-3, 1.0, 4)).reason


def test_the_last_batch_left_out_by_each_loader_and_engine_alike(run: Any) -> None:
    """50 images in batches of 20: 40 of them an epoch, others each time."""
    asked = {"epochs": 3, "drop_last": True, "augment_flip": True}
    ways: list[dict[str, Any]] = [{}, {"loader": "dataloader"}, {"engine": "vectorized"}]
    found = [run("mlp", 50, train=asked | way) for way in ways]
    assert [each.status for each in found] == ["ok"] * 3
    assert [sum(each.samples["block_samples"]) for each in found] == [120] * 3
    assert [sum(each.samples["block_steps"]) for each in found] == [6] * 3
    for each in found[1:]:
        assert each.curves["train_loss"] == pytest.approx(found[0].curves["train_loss"], rel=1e-5)
    whole = run("mlp", 50, train=asked | {"drop_last": False})
    assert whole.curves["train_loss"] != found[0].curves["train_loss"]
    assert found[0].metrics["epoch_seconds"] is not None  # an epoch without its last batch is whole


def test_leaving_the_last_batch_out_may_leave_nothing(run: Any) -> None:
    for train in ({}, {"loader": "dataloader"}, {"engine": "vectorized"}):
        outcome = run("mlp", 12, train={"drop_last": True, **train})
        said = "train.drop_last leaves none of 12 training images at batch size 20"
        assert (outcome.status, outcome.reason) == ("failed", said)
    assert run("mlp", 20, train={"drop_last": True}).status == "ok"
