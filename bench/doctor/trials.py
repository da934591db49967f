"""The trials that the doctor runs: ordinary ones, with the instruments' models, and another process beside them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench.base.cache import cache_folder
from bench.base.records import Component, Json, MeasureSettings, TrainSettings, Trial
from bench.execute.executors.local import Executor
from bench.statistics.batch_means import half_widths
from bench.suite.catalogue import HOST, DeviceInfo

INSTRUMENTS = "bench.worker.measure.instruments"
TIMEOUT_SECONDS = 60.0
BURNER_SECONDS = 60.0

# Ends with its parent, whatever becomes of that, and by itself after a while.
_BURNER = """
import os, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
parent, stop = os.getppid(), time.monotonic() + float(sys.argv[2])
print(flush=True)
while os.getppid() == parent and time.monotonic() < stop:
    for _ in range(100_000):
        pass
"""


class TrialFailed(Exception):
    """A trial of the doctor's did not come to its end."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics, samples and notes of a trial."""

    metrics: Mapping[str, float]
    samples: Mapping[str, list[float]]
    notes: tuple[str, ...]

    @property
    def disturbed_by(self) -> list[str]:
        """The notes that say that something else was on the machine."""
        return [note for note in self.notes if note.startswith(("not alone", "throttled"))]

    @property
    def half_width(self) -> float:
        """Of the 95 % interval of its steps a second, over those; NaN where its blocks give none."""
        seconds, steps = self.samples["block_seconds"], self.samples["block_steps"]
        return float(half_widths(seconds, steps, counts=[len(seconds)])[0])

    @property
    def samples_per_second(self) -> float:
        return self.metrics["train_samples_per_second"]

    @property
    def fastest_step_seconds(self) -> float:
        """Seconds of a step in the fastest block."""
        blocks = zip(self.samples["block_seconds"], self.samples["block_steps"], strict=True)
        return min(seconds / steps for seconds, steps in blocks)


class Bench:
    """Runs one trial after the other through the executor that `bench run` uses."""

    def __init__(self, executor: Executor, devices: Mapping[str, DeviceInfo]) -> None:
        self._executor, self._devices = executor, devices

    def is_host(self, device: str) -> bool:
        """Whether what a trial on `device` allocates is memory of the host."""
        return self._devices[device].is_host

    def trial(
        self,
        model: str,
        settings: Mapping[str, Json] | None = None,
        *,
        device: str = HOST,
        samples: int = 1024,
        test: int = 64,
        batch_size: int = 64,
        warmup_steps: int = 10,
        **train: Json,
    ) -> Measured:
        """Train on `samples` made images of 8×8; `train`: fields of TrainSettings. Raises TrialFailed with the reason.

        One thread unless `train` says otherwise: a second one that has nothing to do would only wait for a core.
        """
        trial = Trial(
            Component("synthetic", {"train": samples, "test": test}),
            Component(model, settings or {}),
            seed=0,
            batch_size=batch_size,
            device=device,
            train=TrainSettings(**{"threads": 1, **train}),
            measure=MeasureSettings(warmup_steps=warmup_steps, timing_seconds=0),  # what is counted is its training
        )
        known = self._devices.get(device)  # the instruments' own device is in no catalogue
        request: dict[str, Json] = {
            "trial": trial.to_json(),
            "data_root": str(cache_folder()),
            "locations": {},
            "plugins": [INSTRUMENTS],
            "artifact": None,
            "attributes": {},
            "log": None,
            **(known.needs if known else {}),
        }
        ending = self._executor.run(request, timeout_seconds=TIMEOUT_SECONDS, on_progress=lambda what: None)
        outcome = ending.outcome or {"status": ending.status, "reason": ending.reason}
        if outcome["status"] != "ok":
            raise TrialFailed(f"the trial of {model} ended as {outcome['status']}: {outcome['reason']}")
        return Measured(outcome["metrics"], outcome["samples"], tuple(outcome["validity_notes"]))


@contextmanager
def burner(cpu: int) -> Iterator[None]:
    """A process that keeps the core `cpu` busy until the block is left."""
    command = [sys.executable, "-I", "-S", "-c", _BURNER, str(cpu), str(BURNER_SECONDS)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        yield
    finally:
        process.kill()
        process.communicate()


def some_core() -> int:
    """A core that this process may use: the last one, since interrupts tend to be served by the first."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
