"""What every kind of device answers. A new device is one class in one file: docs/new-device.md has an example."""

import os
import shutil
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from bench.base.records import Json
from bench.worker.measure.energy import Meter

USE_EAGER = "or use engine 'eager'"


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Peaks in bytes since `reset_memory`, over the baseline there; None where the device has no such figure."""

    allocated: int | None = None
    reserved: int | None = None
    how: str = ""


class DeviceWatch:
    """What a device tells of itself while a trial trains. It is read before and after each epoch, never in a block.

    This one tells nothing. `how_process_bytes`: how `process_bytes` was read, or why it was not; empty where the
    device has no such figure.
    """

    mates = 0  # processes of the same run that sleep meanwhile and may hold memory of the device

    def __init__(self, how_process_bytes: str = "") -> None:
        self.how_process_bytes = how_process_bytes

    def stretch_begins(self) -> None:
        """Called while the device is idle."""

    def stretch_ends(self) -> None:
        """Called right after the last step."""

    @property
    def process_bytes(self) -> int | None:
        """The most memory of the device that this process held at the end of an epoch."""
        return None

    def notes(self) -> list[str]:
        """Why timings on the device are doubtful, one line each."""
        return []

    def samples(self) -> dict[str, list[float]]:
        """Raw readings, one number an epoch."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What was read so far, for a checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind what a process before this one read. Raises ValueError where it is no such thing."""


class Device(ABC):
    """One kind of device: is it there, wait until it is done, what does it hold, what can it do.

    A subclass has no state but its memory baseline and costs nothing to build: asking `unavailable` is what may
    touch a driver. What the parent process has to know of a device is sent to it as plain data (`bench list devices`).
    """

    name: str
    torch_name: str = ""  # what torch calls it, where that is another name

    # --- What the parent plans with ---
    # device = "auto" takes the device with the highest rank that is there.
    rank: int = 0
    # The processor of the host: its memory is the host's, and an operation is done when its call returns.
    is_host: bool = False
    # Whether a trial on it may run in a process that was forked after torch was imported.
    fork_is_safe: bool = True
    # How many of the GPUs that Ray counts a trial on it takes.
    ray_gpus: int = 0
    # Rows of the square matrices whose product `bench doctor` takes for the peak of a device that is not the host.
    peak_rows: int = 8192
    # Whether there may be several, which NAME:0, NAME:1 and so on choose; NAME alone is the first.
    numbered: bool = False
    # What the answers of the device depend on: `$NAME` is a variable, `/dev/name*` files by their names, any other path
    # a file by its content. Where one of them changes, the device is asked again.
    depends_on: tuple[str, ...] = ()

    # Which one of several; None: the first.
    number: int | None = None

    # --- What a trial goes by ---
    # Variables of the environment that its libraries read when they start; what the user has set stands.
    variables: ClassVar[Mapping[str, str]] = {}
    # Seconds that a block of steps should last at least: long enough that reading the clock, with the
    # synchronisation that this takes, costs less than 0.01 % of it.
    block_seconds: float = 0.02
    # How `mark` is read, in words; empty where there is none.
    how_marks: str = ""
    # Whether `hold` is there: on a device that does its work later than it is asked for.
    can_hold: bool = False
    # Whether torch's optimizers have to count their steps on the device, so that `capture` can hold one.
    counts_steps: bool = False

    @property
    def torch_device(self) -> torch.device:
        """The device as torch knows it."""
        kind = self.torch_name or self.name.partition(":")[0]
        return torch.device(kind if self.number is None else f"{kind}:{self.number}")

    def count(self) -> int:
        """How many there are, of a device that is numbered."""
        return 0

    def take(self, number: int) -> None:
        """Be the one of this number, and called so."""
        self.number, self.name = number, f"{self.name}:{number}"

    def start(self) -> None:
        """Called once in a trial's process, where the device is there, before anything else is asked of it."""

    @abstractmethod
    def unavailable(self) -> str:
        """Empty where the device can be used here, else one line that says why not and what to do."""

    @abstractmethod
    def describe(self) -> str:
        """What the device is, in words: the card or the processor."""

    def label(self) -> str:
        """What the conditions of a report call it."""
        return f"device {self.name}"

    def facts(self) -> Mapping[str, Json]:
        """What of the device can change a timing, beside what is known of every machine: results with other facts are
        of another environment."""
        return {}

    def has_driver(self) -> bool:
        """Whether the first backward pass of any process here would start its driver and a thread for it."""
        return False

    @abstractmethod
    def synchronize(self) -> None:
        """Return when everything that was asked of the device is done."""

    @abstractmethod
    def reset_memory(self) -> None:
        """Start a new peak; what is held now is the baseline."""

    @abstractmethod
    def memory(self) -> DeviceMemory:
        """Peaks since the last reset, over its baseline."""

    def observe_memory(self) -> None:
        """Called between blocks: a device that keeps no peak takes a sample."""

    def resume_memory(self) -> None:
        """Start a new peak over the old baseline."""

    def watch(self) -> DeviceWatch:
        """What the device tells of itself while a trial trains: clocks, other processes."""
        return DeviceWatch()

    def energy_meter(self) -> Meter:
        """The counter of the energy that the device takes. Raises OSError, in one line, where there is none."""
        raise OSError(f"no energy counter is known for {self.name}")

    def mark(self) -> Any:
        """This moment in the order of the device's work, for `seconds_between`; None where it has no such thing."""
        return None

    def seconds_between(self, start: Any, end: Any) -> float:
        """Seconds that the device took from one mark to another. Both have to be over: synchronize before."""
        raise NotImplementedError(f"{self.name} gives no marks")

    def hold(self, seconds: float) -> None:
        """Give the device something to do that takes at least so long: what is asked of it next piles up behind it."""
        raise NotImplementedError(f"{self.name} cannot be held")

    def generator_state(self) -> torch.Tensor | None:
        """State of the device's own generator of random numbers, (n,) uint8 on the host; None where it has none."""
        return None

    def set_generator_state(self, state: torch.Tensor) -> None:
        """Put the generator where `generator_state` found it."""

    def cannot(self, precision: str) -> str:
        """Why a precision cannot be had here, in one line; empty where it can."""
        return ""

    def set_precision(self, precision: str) -> None:
        """Switch what `precision` needs on the device beyond autocast (tf32). Nothing by default."""

    def set_deterministic(self, deterministic: bool) -> None:
        """Ask the device's libraries for deterministic algorithms, or allow them to search for fast ones."""

    def cannot_compile(self) -> str:
        """Why torch.compile makes no code for it here (engine 'compiled'), in one line; empty where it does."""
        return f"torch.compile is a prototype on {self.name}: use engine 'eager'"

    def cannot_capture(self) -> str:
        """Why operations cannot be captured and replayed here (engine 'cudagraph'), in one line; empty: they can."""
        return f"{self.name} has no graphs of launches that could be captured: use engine 'eager'"

    def aside(self, call: Callable[[], object]) -> None:
        """Run `call` beside what else was asked of the device (on a stream of its own), and wait until it is done."""
        call()
        self.synchronize()

    def capture(self, call: Callable[[], object]) -> Callable[[], None]:
        """Record what `call` asks of the device, without running it; returns the call that runs it."""
        raise NotImplementedError(self.cannot_capture())


def missing_compiler(variable: str, *, default: str) -> str:
    """Why the compiler that `variable` of the environment names cannot be used, in one line; empty where it can."""
    compiler = os.environ.get(variable, default)
    if shutil.which(compiler) is None:
        return f"no compiler {compiler!r}: install it, or set {variable} to another one, {USE_EAGER}"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"no Python.h: install the headers of this Python (python3-dev), {USE_EAGER}"
    return ""
