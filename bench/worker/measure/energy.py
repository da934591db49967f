"""Energy over the timed blocks, from counters of the hardware; each device has its own, RAPL is that of a processor.

A counter that cannot be read, or that moves more slowly than the blocks do, gives nothing: energy is measured or
empty, never estimated from a sampled power (nvidia-smi samples a quarter of the time: arXiv 2312.02741).
Both read everything that the card or the processor did, not this process alone.
"""

import re
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
PACKAGE, MEMORY = re.compile(r"intel-rapl:\d+"), re.compile(r"intel-rapl:\d+:\d+")


class Meter(ABC):
    """A counter of energy that only grows. It cannot measure blocks shorter than `resolution_seconds`."""

    how: str
    resolution_seconds: float

    @abstractmethod
    def joules(self) -> float:
        """Total so far, from wherever the counter began. Raises OSError where it no longer answers."""


class RaplMeter(Meter):
    """Packages and their memory, by the kernel's powercap interface (Documentation/power/powercap).

    A counter starts again at 0 after `max_energy_range_uj`, some minutes of full load apart: it is read more often.
    """

    how = "RAPL counters of processor packages and their memory, over the timed blocks"
    resolution_seconds = 0.001

    def __init__(self, folder: Path = POWERCAP) -> None:
        """Raises OSError where there is no counter, or where it may not be read."""
        self._zones = []
        for zone in sorted(folder.glob("intel-rapl:*")):
            # Packages, and what of their parts is not in them: memory. `psys` holds the packages, so it is none.
            name = (zone / "name").read_text().strip()
            package = PACKAGE.fullmatch(zone.name) and name.startswith("package")
            if package or (MEMORY.fullmatch(zone.name) and name == "dram"):
                self._zones.append(_Zone(zone))
        if not self._zones:
            raise OSError("this machine shows no RAPL counter under /sys/class/powercap")

    def joules(self) -> float:
        return sum(zone.microjoules() for zone in self._zones) / 1e6


class _Zone:
    """One counter. Where it starts again at 0, the total goes on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last, self._total = self._read(), 0

    def microjoules(self) -> int:
        now = self._read()
        grown = now - self._last
        self._total += grown if grown >= 0 else grown + self._range
        self._last = now
        return self._total

    def _read(self) -> int:
        try:
            return int(self._file.read_text())
        except PermissionError as error:
            raise OSError(f"{self._file} may be read by root only (chmod o+r on it lets anybody)") from error


@dataclass(slots=True)
class Energy:
    """Joules of each timed block. Without a meter it stays empty, and `why_not` says why."""

    meter: Meter | None = None
    why_not: str = ""
    block_joules: list[float] = field(default_factory=list)
    _before: float | None = None

    def block_begins(self) -> None:
        self._before = self._read()

    def block_ends(self) -> None:
        before, self._before = self._before, self._read()
        if before is not None and self._before is not None:
            self.block_joules.append(self._before - before)

    def _read(self) -> float | None:
        """The counter now. One that no longer answers is given up, with all that it said."""
        if self.meter is None:
            return None
        try:
            return self.meter.joules()
        except (OSError, ValueError) as error:
            self.meter, self.why_not, self.block_joules = None, str(error), []
            return None

    def joules(self, block_seconds: list[float]) -> float | None:
        """Over all blocks; None, and the reason in `why_not`, where there is no figure to be trusted."""
        if self.meter is None or not self.block_joules:
            return None
        typical = statistics.median(block_seconds)
        if typical < self.meter.resolution_seconds:
            self.why_not = (
                f"blocks last {typical * 1e3:.1f} ms, and the counter moves every {self.meter.resolution_seconds:g} s"
            )
            return None
        if not any(self.block_joules):
            self.why_not = "the counter did not move"
            return None
        return sum(self.block_joules)

    @property
    def how(self) -> str:
        """The instrument, or why there is no figure."""
        return f"not measured: {self.why_not}" if self.why_not or self.meter is None else self.meter.how


def open_energy(open_meter: Callable[[], Meter]) -> Energy:
    """Opens the counter of a trial's device. An OSError of `open_meter` says why there is none."""
    try:
        return Energy(open_meter())
    except (OSError, ValueError) as error:
        return Energy(why_not=str(error))
