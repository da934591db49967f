"""Cards that are chosen by a number: `cuda:1`, `xpu:0`. Two of each are faked."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from bench.base.records import Component, Trial
from bench.errors import Unavailable
from bench.registry import DEVICES
from bench.suite.catalogue import Catalogue, DeviceInfo
from bench.worker.catalogue import entries
from bench.worker.common import discover
from bench.worker.devices.cards import TorchCard
from bench.worker.devices.cuda import Cuda
from bench.worker.devices.xpu import Xpu
from bench.worker.trial import setup

discover.load_builtin()


class Cards:
    """A machine with two cards of a kind, and the calls that it got."""

    def __init__(self) -> None:
        self.current = 0
        self.back_end = SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 2,
            get_device_name=("First", "Second").__getitem__,
            set_device=self.choose,
            _is_compiled=lambda: True,
            get_device_capability=lambda index: (8, 9) if index else (7, 5),
            is_bf16_supported=lambda including_emulation: True,
        )

    def choose(self, index: int) -> None:
        self.current = index


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Cards:
    found = Cards()
    for kind in ("cuda", "xpu"):
        monkeypatch.setattr(torch, kind, found.back_end)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    return found


@pytest.mark.parametrize("kind", [Cuda, Xpu])
def test_a_number_chooses_the_card(kind: type[TorchCard], cards: Cards) -> None:
    first, second, third = kind(), kind(), kind()
    second.take(1)
    third.take(2)
    name = kind.name
    assert [each.unavailable() for each in (first, second, third)] == [
        "",
        "",
        f"{name}:2: the last one here is {name}:1",
    ]
    assert [each.name for each in (first, second)] == [name, f"{name}:1"]
    assert (first.describe(), second.describe()) == ("First", "Second")
    assert second.label() == f"GPU ({name}:1): Second"
    assert (first.torch_device, second.torch_device) == (torch.device(name), torch.device(f"{name}:1"))
    second.start()
    assert cards.current == 1


def test_what_a_card_can_is_asked_of_that_card(cards: Cards) -> None:
    second = Cuda()
    second.take(1)
    assert "8.0" in Cuda().cannot("tf32")
    assert second.cannot("tf32") == ""


def test_the_parent_is_told_of_each_card(cards: Cards) -> None:
    told = dict(entries.numbered(DEVICES.get("cuda")))
    assert {name: each["description"] for name, each in told.items()} == {"cuda:0": "First", "cuda:1": "Second"}
    assert {each["rank"] for each in told.values()} == {0}
    assert not dict(entries.numbered(DEVICES.get("cpu")))
    assert {"cuda", "cuda:0", "cuda:1", "xpu:1"} <= set(entries.registered(without={})["devices"])


def two_cards() -> Catalogue:
    card = DeviceInfo(True, rank=20, numbered=True, ray_gpus=1)
    numbered = replace(card, rank=0, numbered=False)
    devices = {"cpu": DeviceInfo(True, is_host=True), "cuda": card, "cuda:0": numbered, "cuda:1": numbered}
    return Catalogue(models={}, datasets={}, devices=devices)


def test_a_number_that_is_not_there_is_a_device_that_cannot_be_used() -> None:
    found = two_cards()
    assert found.device("cuda:1").available
    absent = found.device("cuda:7")
    assert (absent.available, absent.reason) == (False, "cuda:7: there is cuda:0, cuda:1")
    assert found.best_device == "cuda"  # never one by its number
    for name in ("cuda:01", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "none:0", "cuda:1:1"):
        assert found.find_device(name) is None, name


def test_without_any_card_the_reason_is_that_of_the_kind() -> None:
    kind = DeviceInfo(False, reason="cuda: no CUDA device on this machine", numbered=True)
    assert Catalogue({}, {}, {"cuda": kind}).device("cuda:1").reason == kind.reason


def test_a_trial_starts_the_card_of_its_number(cards: Cards) -> None:
    trial = Trial(dataset=Component("digits"), model=Component("linear"), seed=0, batch_size=64, device="cuda:1")
    _, device = setup.engine_and_device(trial)
    assert (device.name, cards.current) == ("cuda:1", 1)
    with pytest.raises(Unavailable, match="cuda:5: the last one here is cuda:1"):
        setup.engine_and_device(replace(trial, device="cuda:5"))
