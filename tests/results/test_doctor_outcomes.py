"""The doctor's outcome on disk: where it lies, who finds it, what is no outcome."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Environment
from bench.errors import BenchError
from bench.results import doctor as records
from bench.results.doctor import Doctor, Finding, SelfComparison

MACHINE = Environment({"cpu": "A", "torch": "2"}, {"governor": "powersave"})


def outcome(**changes: Any) -> Doctor:
    own: dict[str, Any] = {
        "environment_id": "0123456789abcdef",
        "finished_at": "2026-01-02T00:00:00+00:00",
        "threads": 2,
        "findings": (Finding("known delay", "5 ms", "5.01 ms", "ok", "", {"milliseconds": [5.01]}),),
        "comparisons": (
            SelfComparison("mlp", "cpu", 2, [1.0, 1.1], [1.0, 1.2], 1.0, 0.9, 1.1, 0.02, 0.031),
            SelfComparison("cnn", "cpu", 2, [1.0, 1.1], [1.0, 1.2], 1.0, 0.9, 1.1, 0.02, 0.012),
        ),
        "peaks": {"cpu": {"1": 1e11, "2": 1.9e11}},
        "advice": ("end it",),
        "environment": MACHINE,
    }
    return Doctor(**(own | changes))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = records.save(outcome(), tmp_path)
    assert path == tmp_path / "doctor" / "0123456789abcdef.json"
    assert records.stored(tmp_path) == [outcome()]
    raw = json.loads(path.read_text())
    assert raw["schema"] == 1
    assert raw["smallest_difference"] == {"cpu": 0.031}


def test_reports_of_every_suite_find_it_and_a_suites_own_folder_holds_one_too(tmp_path: Path) -> None:
    suite = tmp_path / "mine"
    records.save(outcome(), tmp_path)
    assert records.stored(suite) == [outcome()]
    newer = outcome(finished_at="2026-02-01T00:00:00+00:00")
    records.save(newer, suite)
    found = records.stored(suite)
    assert len(found) == 2
    assert records.newest(found, machine=records.machine_id(MACHINE)) == newer
    assert records.stored(tmp_path / "other") == [outcome()]


def test_only_the_own_machine_counts_with_any_number_of_threads() -> None:
    other = outcome(environment=Environment({"cpu": "B"}))
    machine = records.machine_id(MACHINE)
    assert records.newest([other], machine=machine) is None
    assert records.newest([other, outcome()], machine=machine) == outcome()
    # Notes are no part of it: a governor that changed is the same machine.
    assert records.machine_id(replace(MACHINE, notes={})) == machine


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 1}', '{"a": NaN}', json.dumps(outcome().to_json() | {"findings": [{}]})]
)
def test_a_damaged_outcome_is_none(tmp_path: Path, text: str) -> None:
    records.save(outcome(), tmp_path)
    (tmp_path / "doctor" / "fedcba9876543210.json").write_text(text)
    (tmp_path / "doctor" / "suite.json").write_text(json.dumps(outcome().to_json()))  # of a suite called "doctor"
    assert records.stored(tmp_path) == [outcome()]


def test_the_smallest_difference_is_the_largest_of_the_trials() -> None:
    assert outcome().smallest_difference("cpu") == 0.031
    assert outcome().smallest_difference("cuda") is None
    assert outcome(comparisons=()).smallest_difference("cpu") is None


def test_the_peak_is_that_of_as_many_threads() -> None:
    assert outcome().peak_flops_per_second("cpu", threads=2) == 1.9e11
    assert outcome().peak_flops_per_second("cpu", threads=1) == 1e11
    assert outcome().peak_flops_per_second("cpu", threads=4) is None
    assert outcome().peak_flops_per_second("cuda", threads=2) is None
    disturbed = outcome(peaks={"cpu": {"1": 1e11, "2": 0.6e11}, "cuda": {"2": 5e13}})
    assert disturbed.peak_flops_per_second("cpu", threads=2) == 1e11
    assert disturbed.peak_flops_per_second("cuda", threads=1) == 5e13


def test_where_it_cannot_be_written_is_said_before(tmp_path: Path) -> None:
    (tmp_path / "doctor").write_text("a file")
    for attempt in (lambda: records.refuse_unwritable(tmp_path), lambda: records.save(outcome(), tmp_path)):
        with pytest.raises(BenchError, match="cannot be written there"):
            attempt()
