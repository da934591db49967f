"""NVIDIA GPUs, and AMD's under ROCm, which torch calls cuda too. CUDA_VISIBLE_DEVICES chooses which are there."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import torch

from bench.registry import device
from bench.worker.devices.base import USE_EAGER, DeviceWatch, missing_compiler
from bench.worker.devices.cards import TorchCard
from bench.worker.devices.nvidia import Card, CardMeter, CardWatch

# More than any card's clock: to wait for so many cycles takes a second, or longer.
CYCLES_PER_SECOND = 3e9
DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))  # NVIDIA's, and AMD's


@device("cuda")
class Cuda(TorchCard):
    """The first card that is visible; cuda:1 is the second."""

    name = "cuda"
    rank, ray_gpus = 20, 1
    depends_on = ("/dev/nvidia*", "/proc/driver/nvidia/version", "$CUDA_VISIBLE_DEVICES")
    # Without it cuBLAS refuses to be deterministic.
    variables: ClassVar[Mapping[str, str]] = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    how_marks, can_hold, counts_steps = "CUDA events", True, True

    @property
    def backend(self) -> ModuleType:
        return torch.cuda

    def missing(self) -> str:
        if not torch.backends.cuda.is_built():
            return "cuda: this torch was built without CUDA; install a CUDA build of torch"
        return "" if torch.cuda.is_available() else "cuda: no CUDA device on this machine"

    def label(self) -> str:
        return f"GPU ({self.name}{', ROCm' if torch.version.hip else ''}): {self.describe()}"

    def has_driver(self) -> bool:
        return any(path.exists() for path in DRIVERS)

    def hold(self, seconds: float) -> None:
        # A kernel that counts cycles. torch's own tests stand on it; there is no public name for it.
        torch.cuda._sleep(int(seconds * CYCLES_PER_SECOND))

    def uuid(self) -> str:
        """What NVML calls the card, GPU-…; empty where torch does not say."""
        # Not by its number: CUDA counts the visible cards, the fastest first, NVML all of them by their bus.
        found = str(getattr(torch.cuda.get_device_properties(self.index), "uuid", ""))
        return found if not found or found.startswith(("GPU-", "MIG-")) else f"GPU-{found}"

    def watch(self) -> DeviceWatch:
        try:
            return CardWatch(Card(self.uuid()))
        except OSError as error:
            return DeviceWatch(f"not measured: {error}")

    def energy_meter(self) -> CardMeter:
        return CardMeter(Card(self.uuid()))

    def cannot(self, precision: str) -> str:
        if precision == "tf32" and torch.cuda.get_device_capability(self.index) < (8, 0):
            return "cuda: tf32 needs compute capability 8.0 (Ampere) or newer"
        if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            return "cuda: bfloat16 needs compute capability 8.0 (Ampere) or newer"
        return ""

    def set_precision(self, precision: str) -> None:
        # The old switches, not `fp32_precision`: they are what torch 2.6 has, and mixing the two is refused.
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def cannot_compile(self) -> str:
        if importlib.util.find_spec("triton") is None:
            return f"torch.compile needs triton on CUDA: pip install triton, {USE_EAGER}"
        return missing_compiler("CC", default="gcc")

    def cannot_capture(self) -> str:
        return ""

    def aside(self, call: Callable[[], object]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            call()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()

    def capture(self, call: Callable[[], object]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            call()
        # The method keeps the graph, and with it the memory that it writes to.
        replay: Callable[[], None] = graph.replay
        return replay

    def set_deterministic(self, deterministic: bool) -> None:
        torch.backends.cudnn.deterministic = deterministic
        torch.backends.cudnn.benchmark = not deterministic
