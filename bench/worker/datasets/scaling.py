"""How the numbers of a data set are scaled before a model sees them: inputs, and the targets of a regression."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.base.records import Scaling
from bench.errors import BenchError
from bench.worker.datasets.splits import Inputs, Splits, Targets, row_slices

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """A scaling, one number a channel (or a target): x_scaled = (x - shift) * scale, in float32."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]


def scaling(splits: Splits, name: Scaling, *, part: Inputs | None = None) -> Affine:
    """`unit`: x / maximum; `standard`: (x / maximum - mean) / sd; `symmetric`: 2 x / maximum - 1.

    Of a set without a maximum, by the least and largest value, mean and standard deviation of each channel in `part`
    (the trial's training part; train_inputs where it is None): `unit` to [0, 1], `symmetric` to [-1, 1]. A channel that
    is constant there scales to 0.
    Raises BenchError for any other name.
    """
    if name not in ("unit", "standard", "symmetric"):
        raise BenchError(f"scaling: found {name!r}; needs unit, standard or symmetric")
    if splits.maximum is None:
        return _by_part(splits.train_inputs if part is None else part, name)
    channels, maximum = splits.input_shape[0], float(splits.maximum)
    match name:
        case "unit":
            return Affine((0.0,) * channels, (1 / maximum,) * channels)
        case "symmetric":
            return Affine((maximum / 2,) * channels, (2 / maximum,) * channels)
    mean, sd = splits.mean, splits.sd
    if mean is None or sd is None:
        own_mean, own_sd = mean_and_sd(splits.train_inputs, maximum)
        mean, sd = mean or own_mean, sd or own_sd
    return Affine(tuple(m * maximum for m in mean), tuple(1 / (maximum * s) for s in sd))


def target_scaling(targets: Targets) -> Affine:
    """To mean 0 and standard deviation 1 (population) of each target, from (N,) or (N, T); a constant one to 0."""
    columns = (targets if targets.ndim == 2 else targets[:, None]).astype(np.float64)
    sd = columns.std(axis=0)
    return Affine(tuple(columns.mean(axis=0).tolist()), tuple((1 / np.where(sd > 0, sd, 1.0)).tolist()))


def scaled_targets(targets: Targets, how: Affine) -> npt.NDArray[np.float32]:
    """(N, T) float32 from (N,) or (N, T)."""
    columns = (targets if targets.ndim == 2 else targets[:, None]).astype(np.float64)
    found: npt.NDArray[np.float32] = ((columns - np.array(how.shift)) * np.array(how.scale)).astype(np.float32)
    return found


def mean_and_sd(inputs: Inputs, maximum: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and (population) standard deviation of each channel of (N, C, …) after division by maximum.

    Two passes in float64, in pieces. A channel that is constant gets the sd 1, so that it scales to 0.
    """
    count = inputs.size // inputs.shape[1]
    rest, zero = _all_but_channels(inputs), np.zeros(inputs.shape[1])
    where = list(row_slices(len(inputs), row_bytes=8 * math.prod(inputs.shape[1:])))
    pieces = (inputs[rows].astype(np.float64) for rows in where)
    mean = sum((piece.sum(axis=rest) for piece in pieces), zero) / count
    spread = mean.reshape(-1, *[1] * (inputs.ndim - 2))
    differences = (inputs[rows].astype(np.float64) - spread for rows in where)
    variance = sum((np.square(piece).sum(axis=rest) for piece in differences), zero) / count
    sd = np.sqrt(variance) / maximum
    sd[sd == 0] = 1.0
    return tuple((mean / maximum).tolist()), tuple(sd.tolist())


def _by_part(part: Inputs, name: Scaling) -> Affine:
    if name == "standard":
        mean, sd = mean_and_sd(part, 1.0)
        return Affine(mean, tuple(1 / each for each in sd))
    low, high = part.min(axis=_all_but_channels(part)), part.max(axis=_all_but_channels(part))
    least, largest = low.astype(np.float64), high.astype(np.float64)
    span = np.where(largest > least, largest - least, 1.0)
    if name == "unit":
        return Affine(tuple(least.tolist()), tuple((1 / span).tolist()))
    middle = np.where(largest > least, (least + largest) / 2, least)
    return Affine(tuple(middle.tolist()), tuple((2 / span).tolist()))


def _all_but_channels(inputs: Inputs) -> tuple[int, ...]:
    """The axes of (N, C, …) without C."""
    return (0, *range(2, inputs.ndim))
