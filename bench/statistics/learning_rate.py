"""What a learning-rate range test suggests: L. N. Smith, Cyclical Learning Rates for Training Neural Networks, WACV
2017, https://arxiv.org/abs/1506.01186, read as fastai reads it (https://docs.fast.ai/callback.schedule.html)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SKIPPED = 0.1  # of the steps, at the start: the smoothed loss has seen few batches there
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two learning rates: where the smoothed loss falls fastest, and a tenth of where it is lowest."""

    steepest: float
    tenth_of_lowest: float

    @property
    def start(self) -> float:
        """The smaller of the two: near the edge of divergence, as with plain SGD, the steepest descent lies too high;
        on a flat bottom, as with Adam, the lowest loss does."""
        return min(self.steepest, self.tenth_of_lowest)


def suggest(rates: Sequence[float], smoothed: Sequence[float], *, ended: bool = False) -> Suggestion | None:
    """From learning rates (n,), rising by equal factors, and the smoothed losses (n,) before the step at each.

    The steepest descent is looked for in front of the lowest loss, and behind the first tenth. None where there are
    fewer than five losses, where the loss nowhere falls there, or where it is lowest in the last twentieth of a sweep
    that `ended` without diverging: what lies behind is not known.
    """
    losses = np.asarray(smoothed, dtype=np.float64)
    if len(losses) < FEWEST:
        return None
    lowest, first = int(losses.argmin()), int(len(losses) * SKIPPED)
    if lowest <= first or (ended and lowest >= len(losses) - max(1, len(losses) // 20)):
        return None
    slopes = np.gradient(losses, np.log10(np.asarray(rates, dtype=np.float64)))
    steepest = first + int(slopes[first : lowest + 1].argmin())
    if slopes[steepest] >= 0:
        return None
    return Suggestion(float(rates[steepest]), float(rates[lowest]) / 10)
