"""`--shard K/N`: one of N parts of a plan, which keeps cells whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bench.base.records import Trial
from bench.errors import BenchError
from bench.suite.mistakes import shorten

_SHARD = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")


def check_shard(text: str | None) -> str | None:
    """`text` as it is, where it is K/N with 1 <= K <= N; else BenchError."""
    found = _SHARD.fullmatch(text) if text is not None else None
    if text is not None and (not found or int(found[1]) > int(found[2])):
        raise BenchError(f"--shard {shorten(text)}: expected K/N with 1 <= K <= N, as in --shard 1/4")
    return text


def shard_filter(shard: str, *, cells_differ: bool) -> Callable[[Iterator[Trial]], Iterator[Trial]]:
    """A function that keeps, of the trials of one seed, those of the shard. It is called for each seed in order.

    Cells go round the shards in the order of the plan. Each round starts one shard further than the last one, else
    three shards of a grid with three models would train one model each.
    """
    mine, shards = map(int, shard.split("/"))
    places: dict[str, int] = {}

    def keep(trials: Iterator[Trial]) -> Iterator[Trial]:
        for index, trial in enumerate(trials):
            # Where rules ask for the seed, seeds have other cells: then a cell is known by its id.
            cell = places.setdefault(trial.cell_id, len(places)) if cells_differ else index
            if (cell + cell // shards) % shards == mine - 1:
                yield trial

    return keep
