"""Early stopping: when it ends, and that the weights of the best epoch come back bit by bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.worker.train.stopping import EarlyStopping


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def moved(net: nn.Module) -> dict[str, torch.Tensor]:
    """Change everything that it keeps; a copy of what it is then."""
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.add_(1)
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def same(net: nn.Module, wanted: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, wanted[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize(
    ("losses", "patience", "ended", "best"),
    [
        ([1.0, 0.9, 0.8, 0.7], 1, None, 4),
        ([1.0, 0.9, 0.95, 0.8], 1, 3, 2),
        ([1.0, 0.9, 0.95, 0.8], 2, None, 4),
        ([1.0, 0.9, 0.95, 0.95], 2, 4, 2),
        ([0.5, 0.5, 0.5], 2, 3, 1),  # as good is not better
    ],
)
def test_it_ends_after_so_many_epochs_without_a_better_one(
    losses: list[float], patience: int, ended: int | None, best: int
) -> None:
    net = model()
    stopping, weights, found = EarlyStopping(net, patience_epochs=patience), [], None
    for epoch, loss in enumerate(losses, start=1):
        weights.append(moved(net))
        stopping.after_epoch(epoch, validation_loss=loss)
        if stopping.is_over:
            found = epoch
            break
    assert (found, stopping.best_epoch, stopping.best_loss) == (ended, best, min(losses[: ended or None]))
    moved(net)
    stopping.restore()
    assert same(net, weights[best - 1])


def test_what_is_saved_goes_on_where_it_was() -> None:
    net = model()
    first = EarlyStopping(net, patience_epochs=2)
    best = moved(net)
    first.after_epoch(1, validation_loss=0.5)
    moved(net)
    first.after_epoch(2, validation_loss=0.6)
    other = model()
    second = EarlyStopping(other, patience_epochs=2)
    second.load_state_dict(first.state_dict())
    assert (second.best_epoch, second.best_loss, second.is_over) == (1, 0.5, False)
    second.after_epoch(3, validation_loss=0.7)
    assert second.is_over
    second.restore()
    assert same(other, best)
    # A copy: what the first one goes on to is nothing to the second.
    moved(net)
    first.after_epoch(3, validation_loss=0.1)
    second.restore()
    assert same(other, best)


def test_before_the_first_epoch_there_is_nothing_to_restore() -> None:
    net = model()
    before = moved(net)
    EarlyStopping(net, patience_epochs=1).restore()
    assert same(net, before)
