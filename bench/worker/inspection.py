"""`bench inspect dataset`, the worker's part: build the data set, look at it, leave what was found in a file.

    python -m bench.worker.inspection

The request: name, settings, locations (setting → path of a data file), plugins, data_root, output (an .npz that is
written). The answer: {}.

Pixels are given as shares of the set's maximum, the units of the scalings `unit` and `standard`. The brightness of an
image is the mean of its pixels over all channels, its contrast their standard deviation. Images are read in pieces, so
that no second copy of them is made.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Json
from bench.errors import BenchError
from bench.worker.common.answer import Say, answer, register_all
from bench.worker.datasets.notes import digests
from bench.worker.datasets.prepare import Prepared, Split, build_set, prepare
from bench.worker.datasets.scaling import scaling
from bench.worker.datasets.splits import Images, Splits, row_slices

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]

SEED = 0  # draws the test part of a set that has none of its own
MOST_CLASSES = 100  # that get a mean image
SHOWN_CLASSES, SHOWN_SAMPLES = 20, 8
SHOWN_EXTREMES = 4  # of each end
SHOWN_COPIES = 8  # pairs of images
MOST_LISTED = 1000  # places of copies and of outliers that are kept
FEWEST_BINS, MOST_BINS = 10, 50  # as many as the root of the number of images, between the two
FAR_OUT = 3.0  # quartile ranges beyond the quartiles: "far out" in Tukey, Exploratory Data Analysis, 1977


def work(request: dict[str, Json], say: Say) -> None:
    """Write what was found. Raises Unavailable, DataError, BenchError."""
    name, root = request["name"], Path(request["data_root"])
    register_all(request["plugins"])
    try:
        splits, _, limits = build_set(name, request["settings"], locations=request["locations"], root=root)
        _refuse(name, splits)
        found: dict[str, Any] = dict(figures(splits, prepare(splits, seed=SEED, validation_split=0.0, **limits)))
    except MemoryError:
        raise BenchError(f"{name}: not enough memory; try --set train_limit=1000") from None
    np.savez(request["output"], **found)
    say({})


def _refuse(name: str, splits: Splits) -> None:
    if splits.task != "classification" or len(splits.input_shape) != 3:
        what = f"this set is a {splits.task} of samples {splits.input_shape}"
        raise BenchError(f"{name}: inspect looks at images (C, H, W) of classes: {what}")


def maximum_of(splits: Splits) -> float:
    """What pixels are a share of: the maximum of the set; of one that names none, 255 or its largest absolute value."""
    if splits.maximum is not None:
        return float(splits.maximum)
    images = splits.train_inputs
    return 255.0 if images.dtype == np.uint8 else float(max(images.max(), -images.min(), 0)) or 1.0


def figures(splits: Splits, prepared: Prepared) -> Arrays:
    """Everything, by place: `about/…` of the set, `train/…` and `test/…` of its parts, `copies/…` of both."""
    found = about(splits, prepared)
    maximum, classes = maximum_of(splits), len(splits.class_names)
    for name, part in (("train", prepared.train), ("test", prepared.test)):
        found |= {f"{name}/{key}": value for key, value in part_figures(part, maximum=maximum, classes=classes).items()}
    found |= samples(prepared.train, classes=classes)
    found |= {f"copies/{key}": value for key, value in copies(prepared.train, prepared.test).items()}
    return found


def about(splits: Splits, prepared: Prepared) -> dict[str, Array]:
    """Names, sizes, and the normalisation that `standard` does: (x / maximum - mean) / sd for each channel."""
    affine = scaling(splits, "standard")
    shift, scale, maximum = np.array(affine.shift), np.array(affine.scale), maximum_of(splits)
    texts = {"licence": splits.licence, "source": splits.source, "type": str(splits.train_images.dtype)}
    return {f"about/{key}": np.array(text) for key, text in texts.items()} | {
        "about/class_names": np.array(splits.class_names),
        "about/maximum": np.array(maximum),
        "about/shape": np.array(prepared.input_shape),
        "about/test_fraction": np.array(math.nan if splits.test_fraction is None else splits.test_fraction),
        "about/standard_mean": shift / maximum,
        "about/standard_sd": 1 / (scale * maximum),
        "about/declared": np.array([splits.mean is not None, splits.sd is not None]),
    }


def part_figures(part: Split, *, maximum: float, classes: int) -> dict[str, Array]:
    """Of one split: counts of classes, figures of its pixels, of each image, and mean images."""
    images, labels = part
    shape = images.shape[1:]
    kept = min(classes, MOST_CLASSES)
    brightness, contrast = np.empty(len(images)), np.empty(len(images))
    total, by_class = np.zeros(shape), np.zeros((kept, math.prod(shape)))
    low, high = math.inf, -math.inf
    for where, piece in pieces(images, maximum=maximum):
        flat = piece.reshape(len(piece), -1)
        brightness[where], contrast[where] = flat.mean(axis=1), flat.std(axis=1)
        total += piece.sum(axis=0)
        low, high = min(low, float(piece.min())), max(high, float(piece.max()))
        # A product of matrices adds up each class: row k of the mask has a 1 for each image of class k.
        by_class += (labels[where] == np.arange(kept)[:, None]).astype(np.float64) @ flat
    counts = np.bincount(labels, minlength=classes)
    mean = total / len(images)
    squares = (np.square(piece - mean).sum(axis=0) for _, piece in pieces(images, maximum=maximum))
    variance = sum(squares, np.zeros(shape)) / len(images)
    found = {
        "counts": counts,
        "range": np.array([low, high]),
        "mean_image": mean,
        "sd_image": np.sqrt(variance),
        "class_means": (by_class / np.maximum(counts[:kept, None], 1)).reshape(kept, *shape),
        # The variance of all pixels of a channel: within each place, and between the means of the places.
        "channel_mean": mean.mean(axis=(1, 2)),
        "channel_sd": np.sqrt(variance.mean(axis=(1, 2)) + mean.var(axis=(1, 2))),
        "pixel_mean": np.array(mean.mean()),
        "pixel_sd": np.sqrt(variance.mean() + mean.var()),
    }
    for name, values in (("brightness", brightness), ("contrast", contrast)):
        lies = spread(values)
        lies |= {"images": images[lies["extremes"]], "labels": labels[lies["extremes"]]}
        found |= {f"{name}/{key}": value for key, value in lies.items()}
    return found


def pieces(images: Images, *, maximum: float) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """The images in float64, as shares of the maximum, and where they lie."""
    for where in row_slices(len(images), row_bytes=8 * math.prod(images.shape[1:])):
        yield where, images[where] / np.float64(maximum)


def spread(values: npt.NDArray[np.float64]) -> dict[str, Array]:
    """How a figure of the images (N,) lies: quantiles, histogram, what is far out, and the places of both ends."""
    quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    fence = FAR_OUT * (quantiles[3] - quantiles[1])
    out = np.flatnonzero((values < quantiles[1] - fence) | (values > quantiles[3] + fence))
    order = np.argsort(values, kind="stable")
    each = min(SHOWN_EXTREMES, len(order))
    counts, edges = np.histogram(values, bins=min(MOST_BINS, max(FEWEST_BINS, math.isqrt(len(values)))))
    extremes = np.concatenate([order[:each], order[len(order) - each :][::-1]])
    return {
        "quantiles": quantiles,
        "histogram_counts": counts,
        "histogram_edges": edges,
        "fences": np.array([quantiles[1] - fence, quantiles[3] + fence]),
        "far_out": np.array(len(out)),
        "far_out_places": out[:MOST_LISTED],
        "extremes": extremes,
        "extreme_values": values[extremes],
    }


def samples(part: Split, *, classes: int) -> dict[str, Array]:
    """The first images of each of the first classes; `samples/labels` says which class each is of."""
    places = [np.flatnonzero(part.labels == label)[:SHOWN_SAMPLES] for label in range(min(classes, SHOWN_CLASSES))]
    every = np.concatenate(places)
    return {"samples/images": part.images[every], "samples/labels": part.labels[every], "samples/places": every}


@dataclass(slots=True)
class _Seen:
    """Where an image was first, and how often its like came in each split."""

    first: int
    labels: set[int]


def copies(train: Split, test: Split) -> dict[str, Array]:
    """Images that are the same in every pixel, by BLAKE2 of their bytes, within the parts and between them.

    `…_count`: images that are a copy of an earlier one, or test images that the training set has; `…_conflicts`: those
    of them that stand under another class there, too; `…_pairs` (n, 2): the places of the first one and of the copy.
    """
    in_train, in_test = dict[bytes, _Seen](), dict[bytes, _Seen]()
    found: dict[str, list[tuple[int, int]]] = {"train": [], "test": [], "between": []}
    conflicts = dict.fromkeys(found, 0)

    def note(kind: str, seen: _Seen, place: int, label: int) -> None:
        found[kind].append((seen.first, place))
        conflicts[kind] += seen.labels != {label}

    for name, part, known in (("train", train, in_train), ("test", test, in_test)):
        for place, (digest, label) in enumerate(zip(digests(part.images), part.labels.tolist(), strict=True)):
            if name == "test" and digest in in_train:
                note("between", in_train[digest], place, label)
            if digest in known:
                note(name, known[digest], place, label)
                known[digest].labels.add(label)
            else:
                known[digest] = _Seen(place, {label})
    arrays: dict[str, Array] = {}
    for kind, pairs in found.items():
        places = np.array(pairs[:MOST_LISTED], dtype=np.int64).reshape(-1, 2)
        one, other = (test if kind == "test" else train), (train if kind == "train" else test)
        shown = places[:SHOWN_COPIES]
        arrays |= {
            f"{kind}_count": np.array(len(pairs)),
            f"{kind}_conflicts": np.array(conflicts[kind]),
            f"{kind}_pairs": places,
            f"{kind}_images": np.stack([one.images[shown[:, 0]], other.images[shown[:, 1]]], axis=1),
            f"{kind}_labels": np.stack([one.labels[shown[:, 0]], other.labels[shown[:, 1]]], axis=1),
        }
    return arrays


if __name__ == "__main__":
    sys.exit(answer(work))
