"""Intel GPUs. Written against the documentation of torch.xpu, tested with a fake only: no such card has run it yet."""

from types import ModuleType

import torch

from bench.registry import device
from bench.worker.devices.base import USE_EAGER
from bench.worker.devices.cards import TorchCard


@device("xpu")
class Xpu(TorchCard):
    """The first Intel GPU; xpu:1 is the second."""

    name = "xpu"
    rank = 15
    depends_on = ("/dev/dri/renderD*", "$ZE_AFFINITY_MASK")
    how_marks, counts_steps = "XPU events", True

    @property
    def backend(self) -> ModuleType:
        return torch.xpu

    def missing(self) -> str:
        # Asked first: a torch without XPU has not all of the functions.
        if not torch.xpu._is_compiled():
            return "xpu: this torch was built without XPU; install a build for Intel GPUs"
        return "" if torch.xpu.is_available() else "xpu: no Intel GPU on this machine"

    def cannot(self, precision: str) -> str:
        if precision == "tf32":
            return "tf32 is a mode of NVIDIA tensor cores: not on XPU"
        return ""

    def cannot_compile(self) -> str:
        return f"torch.compile on XPU was never tried with this bench: {USE_EAGER.removeprefix('or ')}"
