"""A model built and tried before it trains: whether it takes the batches of the trial, in one text for every engine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from bench.base.records import Component, Task
from bench.errors import BenchError
from bench.registry import MODELS
from bench.worker.common.failures import classify, first_line
from bench.worker.common.inputs import Given
from bench.worker.train.loaders import batch_sizes

CURES = {
    "training": "another batch_size, train.drop_last = true, or another train_limit",
    "validation": "another batch_size or another train.validation_split",
    "test": "another batch_size or another test_limit",
}
NO_GRADIENT = "answers without a gradient, so that nothing would be trained: leave out torch.no_grad, detach and argmax"


# What a trial has set, and a model must leave: how each is read and set.
SWITCHES: Mapping[str, tuple[Callable[[], object], Callable[[Any], object]]] = {
    "the default type": (torch.get_default_dtype, torch.set_default_dtype),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "whether there are gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "whether torch is deterministic": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
}


class Refused(BenchError):
    """What a model does that a trial cannot take; `raised`: it raised, and gave no answer."""

    def __init__(self, name: str, what: str, *, raised: bool = False) -> None:
        super().__init__(f"model {name!r} {what}")
        self.name, self.what, self.raised = name, what, raised

    def because(self, why: str) -> BenchError:
        """The same, after why it matters and what to do, which a long reason then keeps."""
        return BenchError(f"model {self.name!r}: {why}; it {self.what}")


@dataclass(slots=True)
class Tried:
    """The model of a trial, and by how many images it is asked. `parts`: part of the data → its images."""

    model: Component
    input_shape: tuple[int, ...]
    num_outputs: int
    batch_size: int = 1
    parts: Mapping[str, int] | None = None
    task: Task = "classification"
    notes: list[str] = field(default_factory=list, init=False)
    writes_input: bool = field(default=False, init=False)  # whether a batch was another one after it was asked about it

    def built(self) -> nn.Module:
        """A new instance; its lazy layers are made, from the generators as they are. BenchError where it is none."""
        before = _switches()
        model = MODELS.get(self.model.name).build(self.input_shape, self.num_outputs, **self.model.settings)
        if changed := [what for what, value in _switches().items() if value != before[what]]:
            for what in changed:
                SWITCHES[what][1](before[what])
            self.notes = [f"its builder sets {' and '.join(changed)} of the whole process: set back; leave that out"]
        if not isinstance(model, nn.Module):
            raise BenchError(
                f"model {self.model.name!r}: its builder gave {type(model).__name__}, not a torch.nn.Module"
            )
        if _is_lazy(model):
            self._make_lazy_layers(model)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise self._refused("has no parameter to train")
        return model

    @torch.no_grad()
    def _make_lazy_layers(self, model: nn.Module) -> None:
        was_training = model.training
        self.logits(model.eval(), torch.zeros(2, *self.input_shape))
        model.train(was_training)
        if _is_lazy(model):
            raise self._refused("has a lazy layer that its forward pass does not reach: leave it out")

    def logits(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """The answer of `model`. Raises Refused where it is not (N, num_outputs)."""
        known, given = len(list(model.parameters())), Given(images)
        with self.unchanged():
            try:
                answer = model(given.images)
            except Exception as error:
                if isinstance(error, BenchError) or classify(error)[0] != "failed":
                    raise
                raise self._refused(f"raises {_told(error, model, images)}", raised=True) from error
        self.writes_input |= given.written_to
        if len(list(model.parameters())) != known:
            late = "makes parameters in its forward pass, too late to be trained"
            raise self._refused(f"{late}: make them in __init__, or use nn.LazyLinear and its like")
        if wrong := self._wrong(answer, images):
            raise self._refused(wrong)
        found: torch.Tensor = answer
        return found

    def _wrong(self, answer: object, images: torch.Tensor) -> str:
        wanted = (len(images), self.num_outputs)
        if not isinstance(answer, torch.Tensor) or tuple(answer.shape) != wanted:
            found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
            what = f"answers with {found} to a batch of {tuple(images.shape)}"
            return f"{what}; it has to be a tensor of {self._asked} {wanted}"
        if not answer.is_floating_point():
            return f"answers with {_short(answer.dtype)}: {self._asked} are floating-point numbers"
        return NO_GRADIENT if torch.is_grad_enabled() and not answer.requires_grad else ""

    @property
    def _asked(self) -> str:
        return "logits" if self.task == "classification" else "predictions"

    @torch.no_grad()
    def evaluates(self, model: nn.Module, images: torch.Tensor, *, full: Callable[[], torch.Tensor]) -> None:
        """Asks `model`, in eval mode, about two `images` and about one. `full`: gives a batch of the trial's size.

        Raises BenchError where it could not be evaluated; the model is in training mode afterwards.
        """
        model.eval()
        try:
            self.logits(model, images)
        except Refused as refused:
            if refused.raised and self._takes(model, full()):
                only = f"only batches of {self.batch_size} go through it: keep their size, as x.flatten(1) does"
                raise refused.because(only) from refused
            raise
        try:
            self.logits(model, images[:1])
        except Refused as refused:
            why = self._why_one("validation") or self._why_one("test")
            if why or refused.raised:
                raise refused.because(why or "latency is measured on one image") from refused
        model.train()

    def trains(self, model: nn.Module, image: torch.Tensor) -> None:
        """Asks `model`, in training mode, about one image, where a batch has one. BenchError where it cannot."""
        if why := self._why_one("training"):
            try:
                self.logits(model, image)
            except Refused as refused:
                raise refused.because(why) from refused

    @torch.no_grad()
    def takes_last_batches(self, model: nn.Module, noise: Callable[[int], torch.Tensor]) -> None:
        """Asks `model` about a batch as long as the last one of each part. Raises BenchError where it cannot."""
        for part, size in (self.parts or {}).items():
            last = batch_sizes(size, self.batch_size)[-1] if size else 0
            if last in (0, self.batch_size):
                continue
            try:
                self.logits(model.train(part == "training"), noise(last))
            except Refused as refused:
                where = f"the last batch has {last} of {size} {part} images at batch size {self.batch_size}"
                raise refused.because(f"{where}: take {CURES[part]}") from refused
        model.train()

    def steps(self, step: Callable[[], object]) -> None:
        """Takes another step of training. Raises BenchError where the model keeps the graph of the one before."""
        try:
            with self.unchanged():
                step()
        except RuntimeError as error:
            if "backward through the graph a second time" in str(error):
                cure = "detach what it keeps from one batch for the next"
                raise self._refused(f"keeps the graph of the step before: {cure}") from error
            raise

    def _takes(self, model: nn.Module, images: torch.Tensor) -> bool:
        try:
            self.logits(model, images)
        except BenchError:
            return False
        return True

    def _why_one(self, part: str) -> str:
        """Why `model` is asked about one image of a part, and what to do about it; empty where it is not."""
        size = (self.parts or {}).get(part, 0)
        if not size or batch_sizes(size, self.batch_size)[-1] != 1:
            return ""
        if self.batch_size == 1:
            return "at batch size 1 every batch has 1 image: take another batch_size"
        return f"the last batch has 1 of {size} {part} images at batch size {self.batch_size}: take {CURES[part]}"

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Raises BenchError where a switch of torch is another one behind it."""
        before = _switches()
        yield
        for what, value in _switches().items():
            if value != before[what]:
                raise self._refused(f"sets {what} of the whole process to {_short(value)}: leave that out")

    def _refused(self, what: str, *, raised: bool = False) -> Refused:
        return Refused(self.model.name, what, raised=raised)


def _told(error: Exception, model: nn.Module, images: torch.Tensor) -> str:
    """`ValueError on 1 image in training mode: …`"""
    count, mode = f"{len(images)} image{'s' if len(images) > 1 else ''}", "training" if model.training else "eval"
    kinds = {each.dtype for each in model.parameters() if each.is_floating_point()} - {images.dtype}
    other = f"; it has {_short(min(kinds, key=str))} parameters, and images are {_short(images.dtype)}" if kinds else ""
    return f"{type(error).__name__} on {count} in {mode} mode: {first_line(error, 110)}{other}"


def _short(value: object) -> str:
    return str(value).removeprefix("torch.")


def _is_lazy(model: nn.Module) -> bool:
    return any(is_lazy(each) for each in (*model.parameters(), *model.buffers()))


def _switches() -> dict[str, object]:
    return {what: read() for what, (read, _) in SWITCHES.items()}
