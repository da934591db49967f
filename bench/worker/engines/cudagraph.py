"""CUDA graphs: the whole step (gather, forward, backward, optimizer) is captured once and replayed as one launch.

As in "CUDA Graphs" of torch's notes on CUDA semantics: memory that a graph reads and writes stays where it is. So a
step writes the indices of the batch into their place, replays, and reads the loss from its place. Each size of batch
has a graph of its own, the smaller last one too; none of them runs eagerly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from bench.base.records import Trial
from bench.worker.common.messages import Metrics
from bench.worker.devices.base import Device
from bench.worker.engines.base import Engine, Learner, first_batch
from bench.worker.train.loaders import Fetch, Gather, Resident, Source, batch_sizes
from bench.worker.train.steps import Recipe, Step, eager_step

# Steps on another stream before the capture: in their first ones libraries open, allocate and choose algorithms, which
# may not happen inside a capture. Three is what torch's notes take.
REHEARSALS = 3


class CudaGraph(Engine):
    """Captures the step of the model itself. Capturing runs nothing, so it leaves the weights alone."""

    name = "cudagraph"
    capturable = True

    def cannot(self, trial: Trial, device: Device) -> str:
        settings = trial.train
        if missing := device.cannot_capture():
            return f"engine 'cudagraph': {missing}"
        if settings.optimizer == "lbfgs":
            return "engine 'cudagraph': lbfgs decides on the host how often it evaluates: use engine 'eager'"
        if settings.precision == "float16":
            return "engine 'cudagraph': the scaler of float16 reads the gradients on the host: use bfloat16"
        if settings.schedule != "none" and settings.optimizer == "sgd":
            why = "torch's sgd reads its learning rate on the host, so that a replay would keep the first one"
            return f"engine 'cudagraph': {why}: use adam, adamw or rmsprop, or engine 'eager'"
        if settings.loader != "resident":
            return "engine 'cudagraph': a replay gathers from a set that lies on the device: use loader 'resident'"
        return ""

    def prepare(self, learner: Callable[[], Learner], sources: Sequence[Source], *, device: Device) -> Metrics:
        made = learner()
        step = made.step
        assert isinstance(step, GraphStep)
        fetches = [first_batch(source) for source in sources]
        device.aside(lambda: [step.plain(fetch) for fetch in fetches for _ in range(REHEARSALS)])
        return {}

    def step(self, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, *, device: Device) -> Step:
        within = replace(recipe, after_step=None)  # what the host does after a step is not captured
        plain = eager_step(model, optimizer, within, device=device.torch_device)
        return GraphStep(plain, optimizer, device, after_step=recipe.after_step)

    def attach(self, learner: Learner, source: Source) -> None:
        assert isinstance(learner.step, GraphStep)
        assert isinstance(source, Resident)
        learner.step.capture(source)


@dataclass(slots=True)
class _Graph:
    """The places that a captured step reads and writes, and the call that replays it."""

    fetch: Gather
    loss: torch.Tensor  # ()
    replay: Callable[[], None]


class GraphStep:
    """A step that replays, then calls `after_step` on the host, where there is one: it sets the next step's rate.

    `capture` first: a batch of a size that was not captured is a KeyError.
    """

    def __init__(
        self,
        plain: Step,
        optimizer: torch.optim.Optimizer,
        device: Device,
        *,
        after_step: Callable[[], None] | None = None,
    ) -> None:
        self.plain, self._optimizer, self._device, self._after_step = plain, optimizer, device, after_step
        self._graphs: dict[tuple[Resident, int], _Graph] = {}
        self._settled = False

    def __call__(self, fetch: Fetch) -> torch.Tensor:
        assert isinstance(fetch, Gather)
        graph = self._graphs[fetch.source, len(fetch.index)]
        graph.fetch.take(fetch)
        graph.replay()
        loss = graph.loss.clone()  # the next replay writes into the same place
        if self._after_step is not None:
            self._after_step()
        return loss

    def capture(self, source: Resident) -> None:
        """Capture a step for each size of batch that an epoch of `source` has. Changes no weight."""
        if not self._settled:
            settle(self._optimizer)
            self._settled = True
        for size in batch_sizes(source.samples, source.batch_size):
            if (source, size) not in self._graphs:
                self._graphs[source, size] = self._captured(source, size)

    def _captured(self, source: Resident, size: int) -> _Graph:
        device = self._device.torch_device
        loss = torch.zeros((), dtype=torch.float32, device=device)
        # Without gradients at hand the captured backward pass makes its own, in the graph's memory, and writes them
        # anew at each replay.
        self._optimizer.zero_grad(set_to_none=True)
        fetch = source.blank(size)
        return _Graph(fetch, loss, self._device.capture(lambda: loss.copy_(self.plain(fetch))))


@torch.no_grad()
def settle(optimizer: torch.optim.Optimizer) -> None:
    """Makes the optimizer's tensors, as zeros, before a step is captured. Leaves the weights as they are.

    An optimizer makes them in its first step: inside a capture, anew at each replay. Sgd, adam, adamw and rmsprop
    begin with zeros, and a step on gradients of zero without weight decay moves nothing.
    """
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.0
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for group, decay in zip(optimizer.param_groups, decays, strict=True):
        group["weight_decay"] = decay
    for state in optimizer.state.values():
        for kept in state.values():
            if isinstance(kept, torch.Tensor):
                kept.zero_()
    optimizer.zero_grad(set_to_none=True)
