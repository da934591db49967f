"""All seeds of a cell at once: stacked parameters, one forward pass mapped over them, one optimizer over the stack.

The losses of the seeds are summed, so each seed's parameters get the gradient that they would get alone. Sgd, adam,
adamw and rmsprop work element by element, so one over the stack is as one of each seed. bench.worker.trial.all_seeds
runs the trials of this engine.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vmap

from bench.base.records import Trial
from bench.errors import Unavailable
from bench.worker.common.failures import Diverged, first_line
from bench.worker.common.unregistered import first_bytes, plain_tensors, plain_values
from bench.worker.devices.base import Device
from bench.worker.engines.base import Engine
from bench.worker.train.loaders import Fetch
from bench.worker.train.loop import Tally, diverged
from bench.worker.train.losses import Loss
from bench.worker.train.optimizers import autocast
from bench.worker.train.steps import Recipe, Step, backward, followed_by, forgetting, in_turn

USE_EAGER = "use engine 'eager'"
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class Vectorized(Engine):
    """Trains all seeds in one process, as one stack of models. Each seed has a record of its own."""

    name = "vectorized"

    def cannot(self, trial: Trial, device: Device) -> str:
        settings = trial.train
        if settings.optimizer == "lbfgs":
            return f"engine 'vectorized': lbfgs searches along one line for all seeds together: {USE_EAGER}"
        if settings.precision == "float16":
            return "engine 'vectorized': float16 has one scale for all seeds together: use bfloat16"
        if settings.loader != "resident":
            return "engine 'vectorized': every seed has an order of its own: use loader 'resident'"
        if settings.memory_format != "contiguous":
            return "engine 'vectorized': stacked images have five dimensions: use memory_format 'contiguous'"
        if settings.schedule == "plateau":
            return f"engine 'vectorized': every seed has plateaus of its own, the learning rate is one: {USE_EAGER}"
        if settings.early_stopping_patience:
            return f"engine 'vectorized': every seed would stop in an epoch of its own: {USE_EAGER}"
        return ""

    def step(self, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, *, device: Device) -> Step:
        raise NotImplementedError("all seeds together are trained by stacked_step")


class Stack:
    """K models of one architecture: parameters and buffers by name, (K, ...) each.

    `writes_input`: whether they change the images of their batch; then each gets its own. `sample_dims`: how many
    dimensions one sample has, 3 of an image.
    Raises Unavailable where the models differ in more than their weights, or draw random numbers as they train.
    """

    def __init__(self, models: Sequence[nn.Module], *, writes_input: bool = False, sample_dims: int = 3) -> None:
        self.count, self._template, self._writes_input = len(models), models[0], writes_input
        self._shared_dims = sample_dims + 1
        for part in models[0].modules():
            if isinstance(part, DROPOUTS) and part.p:
                what = f"{type(part).__name__} would draw other numbers than in each seed alone"
                raise Unavailable(f"engine 'vectorized': {what}: {USE_EAGER}")
        if any(each._backward_hooks or each._post_accumulate_grad_hooks for each in models[0].parameters()):
            raise Unavailable(f"engine 'vectorized': a hook on a gradient would see those of all seeds: {USE_EAGER}")
        if where := _differ(models):
            why = f"the seeds' models differ in more than their weights ({where})"
            raise Unavailable(f"engine 'vectorized': {why}: {USE_EAGER}")
        self.parameters = _stacked([dict(each.named_parameters()) for each in models])
        self.buffers = _stacked([dict(each.named_buffers()) for each in models])
        self._mapped = {shared: vmap(self._one, in_dims=(0, 0, None if shared else 0)) for shared in (False, True)}

    @property
    def trained(self) -> list[torch.Tensor]:
        """The stacked parameters that are trained."""
        return [parameter for parameter in self.parameters.values() if parameter.requires_grad]

    def train(self, mode: bool = True) -> None:
        """As nn.Module.train, for all of them."""
        self._template.train(mode)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Inputs (K, B, …), or (B, …) for all, to outputs (K, B, n).

        Raises Unavailable where the model has something in it that cannot be mapped over seeds.
        """
        shared = images.dim() == self._shared_dims
        if self._writes_input and shared:
            images, shared = images.repeat(self.count, *[1] * images.dim()), False
        with _mapping():
            logits: torch.Tensor = self._mapped[shared](self.parameters, self.buffers, images)
        return logits

    def _one(
        self, parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor], images: torch.Tensor
    ) -> torch.Tensor:
        answer: torch.Tensor = functional_call(self._template, (parameters, buffers), (images,))
        return answer

    @torch.no_grad()
    def unstacked(self, place: int) -> nn.Module:
        """The model of one seed as it is now; the same object each time."""
        for stacked, own in (
            (self.parameters, self._template.named_parameters()),
            (self.buffers, self._template.named_buffers()),
        ):
            for name, tensor in own:
                tensor.copy_(stacked[name][place])
        return self._template


@contextmanager
def _mapping() -> Iterator[None]:
    """Raises Unavailable where a model that an eager step took cannot be mapped over seeds."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "memory" in str(error):
            raise
        why = f"torch.func.vmap does not take this model ({first_line(error)})"
        raise Unavailable(f"engine 'vectorized': {why}: {USE_EAGER}") from error


def _differ(models: Sequence[nn.Module]) -> str:
    """Where models are not the same but for weights and buffers, which one of them then stands for; empty: nowhere.

    Not torch.func.stack_module_state, which compares the outermost class, and by identity: a builder may define its
    class anew at each call, and draw what it likes for what lies inside.
    """
    first, *others = (dict(_looks(model)) for model in models)
    for other in others:
        for name in first | other:
            if first.get(name) != other.get(name):
                return name
    return ""


def _looks(model: nn.Module) -> Iterator[tuple[str, object]]:
    """Classes, shapes of weights and buffers, and all that its modules keep beside these, by name."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        yield name, (tuple(tensor.shape), tensor.dtype, tensor.requires_grad)
    for name, kept in plain_tensors(model):
        yield name, (tuple(kept.shape), str(kept.dtype), first_bytes(kept))
    for place, module in model.named_modules():
        yield f"{place}: its class", type(module).__qualname__
        for name, value in plain_values(module):
            if isinstance(value, bool | int | float | str):
                yield f"{place}.{name}".strip("."), repr(value)


def _stacked(each: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Tensors by name of every model to (K, …), each a leaf."""
    return {
        name: torch.stack([one[name] for one in each]).detach().requires_grad_(first.requires_grad)
        for name, first in each[0].items()
    }


def losses(outputs: torch.Tensor, targets: torch.Tensor, *, loss: Loss) -> torch.Tensor:
    """Mean loss of each seed (K,) from outputs (K, B, n) and targets (K, B) or (K, B, n), or without K for all."""
    targets = targets.expand(outputs.shape if targets.is_floating_point() else outputs.shape[:2])
    return loss.each(outputs.flatten(0, 1), targets.flatten(0, 1)).view(outputs.shape[:2]).mean(1)


def stacked_step(stack: Stack, optimizer: torch.optim.Optimizer, recipe: Recipe, *, device: torch.device) -> Step:
    """One step of every seed, on a batch of each; gives the losses (K,)."""
    forget = forgetting(stack.trained)
    # A dimension more: that of the seeds. The penalties of the seeds are summed as their losses are.
    differentiate = backward(stack.trained, recipe, dimensions=3)
    clip = per_seed_clip(stack.trained, recipe.gradient_clip)
    advance = optimizer.step if clip is None else in_turn(clip, optimizer.step)

    def step(fetch: Fetch) -> torch.Tensor:
        forget()
        images, labels = fetch()
        with autocast(device, recipe.precision):
            found = losses(stack.logits(images), labels, loss=recipe.loss)
        with _mapping():
            differentiate(found.sum())
        advance()
        return found.detach()

    return followed_by(step, recipe.after_step)


def per_seed_clip(stacked: Sequence[torch.Tensor], most: float) -> Callable[[], None] | None:
    """Returns the call that clips the gradients (K, ...) of each seed to the norm `most`; None where that is 0.

    It does for each seed what torch.nn.utils.clip_grad_norm_ does for one model.
    """
    if not most:
        return None

    def clip() -> None:
        gradients = [parameter.grad for parameter in stacked if parameter.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients])
        share = torch.clamp(most / (torch.linalg.vector_norm(norms, dim=0) + 1e-6), max=1.0)
        for gradient in gradients:
            gradient.mul_(share.view(-1, *[1] * (gradient.dim() - 1)))

    return clip


@dataclass(slots=True)
class Tallies(Tally):
    """Running sums of an epoch of every seed. A seed whose loss is not finite is out; the others go on."""

    out: dict[int, str] = field(default_factory=dict)  # place of the seed → why; kept over epochs
    _each: list[float] = field(default_factory=list)

    def add(self, losses: list[Any], samples: list[int], *, epoch: int, steps_before: int) -> None:
        """Raises Diverged where no seed is left."""
        for step, count in zip(losses, samples, strict=True):
            self.steps += 1
            self.samples += count
            self._each = self._each or [0.0] * len(step)
            for place, loss in enumerate(step):
                if not math.isfinite(loss):
                    self.out.setdefault(place, diverged(loss, step=steps_before + self.steps, epoch=epoch))
                self._each[place] += loss * (count // len(step))
            if len(self.out) == len(step):
                raise Diverged(self.out[0])

    @property
    def mean_loss(self) -> float:
        """Over the seeds that are left."""
        kept = [loss for place, loss in enumerate(self.losses) if place not in self.out]
        return sum(kept) / len(kept) if kept else math.nan

    @property
    def losses(self) -> tuple[float, ...]:
        each = self.samples // max(1, len(self._each))
        return tuple(loss / each for loss in self._each)
