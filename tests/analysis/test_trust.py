"""Disturbed timings: no sentence on speed, no best, no ratio without its mark. Accuracies are as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.cells import Section
from bench.analysis.findings import answer
from bench.analysis.sections import sections_of
from bench.analysis.table_columns import best_cell
from bench.analysis.trust import alarm, happened, short, state
from bench.base.metrics import BUILT_IN
from bench.base.records import Component, Result, TrainSettings
from bench.results.frame import latest
from bench.results.timing import DISTURBED, Timing, mostly_disturbed

SPEEDS = {"slow": 1000.0, "middle": 2000.0, "fast": 3000.0}
ACCURACIES = {"slow": 0.97, "middle": 0.94, "fast": 0.91}


@pytest.fixture
def plan(make: ModuleType) -> Any:
    return make.Plan(models=tuple(map(Component, SPEEDS)), seeds=range(5), baseline="slow")


def measured(make: ModuleType, plan: Any, **spoilt: int) -> list[Result]:
    """Results that nothing disturbed, but for the first seeds of some models, as many as `spoilt` says."""
    found = []
    for trial in plan.trials():
        name, seed = trial.model.name, trial.seed
        off = 0.001 * (seed * (1 + list(SPEEDS).index(name)) % 3)  # not the same to every model
        speed = SPEEDS[name] * (1 + 0.01 * seed)
        metrics = {
            "test_accuracy": ACCURACIES[name] + off,
            "train_samples_per_second": speed,
            "fit_seconds": 9000 / speed,
            "host_peak_bytes": speed * 1000,
            "energy_joules": 1e5 / speed,
        }
        result = make.result_of(trial, metrics=metrics)
        found.append(make.disturbed(result) if seed < spoilt.get(name, 0) else result)
    return found


def section_of(plan: Any, results: Sequence[Result]) -> Section:
    return sections_of(latest(results, plan).rows, plan)[0]


def text_of(section: Section) -> str:
    found = answer(section)
    return found.text if found else ""


@pytest.mark.parametrize(
    ("words", "mostly"),
    [
        ([], False),
        ([DISTURBED], True),
        (["good"], False),
        ([DISTURBED, "good"], False),
        ([DISTURBED, DISTURBED, "good"], True),
        ([DISTURBED, "rough", "good"], False),
        ([DISTURBED] * 2 + ["rough"] * 3, False),
        ([DISTURBED] * 3 + ["good"] * 2, True),
        (["rough"] * 5, False),
    ],
)
def test_a_cell_is_disturbed_where_more_than_half_of_its_seeds_are(words: list[str], mostly: bool) -> None:
    assert mostly_disturbed([Timing(word) for word in words]) is mostly


@pytest.mark.parametrize("count", [0, 2])
def test_up_to_a_half_of_the_seeds_the_speed_is_told(make: ModuleType, plan: Any, count: int) -> None:
    text = text_of(section_of(plan, measured(make, plan, fast=count, slow=count)))
    assert "Best: slow, by 2.98 points [" in text
    assert "fast trains fastest: 3.00 [" in text
    assert "] times slow." in text


@pytest.mark.parametrize("spoilt", [{"fast": 5, "slow": 5, "middle": 5}, {"slow": 3}])
def test_of_disturbed_timings_no_speed_is_told_and_the_accuracy_is(
    make: ModuleType, plan: Any, spoilt: dict[str, int]
) -> None:
    text = text_of(section_of(plan, measured(make, plan, **spoilt)))
    assert "Best: slow, by 2.98 points [" in text
    assert "fastest" not in text
    assert "times" not in text


def test_where_one_is_disturbed_nobody_is_called_the_fastest(make: ModuleType, plan: Any) -> None:
    text = text_of(section_of(plan, measured(make, plan, fast=4)))
    assert "middle trains at 2.00 [" in text
    assert "] times the speed of slow. Nothing is said of the speed of fast: most timings were disturbed." in text
    assert "fastest" not in text


def test_one_model_alone(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("slow"),), batch_sizes=(64, 256), seeds=range(3), baseline="")
    told, untold = (text_of(section_of(plan, measured(make, plan, slow=count))) for count in (1, 2))
    assert "samples a second" in told
    assert "its speed to 1.00 [" in told
    assert "samples a second" not in untold
    assert "speed" not in untold
    assert "From batch size 64 to 256 its accuracy goes from 0.97" in untold


@pytest.mark.parametrize(
    ("metric", "named"),
    [
        ("train_samples_per_second", False),
        ("fit_seconds", False),
        ("energy_joules", False),
        ("test_accuracy", True),
        ("host_peak_bytes", True),
    ],
)
def test_the_best_of_a_column(make: ModuleType, plan: Any, metric: str, named: bool) -> None:
    whole = section_of(plan, measured(make, plan))
    assert best_cell(whole.cells, BUILT_IN[metric]) is not None
    for spoilt in ({"fast": 5, "slow": 5, "middle": 5}, {"fast": 3}, {"slow": 3}):
        found = best_cell(section_of(plan, measured(make, plan, **spoilt)).cells, BUILT_IN[metric])
        assert (found is not None) == named
    assert best_cell(section_of(plan, measured(make, plan, fast=2, slow=2)).cells, BUILT_IN[metric]) is not None


def test_seeds_that_one_process_trained_at_once_have_one_timing(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("slow"),), seeds=range(3), train=TrainSettings(engine="vectorized"))
    (cell,) = section_of(plan, measured(make, plan, slow=3)).cells
    assert [timing.word for timing in cell.timings] == [DISTURBED]
    assert cell.disturbed


KINDS = {
    "not alone: threads waited for a core 33% of the time": "ran beside other programs",
    "not alone: tasks on this machine waited for a core 50% of the time": "ran beside other programs",
    "not alone: 2 other processes on the GPU": "ran beside other programs",
    "not alone: threads waited for a core 33% of the time, which its 4 loader workers want too": (
        "waited for cores that its own loader workers want"
    ),
    "throttled: the container's CPU quota was used up 12% of the time": "used up the container's CPU quota",
    "throttled: the GPU's clock was at 60% of its highest": "was throttled",
    "throttled: thermal slowdown": "was throttled",
    "cold: no warm-up steps": "ran without warm-up",
    "resumed: timed in 2 processes (went on after epoch 1)": "was stopped and resumed",
    "not isolated: run with --executor inline": "ran inside the parent process",
    "fan: a device of a plugin says": "was disturbed (fan)",
}


@pytest.mark.parametrize(("note", "text"), KINDS.items())
def test_what_happened_is_said_in_words(make: ModuleType, plan: Any, note: str, text: str) -> None:
    first, *others = measured(make, plan)
    assert happened([make.disturbed(first, note=note), *others]) == f"1 of 15 trials {text}"


def test_several_kinds_have_their_counts_and_what_to_do(make: ModuleType, plan: Any) -> None:
    results = measured(make, plan, fast=5)
    for index, note in ((0, "cold: x"), (1, "throttled: hot"), (4, "throttled: hot"), (3, "unstable: x")):
        results[index] = make.disturbed(results[index], note=note)
    both = replace(results[6], validity_notes=("not alone: x", "throttled: hot"), valid=False)
    what, again = alarm([*results[:6], both, *results[7:]], again="bench run mine.toml --only seed=1")
    assert (
        what
        == (
            "Accuracies are not affected. Timings: 9 of 15 trials were disturbed: 6 ran beside other programs, 3 were "
            "throttled and 1 ran without warm-up. "
        )
        + what.partition("warm-up. ")[2]
    )
    todo = what.partition("warm-up. ")[2]
    for part in ("end those programs", "let the machine cool", "set measure.warmup_steps"):
        assert part in todo.lower()
    assert todo.endswith(", then run:")
    assert again == "bench run mine.toml --only seed=1 --retry disturbed"


def test_undisturbed_timings_raise_no_alarm(make: ModuleType, plan: Any) -> None:
    results = measured(make, plan)
    skipped = [make.result_of(next(plan.trials()), status="skipped", reason="x")]
    assert alarm(results) == ("", "")
    assert short(results) == happened([]) == state([]) == state(skipped) == ""
    assert state([*results, *skipped]) == (
        "Timings: 0 of 15 good, 15 rough (half-width above 5 %, or not known; trials.csv has each)."
    )
    assert state(measured(make, plan, fast=1)) == ""
    assert alarm(measured(make, plan, fast=1))[1] == "bench run SUITE --retry disturbed"
