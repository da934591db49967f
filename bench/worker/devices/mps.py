"""Apple GPUs. Written against the documentation of torch.mps and tested with a fake only: no Mac has run it yet."""

import torch

from bench.registry import device
from bench.worker.devices.base import Device, DeviceMemory


@device("mps")
class Mps(Device):
    """The GPU of an Apple machine. MPS keeps no peak: what is read between blocks is a sample, and is called so."""

    name = "mps"
    rank = 10
    fork_is_safe = False
    block_seconds = 0.2

    def __init__(self) -> None:
        self._baseline = self._largest = (0, 0)

    def unavailable(self) -> str:
        if not torch.backends.mps.is_built():
            return "mps: needs macOS on Apple silicon; this torch was built without it"
        if not torch.backends.mps.is_available():
            return "mps: needs macOS 12.3 or newer on Apple silicon; there is none here"
        return ""

    def describe(self) -> str:
        return "Apple GPU (MPS)"

    def synchronize(self) -> None:
        torch.mps.synchronize()

    def reset_memory(self) -> None:
        torch.mps.synchronize()
        torch.mps.empty_cache()
        self._baseline = self._largest = self._held()

    def observe_memory(self) -> None:
        held = self._held()
        self._largest = (max(self._largest[0], held[0]), max(self._largest[1], held[1]))

    def resume_memory(self) -> None:
        self._largest = self._held()

    def memory(self) -> DeviceMemory:
        self.observe_memory()
        allocated, reserved = (peak - base for peak, base in zip(self._largest, self._baseline, strict=True))
        return DeviceMemory(allocated, reserved, "sampled between blocks: MPS keeps no peak")

    def _held(self) -> tuple[int, int]:
        return torch.mps.current_allocated_memory(), torch.mps.driver_allocated_memory()

    def generator_state(self) -> torch.Tensor | None:
        return torch.mps.get_rng_state()

    def set_generator_state(self, state: torch.Tensor) -> None:
        torch.mps.set_rng_state(state)

    def cannot(self, precision: str) -> str:
        return "tf32 is a mode of NVIDIA tensor cores: not on MPS" if precision == "tf32" else ""
