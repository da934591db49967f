"""Sections and cells: what is pooled, what is kept apart."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

from bench.analysis.cells import Section
from bench.analysis.sections import sections_of
from bench.base.records import Component, Result
from bench.results.frame import latest


def sections(make: ModuleType, plan: Any, results: list[Result]) -> list[Section]:
    return sections_of(latest(results, plan).rows, plan)


def test_one_section_a_data_set_and_device(make: ModuleType) -> None:
    plan = make.Plan(datasets=(Component("digits"), Component("mnist")), devices=("cpu", "cuda"))
    found = sections(make, plan, make.run_of(plan))
    assert [section.title for section in found] == ["digits · cpu", "mnist · cpu", "digits · cuda", "mnist · cuda"]
    assert [bool(section.measured) for section in found] == [True, True, False, False]


def test_machines_are_kept_apart_and_threads_are_not_machines(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.threads": (1, 2)})
    results = make.run_of(plan)
    (section,) = sections(make, plan, results)
    assert section.shown == ("train.threads",)
    half = len(results) // 2
    moved = [make.result_of(result.trial, environment=make.OTHER_MACHINE) for result in results[half:]]
    found = sections(make, plan, results[:half] + moved)
    assert len(found) == 2
    assert all("environment" in section.title for section in found)


def test_a_missing_seed_belongs_to_its_cell(make: ModuleType) -> None:
    plan = make.Plan()
    (section,) = sections(make, plan, make.run_of(plan)[1:])
    assert [(cell.model, cell.n, len(cell.rows)) for cell in section.cells] == [
        ("linear", 4, 5),
        ("mlp", 5, 5),
        ("cnn", 5, 5),
    ]


def test_edited_code_is_a_cell_of_its_own_and_plots_take_the_newest(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),))
    results = make.run_of(plan)
    edited = [replace(r, code_id="edited", finished_at="2026-02-01T00:00:00Z") for r in results[:2]]
    (section,) = sections(make, plan, edited + results[2:])
    assert sorted(cell.n for cell in section.cells) == [2, 3]
    assert section.several_codes
    assert [cell.code_id for cell in section.measured] == ["edited"]


def test_axes_are_those_of_the_suite_and_overrides_are_shown(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    trials = list(plan.trials())
    slow = [replace(t, train=replace(t.train, learning_rate=0.05)) if t.model.name == "cnn" else t for t in trials]

    class Overridden:
        name, title, baseline, only, shard, source, axes, decisions = "x", "x", "linear", (), "", "", plan.axes, ()

        def trials(self) -> list[object]:
            return slow

    (section,) = sections_of(latest([make.result_of(t) for t in slow], Overridden()).rows, Overridden())  # type: ignore[arg-type]
    assert section.shown == ("batch_size", "train.learning_rate")
    assert section.axes == ("batch_size",)
    assert section.variants == [(64,), (256,)]
    assert [cell.model for cell in section.at((256,))] == ["linear", "mlp", "cnn"]


def test_along_an_axis_the_others_stay_where_they_are(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), settings={"train.learning_rate": (0.1, 0.2, 0.3)})
    (section,) = sections(make, plan, make.run_of(plan))
    cells = section.along("train.learning_rate")
    assert {cell.trial.batch_size for cell in cells} == {64}
    assert len(cells) == 9
    assert section.describe(section.variants[0], but="batch_size") == "learning rate 0.1"


def test_two_files_of_one_name_are_two_data_sets(make: ModuleType) -> None:
    files = [Component("hdf5", {"path": "train.h5"}, {"path": digest * 64}) for digest in "ab"]
    plan = make.Plan(datasets=tuple(files))
    found = sections(make, plan, make.run_of(plan))
    assert len({section.dataset for section in found}) == 2
    assert all(section.dataset.startswith("hdf5(path=train.h5) ") for section in found)


def moved(make: ModuleType, result: Result, **facts: Any) -> Result:
    """The same result in an environment with other facts."""
    there = replace(make.MACHINE, facts={**make.FACTS, **facts})
    return replace(result, environment=there, environment_id=there.identity(threads=2))


def test_accuracies_pool_over_environments_and_timings_do_not(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),))
    results = make.run_of(plan)
    first, second = sections(make, plan, [*results[:4], moved(make, results[4], kernel="6.19")])
    every = sorted(each.metrics["test_accuracy"] for each in results)
    for section, seeds in ((first, 4), (second, 1)):
        (cell,) = section.measured
        assert sorted(cell.by_seed("test_accuracy").values()) == every
        estimate = cell.estimate("test_accuracy")
        assert estimate is not None
        assert (estimate.n, cell.n, len(cell.by_seed("fit_seconds"))) == (5, seeds, seeds)
    apart = sections(make, plan, [*results[:4], moved(make, results[4], torch="2.14.0")])
    assert [section.measured[0].n_of("test_accuracy") for section in apart] == [4, 1]


def test_a_cell_of_which_nothing_is_ok_has_no_accuracy_of_others(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), seeds=(0, 1))
    failed, ok = make.run_of(plan)
    failed = moved(make, make.result_of(failed.trial, status="failed"), kernel="6.19")
    cells = [section.cells[0] for section in sections(make, plan, [failed, ok])]
    assert [cell.n_of("test_accuracy") for cell in cells] == [1, 0]
    assert cells[1].estimate("test_accuracy") is None


def test_a_sweep_is_seen_where_the_models_are_best_on_the_validation_part(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), settings={"train.learning_rate": (0.9, 0.1, 0.5)})
    (section,) = sections(make, plan, make.run_of(plan))
    assert section.tuned == ("train.learning_rate",)
    assert not section.validated
    assert section.focus == (64, 0.9)  # the first: the test set chooses none
    validated = [
        make.with_validation(each, 0.9 - abs(each.trial.train.learning_rate - 0.1)) for each in make.run_of(plan)
    ]
    (section,) = sections(make, plan, validated)
    assert section.validated
    assert section.focus == (64, 0.1)
    assert {cell.trial.train.learning_rate for cell in section.along("batch_size")} == {0.1}
    threads = make.Plan(settings={"train.threads": (1, 2)})
    (section,) = sections(make, threads, make.run_of(threads))
    assert (section.tuned, section.focus) == ((), (1,))


def test_seeds_that_were_trained_at_once_are_apart_and_have_one_timing(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.engine": ("eager", "compiled", "vectorized")})
    found = sections(make, plan, make.run_of(plan))
    assert [section.title for section in found] == ["digits · cpu", "digits · cpu · engine vectorized"]
    assert [section.together for section in found] == ["", "vectorized"]
    assert {cell.trial.train.engine for cell in found[0].cells} == {"eager", "compiled"}
    for cell in found[1].cells:
        assert (cell.n, cell.n_of("test_accuracy"), cell.n_of("train_samples_per_second")) == (5, 5, 1)
        speed = cell.estimate("train_samples_per_second")
        assert speed is not None
        assert speed.low is None  # one process: no interval
    eager = found[0].cells[0]
    assert eager.n_of("train_samples_per_second") == 5
