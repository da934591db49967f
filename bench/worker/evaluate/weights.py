"""What the weights of a trained model look like, layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

HISTOGRAM_BINS = 40
# Near zero: smaller than a hundredth of the layer's root mean square, so that the scale of a layer does not matter.
NEAR_ZERO_SHARE = 0.01


def statistics(weights: npt.NDArray[Any]) -> dict[str, float]:
    """Mean, sd, minimum, maximum, L2 norm, and share of values whose size is below a hundredth of the layer's RMS.

    A layer of zeros is near zero throughout. Any shape; needs at least one value.
    """
    values = np.asarray(weights, dtype=np.float64).ravel()
    rms = float(np.sqrt(np.mean(values**2)))
    return {
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "l2_norm": float(np.linalg.norm(values)),
        "near_zero": float(np.mean(np.abs(values) <= NEAR_ZERO_SHARE * rms)),
    }


def is_shown(weights: npt.NDArray[Any]) -> bool:
    """Whether there is something to look at: floating, not empty, every value finite."""
    return bool(np.issubdtype(weights.dtype, np.floating) and weights.size and np.isfinite(weights).all())


def attributes_of(weights: npt.NDArray[Any]) -> dict[str, Any]:
    """The statistics, and histogram_counts (B,) and histogram_edges (B+1,) of the values."""
    counts, edges = np.histogram(np.asarray(weights, dtype=np.float64), bins=HISTOGRAM_BINS)
    return statistics(weights) | {"histogram_counts": counts, "histogram_edges": edges}
