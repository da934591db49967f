"""The budget of a run: how long it may take, and how it ended. It is stored with the plan, for the report."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from bench.errors import BenchError

TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
UNITS_SECONDS = (3600.0, 60.0, 1.0)

# "time": nothing that was left would have ended in time. "settled": nothing was open any more. "": not at its end.
Why = Literal["", "time", "settled"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The seconds that a run was given; those that it took, why it ended then, and how many pairs were still open."""

    seconds: Annotated[float, Gt(0)]
    spent_seconds: Annotated[float, Ge(0)] | None = None
    why: Why = ""
    open_pairs: Annotated[int, Ge(0)] = 0


def parse_budget(text: str | None) -> Budget | None:
    """The budget of a text: `90s`, `30m`, `2h`, `1h30m`. Raises BenchError where it is not a time."""
    if text is None:
        return None
    match = TIME.fullmatch(text.strip().replace(" ", ""))
    parts = match.groups() if match else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, UNITS_SECONDS, strict=False) if part)
    if not 0 < seconds < math.inf:
        raise BenchError(f"--budget {text}: expected a time over 0 with its unit, as in 90s, 30m, 2h or 1h30m")
    return Budget(seconds)


def time_text(seconds: float) -> str:
    """`90 s`, `30 min`, `1 h 30 min`, `1 h 1 min 1 s`: the time as it was given."""
    if seconds < 120 and seconds % 60:
        return f"{seconds:g} s"
    hours, left = divmod(seconds, 3600)
    minutes, rest = divmod(left, 60)
    parts = [f"{hours:g} h" if hours else "", f"{minutes:g} min" if minutes else "", f"{rest:g} s" if rest else ""]
    return " ".join(filter(None, parts))
