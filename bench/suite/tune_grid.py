"""The settings of a grid search: every combination of lists, and of evenly spaced points of what has two ends."""

import math
from collections.abc import Sequence
from itertools import product

from bench.base.records import Json
from bench.suite.tune import Range, Tune

FEWEST_POINTS = 2  # of a range with two ends: these


def combinations(tune: Tune, ranges: Sequence[Range]) -> list[dict[str, Json]]:
    """The settings by dotted name, the first range outermost. A range with two ends has as many points as leave the
    number of all within `tune.trials`, but two at least."""
    most = _most_points(tune, ranges)
    names = [each.key for each in ranges]
    return [dict(zip(names, each, strict=True)) for each in product(*(points(each, most) for each in ranges))]


def too_many(tune: Tune, ranges: Sequence[Range]) -> str:
    """Why a grid does not fit into the number of trials, in one line; empty where it does."""
    count = math.prod(len(points(each, FEWEST_POINTS)) for each in ranges)
    if tune.seconds or count <= tune.trials:
        return ""
    names = " × ".join(each.key for each in ranges)
    return f"a grid of {count:,} settings ({names}) is more than tune.trials = {tune.trials}; raise trials, or take tpe"


def points(of: Range, most: int) -> list[Json]:
    """At most so many values of a range, evenly spaced, by factors where it is logarithmic; of a list all."""
    if of.values:
        return list(of.values)
    shares = [number / (most - 1) for number in range(most)]
    if of.log:
        found = [of.low * (of.high / of.low) ** share for share in shares]
    else:
        found = [of.low + (of.high - of.low) * share for share in shares]
    return list(dict.fromkeys(rounded(of, value) for value in found))


def rounded(of: Range, value: float) -> Json:
    """A value of a range as it is tried: whole where the setting is; else to three significant digits, which is finer
    than what can be told apart, and can be read and pasted."""
    if of.whole:
        return min(max(round(value), int(of.low)), int(of.high))
    return min(max(float(f"{value:.3g}"), of.low), of.high)


def _most_points(tune: Tune, ranges: Sequence[Range]) -> int:
    most = FEWEST_POINTS
    while any(not each.values for each in ranges):
        count = math.prod(len(points(each, most + 1)) for each in ranges)
        if count > tune.trials or count == math.prod(len(points(each, most)) for each in ranges):
            break
        most += 1
    return most
