"""What the doctor found stands under the tables and in the conditions; without it a report says so."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Component, Result, TrainSettings
from bench.present.doctor_text import doctor_text, last_sentence
from bench.report.render import render
from bench.results import doctor as records
from bench.results.doctor import Doctor, Finding, SelfComparison

pytestmark = pytest.mark.usefixtures("without_plots")
PEAK = 1e12


def outcome_of(make: ModuleType, **changes: Any) -> Doctor:
    own: dict[str, Any] = {
        "environment_id": make.MACHINE.identity(threads=2),
        "finished_at": "2026-01-03T00:00:00+00:00",
        "threads": 2,
        "findings": (Finding("known delay", "5 ms of work a step", "5.010 ms", "ok", "allowed 2%"),),
        "comparisons": (
            SelfComparison("mlp, batch 64", "cpu", 2, [100.0] * 5, [101.0] * 5, 0.99, 0.9, 1.1, 0.02, 0.031),
        ),
        "peaks": {"cpu": {"1": PEAK / 2, "2": PEAK}},
        "advice": ("the clock's governor is 'powersave'",),
        "environment": make.MACHINE,
    }
    return Doctor(**(own | changes))


def small(make: ModuleType, **settings: Any) -> tuple[Any, list[Result]]:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=(0, 1), **settings)
    results = [replace(result, curves={}) for result in make.run_of(plan)]
    return plan, [
        replace(each, metrics={**each.metrics, "achieved_flops_per_second": PEAK / 40}) if each.metrics else each
        for each in results
    ]


def page(folder: Path, plan: Any, results: list[Result]) -> str:
    return render(folder, suite=plan, results=results).report_path.read_text(encoding="utf-8")


def test_without_the_doctor_a_report_says_what_to_do(make: ModuleType, tmp_path: Path) -> None:
    text = page(tmp_path / "mine", *small(make))
    assert "this machine can tell: not known: run bench doctor --results DIR." in text
    assert "- bench doctor: not run on this machine" in text
    assert "of peak" not in text


@pytest.mark.parametrize("place", [".", "mine"])
def test_with_it_the_smallest_difference_stands_under_the_table(make: ModuleType, tmp_path: Path, place: str) -> None:
    records.save(outcome_of(make), tmp_path / place)
    text = page(tmp_path / "mine", *small(make))
    cited = "Smallest difference in throughput that this machine can tell: 3.1 % (bench doctor, 2026-01-03, 2 threads)."
    table, conditions = text.split("## Conditions")
    assert cited in table
    assert cited in (tmp_path / "mine/report/tables/models-digits-cpu.md").read_text(encoding="utf-8")
    assert "Differences in throughput below 3.1 % cannot be told from noise here." in conditions
    assert "1,000 GFLOP/s" in conditions or "1.00 TFLOP/s" in conditions


def test_another_machines_word_does_not_count(make: ModuleType, tmp_path: Path) -> None:
    records.save(outcome_of(make, environment=make.OTHER_MACHINE), tmp_path)
    assert "not known: run bench doctor" in page(tmp_path / "mine", *small(make))


def test_a_wrong_instrument_is_cited_too(make: ModuleType, tmp_path: Path) -> None:
    wrong = Finding("known delay", "5 ms of work a step", "4.100 ms", "WRONG", "allowed 2%")
    records.save(outcome_of(make, findings=(wrong,)), tmp_path)
    text = page(tmp_path / "mine", *small(make))
    assert "2 threads; WRONG there: known delay)." in text
    assert "- WRONG instrument: known delay: 5 ms of work a step put in, 4.100 ms read" in text


def test_a_report_is_rendered_again_when_the_doctor_has_spoken(make: ModuleType, tmp_path: Path) -> None:
    plan, results = small(make)
    folder = tmp_path / "mine"

    def rendered() -> bool:
        return render(folder, suite=plan, results=results).rendered

    assert rendered()
    assert not rendered()
    records.save(outcome_of(make), tmp_path)
    assert rendered()
    assert not rendered()
    records.save(outcome_of(make, finished_at="2026-01-04T00:00:00+00:00"), tmp_path)
    assert rendered()


def test_the_share_of_the_peak_is_that_of_as_many_threads(make: ModuleType, tmp_path: Path) -> None:
    plan, results = small(make, settings={"train.threads": (1, 2, 4)})
    records.save(outcome_of(make), tmp_path)
    page(tmp_path / "mine", plan, results)
    lines = (tmp_path / "mine/report/tables/models-digits-cpu.csv").read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    shares = {row["threads"]: row["share_of_peak"] for row in rows}
    assert math.isclose(float(shares["1"]), 1 / 20)
    assert math.isclose(float(shares["2"]), 1 / 40)
    assert not shares["4"]


def test_another_precision_has_another_peak(make: ModuleType, tmp_path: Path) -> None:
    plan, results = small(make)
    half = [replace(each, trial=replace(each.trial, train=TrainSettings(precision="bfloat16"))) for each in results]
    records.save(outcome_of(make), tmp_path)
    text = render(tmp_path / "mine", suite=None, results=half).report_path.read_text(encoding="utf-8")
    assert "trained samples/s" in text
    assert "of peak" not in text
    assert "of peak" in page(tmp_path / "other", plan, results)


def test_what_the_doctor_prints_fits_80_columns_and_ends_with_one_sentence(make: ModuleType) -> None:
    long = Finding(
        "known allocation", "a thing that is put in and takes many words", "what is read, too", "WRONG", "x " * 90
    )
    hostile = Finding("clock", "\x1b[31m", "ok\nno", "doubtful", "\x07")
    text = doctor_text(outcome_of(make, findings=(long, hostile)), stored_at="results/doctor/0123456789abcdef.json")
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[-1] == "Differences in throughput below 3.1 % cannot be told from noise here."
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "WRONG" in text


def test_the_last_sentence_names_the_devices_where_there_are_several(make: ModuleType) -> None:
    (cpu,) = outcome_of(make).comparisons
    both = outcome_of(make, comparisons=(cpu, replace(cpu, device="cuda", smallest=0.005)))
    assert "below 3.1 % (cpu) and 0.50 % (cuda) cannot" in last_sentence(both)
    assert "is not known" in last_sentence(outcome_of(make, comparisons=()))
