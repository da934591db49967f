"""The word on a trial's timings: what disturbs, what is rough, and what has no timing at all."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Result
from bench.export.formats import export
from bench.results.frame import trials_frame
from bench.results.summary import summary_frame
from bench.results.timing import Timing, timings

STEADY = {"block_seconds": [0.02, 0.0204, 0.0197, 0.0201, 0.0199, 0.0203, 0.02], "block_samples": [64.0] * 7}
JUMPY = {"block_seconds": [0.02] * 10 + [0.03] * 10, "block_samples": [64.0] * 20}
HALF = 2.7764451051977987 * math.sqrt(5 / 4 * (2 * (2 / 10) ** 2 + 2 * (2 / 10) ** 2)) / 5  # of JUMPY, by hand


@pytest.fixture
def trial(make: ModuleType) -> Result:
    found: Result = make.result_of(next(make.Plan().trials()), samples=STEADY)
    return found


def timing(result: Result, **changes: Any) -> Timing:
    (found,) = timings([replace(result, **changes)])
    return found


def test_a_throughput_that_is_known_well_is_good(trial: Result) -> None:
    found = timing(trial)
    assert (found.word, found.notes) == ("good", ())
    assert found.half_width is not None
    assert 0.001 < found.half_width < 0.02


def test_above_5_per_cent_it_is_rough_and_says_how_rough(trial: Result) -> None:
    """Ten blocks of 20 ms, ten of 30: batches of 0.08, 0.08, 0.1, 0.12 and 0.12 s around 0.1."""
    found = timing(trial, samples=JUMPY)
    assert found == Timing(
        "rough", ("half-width 25 %: the throughput is known less well than to ± 5 %",), found.half_width
    )
    assert found.half_width == pytest.approx(HALF)


@pytest.mark.parametrize(("factor", "word", "text"), [(0.98, "good", ""), (1.02, "rough", "half-width 5.10 %: ")])
def test_at_5_per_cent_the_word_changes(trial: Result, factor: float, word: str, text: str) -> None:
    by = factor * 0.05 / HALF * 0.2  # what the fast and the slow half differ by from 25 ms, as a share
    seconds = [0.025 * (1 - by)] * 10 + [0.025 * (1 + by)] * 10
    found = timing(trial, samples=JUMPY | {"block_seconds": seconds})
    assert (found.word, found.half_width) == (word, pytest.approx(factor * 0.05))
    assert "".join(found.notes).startswith(text)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({}, "no timed blocks"),
        ({"block_seconds": [0.02] * 20}, "no timed blocks"),
        ({"block_seconds": [0.02] * 20, "block_samples": [64.0] * 19}, "no timed blocks"),
        ({"block_seconds": [0.0] * 20, "block_samples": [64.0] * 20}, "no timed blocks"),
        ({"block_seconds": [0.02] * 4, "block_samples": [64.0] * 4}, "too few timed blocks for an interval, .*(4)"),
        ({"block_seconds": [0.5], "block_samples": [1437]}, "too few timed blocks for an interval, .*(1)"),
    ],
)
def test_without_a_half_width_it_is_rough_never_0(trial: Result, samples: Any, said: str) -> None:
    found = timing(trial, samples=samples)
    assert (found.word, found.half_width) == ("rough", None)
    (note,) = found.notes
    assert note.startswith("half-width unknown: ")
    assert said.partition(", .*")[0] in note
    assert note.endswith(said.partition(", .*")[2])


@pytest.mark.parametrize(
    "note",
    [
        "not alone: threads waited for a core 33% of the time",
        "not alone: threads waited for a core 33% of the time, which its 4 loader workers want too",
        "not alone: tasks on this machine waited for a core 50% of the time",
        "not alone: 2 other processes on the GPU",
        "throttled: the container's CPU quota was used up 12% of the time",
        "throttled: the GPU's clock was at 60% of its highest",
        "cold: no warm-up steps",
        "resumed: timed in 2 processes (went on after epoch 1)",
        "not isolated: run with --executor inline",
        "what a device of a plugin says",
    ],
)
def test_what_disturbs(trial: Result, note: str) -> None:
    found = timing(trial, valid=False, validity_notes=("unstable: sd of the step times is 12% of their mean", note))
    assert (found.word, found.notes) == ("disturbed", (note,))
    assert found.half_width is not None
    rough = timing(trial, samples=JUMPY, valid=False, validity_notes=(note, "cold: x"))
    assert (rough.word, len(rough.notes)) == ("disturbed", 3)
    assert rough.notes[:2] == (note, "cold: x")


@pytest.mark.parametrize(
    "note",
    [
        "unstable: the middle half of the step times spans 14% of their median",
        "unstable: sd of the step times is 12% of their mean",
        "few samples: 4 timed blocks, fewer than 5",
    ],
)
def test_how_single_blocks_jump_is_no_verdict(trial: Result, note: str) -> None:
    assert timing(trial, valid=False, validity_notes=(note,)).word == "good"
    assert timing(trial, valid=False, validity_notes=(note,), samples=JUMPY).word == "rough"


@pytest.mark.parametrize("status", ["failed", "diverged", "oom", "timeout", "crashed", "skipped", "interrupted"])
def test_what_is_not_ok_has_no_timing(trial: Result, status: str) -> None:
    assert timing(trial, status=status, reason="why", validity_notes=("cold: x",)) == Timing()


def test_without_a_throughput_there_is_no_timing(trial: Result) -> None:
    assert timing(trial, metrics={"test_accuracy": 0.9}) == Timing()
    assert timings([None]) == [Timing()]
    assert timings([]) == []


def test_each_result_has_its_own(trial: Result) -> None:
    jumpy = replace(trial, samples=JUMPY)
    found = timings([trial, None, jumpy, replace(trial, samples={}), trial])
    assert [each.word for each in found] == ["good", "", "rough", "rough", "good"]
    assert [found[0], found[2], found[4]] == [timing(trial), timing(jumpy), timing(trial)]


def columns_of(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["timing"], row["timing_notes"], row["train_samples_per_second_half_width"]) for row in rows]


def test_columns_of_the_table(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0, 1))
    good, rough, disturbed, unknown, oom, _ = make.run_of(plan)
    results = [
        replace(good, samples=STEADY),
        replace(rough, samples=JUMPY),
        replace(disturbed, samples=STEADY, valid=False, validity_notes=("not alone: 30 %", "unstable: x", "cold: y")),
        unknown,
        make.result_of(oom.trial, status="oom", samples=STEADY),
    ]  # and one that is missing
    half = timing(results[0]).half_width
    text = export("csv", results, suite=plan, name="baseline").content
    assert isinstance(text, str)
    found = columns_of(list(csv.DictReader(io.StringIO(text))))
    assert found == [
        ("good", "", str(half)),
        (
            "rough",
            "half-width 25 %: the throughput is known less well than to ± 5 %",
            str(timing(results[1]).half_width),
        ),
        ("disturbed", "not alone: 30 %; cold: y", str(half)),
        ("rough", "half-width unknown: no timed blocks", ""),
        ("", "", ""),
        ("", "", ""),
    ]
    rows = json.loads(export("json", results, suite=plan, name="baseline").content)
    assert [row[2] for row in columns_of(rows)] == [half, timing(results[1]).half_width, half, None, None, None]
    frame = trials_frame(results, plan)
    assert [row[0] for row in columns_of(frame.to_dict("records"))] == [row[0] for row in found]
    assert not [name for name in summary_frame(frame) if name.startswith("timing") or "half_width" in name]
