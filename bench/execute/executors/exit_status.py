"""How the process of a trial ended, where it did not say so itself."""

import os
import signal
from dataclasses import dataclass

from bench.base.kernel import killed_by, oom_kills
from bench.base.records import Json


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a trial's process: its own `outcome`, or a status and a reason for it."""

    outcome: dict[str, Json] | None
    status: str = ""
    reason: str = ""


def ending(outcome: dict[str, Json] | None, *, wait_status: int, oom_kills_before: int) -> Ending:
    """Returns what a wait status means. `outcome`: what the process said of its trial before it ended, if anything."""
    if outcome is not None:
        return Ending(outcome)
    code = os.waitstatus_to_exitcode(wait_status)
    if code == -signal.SIGKILL and oom_kills() > oom_kills_before:
        return Ending(None, "oom", "the kernel killed the process: the host has no more memory")
    if code < 0:
        return Ending(None, "crashed", f"the process was {killed_by(-code, oom_kills_before=oom_kills_before)}")
    return Ending(
        None, "crashed", f"the process ended with exit code {code} and no result; what it printed is in its log"
    )
