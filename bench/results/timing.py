"""How far the timings of a trial are to be trusted, from what is stored of it. Of its accuracy it says nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from bench.base.metrics import SPEED
from bench.base.records import Result

ROUGH = 0.05  # a relative half-width above it
GOOD, DISTURBED = "good", "disturbed"
OF_PRECISION = "half-width"  # how a note begins that says why a timing is rough
# Kinds of `validity_notes` that tell of no disturbance: how jumpy or how few single blocks are, the half-width knows.
OF_BLOCKS = frozenset({"unstable", "few samples"})


@dataclass(frozen=True, slots=True)
class Timing:
    """`word`: `good`, `rough` or `disturbed`, with the notes that say why; empty where nothing was timed.

    half_width: of the 95 % interval of the throughput, over the throughput; None where the blocks give none.
    """

    word: str = ""
    notes: tuple[str, ...] = ()
    half_width: float | None = None


def mostly_disturbed(found: Sequence[Timing]) -> bool:
    """Whether a mean over trials with these timings is disturbed: more than half of them are.

    Up to a half, the disturbed ones differ from the others, and the interval of the mean is as wide as that. Where most
    are disturbed they may agree with each other: then the interval is narrow, and lies around a wrong value.
    """
    return 2 * sum(timing.word == DISTURBED for timing in found) > len(found)


def timings(results: Sequence[Result | None]) -> list[Timing]:
    """The timing of each result, all at once."""
    import numpy as np

    from bench.statistics.batch_means import half_widths

    blocks = [_blocks(result) for result in results]
    counts = [len(seconds) for seconds, _ in blocks]
    flat = (np.fromiter(chain.from_iterable(each[part] for each in blocks), np.float64) for part in (0, 1))
    found = half_widths(*flat, counts=counts).tolist()
    halves = (None if math.isnan(half) else half for half in found)
    return [_timing(*each) for each in zip(results, halves, counts, strict=True)]


def _was_timed(result: Result) -> bool:
    return result.status == "ok" and SPEED in result.metrics


def _blocks(result: Result | None) -> tuple[Sequence[float], Sequence[float]]:
    """Seconds and samples of the timed blocks; none where nothing was timed, or where they do not fit together."""
    if result is None or not _was_timed(result):
        return (), ()
    seconds, samples = (result.samples.get(name, ()) for name in ("block_seconds", "block_samples"))
    fit = len(seconds) == len(samples) > 0 and min(seconds) > 0 and min(samples) > 0
    return (seconds, samples) if fit else ((), ())


def _timing(result: Result | None, half_width: float | None, blocks: int) -> Timing:
    if result is None or not _was_timed(result):
        return Timing()
    disturbing = [note for note in result.validity_notes if note.partition(":")[0] not in OF_BLOCKS]
    rough = _why_rough(half_width, blocks)
    word = DISTURBED if disturbing else "rough" if rough else GOOD
    return Timing(word, (*disturbing, *rough), half_width)


def _why_rough(half_width: float | None, blocks: int) -> list[str]:
    if half_width is None:
        why = f"too few timed blocks for an interval, or too unequal ones ({blocks})" if blocks else "no timed blocks"
        return [f"{OF_PRECISION} unknown: {why}"]
    percent = f"{100 * half_width:.{0 if half_width >= 0.1 else 2}f} %"
    return [f"{OF_PRECISION} {percent}: the throughput is known less well than to ± 5 %"] if half_width > ROUGH else []
