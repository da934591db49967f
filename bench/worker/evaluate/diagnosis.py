"""What a trained model gets right and wrong, from its logits on the test set: arrays in, arrays out.

Nothing here runs inside a timed window, and nothing needs the model any more. Figures of classification come from
scikit-learn; calibration is the expected calibration error of Guo et al. 2017 (arXiv 1706.04599), 15 equal bins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

CALIBRATION_BINS = 15
CONFIDENCE_BINS = 20
MOST_ERRORS, MOST_CONFUSIONS = 16, 12
MOST_K = 5
FIRST_SAMPLES = 16  # whose answers before and after training are kept
OF_IMAGES = frozenset({"images", "mean_image"})  # arrays of inputs
CURVE_POINTS = 200  # of a curve that is kept; areas are those of the whole curve


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a model to a test set: `probabilities` (N, K) float64, `labels` and `answers` (N,) int64."""

    probabilities: Floats
    labels: Integers
    answers: Integers
    right: npt.NDArray[np.bool_]  # (N,) whether the answer is the label
    confidence: Floats  # (N,) the probability that the model gave its own answer

    @classmethod
    def of(cls, logits: npt.NDArray[np.float32], labels: Integers) -> "Answers":
        """From logits (N, K) and labels (N,); softmax in float64. Raises ValueError where an answer is no number."""
        if bad := np.count_nonzero(np.isnan(logits).any(axis=1) | ~np.isfinite(logits.max(axis=1))):
            raise ValueError(f"{bad:,} of {len(logits):,} answers hold NaN or infinity")
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        odds, answers = np.exp(shifted), logits.argmax(axis=1)
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        return cls(probabilities, labels, answers, answers == labels, probabilities.max(axis=1))

    @property
    def num_classes(self) -> int:
        return int(self.probabilities.shape[1])


def rehearse() -> None:
    """Diagnoses four made-up answers: scikit-learn looks up what it needs at its first call (8 ms), and keeps it."""
    logits = np.array([[2, 1], [1, 2], [2, 1], [1, 2]], dtype=np.float32)
    diagnose(logits, np.array([0, 0, 1, 1]), images=np.zeros((4, 1, 1, 1), dtype=np.uint8))


def diagnose(logits: npt.NDArray[np.float32], labels: Integers, *, images: npt.NDArray[Any]) -> dict[str, Any]:
    """Everything below, by its place in the trial's file: `per_class/recall` and so on.

    logits (N, K), labels (N,), images (N, C, H, W) before scaling; of inputs that are no images none is kept.
    """
    from sklearn import config_context

    found: dict[str, Any] = {}
    answers = Answers.of(logits, labels)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        parts = {"per_class": per_class(answers), "roc": roc(answers), "precision_recall": precision_recall(answers)}
    parts |= {"calibration": calibration(answers), "confidence": confidence(answers), "top_k": top_k(answers)}
    parts |= {"errors": confident_errors(answers, images), "confusions": confusions(answers, images)}
    parts["first_batch"] = {
        "images": np.asarray(images[:FIRST_SAMPLES]),
        "labels": labels[:FIRST_SAMPLES],
        "after": answers.probabilities[:FIRST_SAMPLES].astype(np.float32),
    }
    kept = OF_IMAGES if images.ndim != 4 else frozenset()
    for part, arrays in parts.items():
        found |= {f"{part}/{name}": values for name, values in arrays.items() if name not in kept}
    return found


def summary(diagnosis: Arrays) -> dict[str, float]:
    """The figures of a diagnosis that are metrics of the trial."""
    present = diagnosis["per_class/support"] > 0
    found = {
        "test_macro_f1": float(diagnosis["per_class/f1"][present].mean()),
        "test_calibration_error": float(diagnosis["calibration/expected_error"]),
    }
    if len(accuracies := diagnosis["top_k/accuracy"]) == MOST_K:
        found["test_top5_accuracy"] = float(accuracies[-1])
    return found


def per_class(answers: Answers) -> Arrays:
    """(K,) each: precision, recall, f1, support, and accuracy: right answers to "is it this class?" over all samples.

    A figure that would be 0/0 (no sample of the class, or it was never answered) is 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    classes = np.arange(answers.num_classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        answers.labels, answers.answers, labels=classes, zero_division=0.0
    )
    is_class, said = answers.labels == classes[:, None], answers.answers == classes[:, None]
    accuracy = (is_class == said).mean(axis=1)
    return {"precision": precision, "recall": recall, "f1": f1, "accuracy": accuracy, "support": support}


def roc(answers: Answers) -> Arrays:
    """One class against the rest: false_positive_rate and true_positive_rate (K, P), area (K,); NaN without both."""
    from sklearn.metrics import auc, roc_curve

    curves, areas = _empty_curves(answers)
    for label in _with_both_sides(answers):
        false, true, _ = roc_curve(answers.labels == label, answers.probabilities[:, label])
        areas[label] = auc(false, true)
        curves[:, label] = _thinned(false, true)
    return {"false_positive_rate": curves[0], "true_positive_rate": curves[1], "area": areas}


def precision_recall(answers: Answers) -> Arrays:
    """One class against the rest: recall and precision (K, P), area (K,) as average precision; NaN without both."""
    from sklearn.metrics import precision_recall_curve

    curves, areas = _empty_curves(answers)
    for label in _with_both_sides(answers):
        is_class, score = answers.labels == label, answers.probabilities[:, label]
        precision, recall, _ = precision_recall_curve(is_class, score, drop_intermediate=True)
        # As average_precision_score does it, which would go through all of this once more.
        areas[label] = -np.sum(np.diff(recall) * precision[:-1])
        curves[:, label] = _thinned(recall[::-1], precision[::-1])
    return {"recall": curves[0], "precision": curves[1], "area": areas}


def _empty_curves(answers: Answers) -> tuple[npt.NDArray[np.float32], Floats]:
    """Two coordinates (2, K, P), in half the bytes since they are only drawn, and areas (K,), all NaN."""
    curves = np.full((2, answers.num_classes, CURVE_POINTS), np.nan, dtype=np.float32)
    return curves, np.full(answers.num_classes, np.nan)


def _with_both_sides(answers: Answers) -> list[int]:
    counts = np.bincount(answers.labels, minlength=answers.num_classes)
    return [int(label) for label in np.flatnonzero((counts > 0) & (counts < len(answers.labels)))]


def _thinned(x: Floats, y: Floats) -> Floats:
    """(2, P): points of a curve, evenly along it, its ends among them; a shorter curve repeats its last point."""
    if len(x) > CURVE_POINTS:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        kept = np.searchsorted(length, np.linspace(0.0, length[-1], CURVE_POINTS), side="right") - 1
        kept[0], kept[-1] = 0, len(x) - 1
    else:
        kept = np.minimum(np.arange(CURVE_POINTS), len(x) - 1)
    return np.stack([x[kept], y[kept]])


def calibration(answers: Answers) -> Arrays:
    """Reliability diagram: edges (B+1,), and by bin of confidence (B,) count, mean confidence, accuracy (NaN: empty).

    expected_error (): the gap between the two, weighted by count. log_loss (): mean cross-entropy in nats.
    """
    edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)
    place = np.minimum((answers.confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    count = np.bincount(place, minlength=CALIBRATION_BINS)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, weights=answers.confidence, minlength=CALIBRATION_BINS) / count
        accuracy = np.bincount(place, weights=answers.right, minlength=CALIBRATION_BINS) / count
    gap = np.nansum(count * np.abs(confidence - accuracy)) / count.sum()
    given = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
    loss = abs(np.log(np.maximum(given, np.finfo(np.float64).eps)).mean())  # as scikit-learn, which refuses one class
    return {
        "edges": edges, "count": count, "confidence": confidence, "accuracy": accuracy,
        "expected_error": np.array(gap), "log_loss": np.array(loss),
    }  # fmt: skip


def confidence(answers: Answers) -> Arrays:
    """Histograms of confidence: edges (B+1,), counts of right and of wrong answers (B,)."""
    edges = np.linspace(0.0, 1.0, CONFIDENCE_BINS + 1)
    sure, right = answers.confidence, answers.right
    return {"edges": edges, "right": np.histogram(sure[right], edges)[0], "wrong": np.histogram(sure[~right], edges)[0]}


def top_k(answers: Answers) -> Arrays:
    """accuracy (k,): share of samples whose label is among the 1, 2, … likeliest answers, up to 5 or all classes."""
    # As argmax counts: of equally likely classes the first is the answer.
    order = np.argsort(-answers.probabilities, axis=1, kind="stable")[:, :MOST_K]
    return {"accuracy": (order == answers.labels[:, None]).cumsum(axis=1).mean(axis=0)}


def confident_errors(answers: Answers, images: npt.NDArray[Any]) -> Arrays:
    """The most confident wrong answers: index, label, answer, confidence (E,), images (E, C, H, W)."""
    wrong = np.flatnonzero(~answers.right)
    worst = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:MOST_ERRORS]
    return {
        "index": worst, "label": answers.labels[worst], "answer": answers.answers[worst],
        "confidence": answers.confidence[worst], "images": np.asarray(images[worst]),
    }  # fmt: skip


def confusions(answers: Answers, images: npt.NDArray[Any]) -> Arrays:
    """The most common confusions, ranked: label, answer, count (M,), mean_image (M, C, H, W) of their images."""
    pairs = answers.labels * answers.num_classes + answers.answers
    wrong, counts = np.unique(pairs[~answers.right], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]
    ranked = wrong[order]
    means = [images[pairs == pair].mean(axis=0, dtype=np.float64).astype(np.float32) for pair in ranked]
    return {
        "label": ranked // answers.num_classes, "answer": ranked % answers.num_classes, "count": counts[order],
        "mean_image": np.stack(means) if means else np.empty((0, *images.shape[1:]), np.float32),
    }  # fmt: skip
