"""Numbers as text: as many digits as the interval supports."""

from __future__ import annotations

import pytest

from bench.present import format as f

FRACTION, SPEED = f.Scale(""), f.scale_of("samples/s", [])


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.9123, 0.0141, "0.912 ± 0.014"),
        (0.97812, 0.0061, "0.978 ± 0.006"),
        (0.97812, 0.00012, "0.97812 ± 0.00012"),
        (0.92, 0.21, "0.9 ± 0.2"),
        (0.978, 0.0, "0.978 ± 0.000"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (0.9784, None, "0.978"),
        (0.0, None, "0.000"),
    ],
)
def test_accuracy(value: float, half: float | None, text: str) -> None:
    assert f.accuracy(value, half) == text


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (212_345, 3_123, "212,000 ± 3,000"),
        (212_345, 1_523, "212,300 ± 1,500"),
        (212_345, None, "212,000"),
        (345.2, None, "345"),
        (999.6, 0.04, "1,000 ± 0"),
    ],
)
def test_throughput(value: float, half: float | None, text: str) -> None:
    assert f.figure_pm(value, half, SPEED) == text


def test_bytes_share_one_unit() -> None:
    scale = f.scale_of("bytes", [1.2 * 2**20, 1.9 * 2**20, 6 * 2**20])
    assert scale.unit == "MiB"
    assert f.figure_pm(1.9 * 2**20, 0.05 * 2**20, scale) == "1.90 ± 0.05"
    assert f.scale_of("bytes", [100]).unit == "B"
    assert f.scale_of("bytes", [3 * 2**30]).unit == "GiB"


def test_seconds_share_one_unit() -> None:
    assert f.scale_of("seconds", [0.07, 0.12, 0.79]).unit == "s"
    assert f.scale_of("seconds", [0.002, 0.009]).unit == "ms"
    assert f.scale_of("seconds", [3e-6]).unit == "µs"
    assert f.figure(0.79, None, f.scale_of("seconds", [0.79])) == "0.790"


def test_a_figure_keeps_two_digits_where_its_interval_is_wide() -> None:
    assert f.figure(0.07, 0.4, f.scale_of("seconds", [0.79])) == "0.070"


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
