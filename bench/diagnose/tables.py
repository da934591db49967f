"""Tables of a diagnosis: figures by class, statistics of the weights, models side by side, pairs of models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from bench.analysis.artifacts import Array, Diagnosed
from bench.present.format import accuracy, signed
from bench.present.tables import Column, Table, TableCell
from bench.statistics.intervals import Estimate, paired_bootstrap
from bench.statistics.tests import mcnemar_exact

CLASS_FIGURES = ("precision", "recall", "f1", "accuracy")
LAYER_FIGURES = (
    ("mean", "mean"), ("sd", "sd"), ("minimum", "minimum"), ("maximum", "maximum"), ("l2_norm", "L2 norm"),
)  # fmt: skip


def _share(value: float) -> TableCell:
    return TableCell(accuracy(value), value) if np.isfinite(value) else TableCell("")


def by_class(found: Diagnosed) -> Table:
    """Precision, recall, F1, accuracy, support and areas of each class; their mean over the classes below."""
    columns = [Column("class", "class", numeric=False), *(Column(name, name) for name in CLASS_FIGURES)]
    columns += [Column("roc_area", "ROC area"), Column("average_precision", "average precision")]
    columns.append(Column("support", "examples"))
    arrays = [found[f"per_class/{name}"] for name in CLASS_FIGURES]
    arrays += [found["roc/area"], found["precision_recall/area"]]
    support = found["per_class/support"]
    rows = [
        (
            TableCell(name),
            *(_share(float(array[k])) for array in arrays),
            TableCell(f"{support[k]:,}", float(support[k])),
        )
        for k, name in enumerate(found.class_names)
    ]
    total = int(support.sum())
    rows.append(
        (TableCell("mean"), *(_share(_mean(array, support)) for array in arrays), TableCell(f"{total:,}", total))
    )
    return Table(
        name="classes", title="By class", columns=tuple(columns), rows=tuple(rows),
        notes=(
            "accuracy: of the answers to “is it this class?”. ROC area and average precision: the class against the "
            "rest. mean: over the classes that the test set has, each counting the same.",
        ),
    )  # fmt: skip


def _mean(array: Array, support: Array) -> float:
    known = array[(support > 0) & np.isfinite(array)]
    return float(known.mean()) if len(known) else float("nan")


def top_k(found: Diagnosed) -> str:
    """`1: 0.9222, 2: 0.9722, …` in a sentence."""
    shares = ", ".join(f"{k} → {accuracy(float(share))}" for k, share in enumerate(found["top_k/accuracy"], start=1))
    return f"The right class is among the k likeliest answers, by k: {shares}."


def by_layer(found: Diagnosed) -> Table:
    """Statistics of the weights of each layer."""
    columns = [Column("layer", "layer", numeric=False), Column("shape", "shape", numeric=False)]
    columns += [Column(key, head) for key, head in LAYER_FIGURES] + [Column("near_zero", "near zero (%)")]
    rows = []
    for layer in found.layers:
        figures = [float(layer.statistics[key]) for key, _ in LAYER_FIGURES]
        share = 100 * float(layer.statistics["near_zero"])
        shape = "×".join(str(length) for length in layer.values.shape)
        cells = (TableCell(f"{value:.3g}", value) for value in figures)
        rows.append((TableCell(layer.name), TableCell(shape), *cells, TableCell(f"{share:.1f}", share)))
    return Table(
        name="weights", title="Weights", columns=tuple(columns), rows=tuple(rows),
        notes=("near zero: below a hundredth of the root mean square of the layer.",),
    )  # fmt: skip


def models(several: Sequence[Diagnosed], names: Sequence[str]) -> Table:
    """What each of the trained models got right, one row a model."""
    columns = (
        Column("model", "model", numeric=False), Column("test_accuracy", "accuracy"), Column("macro_f1", "macro F1"),
        Column("log_loss", "log loss (nats)"), Column("calibration_error", "calibration error"),
        Column("confused", "most common confusion", numeric=False),
    )  # fmt: skip
    rows = []
    for found, name in zip(several, names, strict=True):
        loss, gap = float(found["calibration/log_loss"]), float(found["calibration/expected_error"])
        f1 = _mean(found["per_class/f1"], found["per_class/support"])
        rows.append((
            TableCell(name), _share(float(found.right.mean())), _share(f1), TableCell(f"{loss:.3f}", loss),
            TableCell(f"{gap:.3f}", gap), TableCell(_worst(found)),
        ))  # fmt: skip
    return Table(name="models", title="Models", columns=columns, rows=tuple(rows))


def _worst(found: Diagnosed) -> str:
    if not len(found["confusions/count"]):
        return "none"
    label, answer = (found.class_names[int(found[f"confusions/{part}"][0])] for part in ("label", "answer"))
    return f"{label} → {answer}, {int(found['confusions/count'][0]):,} ×"


def _difference(found: Estimate) -> TableCell:
    mean, *ends = (signed(end, decimals=4) for end in (found.mean, found.low, found.high) if end is not None)
    return TableCell(f"{mean} [{', '.join(ends)}]" if ends else mean, found.mean)


def pairs(several: Sequence[Diagnosed], names: Sequence[str]) -> Table:
    """Each two models on the same examples: right by both, by one alone, by none, and McNemar's exact test."""
    columns = (
        Column("a", "A", numeric=False), Column("b", "B", numeric=False), Column("both", "both right"),
        Column("only_a", "only A"), Column("only_b", "only B"), Column("none", "none"),
        Column("difference", "A − B, accuracy"), Column("p", "p (McNemar)"),
    )  # fmt: skip
    generator = np.random.default_rng(0)  # the same results give the same page
    rows = []
    for i, j in combinations(range(len(several)), 2):
        first, second = several[i].right, several[j].right
        counts = [first & second, first & ~second, ~first & second, ~first & ~second]
        p = mcnemar_exact(first, second).p
        cells = (TableCell(f"{count.sum():,}", float(count.sum())) for count in counts)
        difference = _difference(paired_bootstrap(first, second, generator=generator))
        rows.append((TableCell(names[i]), TableCell(names[j]), *cells, difference, TableCell(f"{p:.2g}", p)))
    return Table(
        name="pairs", title="On the same examples", columns=columns, rows=tuple(rows),
        notes=(
            "A − B: difference of accuracies with its 95 % interval over examples (bootstrap of pairs). It and "
            "McNemar's exact test judge these trained models on this test set, not their architectures: another seed "
            "is another model.",
        ),
    )  # fmt: skip
