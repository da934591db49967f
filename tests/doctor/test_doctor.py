"""`bench doctor`: what is put in is read back, a broken instrument is found out, and what was found is kept.

Instruments are broken from outside, in the worker alone: a `sitecustomize` on its path changes what Python gives it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.cli.doctor import doctor as command
from bench.doctor import examine as doctor
from bench.doctor import proofs
from bench.doctor.examine import Run, determinism, nothing_claimed, self_comparison
from bench.doctor.trials import Bench, Measured, burner, some_core
from bench.execute.executors.local import LocalExecutor
from bench.execute.progress import Voice
from bench.results.doctor import Finding
from bench.suite.catalogue import DeviceInfo

SLOW_CLOCK = """
import time
real, start = time.perf_counter_ns, time.perf_counter_ns()
time.perf_counter_ns = lambda: start + (real() - start) * 4 // 5
"""
PEAK_NEVER_RESET = """
import pathlib
write = pathlib.Path.write_text
pathlib.Path.write_text = lambda self, *a, **k: None if "clear_refs" in str(self) else write(self, *a, **k)
"""
NO_TRIAL_ENDS = """
import os
os.sched_setaffinity = os.register_at_fork(after_in_child=lambda: os._exit(3))
"""


@pytest.fixture
def breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run some code at the start of every process that is started from now on."""

    def put(code: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(code)
        paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    return put


DEVICES = {"cpu": DeviceInfo(True, is_host=True)}


@pytest.fixture
def bench() -> Iterator[Bench]:
    executor = LocalExecutor()
    yield Bench(executor, DEVICES)
    executor.close()


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same doctor with fewer comparisons, under a lock of its own."""
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(doctor, "COMPARE_SECONDS", 0.0)
    monkeypatch.setattr(doctor, "MODELS", ("linear", "mlp"))


def verdicts(findings: list[Finding]) -> list[str]:
    return [finding.verdict for finding in findings]


# Judgements


def waits(milliseconds: float, *steps_ms: float, fastest_ms: float = 100.0, alone: bool = True) -> proofs.Waits:
    return proofs.Waits(milliseconds, list(steps_ms), fastest_ms, alone)


@pytest.mark.parametrize(
    ("long", "alone", "verdict"),
    [
        ((10.20, 10.22, 10.21), True, "ok"),
        ((10.28, 10.25, 12.0), False, "ok"),  # the median
        ((10.50, 10.52, 10.51), True, "WRONG"),
        ((9.80, 9.82, 9.81), True, "WRONG"),
        ((10.50, 10.52, 10.51), False, "doubtful"),  # other work was in the way
        ((10.33, 10.0, 10.6), True, "doubtful"),  # too few to be certain
    ],
)
def test_a_delay_that_is_off_is_wrong_where_that_is_certain(long: tuple[float, ...], alone: bool, verdict: str) -> None:
    assert proofs.judge_delay(waits(5, 5.20, 5.21, 5.22, alone=alone), waits(10, *long)) == verdict


@pytest.mark.parametrize(("busy", "jump", "verdict"), [(0.0, 0, "WRONG"), (1.9, 0, "doubtful"), (0.0, 0.5, "doubtful")])
def test_a_delay_that_is_off_is_doubtful_beside_other_work_or_in_blocks_that_jump(
    busy: float, jump: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than a note needs, more than the proof allows: steps 5 % too long, with nothing said by the trials."""
    monkeypatch.setattr(proofs, "busy_cores", lambda: busy)

    def trial(milliseconds: float) -> Measured:
        step = 1e-3 * (0.2 + 1.05 * milliseconds)
        blocks = [step * (1 + jump * slow) for slow in (0, 0, 1, 0, 1, 1, 1, 1, 0, 0)]
        return Measured({"step_seconds": step}, {"block_seconds": blocks, "block_steps": [1.0] * 10}, ())

    assert proofs.added(5, trial, name="known delay", injected="").verdict == verdict


def test_a_block_shorter_than_what_was_waited_in_it_is_wrong_whatever_else_ran() -> None:
    short, long = waits(5, 7.4, 7.3, 7.9, fastest_ms=5.3, alone=False), (12.4, 12.5, 12.3)
    assert proofs.judge_delay(short, waits(10, *long, fastest_ms=10.2)) == "ok"
    assert proofs.judge_delay(short, waits(10, *long, fastest_ms=9.7)) == "WRONG"


@pytest.mark.parametrize(
    ("with_sleep", "verdict"),
    [(1000.0, "ok"), (992.0, "ok"), (950.0, "doubtful"), (500.0, "WRONG"), (1050.0, "doubtful")],
)
def test_a_warm_up_that_was_counted_is_wrong(with_sleep: float, verdict: str) -> None:
    assert proofs.judge_warm_up(1000.0, with_sleep, samples=1000) == verdict


def test_a_trial_that_is_flagged_on_a_quiet_machine_is_wrong() -> None:
    assert proofs.judge_alone(flagged=False, busy=[1.0]) == "ok"
    assert proofs.judge_alone(flagged=True, busy=[0.0, 0.01, 0.02]) == "WRONG"
    assert proofs.judge_alone(flagged=True, busy=[0.0, 0.9, 0.0]) == "doubtful"


@pytest.mark.parametrize(
    ("smallest_step", "cost", "verdict"),
    [(40, 5e-8, "ok"), (0, 5e-8, "ok"), (-1, 5e-8, "WRONG"), (40, 5e-6, "doubtful")],
)
def test_a_clock_that_goes_back_is_wrong_and_a_slow_one_doubtful(smallest_step: int, cost: float, verdict: str) -> None:
    assert proofs.clock_finding(smallest_step=smallest_step, resolution=4e-8, cost=cost).verdict == verdict


def test_noise_is_a_finding_and_no_fault() -> None:
    noisy = [Run(rate, (0.1, 0.2)) for rate in (100.0, 300.0, 120.0, 90.0, 200.0, 50.0)]
    drift = [Run(rate, (0.1, 0.2)) for rate in (100.0, 150.0, 100.1, 150.1, 99.9, 149.9)]
    found = [self_comparison(name, runs, device="cpu", threads=2) for name, runs in (("a", noisy), ("b", drift))]
    assert found[0].smallest > 1
    assert found[1].smallest == pytest.approx(0.5, rel=0.01)
    assert nothing_claimed(found[:1], device="cpu").verdict == "ok"
    assert nothing_claimed(found, device="cpu").verdict == "doubtful"


def test_losses_that_differ_by_a_bit_are_wrong() -> None:
    same = [Run(1.0, (0.1, 0.2)), Run(2.0, (0.1, 0.2))]
    other = [Run(1.0, (0.1, 0.2)), Run(1.0, (0.1, 0.2 + 1e-16 * 2))]
    assert determinism({"mlp": same}, device="cpu").verdict == "ok"
    found = determinism({"mlp": same, "cnn": other}, device="cpu")
    assert (found.verdict, found.measured) == ("WRONG", "losses differ: cnn")


# Instruments


def test_a_peak_that_is_never_reset_is_wrong(breaks: Callable[[str], None]) -> None:
    """A broken clock is found below, by the command; that whole instruments are not wrong, too."""
    breaks(PEAK_NEVER_RESET)
    executor = LocalExecutor()
    try:
        assert "WRONG" in verdicts(list(proofs.memory(Bench(executor, DEVICES), device="cpu")))
    finally:
        executor.close()


def test_work_that_is_done_late_is_in_the_step_and_the_last_batch_is_counted_as_it_is(bench: Bench) -> None:
    assert "WRONG" not in verdicts(list(proofs.synchronisation(bench)))
    assert verdicts(list(proofs.counted(bench))) == ["ok", "ok"]


@pytest.mark.skipif(not proofs.SCHEDSTAT.exists(), reason="this kernel does not say who waits for a core")
def test_a_burner_is_seen(bench: Bench) -> None:
    beside, without = proofs.contention(bench)
    assert (beside.verdict, beside.measured) == ("ok", "not alone")
    assert without.verdict in ("ok", "doubtful")


def test_the_burner_ends_with_the_block() -> None:
    with burner(some_core()):
        (child,) = children()
        assert Path(f"/proc/{child}").exists() or sys.platform != "linux"
    assert not children()


def children() -> list[int]:
    """Processes of ours that burn."""
    done = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    found = [line.split(None, 2) for line in done.stdout.splitlines()]
    return [int(pid) for pid, ppid, args in found if int(ppid) == os.getpid() and "-I -S -c" in args]


def test_the_instruments_are_in_no_ordinary_suite() -> None:
    done = subprocess.run([sys.executable, "-m", "bench.worker.catalogue"], capture_output=True, text=True, check=True)
    catalogue = json.loads(done.stdout)
    assert not [name for kind in ("models", "devices") for name in catalogue[kind] if name.startswith("doctor")]


def test_a_trial_that_does_not_end_is_wrong_and_the_reason_is_told(breaks: Callable[[str], None]) -> None:
    breaks(NO_TRIAL_ENDS)
    executor = LocalExecutor()
    try:
        (finding,) = proofs.run(Bench(executor, DEVICES), proofs.counted, name="counted samples")
    finally:
        executor.close()
    assert finding.verdict == "WRONG"
    assert "exit code 3" in finding.detail


# The command


@pytest.mark.usefixtures("quick")
def test_with_a_broken_clock_it_exits_1_and_says_which_instrument_is_wrong(
    tmp_path: Path, breaks: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks(SLOW_CLOCK)
    monkeypatch.setattr(doctor, "MODELS", ("linear",))
    monkeypatch.setattr(proofs, "proofs", lambda devices: [("clock", proofs.clock), ("known delay", proofs.delay)])
    assert command(tmp_path / "results") == 1
    assert re.search(r"^known delay .* WRONG$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.usefixtures("quick")
def test_the_outcome_is_printed_stored_and_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 even beside other work: noise is a finding."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert command(tmp_path / "results") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.replace(str(tmp_path), "").splitlines())) <= 80
    assert re.fullmatch(
        r"Differences in throughput below [\d.,]+ % cannot be told from noise here\.", out.splitlines()[-1]
    )
    assert "OMP_WAIT_POLICY=PASSIVE is set" in out
    (path,) = (tmp_path / "results" / "doctor").iterdir()
    text = path.read_text()
    stored = json.loads(text)
    assert path.stem == stored["environment_id"]
    assert stored["smallest_difference"]["cpu"] > 0
    assert [len(each["a"]) for each in stored["comparisons"]] == [3, 3]
    assert set(stored["peaks"]["cpu"]) == {"1", str(stored["threads"])}
    assert min(stored["peaks"]["cpu"].values()) > 1e9
    for private in (os.uname().nodename, str(Path.home()), str(tmp_path)):
        assert private not in text


@pytest.mark.usefixtures("quick")
def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    from bench.errors import BenchError

    (tmp_path / "results").write_text("a file")
    began = time.monotonic()
    with pytest.raises(BenchError, match="cannot be written there"):
        command(tmp_path / "results")
    assert time.monotonic() - began < 1


@pytest.mark.usefixtures("quick")
def test_it_waits_for_a_run_that_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.execute.lock import MeasureLock

    said: list[str] = []
    lock = MeasureLock()
    assert lock.try_acquire()

    class Listens(Voice):
        def say(self, line: str) -> None:
            said.append(line)
            lock.release()

    monkeypatch.setattr(doctor._Examination, "doctor", lambda self, seen, *, began: "done")
    assert doctor.examine(Listens()) == "done"
    assert len(said) == 1
    assert said[0].startswith("waiting: another run is measuring on this machine")
