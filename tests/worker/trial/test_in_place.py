"""A model that writes into its input learns and answers what its twin does that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.base.records import Component
from bench.worker.common.messages import TrialOutcome

DATA = Component("synthetic", {"train": 100, "test": 50})
Change = Callable[[nn.Module, Tensor], Tensor]


def by_data(_: nn.Module, x: Tensor) -> Tensor:
    x.data.sub_(0.5)  # torch does not count it
    return x


def by_numpy(_: nn.Module, x: Tensor) -> Tensor:
    x.detach().numpy()[:] -= 0.5
    return x


def where_dark(_: nn.Module, x: Tensor) -> Tensor:
    x[x < 0.5] = 0.0
    return x


def of_its_own_shape(_: nn.Module, x: Tensor) -> Tensor:
    return x.unsqueeze_(1).mul_(2.0)


def only_answering(model: nn.Module, x: Tensor) -> Tensor:
    return x - 0.5 if model.training else x.sub_(0.5)


def only_training(model: nn.Module, x: Tensor) -> Tensor:
    return x.sub_(0.5) if model.training else x - 0.5


# Name → what it does in place, and the same without.
TWINS: dict[str, tuple[Change, Change]] = {
    "shift": (lambda _, x: x.sub_(0.5).div_(0.5), lambda _, x: (x - 0.5) / 0.5),
    "activation": (lambda _, x: functional.relu(x.sub_(0.3), inplace=True), lambda _, x: functional.relu(x - 0.3)),
    "own scale": (lambda model, x: x.mul_(model.scale), lambda model, x: x * model.scale),
    "clamp": (lambda _, x: x.clamp_(0.2, 0.8), lambda _, x: x.clamp(0.2, 0.8)),
    "shape": (of_its_own_shape, lambda _, x: x.unsqueeze(1) * 2.0),
    "only answering": (only_answering, lambda _, x: x - 0.5),
    "only training": (only_training, lambda _, x: x - 0.5),
}
UNCOUNTED: dict[str, tuple[Change, Change]] = {
    ".data": (by_data, lambda _, x: x - 0.5),
    "numpy": (by_numpy, lambda _, x: x - 0.5),
    "where dark": (where_dark, lambda _, x: torch.where(x < 0.5, 0.0, x)),
}
EAGER = {"resident": {}, "dataloader": {"loader": "dataloader"}}
LBFGS = {"optimizer": "lbfgs", "learning_rate": 0.3}


class Net(nn.Module):
    scale: Tensor

    def __init__(self, shape: tuple[int, ...], classes: int, change: Change) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(shape[0] * shape[1] * shape[2], classes), change
        self.register_buffer("scale", torch.full((), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.layer(self.change(self, x).flatten(1))
        return answer


@pytest.fixture
def twins(run_trial: Any, register: Any) -> Any:
    """`twins(pair, **train)` trains both of a pair; gives what each has learned and answered."""

    def both(
        pair: tuple[Change, Change],
        *,
        kind: type[Net] = Net,
        data: Component = DATA,
        others: dict[int, None] | None = None,
        **train: Any,
    ) -> list[Any]:
        found = []
        for name, change in zip(("writes", "plain"), pair, strict=True):
            register(name, lambda shape, classes, change=change: kind(shape, classes, change))
            train = {"epochs": 3, "validation_split": 0.2, "threads": 1} | train
            done = run_trial(name, dataset=data, batch_size=16, train=train, others=others or {})
            found.append([learned(each) for each in (done, *done.others)])
        return found

    return both


def learned(outcome: TrialOutcome) -> dict[str, Any]:
    assert outcome.status == "ok", outcome.traceback or outcome.reason
    return {name: curve for name, curve in outcome.curves.items() if name != "train_seconds"}


@pytest.mark.parametrize("loader", EAGER)
@pytest.mark.parametrize("pair", TWINS | UNCOUNTED)
def test_it_learns_what_its_twin_learns(twins: Any, pair: str, loader: str) -> None:
    writes, plain = twins((TWINS | UNCOUNTED)[pair], **EAGER[loader])
    assert writes == plain


@pytest.mark.parametrize("loader", EAGER)
@pytest.mark.parametrize("pair", ["shift", ".data"])
def test_a_batch_that_several_passes_share_is_whole_in_each(twins: Any, pair: str, loader: str) -> None:
    """LBFGS looks at the same batch again and again."""
    writes, plain = twins((TWINS | UNCOUNTED)[pair], **EAGER[loader], **LBFGS)
    assert writes == plain


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # torch.func maps clamp_ one by one
@pytest.mark.parametrize("pair", TWINS)
def test_so_it_does_with_all_seeds_at_once(twins: Any, pair: str) -> None:
    writes, plain = twins(TWINS[pair], others={1: None, 2: None}, engine="vectorized", validation_split=0.0)
    assert len(writes) == 3
    assert writes == plain


def half_of_negatives(_: nn.Module, x: Tensor) -> Tensor:
    values = x.data  # noise has none below 0
    values[values < 0] *= 0.5
    return x


class Later(Net):
    """Writes once it has learned something; `by`: how."""

    def __init__(self, shape: tuple[int, ...], classes: int, by: Change) -> None:
        super().__init__(shape, classes, by)
        self.first = self.layer.weight.detach().abs().sum()

    def forward(self, x: Tensor) -> Tensor:
        if self.layer.weight.detach().abs().sum() == self.first:
            return super_forward(self, x - 0.5)
        return super().forward(x)


class Keeping(Net):
    """Clears the batch of its last call, as one that reuses its places does."""

    last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.last is not None:
            self.last.data.zero_()
        self.last = self.change(self, x)
        return super_forward(self, x)


def super_forward(model: Net, x: Tensor) -> Tensor:
    answer: Tensor = model.layer(x.flatten(1))
    return answer


@pytest.mark.parametrize(
    ("kind", "pair"),
    [
        (Later, TWINS["shift"]),
        (Later, (by_data, lambda _, x: x - 0.5)),
        (Net, (half_of_negatives, lambda _, x: torch.where(x < 0, x * 0.5, x))),
        (Keeping, (lambda _, x: x, lambda _, x: x.clone())),
    ],
    ids=["later", "later, uncounted", "below 0", "what it kept"],
)
def test_one_that_did_not_write_when_it_was_tried_is_trained_anew(
    twins: Any, kind: type[Net], pair: tuple[Change, Change]
) -> None:
    data = Component("synthetic", {"train": 100, "test": 50, "scaling": "symmetric"})
    writes, plain = twins(pair, kind=kind, data=data)
    assert writes == plain


def test_hooks_of_the_model_get_the_copy(run_trial: Any, register: Any) -> None:
    def shifted(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (given[0] - 0.5,)

    def shifts(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        given[0].sub_(0.5)

    found = []
    for name, hook in {"shifts": shifts, "shifted": shifted}.items():

        def build(shape: tuple[int, ...], classes: int, hook: Any = hook) -> nn.Module:
            model = Net(shape, classes, lambda _, x: x)
            model.register_forward_pre_hook(hook)
            return model

        register(name, build)
        found.append(learned(run_trial(name, dataset=DATA, train={"epochs": 2, "threads": 1})))
    assert found[0] == found[1]


def test_others_get_no_copy(run_trial: Any, register: Any) -> None:
    kept: list[int] = []

    def spy(_: nn.Module, x: Tensor) -> Tensor:
        kept.append(x.untyped_storage().nbytes())
        return x

    register("spy", lambda shape, classes: Net(shape, classes, spy))
    assert run_trial("spy", dataset=DATA, batch_size=16, train={"epochs": 1, "threads": 1}).status == "ok"
    whole_test_set = 50 * 8 * 8 * 4
    assert kept[-1] == whole_test_set  # latency is measured on the first image, where it lies in the set
