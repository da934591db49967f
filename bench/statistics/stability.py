"""Whether one number can stand for a sample: a mean hides two modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

IQR_SHARE = 0.10  # of the median
SD_SHARE = 0.10  # of the mean


@dataclass(frozen=True, slots=True)
class Stability:
    """Spread of a sample as shares of its middle; None where there are too few values, or the middle is zero."""

    iqr_share: float | None
    sd_share: float | None

    @property
    def stable(self) -> bool | None:
        """False where a share reaches its limit; None where nothing can be said."""
        known = [
            share < limit
            for share, limit in ((self.iqr_share, IQR_SHARE), (self.sd_share, SD_SHARE))
            if share is not None
        ]
        return all(known) if known else None


def stability(values: ArrayLike) -> Stability:
    """Interquartile range over the median, and sd (n - 1) over the mean, of `values` (n,)."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < 2:
        return Stability(None, None)
    first, median, third = np.percentile(sample, [25, 50, 75])
    mean, sd = float(sample.mean()), float(sample.std(ddof=1))
    return Stability(
        iqr_share=float((third - first) / abs(median)) if median else None,
        sd_share=sd / abs(mean) if mean else None,
    )
