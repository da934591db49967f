"""How fast a trial was in each round of its group, from what is stored of it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bench.base.records import Result
from bench.statistics.paired_ratios import Rounds, rounds_of

BLOCKS = ("block_seconds", "block_samples", "block_round")


class InGroup(NamedTuple):
    """A trial that shared the time: the group that it was in, and how fast it was in each round of theirs."""

    group_id: str
    rounds: Rounds


def by_seed(
    results: Iterable[Result], *, key: Callable[[Result], int] = lambda result: result.trial.seed
) -> dict[int, InGroup]:
    """Seed, or another `key`, → the rounds of its trial; none of a trial that had the time for itself, or whose blocks
    do not fit."""
    found = {}
    for result in filter(lambda each: each.group_id, results):  # of the others nothing is read
        seconds, samples, rounds = (result.samples.get(name, ()) for name in BLOCKS)
        fit = len(seconds) == len(samples) == len(rounds) > 0 and min(*seconds, *samples) > 0
        # Of a resumed trial: what ran before it went on was timed in the rounds of another group.
        kept = [block for block in zip(seconds, samples, rounds, strict=True) if block[2] >= 0] if fit else []
        if kept:
            found[key(result)] = InGroup(result.group_id, rounds_of(*zip(*kept, strict=True)))
    return found
