"""An NVIDIA card as NVML sees it: clocks, why they are throttled, who else is on it, its energy.

The card's settings are left alone. Tested with a fake NVML only: no GPU has run this yet.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.worker.common import checked
from bench.worker.devices.base import DeviceWatch
from bench.worker.measure.energy import Meter

# A clock below this share of the highest that the card may take is flagged.
CLOCK_SHARE = 0.90
# Bits of nvmlClocksEventReasons (nvml.h) that say that the card is held back; clocks that somebody set, and the idle
# bit, are none of them.
REASONS: Mapping[int, str] = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
}
IDLE, SET_BY_SOMEBODY = 0x01, 0x02


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the card; None where NVML does not say. `own_bytes`: memory of this process, context and all."""

    sm_mhz: int | None = None
    highest_mhz: int | None = None
    reasons: int | None = None
    processes: int | None = None
    own_bytes: int | None = None


class Card:
    """One card, opened. NVML stays open until the process ends."""

    def __init__(self, uuid: str) -> None:
        """`uuid` as NVML writes it, GPU-…. Raises OSError where there is no such card or no NVML, in one line."""
        if not uuid:
            raise OSError("no card that NVML knows (cuda)")
        try:
            import pynvml
        except ImportError as error:
            raise OSError("NVML cannot be asked: nvidia-ml-py is not installed") from error
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        except pynvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from error

    def read(self) -> Reading:
        processes = self.ask("nvmlDeviceGetComputeRunningProcesses")
        own = [each for each in processes or () if each.pid == os.getpid()]
        if not own and processes and len(processes) == 1:
            own = processes  # its id is one of another namespace, as in a container
        reasons = self.ask("nvmlDeviceGetCurrentClocksEventReasons")
        if reasons is None:
            reasons = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        # Where somebody has set a clock for applications, the card can do no more than that.
        highest = "ApplicationsClock" if (reasons or 0) & SET_BY_SOMEBODY else "MaxClockInfo"
        return Reading(
            sm_mhz=self.ask("nvmlDeviceGetClockInfo", self._nvml.NVML_CLOCK_SM),
            highest_mhz=self.ask(f"nvmlDeviceGet{highest}", self._nvml.NVML_CLOCK_SM),
            reasons=reasons,
            processes=None if processes is None else len(processes),
            own_bytes=own[0].usedGpuMemory if own else None,
        )

    def ask(self, name: str, *arguments: Any) -> Any:
        """None where the card, the driver or this version of the library does not answer it."""
        try:
            return getattr(self._nvml, name)(self._handle, *arguments)
        except (self._nvml.NVMLError, AttributeError):
            return None


class CardMeter(Meter):
    """The card's own counter, which NVML brings up to date every 20 to 100 ms (Volta and newer)."""

    how = "NVML's total energy counter of the card, over the timed blocks"
    resolution_seconds = 0.1

    def __init__(self, card: Card) -> None:
        self._card = card
        self.joules()

    def joules(self) -> float:
        millijoules = self._card.ask("nvmlDeviceGetTotalEnergyConsumption")  # since the driver was loaded
        if millijoules is None:
            raise OSError("this card has no energy counter (Volta and newer have)")
        return float(millijoules / 1e3)


class CardWatch(DeviceWatch):
    """What was read of a card over the epochs of a trial. `before` is taken idle, `after` right after the last step."""

    def __init__(self, card: Card) -> None:
        super().__init__("NVML, memory of this process, sampled at the end of each epoch")
        self.card = card
        self.before: list[Reading] = []
        self.after: list[Reading] = []

    def stretch_begins(self) -> None:
        self.before.append(self.card.read())

    def stretch_ends(self) -> None:
        self.after.append(self.card.read())

    @property
    def process_bytes(self) -> int | None:
        return max((each.own_bytes for each in self.after if each.own_bytes is not None), default=None)

    def notes(self) -> list[str]:
        found = []
        if slow := self._slow():
            found.append(slow)
        others = max((each.processes or 0 for each in [*self.before, *self.after]), default=0) - 1 - self.mates
        if others > 0:
            found.append(f"not alone: {others} other process{'es' if others > 1 else ''} on the GPU")
        return found

    def _slow(self) -> str:
        """Held back: a reason that the card itself gives at either end of an epoch, or a low clock under load."""
        bits = 0
        for each in [*self.before, *self.after]:
            bits |= each.reasons or 0
        if given := [name for bit, name in REASONS.items() if bits & bit]:
            return f"throttled: {', '.join(given)}"
        share = min((share for each in self.after if (share := clock_share(each)) is not None), default=1.0)
        return f"throttled: the GPU's clock was at {share:.0%} of its highest" if share < CLOCK_SHARE else ""

    def samples(self) -> dict[str, list[float]]:
        """One number an epoch: clock in MHz and reasons (bits), right after the last step."""
        found = {
            "gpu_sm_mhz": [each.sm_mhz for each in self.after],
            "gpu_throttle_reasons": [each.reasons for each in self.after],
        }
        return {name: [float(v) for v in values if v is not None] for name, values in found.items() if any(values)}

    def state_dict(self) -> dict[str, Any]:
        return {name: [checked.flat(each) for each in getattr(self, name)] for name in ("before", "after")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.before, self.after = (checked.all_built(Reading, state[name]) for name in ("before", "after"))


def clock_share(reading: Reading) -> float | None:
    """The clock over the highest one; None where either is not known, or where the card was idle: it then sleeps."""
    if not reading.sm_mhz or not reading.highest_mhz or (reading.reasons or 0) & IDLE:
        return None
    return reading.sm_mhz / reading.highest_mhz
