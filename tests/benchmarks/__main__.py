"""`python -m tests.benchmarks [NAME …] [--quick]`: the suite beside what a user would do instead.

Measures, keeps the raw figures as JSON, and writes docs/performance.md from them. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.benchmarks.beside import (
    document,
    duel,
    engines,
    floors,
    gates,
    grid,
    lead_in,
    null,
    scale,
    spinning,
    timing,
    training,
    turns,
)
from tests.benchmarks.beside.kept import Kept
from tests.benchmarks.beside.measured import ROOT, Json, Settings, say

BENCHMARKS: dict[str, Callable[[Settings], Json]] = {
    "training": training.measure,
    "grid": grid.measure,
    "scale": scale.measure,
    "engines": engines.measure,
    "floors": floors.measure,
}
# Run where they are named only: long ones, which answer a question of their own.
BY_NAME: dict[str, Callable[[Settings], Json]] = {
    "spinning": spinning.measure,
    "lead-in": lead_in.measure,
    "turns": turns.measure,
    "null": null.measure,
    "timing": timing.measure,
    "duel": duel.measure,
    "gates": gates.measure,
}
ROUNDS = 5


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which of {', '.join(BENCHMARKS)} [default: these], {', '.join(BY_NAME)}",
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds, nothing published")
    parser.add_argument(
        "--rounds",
        type=int,
        default=0,
        help=f"processes a side [default: {ROUNDS}]; repeats of turns [12], runs of null, of duel, gates [40]",
    )
    parser.add_argument("--results", type=Path, default=ROOT / "results/published/performance", metavar="DIR")
    parser.add_argument("--document", type=Path, default=ROOT / "docs/performance.md", metavar="FILE")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the document from what is kept")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS | BY_NAME):
        parser.error(f"unknown: {', '.join(sorted(unknown))} (there are: {', '.join(BENCHMARKS | BY_NAME)})")
    return options


def main() -> None:
    options = parsed()
    with tempfile.TemporaryDirectory(prefix="bench-performance-") as folder:
        work = Path(folder)
        if options.quick:  # figures of a trial run never stand in the published ones' place
            options.results, options.document = _aside(options)
        kept = Kept(options.results)
        settings = Settings(options.quick, work, options.rounds or (2 if options.quick else ROUNDS), options.rounds)
        for name in [] if options.render else options.names or BENCHMARKS:
            say(f"== {name}")
            keep = partial(kept.save, name, quick=options.quick, rounds=settings.rounds)
            keep((BENCHMARKS | BY_NAME)[name](replace(settings, keep=keep)))
    document.write(kept, options.document)
    say(f"written: {options.document}")


def _aside(options: argparse.Namespace) -> tuple[Path, Path]:
    """Where a quick run writes: below .benchmarks, which git ignores; the document is a copy."""
    folder = ROOT / ".benchmarks" / "quick"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "performance.md"
    copy.write_text(options.document.read_text(encoding="utf-8"), encoding="utf-8")
    return folder, copy


if __name__ == "__main__":
    main()
