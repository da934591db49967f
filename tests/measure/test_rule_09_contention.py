"""Rule 9: other work on the machine is seen. Burners beside a trial flag it; alone on a quiet machine it is not."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.base import kernel
from bench.base.records import Component, Result
from bench.worker.measure import contention
from bench.worker.measure.contention import Contention, Counters

SUITE = """
dataset = [{ name = "synthetic", train = 2560, test = 10 }]
model = [{ name = "waits", milliseconds = 2 }]
device = ["cpu"]
[train]
epochs = 6
threads = 1
"""
BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(100_000): pass"


# What other programs may use of one core for the machine to be called quiet, in per cent.
QUIET_PERCENT = 25


@contextmanager
def burners() -> Iterator[None]:
    """Two busy processes a core."""
    running = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def is_flagged(result: Result) -> bool:
    assert result.status == "ok", result.traceback
    flagged = any(note.startswith("not alone") for note in result.validity_notes)
    assert not flagged or result.valid is False
    return flagged


def test_a_trial_with_burners_beside_it_is_flagged(bench: Any) -> None:
    if contention.run_queue_wait_seconds() is None:
        pytest.skip("this kernel does not say how long a thread waits for a core")
    with burners():
        (result,) = bench.run(SUITE)
    assert is_flagged(result), result.validity_notes
    # The scheduler may leave a trial of half a second a core of its own: then the pressure tells.
    wall = sum(result.samples["epoch_seconds"])
    waited = sum(result.samples["contention_wait_seconds"]) > 0.05 * wall
    pressed = sum(result.samples.get("contention_pressure_seconds", [])) > 0.2 * wall
    assert waited or pressed
    assert sum(result.samples["contention_involuntary_switches"]) > 0


def once_on_a_quiet_machine(holds: Callable[[], bool]) -> None:
    """Where others are busy a trial is rightly flagged: then what holds when it is alone cannot be shown."""
    tried = 0
    for _ in range(8):
        if not is_quiet():
            continue
        if holds():
            return
        tried += is_quiet()
        assert tried < 3, "it did not hold, though the machine was quiet before and after it"
    pytest.skip("this machine is never quiet: other programs run on it")


def is_quiet() -> bool:
    return psutil.cpu_percent(interval=0.5) * (os.cpu_count() or 1) < QUIET_PERCENT


def test_alone_on_a_quiet_machine_it_is_not(bench: Any) -> None:
    once_on_a_quiet_machine(lambda: not is_flagged(bench.run(SUITE, "--fresh")[-1]))


def test_a_trial_that_sleeps_has_waited_for_no_core(run_trial: Any, register: Any) -> None:
    """CPU time over wall time would flag it."""
    import time

    from torch import nn

    class Sleeps(nn.Sequential):
        def forward(self, x: Any) -> Any:
            time.sleep(0.005)
            return super().forward(x)

    register("sleeps", lambda shape, classes: Sleeps(nn.Flatten(), nn.Linear(64, classes)))
    data = Component("synthetic", {"train": 640, "test": 10})

    def unflagged() -> bool:
        notes = run_trial("sleeps", dataset=data, train={"epochs": 3}).validity_notes
        return not any("waited for a core" in note for note in notes)

    once_on_a_quiet_machine(unflagged)


def test_a_quota_that_is_used_up_is_read_from_either_version_of_cgroups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("usage_usec 5\nnr_periods 10\nnr_throttled 2\nthrottled_usec 1500000\n")
    old.write_text("nr_periods 10\nnr_throttled 2\nthrottled_time 250000000\n")
    monkeypatch.setattr(contention, "_cpu_stats", lambda: (new, old))
    assert contention.throttled_seconds() == 1.75
    new.write_text("usage_usec 5\n")  # the root of cgroups v2 has no quota
    assert contention.throttled_seconds() == 0.25
    monkeypatch.setattr(contention, "_cpu_stats", tuple)
    assert contention.throttled_seconds() is None


@pytest.mark.parametrize(("milliseconds", "is_flagged"), [(2.0, True), (0.1, False)])
def test_a_trial_whose_quota_is_used_up_is_flagged(
    run_trial: Any,
    register: Any,
    own_clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    milliseconds: float,
    is_flagged: bool,
) -> None:
    """Epochs of 50 ms by a clock of our own, in each of which the quota was used up for 2 ms, or for 0.1."""
    from torch import nn

    class Takes(nn.Sequential):
        def forward(self, x: Any) -> Any:
            own_clock.pass_by(0.01 if self.training else 0.0)
            return super().forward(x)

    readings = itertools.count(step=milliseconds / 1e3)
    monkeypatch.setattr(contention, "throttled_seconds", lambda: next(readings))
    register("takes", lambda shape, classes: Takes(nn.Flatten(), nn.Linear(64, classes)))
    outcome = run_trial("takes")
    found = any(note.startswith("throttled: the container's CPU quota") for note in outcome.validity_notes)
    assert found == is_flagged
    assert outcome.samples["contention_throttled_seconds"] == [pytest.approx(milliseconds / 1e3)] * 2


def test_pressure_is_the_total_of_the_line_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cpu"
    path.write_text("some avg10=0.59 avg60=1.16 avg300=0.46 total=92586725\nfull avg10=0.00 total=7\n")
    monkeypatch.setattr(kernel, "PRESSURE", path)
    assert contention.pressure_seconds() == 92.586725
    monkeypatch.setattr(kernel, "PRESSURE", tmp_path / "none")
    assert contention.pressure_seconds() is None


def test_what_the_kernel_does_not_say_is_left_out_never_0() -> None:
    found = Contention()
    found.add(before=Counters(wait_seconds=1.0), after=Counters(wait_seconds=1.5), wall_seconds=1.0)
    found.add(before=Counters(wait_seconds=9.0), after=Counters(wait_seconds=8.0), wall_seconds=1.0)  # a thread ended
    assert found.over_wall("wait_seconds") == 0.25
    assert found.samples() == {"contention_wait_seconds": [0.5, 0.0]}
    assert found.over_wall("throttled_seconds") is None
    found.add(before=Counters(), after=Counters(wait_seconds=1.0), wall_seconds=1.0)
    assert found.over_wall("wait_seconds") is None
    assert found.samples() == {}
