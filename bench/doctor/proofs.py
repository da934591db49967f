"""The doctor's proofs: a known thing is put into a trial, and what the trial reads is held against it.

A verdict is WRONG where the instrument is: what was read is off by more than allowed, in a way that noise cannot do or
did not do here. Other work on the machine lengthens a step and never shortens one; so a reading that is too short is
wrong, and one that is too long is wrong only where the trial had the machine for itself.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from bench.doctor.trials import Bench, Measured, TrialFailed, burner, some_core
from bench.results.doctor import Finding, Verdict
from bench.statistics.intervals import t_quantile

DELAY_MS, DELAY_SHARE = 5.0, 0.02
# More than a block of steps lasts, so that there is one step in each: the first after a wait takes longer.
LATE_MS = 25.0
MEBIBYTES, MEMORY_SHARE, MEMORY_MIB = (64, 256), 0.02, 4.0
SLEEP_SECONDS, WARMUP_SHARE = 1.0, 0.01
ODD_SAMPLES, BATCH = 1001, 64
LINEAR_FLOPS = 4 * 64 * 10  # 64→10: 2·64·10 forward; backward the same, for a first layer has no input gradient
# Readings that a median is taken of; and how often a trial is tried that other work may have disturbed.
TRIES = 3
CLOCK_READS = 20_000
# A block of steps lasts 20 ms; two readings may take 0.01 % of that.
CLOCK_LIMIT_SECONDS = 1e-6
# What others may keep busy on a machine that is called quiet, and how long that is looked at.
QUIET_CORES, LOOK_SECONDS = 0.1, 0.5
SCHEDSTAT = Path("/proc/self/schedstat")

Proof = Callable[[Bench], Iterator[Finding]]


def proofs(devices: Sequence[str]) -> Iterator[tuple[str, Proof]]:
    """What is being tried, and how; `devices`: the host, and the best one there is."""
    yield "clock", clock
    yield "known delay", delay
    yield "warm-up", warm_up
    yield "synchronisation", synchronisation
    yield "counted samples", counted
    for name in devices:
        yield f"known allocation on {name}", partial(memory, device=name)
    yield "contention", contention


def run(bench: Bench, proof: Proof, *, name: str) -> list[Finding]:
    """The findings of a proof. A trial that does not come to its end is an instrument that does not work."""
    try:
        return list(proof(bench))
    except TrialFailed as failed:
        return [Finding(name, "", "nothing", "WRONG", str(failed))]


def clock(bench: Bench) -> Iterator[Finding]:
    """Resolution and cost of a reading, and that the clock never goes backwards."""
    readings = [time.perf_counter_ns() for _ in range(CLOCK_READS)]
    steps = [b - a for a, b in itertools.pairwise(readings)]
    resolution = min((step for step in steps if step > 0), default=0) / 1e9
    # The median: a reading that another process came between took as long as that did.
    yield clock_finding(smallest_step=min(steps), resolution=resolution, cost=statistics.median(steps) / 1e9)


def clock_finding(*, smallest_step: int, resolution: float, cost: float) -> Finding:
    """`smallest_step`: nanoseconds between two readings at the least; `resolution` and `cost` in seconds."""
    measured = f"cost {cost * 1e9:.0f} ns, step {resolution * 1e9:.0f} ns"
    verdict: Verdict = "ok"
    detail = ""
    if smallest_step < 0:
        verdict, detail = "WRONG", "the clock goes backwards"
    elif max(cost, resolution) > CLOCK_LIMIT_SECONDS:
        verdict, detail = "doubtful", "a reading takes more than 0.01 % of a block of steps"
    numbers = {"cost_seconds": [cost], "resolution_seconds": [resolution]}
    return Finding("clock", "two readings in a row", measured, verdict, detail, numbers)


def delay(bench: Bench) -> Iterator[Finding]:
    """A busy-wait in each step is read back."""

    def trial(milliseconds: float) -> Measured:
        return bench.trial("doctor-wait", {"milliseconds": milliseconds}, epochs=4)

    yield added(DELAY_MS, trial, name="known delay", injected=f"{DELAY_MS:g} ms more a step")


def synchronisation(bench: Bench) -> Iterator[Finding]:
    """Work that a device does only when it is waited for is in the time of the step that asked for it."""

    def trial(milliseconds: float) -> Measured:
        late, settings = "doctor-late", {"milliseconds": milliseconds}
        return bench.trial(late, settings, device=late, samples=640, epochs=1, warmup_steps=3)

    yield added(LATE_MS, trial, name="synchronisation", injected=f"{LATE_MS:g} ms more, done late")


def added(milliseconds: float, trial: Callable[[float], Measured], *, name: str, injected: str) -> Finding:
    """Steps that wait twice as long, less those that wait once.

    Not less those that do not wait at all: while it waits, other code and data come into the caches, and what is left
    of the step takes some 0.1 ms longer afterwards (2 cores of a virtual machine), which is 2 % of 5 ms.
    """
    waits = short, long = Waits(milliseconds), Waits(2 * milliseconds)
    for _ in range(TRIES):
        quiet = busy_cores() < QUIET_CORES
        for each in waits:
            each.add(trial(each.milliseconds), quiet=quiet)
    read = statistics.median(long.steps_ms) - statistics.median(short.steps_ms)
    detail = f"steps of {short} and of {long} ms; allowed {DELAY_SHARE:.0%}"
    numbers = {f"step_ms_at_{each.milliseconds:g}": each.steps_ms for each in waits}
    return Finding(name, injected, f"{read:.3f} ms", judge_delay(short, long), detail, numbers)


@dataclass(slots=True)
class Waits:
    """What trials read that wait for `milliseconds` in each step."""

    milliseconds: float
    steps_ms: list[float] = field(default_factory=list)  # median step of each trial
    fastest_ms: float = math.inf  # of any block of any trial, a step
    alone: bool = True

    def add(self, measured: Measured, *, quiet: bool) -> None:
        self.steps_ms.append(1e3 * measured.metrics["step_seconds"])
        self.fastest_ms = min(self.fastest_ms, 1e3 * measured.fastest_step_seconds)
        # Work that takes a twentieth of the time is too little for a note, and more than is allowed here.
        jumpy = measured.half_width > DELAY_SHARE  # it does not know its own speed as well as is allowed
        self.alone = self.alone and quiet and not measured.notes and not jumpy

    def __str__(self) -> str:
        return ", ".join(f"{each:.3f}" for each in self.steps_ms)


def judge_delay(short: Waits, long: Waits) -> Verdict:
    """Wrong: a block reads shorter than what was waited for in it, which no other work can do; or all trials had the
    machine for themselves, and what was added is off by more than is allowed and than Welch's 95 % interval spans.
    """
    least = 1 - DELAY_SHARE
    if any(each.fastest_ms < least * each.milliseconds for each in (short, long)):
        return "WRONG"
    added = long.milliseconds - short.milliseconds
    off = abs(statistics.median(long.steps_ms) - statistics.median(short.steps_ms) - added)
    if off <= DELAY_SHARE * added:
        return "ok"
    error = math.sqrt(sum(statistics.variance(each.steps_ms) / len(each.steps_ms) for each in (short, long)))
    freedom = len(short.steps_ms) + len(long.steps_ms) - 2
    certain = off - t_quantile(freedom) * error > DELAY_SHARE * added
    return "WRONG" if certain and short.alone and long.alone else "doubtful"


def warm_up(bench: Bench) -> Iterator[Finding]:
    """A sleep in the warm-up does not move throughput: the least seconds of training of each kind are compared."""
    waits = {"milliseconds": DELAY_MS}
    plain: list[Measured] = []
    slept: list[Measured] = []
    verdict: Verdict = "doubtful"
    while len(plain) < TRIES and verdict != "ok":
        plain.append(bench.trial("doctor-wait", waits, epochs=6))
        slept.append(bench.trial("doctor-wait", waits | {"first_seconds": SLEEP_SECONDS}, epochs=6))
        without, with_sleep = (max(each.samples_per_second for each in group) for group in (plain, slept))
        verdict = judge_warm_up(without, with_sleep, samples=sum(slept[0].samples["block_samples"]))
    shift = with_sleep / without - 1
    groups = {"without": plain, "with_sleep": slept}
    rates = {name: [each.samples_per_second for each in group] for name, group in groups.items()}
    measured, detail = f"throughput {shift:+.2%}", f"allowed {WARMUP_SHARE:.0%}; where it is counted, some -67%"
    yield Finding("warm-up", f"{SLEEP_SECONDS:g} s of sleep in it", measured, verdict, detail, rates)


def judge_warm_up(without: float, with_sleep: float, *, samples: float) -> Verdict:
    """Samples a second of both, and how many samples a trial trains on. Wrong: half of the sleep, or more, counts."""
    if abs(with_sleep / without - 1) <= WARMUP_SHARE:
        return "ok"
    counted_seconds = samples / with_sleep - samples / without
    return "WRONG" if counted_seconds >= SLEEP_SECONDS / 2 else "doubtful"


def counted(bench: Bench) -> Iterator[Finding]:
    """The last batch is smaller: samples are counted, not batches. And the FLOPs of a linear model, by hand."""
    epochs = 4
    found = bench.trial("linear", samples=ODD_SAMPLES, batch_size=BATCH, epochs=epochs)
    blocks = found.samples_per_second * sum(found.samples["block_seconds"])
    # An epoch that is not called whole, for its count is off, has no time.
    epoch = found.metrics["end_to_end_samples_per_second"] * found.metrics.get("epoch_seconds", 0.0)
    read = [blocks / epochs, epoch]
    right = all(abs(each - ODD_SAMPLES) < 0.01 for each in read)
    injected, measured = f"{ODD_SAMPLES} in batches of {BATCH}", f"{read[0]:g}; {read[1]:g} an epoch"
    yield Finding("counted samples", injected, measured, "ok" if right else "WRONG", "exact", {"samples": read})
    flops = found.metrics.get("flops_per_sample", 0.0)
    verdict: Verdict = "ok" if flops == LINEAR_FLOPS else "WRONG"
    injected, measured = f"{LINEAR_FLOPS:,} a sample (linear)", f"{flops:,.0f}"
    yield Finding("counted FLOPs", injected, measured, verdict, "exact", {"flops": [flops]})


def memory(bench: Bench, *, device: str) -> Iterator[Finding]:
    """What a forward pass allocates is in the peak."""
    metric = "host_peak_bytes" if bench.is_host(device) else "device_peak_allocated_bytes"
    for mebibytes in MEBIBYTES:
        found = bench.trial(
            "doctor-memory", {"mebibytes": mebibytes}, device=device, warmup_steps=1, samples=256, epochs=1
        )
        name, injected = "known allocation", f"{mebibytes} MiB a step ({device})"
        if metric not in found.metrics:
            yield Finding(name, injected, "", "absent", "this system keeps no peak of memory that can be reset")
            continue
        read = found.metrics[metric] / 2**20
        verdict: Verdict = "ok" if abs(read - mebibytes) <= max(MEMORY_SHARE * mebibytes, MEMORY_MIB) else "WRONG"
        allowed = f"allowed {MEMORY_SHARE:.0%} or {MEMORY_MIB:g} MiB"
        yield Finding(name, injected, f"{read:.1f} MiB", verdict, allowed, {"mebibytes": [read]})


def contention(bench: Bench) -> Iterator[Finding]:
    """With a busy process on the same core a trial says that it was not alone; without one it does not."""
    if not SCHEDSTAT.exists():
        yield Finding("contention", "a busy process", "", "absent", "this kernel does not say who waits for a core")
        return
    core = some_core()
    with burner(core):
        seen = bench.trial("doctor-wait", {"milliseconds": DELAY_MS, "cpu": core}, epochs=4).disturbed_by
    measured = "not alone" if seen else "alone"
    verdict: Verdict = "ok" if seen else "WRONG"
    yield Finding("contention", "a busy process beside it", measured, verdict, "; ".join(seen))
    busy: list[float] = []
    while not busy or (seen and len(busy) < TRIES):
        busy.append(busy_cores())
        seen = bench.trial("doctor-wait", {"milliseconds": DELAY_MS}, epochs=4).disturbed_by
    measured = "not alone" if seen else "alone"
    detail = f"{'; '.join(seen)}; others kept {max(busy):.1f} cores busy" if seen else ""
    verdict = judge_alone(flagged=bool(seen), busy=busy)
    yield Finding("contention", "nothing beside it", measured, verdict, detail, {"busy_cores": busy})


def judge_alone(*, flagged: bool, busy: Sequence[float]) -> Verdict:
    """A trial with nothing of ours beside it, and how many cores others kept busy just before each try.

    To flag it may be right, for the machine is not ours alone; on one that was quiet before every try it is wrong.
    """
    if not flagged:
        return "ok"
    return "WRONG" if len(busy) == TRIES and max(busy) < QUIET_CORES else "doubtful"


def busy_cores() -> float:
    """How many cores' worth of work the machine does now, other than ours."""
    before = psutil.cpu_times()
    time.sleep(LOOK_SECONDS)
    after = psutil.cpu_times()
    idle = sum(getattr(after, name, 0.0) - getattr(before, name, 0.0) for name in ("idle", "iowait"))
    cores = psutil.cpu_count(logical=True) or 1
    return max(0.0, cores - idle / LOOK_SECONDS)
