"""What else was going on while a trial trained: counters of the kernel, read before and after each epoch.

Nothing here is read inside a timed block. What the kernel does not say is left out, never taken for 0.
"""

import re
import resource
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.base.kernel import cgroup_folders, pressure_seconds, text_of

TASKS = Path("/proc/self/task")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals at one moment, or what they grew by over a stretch; None where the kernel does not say.

    wait_seconds: threads of ours were ready to run and had no core (second field of /proc/self/task/*/schedstat,
    Documentation/scheduler/sched-stats). Not CPU over wall time: that flags every model that sleeps.
    involuntary_switches: a core was taken from a thread of ours (getrusage(2)).
    pressure_seconds: some task on the machine waited for a core (PSI, Documentation/accounting/psi).
    throttled_seconds: a cgroup of ours had used up its quota (cpu.stat; summed over the groups that we are in).
    """

    wait_seconds: float | None = None
    involuntary_switches: float | None = None
    pressure_seconds: float | None = None
    throttled_seconds: float | None = None

    def since(self, before: "Counters") -> "Counters":
        """What each grew by. Never negative: a thread that ended takes what it had waited with it."""

        def grown(name: str) -> float | None:
            now, then = getattr(self, name), getattr(before, name)
            return None if now is None or then is None else max(0.0, now - then)

        return Counters(**{name: grown(name) for name in NAMES})


NAMES = tuple(Counters.__dataclass_fields__)


def read() -> Counters:
    """The totals now. Raises nothing; takes some 0.2 ms."""
    return Counters(
        wait_seconds=run_queue_wait_seconds(),
        involuntary_switches=float(resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw),
        pressure_seconds=pressure_seconds(),
        throttled_seconds=throttled_seconds(),
    )


def run_queue_wait_seconds() -> float | None:
    """Seconds that the threads of this process have waited for a core; None where the kernel does not say."""
    try:
        return sum(int((task / "schedstat").read_text().split()[1]) for task in TASKS.iterdir()) / 1e9
    except (OSError, IndexError, ValueError):
        return None


def throttled_seconds() -> float | None:
    """Seconds for which the quota of a cgroup of ours, or of one above it, was used up; None where none has a quota."""
    # cgroup v2 has `throttled_usec`, v1 `throttled_time` in ns.
    lines = re.compile(r"^throttled_(usec|time) (\d+)$", re.MULTILINE)
    found = [
        int(count) / (1e6 if unit == "usec" else 1e9)
        for path in _cpu_stats()
        for unit, count in lines.findall(text_of(path))
    ]
    return sum(found) if found else None


@cache
def _cpu_stats() -> tuple[Path, ...]:
    """The files `cpu.stat` of our cgroups and of those above them."""
    # Of v1, `cpu` and `cpu,cpuacct` are one folder under two names.
    folders = dict.fromkeys(each.resolve() for own in cgroup_folders() for each in (own, *own.parents))
    return tuple(path for each in folders if each.is_relative_to(CGROUPS) and (path := each / "cpu.stat").is_file())


@dataclass(slots=True)
class Contention:
    """The counters of every stretch that is timed, in order."""

    wall_seconds: list[float] = field(default_factory=list)
    stretches: list[Counters] = field(default_factory=list)

    def add(self, *, before: Counters, after: Counters, wall_seconds: float) -> None:
        self.wall_seconds.append(wall_seconds)
        self.stretches.append(after.since(before))

    def over_wall(self, name: str) -> float | None:
        """Sum of a counter over the wall time of all stretches; None where one of them does not know it."""
        values, wall = self._values(name), sum(self.wall_seconds)
        return sum(values) / wall if values and wall > 0 else None

    def samples(self) -> dict[str, list[float]]:
        """One number a stretch, of every counter that was read throughout: `contention_wait_seconds`, ..."""
        return {f"contention_{name}": values for name in NAMES if (values := self._values(name))}

    def _values(self, name: str) -> list[float]:
        found = [getattr(stretch, name) for stretch in self.stretches]
        return [] if None in found else found
