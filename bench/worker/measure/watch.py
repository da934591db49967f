"""What is read beside the clock while a trial trains, between timed blocks: contention, the device, energy."""

import time
from dataclasses import dataclass, field
from typing import Any

from bench.worker.common import checked
from bench.worker.devices.base import Device, DeviceWatch
from bench.worker.measure import contention
from bench.worker.measure.contention import Contention, Counters
from bench.worker.measure.energy import Energy, open_energy


@dataclass(slots=True)
class Watch:
    """The instruments of one trial. A loop that only warms up has one of its own, with contention alone."""

    device: DeviceWatch = field(default_factory=DeviceWatch)
    energy: Energy | None = None
    contention: Contention = field(default_factory=Contention)
    instruments: dict[str, str] = field(default_factory=dict)
    _before: Counters = field(default_factory=Counters)
    _began: int = 0
    _counts: bool = True

    @classmethod
    def over(cls, device: Device, *, energy: bool) -> "Watch":
        """Open what there is for `device`. Raises nothing: what is not there is said in `instruments`."""
        watch = cls(device.watch(), open_energy(device.energy_meter) if energy else None)
        if how := watch.device.how_process_bytes:
            watch.instruments["device_process_bytes"] = how
        return watch

    def stretch_begins(self, *, leads_in: bool = False) -> None:
        """Called where an epoch begins, or a turn in its midst; `leads_in`: with steps that are not timed."""
        self.device.stretch_begins()
        self._begin(counts=not leads_in)

    def lead_in_ends(self) -> None:
        """Called where timed steps begin. What the threads waited before disturbed nothing that is timed: they wake
        while whoever gave the turn is still awake."""
        self._begin(counts=True)

    def stretch_ends(self) -> None:
        if self._counts:
            wall_seconds = (time.perf_counter_ns() - self._began) / 1e9
            self.contention.add(before=self._before, after=contention.read(), wall_seconds=wall_seconds)
        self.device.stretch_ends()

    def _begin(self, *, counts: bool) -> None:
        self._counts, self._before, self._began = counts, contention.read(), time.perf_counter_ns()

    @property
    def reads_blocks(self) -> bool:
        """Whether something is to be read before and after each block; nothing is by default."""
        return self.energy is not None and self.energy.meter is not None

    def block_begins(self) -> int:
        """Reads the counter of energy before a block. Returns the nanoseconds that this took."""
        start = time.perf_counter_ns()
        if self.energy is not None:
            self.energy.block_begins()
        return time.perf_counter_ns() - start

    def block_ends(self) -> None:
        if self.energy is not None:
            self.energy.block_ends()

    def metrics(self, *, block_seconds: list[float], samples: int) -> dict[str, float | None]:
        """Energy and memory of the process on the device; None where they were not measured."""
        joules = None
        if self.energy is not None:
            joules = self.energy.joules(block_seconds)
            self.instruments["energy_joules"] = self.energy.how
        return {
            "energy_joules": joules,
            "energy_joules_per_sample": joules / samples if joules is not None and samples else None,
            "device_process_bytes": self.device.process_bytes,
        }

    def state_dict(self) -> dict[str, Any]:
        """What was read so far."""
        energy = self.energy
        return {
            "wall_seconds": self.contention.wall_seconds,
            "stretches": [checked.flat(each) for each in self.contention.stretches],
            "device": self.device.state_dict(),
            "block_joules": energy.block_joules if energy and energy.meter else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind what a process before this one read. Raises ValueError where it is no such thing."""
        wall = checked.numbers(state["wall_seconds"])
        stretches = checked.all_built(Counters, state["stretches"])
        joules = None if state["block_joules"] is None else checked.numbers(state["block_joules"])
        checked.same_length({"wall_seconds": wall, "stretches": stretches})
        self.device.load_state_dict(checked.mapping(state["device"]))
        self.contention.wall_seconds, self.contention.stretches = wall, stretches
        if self.energy is not None and joules is not None:
            self.energy.block_joules = joules
        elif self.energy is not None and self.energy.meter is not None and wall:
            self.energy.meter, self.energy.why_not = None, "there was no counter before the trial was resumed"

    def samples(self) -> dict[str, list[float]]:
        """Raw readings: one number a stretch or a block."""
        found = self.contention.samples() | self.device.samples()
        return found | ({"block_joules": self.energy.block_joules} if self.energy and self.energy.block_joules else {})
