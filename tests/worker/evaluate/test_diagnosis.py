"""What a model gets right and wrong: figures counted by hand, and arrays whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from bench.worker.evaluate import diagnosis
from bench.worker.evaluate.diagnosis import Answers, diagnose, summary

IMAGES = np.arange(6 * 4, dtype=np.uint8).reshape(6, 1, 2, 2)
LABELS = np.array([0, 0, 0, 1, 1, 2])
SAID = np.array([0, 0, 1, 1, 0, 0])


def logits_that_say(answers: Sequence[int] | npt.NDArray[Any], margin: float = 2.0) -> npt.NDArray[np.float32]:
    return (margin * np.eye(3)[answers]).astype(np.float32)


def answers_of(
    said: npt.NDArray[Any] = SAID, labels: npt.NDArray[np.int64] = LABELS, *, margin: float = 2.0
) -> Answers:
    return Answers.of(logits_that_say(said, margin), labels)


def test_per_class_figures_are_those_counted_by_hand() -> None:
    found = diagnosis.per_class(answers_of())
    assert found["support"].tolist() == [3, 2, 1]
    assert found["precision"] == pytest.approx([2 / 4, 1 / 2, 0.0])
    assert found["recall"] == pytest.approx([2 / 3, 1 / 2, 0.0])
    assert found["f1"] == pytest.approx([4 / 7, 1 / 2, 0.0])
    # Class 2 against the rest: five samples are not of it and were not said to be, one is and was not.
    assert found["accuracy"] == pytest.approx([3 / 6, 4 / 6, 5 / 6])


def test_softmax_of_large_logits_is_finite() -> None:
    answers = Answers.of(np.array([[1e4, 0.0], [0.0, -1e4]], np.float32), np.array([0, 1]))
    assert answers.probabilities.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_areas_are_one_for_a_perfect_order_and_half_for_none() -> None:
    perfect = diagnosis.roc(answers_of(LABELS))
    assert perfect["area"] == pytest.approx([1.0, 1.0, 1.0])
    blind = Answers.of(np.zeros((6, 3), np.float32), LABELS)
    assert diagnosis.roc(blind)["area"] == pytest.approx([0.5, 0.5, 0.5])
    assert diagnosis.precision_recall(blind)["area"] == pytest.approx([3 / 6, 2 / 6, 1 / 6])  # the share of the class


def test_areas_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for decimals in (1, 2, 8):  # one decimal: many answers are equally likely
        labels = rng.integers(0, 3, 80)
        answers = Answers.of(np.round(rng.normal(size=(80, 3)), decimals).astype(np.float32), labels)
        wanted = [average_precision_score(labels == k, answers.probabilities[:, k]) for k in range(3)]
        assert diagnosis.precision_recall(answers)["area"] == pytest.approx(wanted, abs=1e-12)
        wanted = [roc_auc_score(labels == k, answers.probabilities[:, k]) for k in range(3)]
        assert diagnosis.roc(answers)["area"] == pytest.approx(wanted, abs=1e-12)


def test_where_all_samples_are_of_one_class_nothing_has_a_curve() -> None:
    answers = Answers.of(logits_that_say([0, 1, 0]), np.array([0, 0, 0]))
    assert np.isnan(diagnosis.roc(answers)["area"]).all()
    assert np.isnan(diagnosis.precision_recall(answers)["area"]).all()


def test_a_class_without_samples_has_no_curve() -> None:
    found = diagnosis.roc(Answers.of(logits_that_say([0, 1, 0]), np.array([0, 1, 1])))
    assert np.isnan(found["area"][2])
    assert np.isnan(found["true_positive_rate"][2]).all()


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_its_area() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 5000)
    score = rng.normal(size=5000) + labels
    answers = Answers.of(np.stack([0 * score, score], axis=1).astype(np.float32), labels)
    found = diagnosis.roc(answers)
    x, y = found["false_positive_rate"][1], found["true_positive_rate"][1]
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 1.0)
    area = float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))
    assert area == pytest.approx(found["area"][1], abs=0.005)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    answers = answers_of(margin=2.0)
    sure = np.exp(2) / (np.exp(2) + 2)
    found = diagnosis.calibration(answers)
    assert found["expected_error"] == pytest.approx(abs(sure - 3 / 6))
    assert found["count"].sum() == 6
    assert found["accuracy"][np.flatnonzero(found["count"])] == pytest.approx([0.5])
    assert found["log_loss"] == pytest.approx(-np.log(answers.probabilities[np.arange(6), LABELS]).mean())


def test_too_sure_here_and_too_unsure_there_do_not_cancel() -> None:
    """Two bins of five answers each: 0.7 sure and 0.8 right, 0.9 sure and 0.8 right."""
    odds = np.log(np.repeat([0.7 / 0.3, 0.9 / 0.1], 5))
    answers = Answers.of(np.stack([odds, 0 * odds], axis=1).astype(np.float32), np.array([0, 0, 0, 0, 1] * 2))
    found = diagnosis.calibration(answers)
    assert found["expected_error"] == pytest.approx(0.1, abs=1e-6)
    (filled,) = np.nonzero(found["count"])
    assert found["count"][filled].tolist() == [5, 5]
    assert found["confidence"][filled] == pytest.approx([0.7, 0.9])
    assert (found["edges"][filled] <= [0.7, 0.9]).all()
    assert (found["edges"][filled + 1] >= [0.7, 0.9]).all()


def test_the_first_batch_is_that_of_the_test_set() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 3, 40)
    images = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    found = diagnose(logits, labels, images=images)
    assert found["first_batch/labels"].tolist() == labels[:16].tolist()
    assert found["first_batch/images"].ravel().tolist() == list(range(16))
    assert found["first_batch/after"] == pytest.approx(Answers.of(logits, labels).probabilities[:16], abs=1e-6)


def test_full_confidence_lies_in_the_last_bin() -> None:
    found = diagnosis.calibration(answers_of(LABELS, margin=1e3))
    assert found["count"].tolist() == [0] * (diagnosis.CALIBRATION_BINS - 1) + [6]
    assert found["expected_error"] == 0.0


def test_confidence_of_right_and_of_wrong_answers_is_counted_apart() -> None:
    found = diagnosis.confidence(answers_of())
    assert (found["right"].sum(), found["wrong"].sum()) == (3, 3)


def test_top_k_grows_to_one_and_starts_at_the_accuracy() -> None:
    found = diagnosis.top_k(answers_of())["accuracy"]
    assert len(found) == 3  # of three classes
    assert found[0] == pytest.approx(3 / 6)
    assert found[-1] == 1.0


def test_the_surest_errors_come_first_with_their_images() -> None:
    logits = logits_that_say(SAID)
    logits[4] *= 3
    found = diagnosis.confident_errors(Answers.of(logits, LABELS), IMAGES)
    assert found["index"].tolist() == [4, 2, 5]
    assert (found["label"].tolist(), found["answer"].tolist()) == ([1, 0, 2], [0, 1, 0])
    assert (found["images"][0] == IMAGES[4]).all()


def test_confusions_are_ranked_and_carry_their_mean_image() -> None:
    labels, said = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 1, 0, 2])
    found = diagnosis.confusions(answers_of(said, labels), IMAGES)
    assert list(zip(found["label"], found["answer"], found["count"], strict=True)) == [(0, 1, 2), (1, 0, 1)]
    assert found["mean_image"][0] == pytest.approx(IMAGES[:2].mean(axis=0))


def test_a_model_without_errors_is_diagnosed_too() -> None:
    found = diagnose(logits_that_say(LABELS), LABELS, images=IMAGES)
    assert found["errors/images"].shape == (0, 1, 2, 2)
    assert found["confusions/mean_image"].shape == (0, 1, 2, 2)
    assert summary(found)["test_macro_f1"] == 1.0
    assert "test_top5_accuracy" not in summary(found)  # of three classes there are no five


def test_macro_f1_leaves_out_classes_that_the_test_set_has_not() -> None:
    found = diagnose(logits_that_say([0, 1]), np.array([0, 1]), images=IMAGES[:2])
    assert summary(found)["test_macro_f1"] == 1.0


@pytest.mark.parametrize(
    ("classes", "labels", "said", "macro_f1"),
    [
        (1, [0, 0, 0], [0, 0, 0], 1.0),
        (1, [0], [0], 1.0),
        (3, [2], [1], 0.0),
        (3, [2], [2], 1.0),
        (3, [0, 1, 0, 1], [0, 1, 0, 0], (4 / 5 + 2 / 3) / 2),
        (3, [1, 1, 1], [1, 1, 0], 4 / 5),
        (3, [0, 1, 2], [1, 1, 1], (0 + 1 / 2 + 0) / 3),
        (255, [0, 254, 254], [0, 254, 7], (1 + 2 / 3) / 2),
    ],
    ids=["one class", "one class, one image", "one image, wrong", "one image, right", "a class is missing",
         "the test set is one class", "all answers are one class", "more classes than are seen"],
)  # fmt: skip
def test_whatever_classes_there_are_the_figures_are_right(
    classes: int, labels: list[int], said: list[int], macro_f1: float
) -> None:
    logits = (2 * np.eye(classes)[said]).astype(np.float32)
    found = diagnose(logits, np.array(labels), images=np.zeros((len(labels), 1, 2, 2), np.uint8))
    assert summary(found)["test_macro_f1"] == pytest.approx(macro_f1)
    right = np.array(labels) == np.array(said)
    assert found["top_k/accuracy"][0] == pytest.approx(right.mean())
    sure = np.exp(2) / (np.exp(2) + classes - 1)
    wanted = -np.where(right, np.log(sure), np.log((1 - sure) / max(classes - 1, 1) or 1)).mean()
    assert float(found["calibration/log_loss"]) == pytest.approx(wanted, abs=1e-12)
    assert found["per_class/support"].tolist() == np.bincount(labels, minlength=classes).tolist()


def test_the_log_loss_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, 50), (30 * rng.normal(size=(50, 4))).astype(np.float32)
    found = diagnosis.calibration(Answers.of(logits, labels))
    wanted = log_loss(labels, Answers.of(logits, labels).probabilities, labels=np.arange(4))
    assert float(found["log_loss"]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("bad", [[np.nan, 0, 0], [np.inf, 0, 0], [-np.inf] * 3])
def test_answers_that_are_no_numbers_are_counted(bad: list[float]) -> None:
    logits = np.array([[1, 0, 0], bad, [0, 1, 0], bad], np.float32)
    with pytest.raises(ValueError, match="^2 of 4 answers hold NaN or infinity$"):
        diagnose(logits, np.array([0, 1, 1, 2]), images=IMAGES[:4])


def test_a_class_that_is_ruled_out_is_an_answer() -> None:
    logits = np.array([[1, -np.inf, 1], [-np.inf, 3, -np.inf]], np.float32)
    found = diagnose(logits, np.array([0, 1]), images=IMAGES[:2])
    assert float(found["calibration/log_loss"]) == pytest.approx(np.log(2) / 2)
