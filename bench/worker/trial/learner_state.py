"""The state of a model, its optimizer and the generators of random numbers, as a checkpoint holds it."""

import inspect
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.worker.common import checked
from bench.worker.devices.base import Device
from bench.worker.engines.base import Learner
from bench.worker.train.loaders import Source


def model_state(model: nn.Module) -> dict[str, Any]:
    """`state`: as torch has it; `others`: the buffers that are not in it, which a step may change all the same."""
    state = model.state_dict()
    others = {name: buffer for name, buffer in model.named_buffers() if name not in state}
    return {"state": dict(state), "others": others}


def load_model_state(model: nn.Module, given: Any) -> None:
    """Bit by bit. Raises ValueError, before anything is changed, where a tensor has another name, shape or type."""
    own, given = model_state(model), checked.mapping(given)
    for part, tensors in own.items():
        checked.same_tensors(tensors, checked.mapping(given[part]))
    model.load_state_dict(given["state"])
    with torch.no_grad():
        for name, buffer in own["others"].items():
            buffer.copy_(given["others"][name])


class LearnerState:
    """Model and optimizer of a learner.

    `in_place`: the optimizer's tensors were made before a step was captured, which reads them where they lie.
    """

    def __init__(self, learner: Learner, *, in_place: bool) -> None:
        self._model, self._optimizer, self._in_place = learner.model, learner.optimizer, in_place

    def state_dict(self) -> dict[str, Any]:
        return {"model": model_state(self._model), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError where one of the two does not fit; only the model may have changed then."""
        _refuse_unlike_optimizer(self._optimizer, state["optimizer"])
        load_model_state(self._model, state["model"])
        if self._in_place:
            _copy_optimizer(self._optimizer, state["optimizer"])
        else:
            self._optimizer.load_state_dict(state["optimizer"])


def _refuse_unlike_optimizer(optimizer: torch.optim.Optimizer, given: Any) -> None:
    groups, own = checked.items(given["param_groups"]), optimizer.state_dict()["param_groups"]
    if [group.get("params") for group in groups] != [group["params"] for group in own]:
        raise ValueError("an optimizer of other parameters")
    for group, mine in zip(groups, own, strict=True):
        checked.same_kinds(mine, group)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for place, kept in given["state"].items():
        if isinstance(optimizer, torch.optim.LBFGS):
            _refuse_unlike_vectors(kept, length=sum(parameter.numel() for parameter in parameters))
        else:
            checked.same_kinds(_state_after_a_step(optimizer, parameters[place]), checked.mapping(kept))


def _state_after_a_step(optimizer: torch.optim.Optimizer, parameter: torch.Tensor) -> dict[str, Any]:
    """What such an optimizer keeps of a parameter: another one like it takes a step, and what it kept is returned."""
    like = torch.zeros_like(parameter, device="cpu")
    like.grad = torch.zeros_like(like)
    taken = inspect.signature(type(optimizer)).parameters  # adamw is an adam, and has a default that it does not take
    settings = {name: value for name, value in optimizer.defaults.items() if name in taken}
    other = type(optimizer)([like], **(settings | {"lr": 1e-3} | dict.fromkeys({"capturable"} & set(settings), False)))
    other.step()
    return dict(other.state[like])


def _refuse_unlike_vectors(kept: Any, *, length: int) -> None:
    """LBFGS keeps numbers, vectors of all weights together, and lists of both."""
    values = kept.values() if isinstance(kept, dict) else kept if isinstance(kept, list) else ()
    for value in values:
        if isinstance(value, dict | list):
            _refuse_unlike_vectors(value, length=length)
        elif isinstance(value, torch.Tensor) and tuple(value.shape) not in ((), (length,)):
            raise ValueError(f"an optimizer with a tensor of {tuple(value.shape)} for {length} weights")
        elif not isinstance(value, torch.Tensor | int | float | None):
            raise ValueError(f"an optimizer with {type(value).__name__} in its state")


@torch.no_grad()
def _copy_optimizer(optimizer: torch.optim.Optimizer, given: Mapping[str, Any]) -> None:
    """Does what `load_state_dict` does, into the tensors that are there. KeyError where there are others."""
    places = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if set(given["state"]) != {place for place, each in enumerate(places) if each in optimizer.state}:
        raise ValueError("an optimizer with the state of other parameters")
    for place, kept in given["state"].items():
        _copy_named(optimizer.state[places[place]], kept)
    for group, own in zip(given["param_groups"], optimizer.param_groups, strict=True):
        _copy_named(own, {name: value for name, value in group.items() if name != "params"})


def _copy_named(own: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(own[name], torch.Tensor):
            own[name].copy_(value)
        else:
            own[name] = value


class Generators:
    """Where every stream of random numbers of a trial is: torch's, the device's, numpy's, Python's, the source's."""

    def __init__(self, device: Device, source: Source) -> None:
        self._device, self._source = device, source.generators

    def state_dict(self) -> dict[str, Any]:
        kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
        version, words, following = random.getstate()
        return {
            "torch": torch.get_rng_state(),
            "device": self._device.generator_state(),
            "numpy": [str(kind), torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, gauss],
            "python": [version, list(words), following],
            "source": {name: generator.get_state() for name, generator in self._source.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises what torch, numpy and Python raise where a state is none; some have changed then."""
        # Python's holds a number that is waiting, or none: it is looked at by `setstate` alone.
        checked.same_kinds(self.state_dict() | {"python": 0}, checked.mapping(state) | {"python": 0})
        kind, keys, position, has_gauss, gauss = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
        version, words, following = state["python"]
        random.setstate((version, tuple(words), following))
        torch.set_rng_state(state["torch"])
        if state["device"] is not None:
            self._device.set_generator_state(state["device"])
        for name, generator in self._source.items():
            generator.set_state(state["source"][name])
