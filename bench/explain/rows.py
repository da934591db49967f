"""The rows that table and picture share: what each source spreads in one model, and what that is known from."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.explain.decompose import SOURCES, Explained
from bench.explain.sentences import NAMES
from bench.present.format import listing
from bench.statistics.sources import Spread


@dataclass(frozen=True, eq=False)
class Line:
    """A row of the table: what one source spreads in one model."""

    of: Explained
    source: str
    spread: Spread | None
    basis: str


def lines_of(found: Explained) -> Iterator[Line]:
    """The sources of one model, in the same order everywhere: those varied apart, all at once, test images."""
    for name in SOURCES:
        if spread := found.apart.get(name):
            others = f"the others at {spread.blocks:,} settings" if spread.blocks > 1 else "the others fixed"
            yield Line(found, NAMES[name], spread, f"{spread.levels:,} values, {others}")
    if found.together is not None:
        several = f"{found.together.levels:,} seeds" if not found.crossed else "all combinations"
        whole = found.crossed or len(found.moved) == len(SOURCES)
        what = "all together" if whole else listing([NAMES[each] for each in found.moved])
        yield Line(found, what, found.together, several)
    if found.examples is not None:
        yield Line(found, "test images", found.examples, f"{found.examples.levels:,} of each test set")
    else:
        yield Line(found, "test images", None, "not stored")
