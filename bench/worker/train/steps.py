"""One step of training: gather, forward, backward, optimizer.

What a trial asks for beside that (a penalty, clipping, a rate that changes) is chosen once, when the step is built: a
step without it does nothing more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bench.base.records import Precision
from bench.worker.train.loaders import Fetch
from bench.worker.train.losses import CROSS_ENTROPY, Loss
from bench.worker.train.optimizers import autocast

Step = Callable[[Fetch], torch.Tensor]  # trains on the batch that the call gives; returns its loss (), detached


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a step does beside the plain thing. Each field's default asks for nothing."""

    precision: Precision = "float32"
    loss: Loss = CROSS_ENTROPY
    l1: float = 0.0  # times the sum of |w| over the weights; see `l1_penalty`
    gradient_clip: float = 0.0  # most that the L2 norm of all gradients together may be; 0: any
    scaler: torch.amp.GradScaler | None = None  # of float16
    after_step: Callable[[], None] | None = None  # sets the rate of the next step


PLAIN = Recipe()


def eager_step(
    model: Callable[[torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    recipe: Recipe = PLAIN,
    *,
    device: torch.device,
) -> Step:
    """One step as everybody writes it. Its loss is the mean of that of the recipe.

    `model` gives outputs (N, K) for inputs (N, …): a module, or what an engine made of it. An L1 penalty moves the
    weights and is not in the loss that the step gives, as the L2 of weight decay is not.
    """
    precision, mean_loss = recipe.precision, recipe.loss.mean

    def forward(fetch: Fetch) -> torch.Tensor:
        images, labels = fetch()
        return mean_loss(model(images), labels)

    def mixed(fetch: Fetch) -> torch.Tensor:
        with autocast(device, precision):
            return forward(fetch)

    lossy = mixed if precision in ("bfloat16", "float16") else forward
    if isinstance(optimizer, torch.optim.LBFGS):
        step = _closure_step(lossy, optimizer)
    else:
        scaler = (recipe.scaler or torch.amp.GradScaler(device.type)) if precision == "float16" else None
        step = _gradient_step(lossy, optimizer, recipe, scaler=scaler)
    return followed_by(step, recipe.after_step)


def _gradient_step(
    lossy: Step, optimizer: torch.optim.Optimizer, recipe: Recipe, *, scaler: torch.amp.GradScaler | None
) -> Step:
    parameters, most = trained(optimizer), recipe.gradient_clip
    forget, differentiate = forgetting(parameters), backward(parameters, recipe, scaler=scaler)
    clip = (lambda: nn.utils.clip_grad_norm_(parameters, most)) if most else None
    advance = _advance(optimizer, clip, scaler=scaler)

    def step(fetch: Fetch) -> torch.Tensor:
        forget()
        loss = lossy(fetch)
        differentiate(loss)
        advance()
        return loss.detach()

    return step


def _advance(
    optimizer: torch.optim.Optimizer, clip: Callable[[], object] | None, *, scaler: torch.amp.GradScaler | None
) -> Callable[[], object]:
    """The call that clips the gradients, where that is asked for, and moves the weights.

    Where the loss was scaled, so that small gradients are not 0 in float16, they are scaled back before both.
    """
    if scaler is None:
        return optimizer.step if clip is None else in_turn(clip, optimizer.step)

    def advance() -> None:
        if clip is not None:
            scaler.unscale_(optimizer)
            clip()
        scaler.step(optimizer)
        scaler.update()

    return advance


def _closure_step(lossy: Step, optimizer: torch.optim.LBFGS) -> Step:
    """LBFGS evaluates the loss several times a step; what is kept is the first, before the weights move."""
    forget = forgetting(trained(optimizer))

    def step(fetch: Fetch) -> torch.Tensor:
        first: list[torch.Tensor] = []

        def closure() -> torch.Tensor:
            forget()
            loss = lossy(fetch)
            loss.backward()
            if not first:
                first.append(loss.detach())
            return loss

        optimizer.step(closure)
        return first[0]

    return step


def followed_by(step: Step, after: Callable[[], None] | None) -> Step:
    """`step`, and `after` it; `step` itself where there is nothing to do."""
    if after is None:
        return step

    def followed(fetch: Fetch) -> torch.Tensor:
        loss = step(fetch)
        after()
        return loss

    return followed


def in_turn(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], object]:
    """One call that does both."""

    def both() -> None:
        first()
        second()

    return both


def trained(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters that `optimizer` changes."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def forgetting(parameters: Sequence[torch.Tensor]) -> Callable[[], None]:
    """The call that drops the gradients of the last step.

    What `Optimizer.zero_grad` does, without the entry that it makes for the profiler: 4 % of a step of a linear model.
    """

    def forget() -> None:
        for parameter in parameters:
            parameter.grad = None

    return forget


def backward(
    parameters: Sequence[torch.Tensor],
    recipe: Recipe,
    *,
    dimensions: int = 2,
    scaler: torch.amp.GradScaler | None = None,
) -> Callable[[torch.Tensor], object]:
    """The call that gives the parameters the gradients of a loss (), and of the penalty where there is one."""
    differentiate = torch.Tensor.backward if scaler is None else lambda loss: scaler.scale(loss).backward()
    penalty = l1_penalty(parameters, recipe.l1, dimensions=dimensions)
    if penalty is None:
        return differentiate

    def both(loss: torch.Tensor) -> None:
        differentiate(loss + penalty())

    return both


def l1_penalty(
    parameters: Sequence[torch.Tensor], strength: float, *, dimensions: int = 2
) -> Callable[[], torch.Tensor] | None:
    """The call that gives `strength` times the sum of |w|, (); None where `strength` is 0.

    Over the parameters of at least `dimensions` dimensions: the weights of linear layers and convolutions, not biases
    and not the scales of norms (as Tibshirani 1996 leaves the intercept out of the lasso).
    """
    weights = [parameter for parameter in parameters if parameter.dim() >= dimensions]
    if not strength or not weights:
        return None
    return lambda: strength * torch.stack([weight.abs().sum() for weight in weights]).sum()
