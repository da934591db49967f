"""How well a rate is known that was measured once, in blocks one after another: the method of batch means."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

# Few batches are long ones, which neighbours share little with. By simulation (tests/statistics/test_batch_means.py),
# two speeds that last a twentieth of the window each: 5 batches cover .93 to .95, 8 .92 to .94, 10 .91 to .94. Fifty
# blocks with a correlation of .7: 5 cover .92, 8 .89, 10 .86. Fewer than 5 would make wide intervals.
BATCHES = 5
LEAST = 0.5  # of the mean batch: a smaller one says too little to stand for a batch


def half_widths(
    seconds: ArrayLike, amounts: ArrayLike, *, counts: ArrayLike, confidence: float = 0.95
) -> NDArray[np.float64]:
    """Relative half-widths (k,) of the intervals of k rates, amount over time, each from its own blocks.

    `seconds` and `amounts` (b,) are the blocks of all rates, one rate after another and in the order they ran; `counts`
    (k,) says how many each has. A rate's blocks make BATCHES batches of about equal amount. With R the rate, N the
    whole amount and e = n - R · t of each of m batches, it is t(m - 1) · √(m/(m - 1) · Σ e²) / N: batch means
    (Schmeiser 1982; Law & Kelton, Simulation Modeling and Analysis) of a ratio (delta method; Cochran 1977, chapter 6).
    NaN where a batch is empty or small: blocks are too few, or too unequal. Raises ValueError where one is not above 0.
    """
    seconds, amounts = np.asarray(seconds, dtype=np.float64), np.asarray(amounts, dtype=np.float64)
    counts = np.asarray(counts, dtype=np.int64)
    if not ((seconds > 0).all() and (amounts > 0).all()):
        raise ValueError("a block has a time and an amount above 0")
    k = len(counts)
    rate = np.repeat(np.arange(k), counts)
    whole, time = np.bincount(rate, amounts, minlength=k), np.bincount(rate, seconds, minlength=k)
    before = np.cumsum(counts > 0) - 1  # rates with blocks, each of which adds 1 to the sum of shares
    shares = amounts / whole[rate]
    middles = np.cumsum(shares) - shares / 2 - before[rate]  # of blocks, where 1 is the whole amount of their rate
    batch = np.clip(middles * BATCHES, 0, BATCHES - 1).astype(np.int64)
    place, cells = rate * BATCHES + batch, k * BATCHES
    with np.errstate(invalid="ignore", divide="ignore"):
        done = np.bincount(place, amounts, minlength=cells).reshape(k, BATCHES) / whole[:, None]
        took = np.bincount(place, seconds, minlength=cells).reshape(k, BATCHES) / time[:, None]
        variance = BATCHES / (BATCHES - 1) * ((done - took) ** 2).sum(axis=1)
        found = stdtrit(BATCHES - 1, 0.5 + confidence / 2) * np.sqrt(variance)
        return np.where(done.min(axis=1) >= LEAST / BATCHES, found, np.nan)
