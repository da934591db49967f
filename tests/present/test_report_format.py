"""Numbers as text: as many digits as the interval supports."""

from __future__ import annotations

import pytest

from bench.present import format as f

FRACTION, SPEED = f.Scale(""), f.scale_of("samples/s", [])


def shown(value: float, half: float | None, scale: f.Scale, *, form: str = "interval") -> str:
    """The text of a mean with an interval that reaches as far to both sides."""
    return f.figure(value, scale, ends=None if half is None else (value - half, value + half), form=form)


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.9123, 0.0141, "0.912 ± 0.014"),
        (0.97812, 0.0061, "0.978 ± 0.006"),
        (0.97812, 0.00012, "0.97812 ± 0.00012"),
        (0.92, 0.21, "0.92 ± 0.21"),
        (0.978, 0.0, "0.978 ± 0.000"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (0.9784, None, "0.978"),
        (0.0, None, "0.000"),
    ],
)
def test_accuracy(value: float, half: float | None, text: str) -> None:
    assert shown(value, half, FRACTION) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (212_345, 3_123, "212,000 ± 3,000"),
        (212_345, 1_523, "212,300 ± 1,500"),
        (212_345, None, "212,000"),
        (345.2, None, "345"),
        (999.6, 0.04, "1,000 ± 1"),  # never to nothing
        (0.5, None, "0.50"),
        (2.5, 0.1, "2.5 ± 0.1"),
    ],
)
def test_throughput(value: float, half: float | None, text: str) -> None:
    assert shown(value, half, SPEED) == text


def test_bytes_share_one_unit() -> None:
    scale = f.scale_of("bytes", [1.2 * 2**20, 1.9 * 2**20, 6 * 2**20])
    assert scale.unit == "MiB"
    assert shown(1.9 * 2**20, 0.05 * 2**20, scale) == "1.90 ± 0.05"
    assert shown(3 * 2**10, 2**20, scale) == "0.0029 ± 1.0"  # among larger ones
    assert f.scale_of("bytes", [100]).unit == "B"
    assert f.scale_of("bytes", [3 * 2**30]).unit == "GiB"


def test_seconds_share_one_unit() -> None:
    assert f.scale_of("seconds", [0.07, 0.12, 0.79]).unit == "s"
    assert f.scale_of("seconds", [0.002, 0.009]).unit == "ms"
    assert f.scale_of("seconds", [3e-6]).unit == "µs"
    assert f.figure(0.79, f.scale_of("seconds", [0.79])) == "0.790"


@pytest.mark.parametrize(
    ("value", "ends", "scale", "texts"),  # as interval, range, mean
    [
        (0.481, (0.0, 1.0), FRACTION, ("0.48 [0.00, 1.00]", "0.00 to 1.00", "0.48")),
        (0.0972, (0.0, 0.6), FRACTION, ("0.097 [0.000, 0.600]", "0.000 to 0.600", "0.097")),
        (228_000, (214_300, 242_500), SPEED, ("228,000 ± 14,000", "214,000 to 242,000", "228,000")),
        (0.96, (0.9, 1.0), FRACTION, ("0.96 [0.90, 1.00]", "0.90 to 1.00", "0.96")),
        (0.0, (0.0, 0.0), FRACTION, ("0.000 ± 0.000", "0.000 to 0.000", "0.000")),
        (-0.31, (-6.2, 5.58), FRACTION, ("-0.31 ± 5.9", "-6.2 to 5.6", "-0.31")),
        (290_000, (9.66, 8.7e9), SPEED, ("290,000 [10, 8,700,000,000]", "10 to 8,700,000,000", "290,000")),
        (530_000, (52_400, 5_360_000), SPEED, ("530,000 [50,000, 5,400,000]", "50,000 to 5,400,000", "530,000")),
        (1e15, (1e15 - 2e14, 1e15 + 2e14), SPEED,
         ("1,000,000,000,000,000 ± 200,000,000,000,000", "800,000,000,000,000 to 1,200,000,000,000,000",
          "1,000,000,000,000,000")),
        (1.04e-9, (7e-10, 1.38e-9), FRACTION, ("1.0e-09 ± 3e-10", "7e-10 to 1.4e-09", "1.0e-09")),
        (5e-324, (5e-324, 5e-324), FRACTION, ("4.9e-324 ± 0", "4.9e-324 to 4.9e-324", "4.9e-324")),
        (0.07, (0.02, 0.4), f.scale_of("seconds", [0.79]), ("0.070 [0.020, 0.400]", "0.020 to 0.400", "0.070")),
        (3.0, (3.0, 3.0), f.scale_of("bytes", [3.0]), ("3 ± 0", "3 to 3", "3")),
    ],
)  # fmt: skip
def test_no_interval_rounds_its_mean_away(
    value: float, ends: tuple[float, float], scale: f.Scale, texts: tuple[str, str, str]
) -> None:
    assert tuple(f.figure(value, scale, ends=ends, form=form) for form in ("interval", "range", "mean")) == texts


def test_a_mean_of_counts_has_two_digits() -> None:
    assert [f.whole(value) for value in (7510.0, 12.4, 2.5, 0.25, 2.0, 0.0)] == ["7,510", "12", "2.5", "0.25", "2", "0"]


def test_ratio() -> None:
    assert f.times(0.5712, 0.55, 0.5931) == "0.57 [0.55, 0.59]"
    assert f.times(11.63, 10.94, 12.31) == "11.6 [10.9, 12.3]"
    assert f.times(118.2, 100, 130) == "118 [100, 130]"
    assert f.times(11.63) == "11.6"


def test_signs_and_words() -> None:
    assert f.signed(0.022) == "+0.022"
    assert f.signed(-0.0041, decimals=4) == "−0.0041"
    assert (f.plural(1, "trial"), f.plural(1200, "trial")) == ("1 trial", "1,200 trials")
    assert f.ranges([4, 0, 1, 2, 7]) == "0–2, 4, 7"
    assert f.listing(["a", "b", "c"]) == "a, b and c"


def test_negative_zero_is_zero() -> None:
    assert f.number(-0.0001, decimals=2) == "0.00"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.001, "0.001"), (1e-5, "1e-5"), (64, "64"), (20_000, "20k"), (1.5e6, "1.5M")]
)
def test_tick(value: float, text: str) -> None:
    assert f.tick(value) == text


def test_raw_reads_back() -> None:
    assert float(f.raw(0.1 + 0.2)) == 0.1 + 0.2
    assert f.raw(650.0) == "650"


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1"), (0.9999, "> 0.99"), (0.996, "0.996"), (0.5, "0.5"), (0.0625, "0.0625"), (1e-4, "0.0001"),
     (1e-7, "< 0.000001"), (0.0, "< 0.000001")],
)  # fmt: skip
def test_a_p_is_never_rounded_to_certainty(p: float, text: str) -> None:
    assert f.p_text(p) == text
