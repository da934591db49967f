"""`--wait-quiet`: what is read, what is quiet, what is said, and what becomes of it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

import bench
from bench.analysis.conditions import environment_lines
from bench.analysis.sections import sections_of
from bench.errors import BenchError
from bench.execute import quiet
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor
from bench.execute.prepare import Options, read
from bench.execute.progress import Voice
from bench.execute.quiet import Counters, Reading, reading, wait_until_quiet
from bench.execute.run import run_here
from bench.execute.signals import Stopped
from bench.results.frame import latest
from bench.results.status import statuses
from bench.results.store import Store
from bench.worker.measure import validity

START = Counters(clock=100.0, busy=1000.0, own=3.0, pressure=50.0, cores=2)


class Machine:
    """Others use so many of two cores, and tasks wait for such a share of the time, in one window after the other; the
    last goes on. `own`: what this process uses meanwhile."""

    def __init__(self, *used: float, waits: Sequence[float | None] = (0.0,), own: float = 0.0) -> None:
        self.now, self.own, self.slept = START, own, list[float]()
        self.used = itertools.chain(used, itertools.repeat(used[-1]))
        self.waits = itertools.chain(waits, itertools.repeat(waits[-1]))
        if waits[-1] is None:
            self.now = replace(self.now, pressure=None)

    def read(self) -> Counters:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        waits = next(self.waits)
        self.now = Counters(
            clock=self.now.clock + seconds,
            busy=self.now.busy + seconds * (next(self.used) + self.own),
            own=self.now.own + seconds * self.own,
            pressure=None if waits is None or self.now.pressure is None else self.now.pressure + seconds * waits,
            cores=2,
        )

    def wait(self, seconds: float) -> list[str]:
        said: list[str] = []
        ended = wait_until_quiet(seconds, say=said.append, read=self.read, sleep=self.sleep)
        assert said[-1].startswith(ended)
        return said


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "load", lambda: 0.3)


def test_quiet_is_below_what_marks_a_trial_as_not_alone() -> None:
    assert quiet.QUIET_SHARE == validity.WAIT_SHARE
    assert quiet.QUIET_PRESSURE == validity.PRESSURE_SHARE


def test_a_quiet_machine_is_said_to_be_quiet() -> None:
    """Two readings of two seconds; one is not enough."""
    machine = Machine(0.04)
    assert machine.wait(300) == [
        "quiet after 4 s: 2 % of 2 cores in use by others, some task waited for one 0 % of the time, load 0.3"
    ]
    assert machine.slept == [2.0, 2.0]


def test_it_says_that_it_waits_once_and_when_it_begins() -> None:
    assert Machine(0.74, 0.9, 0.6, 0.0, 0.5, 0.04, waits=[0.41, 0.0]).wait(300) == [
        "waiting until the machine is quiet, 5 min at most: 37 % of 2 cores in use by others, some task waited for one "
        "41 % of the time, load 0.3 (quiet is below 5 % and 20 %)",
        "quiet after 14 s: 2 % of 2 cores in use by others, some task waited for one 0 % of the time, load 0.3",
    ]


@pytest.mark.parametrize(("seconds", "slept"), [(5.0, [2.0, 2.0, 1.0]), (1.0, [1.0]), (0.1, [0.5])])
def test_after_the_time_it_goes_on_and_says_so(seconds: float, slept: list[float]) -> None:
    machine = Machine(2.0)
    said = machine.wait(seconds)
    assert said[-1] == (
        f"not quiet after {max(seconds, 0.5):.0f} s: 100 % of 2 cores in use by others, some task waited for one 0 % "
        "of the time, load 0.3; it begins all the same: timings that this disturbs are marked, accuracies are not "
        "affected"
    )
    assert machine.slept == slept


@pytest.mark.parametrize(
    ("machine", "seconds"),
    [
        (Machine(0.0, 0.5), 4),  # a pause of one reading
        (Machine(0.0, waits=[0.25]), 4),  # a task waits, though others use little: a core is kept for them
        (Machine(0.125), 4),  # 6 %
    ],
)
def test_what_is_not_quiet(machine: Machine, seconds: float) -> None:
    assert machine.wait(seconds)[-1].startswith("not quiet after 4 s: ")


@pytest.mark.parametrize(
    "machine",
    [
        Machine(0.0, own=1.5),  # its own work is nobody else's
        Machine(0.0, waits=[None]),  # a kernel without PSI
        Machine(0.099, waits=[0.19]),
    ],
)
def test_what_is_quiet(machine: Machine) -> None:
    assert machine.wait(4)[-1].startswith("quiet after 4 s: ")


def test_where_the_kernel_does_not_say_what_waited_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "load", lambda: None)
    assert Machine(0.04, waits=[None]).wait(60) == ["quiet after 4 s: 2 % of 2 cores in use by others"]


def test_a_quiet_end_of_a_short_time_is_quiet() -> None:
    assert Machine(0.0).wait(1) == [
        "quiet after 1 s: 0 % of 2 cores in use by others, some task waited for one 0 % of the time, load 0.3"
    ]


@pytest.mark.parametrize("after", [START, replace(START, clock=102.0, busy=900.0, pressure=40.0)])
def test_clocks_that_stand_or_go_back_are_no_share_outside_of_0_to_1(after: Counters) -> None:
    assert reading(START, after) == Reading(0.0, 0.0, 2)
    assert reading(START, replace(START, busy=2000.0)).share == 1.0


TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")


def cpu(**values: float) -> Any:
    fields = dict.fromkeys(TIMES, 0.0) | values
    return SimpleNamespace(_asdict=lambda: fields)


def test_the_counters_are_of_the_cores_that_we_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle cores and cores that wait for a disk are not busy; what other guests of the host took is. A guest of this
    machine is in `user` already."""
    of_each = [cpu(user=5, guest=4, idle=90), cpu(user=70, system=20), cpu(nice=1, steal=2, iowait=50, irq=3)]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: of_each)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2})
    monkeypatch.setattr(os, "times", lambda: (1.0, 2.0, 3.0, 4.0, 99.0))
    monkeypatch.setattr(quiet, "pressure_seconds", lambda: 7.5)
    found = quiet.counters()
    assert (found.busy, found.own, found.pressure, found.cores) == (11.0, 10.0, 7.5, 2)


def test_macos_has_no_affinity_no_steal_and_no_psi(monkeypatch: pytest.MonkeyPatch) -> None:
    mac = SimpleNamespace(_asdict=lambda: {"user": 5.0, "nice": 1.0, "system": 2.0, "idle": 90.0})
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [mac, mac])
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr("bench.base.kernel.PRESSURE", Path("/nowhere"))
    found = quiet.counters()
    assert (found.busy, found.pressure, found.cores) == (16.0, None, 2)


def test_what_this_machine_says_can_be_read() -> None:
    before = quiet.counters()
    found = reading(before, quiet.counters())
    assert before.cores == len(os.sched_getaffinity(0))
    assert 0 <= found.share <= 1


@pytest.mark.parametrize("text", ["5", "0s", "soon", "-5m", "5 minutes", ""])
def test_a_time_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError) as error:
        read(Options(tmp_path / "none.toml", wait_quiet=text))
    assert str(error.value) == (
        f"--wait-quiet {text}: expected a time over 0 with its unit, as in 90s, 30m, 2h or 1h30m"
    )


def test_a_cluster_is_other_machines(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="^--wait-quiet looks at this machine, and trials run on others: leave out"):
        read(Options(tmp_path / "none.toml", wait_quiet="5m", executor="ray"))


class Fake(Executor):
    """An executor whose trials end at once, and what happened in which order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def start(self) -> None:
        self.events.append("torch is imported")

    def run(self, request: Any, **_: Any) -> Ending:
        self.events.append("trial")
        return Ending(None, "failed", "it is no trial")

    def close(self) -> None:
        pass


SUITE = 'name = "mine"\n[grid]\ndataset = ["digits"]\nmodel = ["linear"]\nseed = [0, 1]\ndevice = ["cpu"]\n'


@pytest.fixture
def runs(project: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Fake]]:
    """Runs a suite of two trials that are none, with --wait-quiet."""
    (project.folder / "mine.toml").write_text(SUITE)
    executor = Fake()

    def waits(most_seconds: float, *, say: Callable[[str], object]) -> str:
        [status] = statuses(project.results / "mine")
        executor.events.append(f"{status.phase} {most_seconds:g} s")
        return "quiet after 4 s: 2 % of 2 cores in use by others"

    monkeypatch.setattr("bench.execute.run.wait_until_quiet", waits)

    def run(**options: Any) -> Fake:
        run_here(
            Options(project.folder / "mine.toml", results=project.results, **options),
            executor,  # type: ignore[arg-type]
            voice=Voice(quiet=True),
            meanwhile=lambda: executor.events.append("meanwhile"),
        )
        return executor

    return run


def test_it_waits_before_anything_of_its_own_is_load(runs: Callable[..., Fake], project: Any) -> None:
    assert runs(wait_quiet="1m30s").events == ["waiting 90 s", "meanwhile", "trial", "trial"]
    store = Store(project.results / "mine")
    store.refresh()
    quiet_notes = [result.environment.notes["quiet"] for result in store.results]
    assert quiet_notes == ["quiet after 4 s: 2 % of 2 cores in use by others"] * 2
    # What was read is no part of the environment's identity.
    assert store.results[0].environment_id == store.results[0].environment.identity(threads=store.results[0].threads)
    assert "quiet" not in store.results[0].environment.facts
    assert statuses(store.folder) == []


def test_where_nothing_is_to_run_nothing_is_waited_for(runs: Callable[..., Fake]) -> None:
    runs(wait_quiet="5m")
    assert runs(wait_quiet="5m").events == ["waiting 300 s", "meanwhile", "trial", "trial"]


def test_without_the_option_torch_is_imported_meanwhile(runs: Callable[..., Fake], project: Any) -> None:
    assert runs().events == ["torch is imported", "meanwhile", "trial", "trial"]
    store = Store(project.results / "mine")
    store.refresh()
    assert "quiet" not in store.results[0].environment.notes


def test_a_budget_begins_when_it_is_quiet(runs: Callable[..., Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[float] = []
    clock = itertools.count(0.0, 100.0)
    monkeypatch.setattr("bench.execute.run.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr("bench.execute.run.Runner.run_all", lambda self, plan, began: took(began))

    def took(at: float) -> int:
        began.append(at)
        return 0

    runs(wait_quiet="5m", budget="10m")
    assert began == [100.0]


def test_a_signal_ends_the_waiting(runs: Callable[..., Fake], monkeypatch: pytest.MonkeyPatch, project: Any) -> None:
    def stopped(*_: Any, **__: Any) -> str:
        os.kill(os.getpid(), 15)
        time.sleep(60)  # as it does between two readings
        raise AssertionError

    monkeypatch.setattr("bench.execute.run.wait_until_quiet", stopped)
    with pytest.raises(Stopped, match="SIGTERM"):
        runs(wait_quiet="5m")
    assert statuses(project.results / "mine") == []


def test_the_report_says_it_among_the_conditions(make: ModuleType) -> None:
    plan = make.Plan(seeds=range(5))
    texts = [f"quiet after {4 * number} s: 2 % of 2 cores in use by others" for number in range(5)]
    noted = [
        replace(make.MACHINE, notes={**make.MACHINE.notes, **({"quiet": texts[trial.seed]} if trial.seed else {})})
        for trial in plan.trials()
    ]
    results = [make.result_of(trial, environment=where) for trial, where in zip(plan.trials(), noted, strict=True)]
    [(_, lines)] = environment_lines(sections_of(latest(results, plan).rows, plan), [])
    assert f"before the trials: {'; '.join(texts[2:])}; 1 runs more" in lines
    [(_, lines)] = environment_lines(sections_of(latest(make.run_of(plan), plan).rows, plan), [])
    assert not any("before the trials" in line for line in lines)


def test_it_is_an_option_of_bench_run_for_notebooks(project: Any) -> None:
    with pytest.raises(BenchError, match="^--wait-quiet 5: expected a time"):
        bench.run(project.folder / "mine.toml", wait_quiet="5")
