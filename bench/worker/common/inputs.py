"""Models that write into the images that they are given: x.sub_(0.5), an in-place activation or dropout as first layer.

The images of a test set lie in memory once, and batches are views of them: what a model writes there, everyone who
comes later would read. Such a model is found before the trial trains, and gets a copy of each batch; no other does.
"""

import torch
from torch import nn


class Given:
    """A copy of images (N, C, H, W) that a model is called with, to see whether it writes into it.

    torch counts the writes to a tensor. Those through `.data` or NumPy it does not count: they are seen by their
    values.
    """

    def __init__(self, images: torch.Tensor) -> None:
        self._original, self.images = images, images.clone()
        self._before = self.images._version

    @property
    def written_to(self) -> bool:
        """Whether somebody wrote into the copy."""
        return self.images._version != self._before or not torch.equal(self.images, self._original)


def give_own_memory(model: nn.Module, *, in_training: bool) -> None:
    """From now on `model` gets a copy of each batch, wherever it is called.

    `in_training`: also in training mode. It is False where each step gathers its batch anew: that memory is its own.
    """

    def copy(module: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if module.training and not in_training:
            return None
        return given[0].clone(), *given[1:]

    # Before those of the model itself, which may write too.
    model.register_forward_pre_hook(copy, prepend=True)


class WroteLate(Exception):  # the run that catches it trains anew
    """The model changed images of the trial's data: it writes into its input, and did not when it was tried."""

    def __init__(self) -> None:
        super().__init__("the model wrote into the images that it was given; begin its forward with x = x.clone()")


def notice_write(images: torch.Tensor, *, before: int) -> None:
    """Raises WroteLate where `images` were written to since their version was `before`."""
    if images._version != before:
        raise WroteLate
