"""Tables of a diagnosis: figures by class, statistics of the weights, models side by side, pairs of models."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from bench.analysis.artifacts import Array, Diagnosed, Layer, Regressed
from bench.diagnose.answers import partners
from bench.present.format import accuracy, p_text, signed
from bench.present.tables import Column, Table, TableCell, count_cell, table_of
from bench.statistics.intervals import paired_bootstrap
from bench.statistics.tests import mcnemar_exact

CLASS_FIGURES = ("precision", "recall", "f1", "accuracy")
LAYER_FIGURES = (
    ("mean", "mean"), ("sd", "sd"), ("minimum", "minimum"), ("maximum", "maximum"), ("l2_norm", "L2 norm"),
)  # fmt: skip


def _share(value: float) -> TableCell:
    return TableCell(accuracy(value), value) if np.isfinite(value) else TableCell("")


def by_class(found: Diagnosed) -> Table:
    """Precision, recall, F1, accuracy, support and areas of each class; their mean over the classes below."""
    shares = {Column(name, name): found[f"per_class/{name}"] for name in CLASS_FIGURES}
    shares[Column("roc_area", "ROC area")] = found["roc/area"]
    shares[Column("average_precision", "average precision")] = found["precision_recall/area"]
    support = found["per_class/support"]
    rows = [
        (
            TableCell(name),
            *(_share(float(array[k])) for array in shares.values()),
            TableCell(worst),
            count_cell(int(support[k])),
        )
        for k, (name, worst) in enumerate(zip(found.class_names, partners(found), strict=True))
    ]
    means = (_share(_mean(array, support)) for array in shares.values())
    rows.append((TableCell("mean"), *means, TableCell(""), count_cell(int(support.sum()))))
    taken = Column("taken_for", "most often taken for", numeric=False)
    columns = (Column("class", "class", numeric=False), *shares, taken, Column("support", "examples"))
    note = (
        "accuracy: of the answers to “is it this class?”. ROC area and average precision: the class against the "
        "rest. mean: over the classes that the test set has, each counting the same."
    )
    return Table("classes", "By class", columns, tuple(rows), (note,))


def _mean(array: Array, support: Array) -> float:
    known = array[(support > 0) & np.isfinite(array)]
    return float(known.mean()) if len(known) else float("nan")


def top_k(found: Diagnosed) -> str:
    """`1: 0.9222, 2: 0.9722, …` in a sentence."""
    shares = ", ".join(f"{k} → {accuracy(float(share))}" for k, share in enumerate(found["top_k/accuracy"], start=1))
    return f"The right class is among the k likeliest answers, by k: {shares}."


def by_layer(found: Diagnosed | Regressed) -> Table:
    """Statistics of the weights of each layer."""

    def figure(key: str) -> Callable[[Layer], TableCell]:
        return lambda layer: TableCell(f"{layer.statistics[key]:.3g}", float(layer.statistics[key]))

    def near_zero(layer: Layer) -> TableCell:
        share = 100 * float(layer.statistics["near_zero"])
        return TableCell(f"{share:.1f}", share)

    return table_of(
        "weights",
        "Weights",
        found.layers,
        [
            (Column("layer", "layer", numeric=False), lambda layer: layer.name),
            (Column("shape", "shape", numeric=False), lambda layer: "×".join(map(str, layer.values.shape))),
            *((Column(key, head), figure(key)) for key, head in LAYER_FIGURES),
            (Column("near_zero", "near zero (%)"), near_zero),
        ],
        notes=["near zero: below a hundredth of the root mean square of the layer."],
    )


def models(several: Sequence[Diagnosed], names: Sequence[str]) -> Table:
    """What each of the trained models got right, one row a model."""

    def three(place: str) -> Callable[[tuple[Diagnosed, str]], TableCell]:
        return lambda row: TableCell(f"{row[0][place]:.3f}", float(row[0][place]))

    return table_of(
        "models",
        "Models",
        zip(several, names, strict=True),
        [
            (Column("model", "model", numeric=False), lambda row: row[1]),
            (Column("test_accuracy", "accuracy"), lambda row: _share(float(row[0].right.mean()))),
            (
                Column("macro_f1", "macro F1"),
                lambda row: _share(_mean(row[0]["per_class/f1"], row[0]["per_class/support"])),
            ),
            (Column("log_loss", "log loss (nats)"), three("calibration/log_loss")),
            (Column("calibration_error", "calibration error"), three("calibration/expected_error")),
            (Column("confused", "most common confusion", numeric=False), lambda row: _worst(row[0])),
        ],
    )


def _worst(found: Diagnosed) -> str:
    if not len(found["confusions/count"]):
        return "none"
    label, answer = (found.class_names[int(found[f"confusions/{part}"][0])] for part in ("label", "answer"))
    return f"{label} → {answer}, {int(found['confusions/count'][0]):,} ×"


def pairs(several: Sequence[Diagnosed], names: Sequence[str]) -> Table:
    """Each two models on the same examples: right by both, by one alone, by none, and McNemar's exact test."""
    columns = (
        Column("a", "A", numeric=False), Column("b", "B", numeric=False), Column("both", "both right"),
        Column("only_a", "only A"), Column("only_b", "only B"), Column("none", "none"),
        Column("difference", "A − B, accuracy"), Column("p", "p (McNemar)"),
    )  # fmt: skip
    generator = np.random.default_rng(0)  # the same results give the same page
    rows = []
    for (found, name), (other, other_name) in combinations(zip(several, names, strict=True), 2):
        a, b = found.right, other.right
        counts = (count_cell(int(both.sum())) for both in (a & b, a & ~b, ~a & b, ~a & ~b))
        p = mcnemar_exact(a, b).p
        gap = paired_bootstrap(a, b, generator=generator)
        mean, *ends = (signed(each, decimals=4) for each in (gap.mean, gap.low, gap.high) if each is not None)
        difference = TableCell(f"{mean} [{', '.join(ends)}]" if ends else mean, gap.mean)
        rows.append((TableCell(name), TableCell(other_name), *counts, difference, TableCell(p_text(p), p)))
    note = (
        "A − B: difference of accuracies with its 95 % interval over examples (bootstrap of pairs). It and "
        "McNemar's exact test judge these trained models on this test set, not their architectures: another seed "
        "is another model."
    )
    return Table("pairs", "On the same examples", columns, tuple(rows), (note,))
