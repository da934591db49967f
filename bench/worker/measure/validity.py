"""What disturbed timings: no warm-up, other work on the machine, a quota or heat. How well a figure is known its blocks
say, when results are read. A note stands beside the figure; it never removes it."""

from collections.abc import Sequence

# Share of the wall time that a thread of ours was ready to run and had to wait for a core. Beside one busy process
# a third and more, alone a few thousandths (measured on 2 cores).
WAIT_SHARE = 0.05
# Share of the wall time that some task of the machine, of ours or not, waited for a core (PSI). Alone at most 3 %. The
# scheduler may keep a core for a short trial while four busy processes share the other one: 50 %, and no wait of ours.
PRESSURE_SHARE = 0.20
# Share of the wall time in which a cgroup's quota was used up. Any of it stretches steps: 1 % is what noise is.
THROTTLED_SHARE = 0.01


def notes(
    *,
    contention_share: float | None,
    warmup_steps: int,
    pressure_share: float | None = None,
    throttled_share: float | None = None,
    loader_workers: int = 0,
    of_device: Sequence[str] = (),
) -> list[str]:
    """Returns all that disturbed the timings of a trial, one line each. `of_device`: what its device says."""
    found = []
    if warmup_steps < 1:
        found.append("cold: no warm-up steps")
    if contention_share is not None and contention_share >= WAIT_SHARE:
        own = f", which its {loader_workers} loader workers want too" if loader_workers else ""
        found.append(f"not alone: threads waited for a core {contention_share:.0%} of the time{own}")
    elif pressure_share is not None and pressure_share >= PRESSURE_SHARE and not loader_workers:
        found.append(f"not alone: tasks on this machine waited for a core {pressure_share:.0%} of the time")
    if throttled_share is not None and throttled_share >= THROTTLED_SHARE:
        found.append(f"throttled: the container's CPU quota was used up {throttled_share:.0%} of the time")
    return [*found, *of_device]
