"""The doctor's advice: what makes timings slower or less steady on this machine, and can be changed."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.base.kernel import PRESSURE, text_of
from bench.base.records import Environment, Json

CPUINFO = Path("/proc/cpuinfo")

# Variables that change how threads work, and so timings.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT", "KMP_AFFINITY", "KMP_BLOCKTIME", "OMP_DYNAMIC", "MKL_DYNAMIC",
)  # fmt: skip
BUSY_LOAD, BUSY_PRESSURE_PERCENT = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The state of the machine before anything of ours ran. None: this system does not say."""

    load: float | None = None  # mean number of running processes over the last minute
    pressure_percent: float | None = None  # of the last 10 s, in which something waited for a core
    steal_percent: float | None = None  # of all CPU time since boot, taken by other guests of the host
    hypervisor: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls) -> "Circumstances":
        try:
            load = os.getloadavg()[0]
        except OSError:
            load = None
        times = psutil.cpu_times()
        steal, total = getattr(times, "steal", None), sum(times)
        pressure = re.match(r"some avg10=([\d.]+)", text_of(PRESSURE))
        return cls(
            load=load,
            pressure_percent=float(pressure[1]) if pressure else None,
            steal_percent=None if steal is None or not total else 100 * steal / total,
            hypervisor=" hypervisor" in text_of(CPUINFO),
            variables={name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        )


def advice(found: Circumstances, environment: Environment, *, threads: int) -> Iterator[str]:
    """The advice, one sentence each. `threads`: what torch works with by default."""
    facts, notes = environment.facts, environment.notes
    busy = []
    if found.load is not None and found.load >= BUSY_LOAD:
        busy.append(f"load {found.load:.1f} over the last minute")
    if found.pressure_percent is not None and found.pressure_percent >= BUSY_PRESSURE_PERCENT:
        busy.append(f"something waited for a core {found.pressure_percent:.0f} % of the last 10 s")
    if busy:
        yield f"other work was on the machine before this began ({', '.join(busy)}): end it, or measure later"
    quota = quota_cores(facts.get("container_limits", {}))
    if quota is not None and threads > quota:
        yield (
            f"the container may use {quota:g} cores at a time, and {threads} threads are used: "
            f"set train.threads = {max(1, int(quota))}"
        )
    governor = notes.get("governor")
    if governor and governor != "performance":
        yield f"the clock's governor is {governor!r}: 'performance' keeps the clock steady (cpupower frequency-set)"
    for name, value in found.variables.items():
        known = name in facts.get("switches", {})
        apart = "makes another environment" if known else "is not part of the environment's id"
        yield f"{name}={value} is set: it changes timings and {apart}; unset it"
    logical = facts.get("logical_cores")
    if logical and threads > (facts.get("cores") or logical):
        yield f"{threads} threads on {facts['cores']} physical cores: two on one core slow each other down"
    if found.hypervisor:
        share = found.steal_percent
        stolen = "" if share is None else f" (they took {share:.1f} % of its time since boot)"
        yield f"this is a virtual machine: what other guests do cannot be seen from here{stolen}; repeat on another day"


def quota_cores(limits: Mapping[str, Json]) -> float | None:
    """How many cores a container may use at a time (cgroup v2 `cpu.max`, v1 `cpu.cfs_quota_us`); None: no limit."""
    try:
        if "cpu.max" in limits:
            quota, period = str(limits["cpu.max"]).split()
            return int(quota) / int(period)
        if "cpu.cfs_quota_us" in limits:
            return int(limits["cpu.cfs_quota_us"]) / 100_000  # the kernel's default period
    except (ValueError, ZeroDivisionError):
        pass
    return None
