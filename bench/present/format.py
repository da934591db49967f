"""The only place where numbers become text."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.base.files import is_device_name
from bench.base.metrics import DECIMALS, Metric
from bench.base.records import digest

if TYPE_CHECKING:
    from bench.statistics.intervals import Estimate

DASH = "–"
MOST_DECIMALS, LARGEST = 8, 1e16  # of a figure that is written out
SAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Scale:
    """The unit that the figures of one column or axis share: value / divisor, in `unit`. `decimals`: at most."""

    unit: str
    divisor: float = 1.0
    decimals: int = 6


_BYTES = (("B", 1), ("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30), ("TiB", 2**40))
_SECONDS = (("µs", 1e-6), ("ms", 1e-3), ("s", 1.0))
_SI = (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12))


def scale_of(unit: str, values: Iterable[float]) -> Scale:
    """The scale for figures in `unit` (one of those of bench.base.metrics), by the middle one of `values`."""
    sizes = sorted(abs(value) for value in values if value)
    middle = sizes[len(sizes) // 2] if sizes else 1.0
    decimals = DECIMALS[unit]
    if unit == "bytes":
        name, divisor = _largest(_BYTES, middle)
        return Scale(name, divisor, 0 if name == "B" else decimals)
    if unit == "seconds":
        name, divisor = _largest(_SECONDS, 10 * sizes[-1] if sizes else 1.0)  # 0.1 s is no 100 ms
        return Scale(name, divisor, decimals)
    if unit in ("FLOP", "FLOP/s"):
        name, divisor = _largest(_SI, middle)
        return Scale(name + unit, divisor, decimals)
    return Scale("" if unit in ("fraction", "count") else unit, 1.0, decimals)


def head(metric: Metric, scale: Scale) -> str:
    """What heads a column: `host memory (MiB)`, `trained samples/s`."""
    return metric.short if not scale.unit or metric.short.endswith(scale.unit) else f"{metric.short} ({scale.unit})"


def axis_text(metric: Metric, scale: Scale) -> str:
    """What an axis shows: `test accuracy (fraction)`, `peak of host memory (MiB)`."""
    unit = "fraction" if metric.unit == "fraction" else scale.unit
    return f"{metric.label} ({unit})" if unit else metric.label


def _largest(units: Sequence[tuple[str, float]], size: float) -> tuple[str, float]:
    """The largest of `units` that `size` reaches, else the smallest."""
    return next(((name, divisor) for name, divisor in reversed(units) if size >= divisor), units[0])


def significant(value: float, digits: int = 3) -> int:
    """Decimals that show `value` to `digits` significant digits, at least 0."""
    return max(0, digits - 1 - exponent(value)) if value else 0


def exponent(value: float) -> int:
    """The power of ten of the first digit; 0 where there is none."""
    return math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def supported(half: float) -> int:
    """Decimals that an interval of half-width `half` supports: its first digit, its second too where that is a 1
    (so that rounding moves it by less than a fifth). Negative: it does not support even the units."""
    if half <= 0:
        return 3
    first, _, power = f"{half:.9e}".partition("e")
    return -int(power) + (1 if float(first) < 2 else 0)


def number(value: float, *, decimals: int) -> str:
    """`12,345.60`; negative `decimals` round to tens, hundreds, ...; `1.2e-09` where it would be too long to read."""
    if decimals > MOST_DECIMALS or abs(value) >= LARGEST:
        return f"{value:.{max(0, decimals + exponent(value))}e}" if 0 < abs(value) < LARGEST else f"{value:.2g}"
    rounded = round(value, decimals) if decimals < 0 else value
    text = f"{rounded:,.{max(0, decimals)}f}"
    return text if _shows(text) else text.lstrip("-")


def plain(value: float) -> str:
    """A figure without an interval: thousands separated, three significant digits below a thousand."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1000:
        return number(value, decimals=2 - exponent(value))
    return number(value, decimals=significant(value)) if abs(value) >= 1e-4 else f"{value:.2e}"


def figure(
    value: float,
    scale: Scale,
    *,
    ends: tuple[float, float] | None = None,
    form: str = "interval",
    digits: int | None = None,
) -> str:
    """A mean in the unit of `scale`, with the digits that its interval (from one of `ends` to the other) supports, and
    two significant ones at least; three where it has no interval.

    `form`: `interval`, which is `0.912 ± 0.014` where both sides round alike, else `0.48 [0.00, 1.00]`; `range`,
    `0.898 to 0.926`; `mean` alone. `digits`: at most so many significant ones of the mean.
    """
    value, low, high = (each / scale.divisor for each in (value, *(ends or (value, value))))
    decimals = _decimals(value, (high - low) / 2 if ends else None, scale)
    if digits is not None and value:
        decimals = min(decimals, digits - 1 - exponent(value))
    mean = number(value, decimals=decimals)
    if form == "mean" or not ends:
        return mean
    if form == "range":
        return f"{_end(low, value, decimals)} to {_end(high, value, decimals)}"
    half = (high - low) / 2
    down, side, up = (_side(each, half, decimals) for each in (value - low, half, high - value))
    below, middle, above = (round(each, decimals) for each in (low, value, high))
    if down == up or math.isclose(above - middle, middle - below, rel_tol=1e-6):
        return f"{mean} ± {up if down == up else side}"
    return f"{mean} [{_end(low, value, decimals)}, {_end(high, value, decimals)}]"


def mean_text(found: "Estimate", metric: Metric, *, scale: Scale, interval: bool = True) -> str:
    """The mean of a metric as tables have it, with its interval or without: a count is whole."""
    if metric.unit == "count":
        return whole(found.mean)
    return figure(found.mean, scale, ends=found.ends, form="interval" if interval else "mean")


def _decimals(value: float, half: float | None, scale: Scale) -> int:
    if half and math.isfinite(half):
        decimals = min(supported(half), scale.decimals)
    elif half is None and abs(value) >= 1000:
        decimals = min(2 - exponent(value), scale.decimals)
    else:
        share = scale.decimals == 6 and (value == 0 or 0.01 <= abs(value) <= 1)
        decimals = min(3 if share else significant(value), scale.decimals)
    two = 1 - exponent(value)
    return max(decimals, min(two, 0) if scale.decimals == 0 and value.is_integer() else two) if value else decimals


def _end(value: float, mean: float, decimals: int) -> str:
    """An end of an interval: as many decimals as the mean has; not all of them where it is far larger; one digit where
    it would round to nothing."""
    if value and abs(value) >= 10 * abs(mean):
        decimals = min(decimals, 1 - exponent(value))
    text = number(value, decimals=decimals)
    return text if _shows(text) or not value else number(value, decimals=-exponent(value))


def _side(length: float, half: float, decimals: int) -> str:
    """How far an interval reaches to one side; rounded up to the last digit where it would round to nothing."""
    if math.isclose(length, half, rel_tol=1e-6):
        length = half  # the same on both sides but for the rounding of floats
    decimals = min(decimals, 1 - exponent(length)) if length else decimals  # no more digits than two
    text = number(length, decimals=decimals)
    return text if _shows(text) or half <= 0 else number(10.0**-decimals, decimals=decimals)


def _shows(text: str) -> bool:
    return any(digit in text for digit in "123456789")


def accuracy(value: float, ends: tuple[float, float] | None = None) -> str:
    """A share of one: `0.978`, `0.978 ± 0.006`."""
    return figure(value, Scale(""), ends=ends)


def signed(value: float, *, decimals: int = 3) -> str:
    """`+0.022`, with a true minus sign."""
    text = number(abs(value), decimals=decimals)
    return ("+" if value >= 0 else "−") + text


def percent(share: float) -> str:
    """A share of one, two significant digits: `3.1 %`, `0.24 %`, `140 %`."""
    return f"{number(100 * share, decimals=significant(100 * share, 2))} %"


def sureness(probability: float) -> str:
    """How sure a model is: `97.12 %`, never `100.00 %` or `0.00 %`, which would say that it cannot be otherwise."""
    if probability > 0.9999:
        return "> 99.99 %"
    return "< 0.01 %" if probability < 0.0001 else f"{100 * probability:.2f} %"


def p_text(p: float) -> str:
    """`0.0625`, `0.031`: two digits, and a p of 1/16 in full; never 0, and 1 only where it is."""
    if p < 1e-6:
        return "< 0.000001"
    text = f"{p:.{max(2, min(6, significant(p, 3)))}f}".rstrip("0").rstrip(".")
    return "> 0.99" if text == "1" and p < 1 - 1e-9 else text


def whole(value: float) -> str:
    """A count: `7,510`; a mean of counts that is below ten and no whole number has two digits, `2.5`."""
    few = 0 < abs(value) < 10 and not float(value).is_integer()
    return number(value, decimals=1 - exponent(value)) if few else f"{round(value):,}"


def times(value: float, low: float | None = None, high: float | None = None) -> str:
    """A ratio: `11.6`, or with its interval `0.57 [0.55, 0.59]`."""
    if low is None or high is None:
        return number(value, decimals=significant(value))
    decimals = min(significant(value), max(0, supported((high - low) / 2)) if high > low else significant(value))
    decimals = max(decimals, 2 if value < 10 else 1 if value < 100 else 0)
    # No end of a ratio is 0: one that rounds to it gets a digit of its own.
    shown = [number(each, decimals=decimals if each >= 10.0**-decimals else significant(each, 1))
             for each in (value, low, high)]  # fmt: skip
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def difference(found: "Estimate | None") -> str:
    """A difference of shares: `+0.003`, or with its interval `+0.003 [−0.010, 0.016]`; a dash where there is none."""
    if found is None:
        return DASH
    if found.low is None or found.high is None:
        return signed(found.mean)
    decimals = min(5, max(3, supported(found.half or 0)))
    low, high = (signed(end, decimals=decimals).removeprefix("+") for end in (found.low, found.high))
    return f"{signed(found.mean, decimals=decimals)} [{low}, {high}]"


def plural(count: int, noun: str) -> str:
    """`1 trial`, `1,200 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def span(counts: Iterable[int]) -> str:
    """`5`, `3 to 5`: the least and the most."""
    found = sorted(set(counts))
    return f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}"


def ranges(numbers: Iterable[int]) -> str:
    """`0–4, 7`: runs of whole numbers."""
    runs: list[list[int]] = []
    for each in sorted(set(numbers)):
        if runs and each == runs[-1][1] + 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)


def listing(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def tick(value: float) -> str:
    """A mark on an axis: `0.001`, `64`, `20k`, `1.5M`."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e4:
        name, divisor = _largest(_SI, size)
        return f"{value / divisor:.6g}{name}"
    return f"{value:.6g}" if size >= 1e-4 else f"{value:.0e}".replace("e-0", "e-")


def printable(text: str) -> str:
    """`text` on one line, without what a terminal would obey, XML refuse or UTF-8 not hold."""
    return "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))


def printable_line(line: str) -> str:
    """`line` without what a terminal would obey; its spaces stay, those too at which no line is broken."""
    return "".join(each if each.isprintable() or each == "\u00a0" else "?" for each in line).rstrip()


def printable_lines(text: str) -> str:
    """The lines of `text` without what a terminal would obey."""
    return "\n".join(map(printable_line, text.split("\n")))


def raw(value: object) -> str:
    """Full precision, for machines: what `float()` reads back the same."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(value) if isinstance(value, int | float) else str(value)


def slug(name: str) -> str:
    """`name` where it can name a file, else what is left of it with a digest."""
    safe = SAFE.sub("-", name).strip("-.")[:40]
    safe = f"_{safe}" if is_device_name(safe) else safe
    return name if name and safe == name else f"{safe}-{digest(name)[:6]}".lstrip("-")
