"""Where a regression errs, from its predictions on the test set: arrays in, arrays out."""

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.worker.evaluate.diagnosis import MOST_ERRORS

MOST_POINTS = 5000  # that are drawn, of each target
FEWEST_BINS, MOST_BINS = 10, 50


def diagnose(predictions: npt.NDArray[np.float32], targets: npt.NDArray[np.float32]) -> dict[str, Any]:
    """From predictions (N, T) and targets (N,) or (N, T), in the unit of the targets.

    residuals/place (n,): the test samples that are drawn, all or every so many of them; residuals/prediction and
    residuals/target (n, T) float32. residuals/edges (T, B+1), residuals/counts (T, B): histogram of prediction - target
    over all samples. residuals/worst (E,): places of the largest errors, in standard deviations of the targets, summed
    over them.
    """
    truth = targets.reshape(len(targets), -1)
    errors = predictions.astype(np.float64) - truth
    place = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), MOST_POINTS)).astype(np.int64))
    bins = min(MOST_BINS, max(FEWEST_BINS, int(np.sqrt(len(truth)))))
    histograms = [np.histogram(column, bins=bins) for column in errors.T]
    sd = truth.std(axis=0, dtype=np.float64)
    sizes = np.abs(errors / np.where(sd > 0, sd, 1.0)).sum(axis=1)
    return {
        "residuals/place": place,
        "residuals/prediction": predictions[place],
        "residuals/target": truth[place],
        "residuals/edges": np.stack([edges for _, edges in histograms]),
        "residuals/counts": np.stack([counts for counts, _ in histograms]),
        "residuals/worst": np.argsort(-sizes, kind="stable")[:MOST_ERRORS],
    }
