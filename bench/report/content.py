"""What a report is made of, for the formats that write all of it in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.report.page import Extra, Part
from bench.results.doctor import Doctor
from bench.results.frame import Latest
from bench.suite.plan import Suite


@dataclass(frozen=True, eq=False)
class Content:
    """The parts of a report and what stands around them. `folder` is results/<suite>, where logs and artifacts lie."""

    folder: Path
    title: str
    suite: Suite | None
    latest: Latest
    parts: tuple[Part, ...]
    doctors: tuple[Doctor, ...] = ()
    damaged: int = 0
    others: int = 0
    plugin_errors: tuple[str, ...] = ()
    extras: tuple[Extra, ...] = ()
