"""What `bench check` prints: what lies there, then what is not right with it, by kind, in 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.results.check import KINDS, Checked, Finding

COLUMNS = 80
INDENT = 12
SHOWN = 20  # of a kind


def check_text(folder: Path, checked: Checked) -> str:
    """The findings of one folder, each with where and what."""
    return "\n".join(_lines(folder, checked))


def _lines(folder: Path, checked: Checked) -> Iterator[str]:
    old = f", {checked.older:,} of an older schema" if checked.older else ""
    yield f"{folder}: {_count(checked.results, 'result')} in {_count(checked.files, 'file')}{old}"
    for kind in KINDS:
        found = [finding for finding in checked.findings if finding.kind == kind]
        for finding in found[:SHOWN]:
            yield from _finding(finding)
        if len(found) > SHOWN:
            yield f"{'':{INDENT}}… and {len(found) - SHOWN:,} more that are {kind}"
    counts = Counter(finding.kind for finding in checked.findings)
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])  # type: ignore[index]
    yield f"{_count(len(checked.findings), 'thing')} found: {told}" if told else "nothing is wrong with it"


def _finding(finding: Finding) -> Iterator[str]:
    """Where, then what; a file may be called anything, so what cannot be printed is escaped."""
    where = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in finding.where)
    yield f"{finding.kind:{INDENT}}{where}"
    yield from textwrap.wrap(
        finding.what, COLUMNS, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT, break_on_hyphens=False
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
