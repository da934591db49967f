"""What `bench check` prints: what lies there, then what is not right with it, by kind, in 80 columns."""

import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.errors import escaped
from bench.present.format import plural
from bench.results.check import KINDS, Checked, Finding

COLUMNS = 80
INDENT = 12
SHOWN = 20  # of a kind


def check_text(folder: Path, checked: Checked) -> str:
    """The findings of one folder, each with where and what."""
    return "\n".join(_lines(folder, checked))


def _lines(folder: Path, checked: Checked) -> Iterator[str]:
    old = f", {checked.older:,} of an older schema" if checked.older else ""
    yield f"{folder}: {plural(checked.results, 'result')} in {plural(checked.files, 'file')}{old}"
    for kind in KINDS:
        found = [finding for finding in checked.findings if finding.kind == kind]
        for finding in found[:SHOWN]:
            yield from _finding(finding)
        if len(found) > SHOWN:
            yield f"{'':{INDENT}}… and {len(found) - SHOWN:,} more that are {kind}"
    counts = Counter(finding.kind for finding in checked.findings)
    by_kind = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])  # type: ignore[index]
    yield f"{plural(len(checked.findings), 'thing')} found: {by_kind}" if by_kind else "nothing is wrong with it"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.kind:{INDENT}}{escaped(finding.where)}"  # a file may be called anything
    yield from textwrap.wrap(
        finding.what, COLUMNS, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT, break_on_hyphens=False
    )
