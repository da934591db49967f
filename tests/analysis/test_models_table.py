"""The table of models: figures by hand, what is best, and what an empty cell says."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.cells import Section
from bench.analysis.models_table import models_table
from bench.analysis.plots import plots_of
from bench.analysis.sections import sections_of
from bench.analysis.table_columns import interval_notes
from bench.base.records import Component, Result
from bench.present.tables import Column, Table, TableCell, to_csv, to_latex, to_markdown
from bench.publish.summary import summary_table
from bench.report.terminal import terminal_summary
from bench.results.frame import latest
from bench.statistics.intervals import log_ratio


def section_of(plan: Any, results: list[Result]) -> Section:
    return sections_of(latest(results, plan).rows, plan)[0]


def table_of(plan: Any, results: list[Result]) -> Table:
    return models_table(section_of(plan, results), name="models", baseline=plan.baseline)


def column(table: Table, key: str) -> list[Any]:
    at = [each.key for each in table.columns].index(key)
    return [row[at] for row in table.rows]


def with_metric(results: list[Result], model: str, **metrics: float) -> list[Result]:
    return [
        replace(each, metrics={**each.metrics, **metrics}) if each.trial.model.name == model else each
        for each in results
    ]


T = "95 % interval of the mean over seeds (Student's t"
ON_LOGARITHMS = "; of times, rates and bytes on their logarithms"


@pytest.mark.parametrize(
    ("cells", "notes"),
    [
        ([], []),
        ([("0.9", 0.9, None, None)], []),
        ([("0.9", 0.9, 0.8, 1.0)], []),  # no interval is shown
        ([("0.9 ± 0.1", 0.9, 0.8, 1.0)], [f"±: {T})."]),
        ([("100 ± 1", 100.0, 99.0, 100.0 / 0.99)], [f"±: {T}{ON_LOGARITHMS})."]),
        ([("100 [50, 200]", 100.0, 50.0, 200.0)], [f"In brackets after a mean: its {T}{ON_LOGARITHMS})."]),
        (
            [("0.9 [0.7, 1.0]", 0.9, 0.7, 1.0)],
            [f"In brackets after a mean: its {T}). That of a share ends at 0 and 1."],
        ),
        (
            [("0.9 ± 0.1", 0.9, 0.8, 1.0), ("100 [50, 200]", 100.0, 50.0, 200.0)],
            [
                f"±: {T}{ON_LOGARITHMS}).",
                "In brackets after a mean: both ends of that interval, where they are not equally far from it.",
            ],
        ),
        ([("0.57 [0.5, 0.6]", 0.57, 0.5, 0.6)], None),
    ],
)
def test_a_caption_says_what_intervals_are_in_the_table(cells: list[Any], notes: list[str] | None) -> None:
    row = [TableCell(*cell) for cell in cells]
    columns = [Column("ratio" if notes is None else "any", "any") for _ in row]
    assert list(interval_notes([row], columns)) == (notes or [])


def test_captions_of_one_seed_speak_of_no_interval(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,))
    table = table_of(plan, make.run_of(plan))
    assert not [note for note in table.notes if "interval" in note]
    told = table_of(make.Plan(), make.run_of(make.Plan())).notes
    assert [note for note in told if note.startswith("±") and "ratio of trained samples/s, taken on log" in note]


def test_figures(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    table = table_of(plan, results)
    assert [cell.text for cell in column(table, "model")] == ["linear", "mlp", "cnn"]
    assert [cell.text for cell in column(table, "parameters")] == ["650", "7,510", "6,090"]
    values = [each.metrics["test_accuracy"] for each in results if each.trial.model.name == "mlp"]
    assert column(table, "test_accuracy")[1].number == pytest.approx(math.fsum(values) / 5)
    assert [cell.text for cell in column(table, "n")] == ["5", "5", "5"]
    assert column(table, "host_peak_bytes")[0].number > 1e6  # bytes for machines, MiB for people
    assert "host memory (MiB)" in [each.head for each in table.columns]


def test_ratio_to_the_baseline(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    speeds = {
        name: [each.metrics["train_samples_per_second"] for each in results if each.trial.model.name == name]
        for name in ("linear", "cnn")
    }
    expected = log_ratio(speeds["cnn"], speeds["linear"])
    cells = column(table_of(plan, results), "ratio")
    assert cells[0].text == "1.00"
    assert (cells[2].number, cells[2].low, cells[2].high) == (expected.ratio, expected.low, expected.high)


def test_without_a_baseline_there_is_no_ratio(make: ModuleType) -> None:
    plan = make.Plan(baseline="")
    assert "ratio" not in [each.key for each in table_of(plan, make.run_of(plan)).columns]


def test_ratio_is_taken_at_the_same_batch_size(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    results = [each for each in make.run_of(plan) if (each.trial.model.name, each.trial.batch_size) != ("linear", 256)]
    cells = column(table_of(plan, results), "ratio")
    assert cells[1].number is not None
    assert cells[4].number is None
    table = table_of(plan, results)
    assert any("no linear to compare with" in note for note in table.notes)


def test_best_is_bold_only_where_it_can_be_told_from_the_next(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    assert [cell.best for cell in column(table_of(plan, results), "test_accuracy")] == [False, False, True]
    assert [cell.best for cell in column(table_of(plan, results), "host_peak_bytes")] == [True, False, False]
    level = {"linear": [0.8] * 5, "mlp": [0.90, 0.92, 0.94, 0.92, 0.92], "cnn": [0.95, 0.91, 0.93, 0.93, 0.91]}
    alike = [
        replace(each, metrics={**each.metrics, "test_accuracy": level[each.trial.model.name][each.trial.seed]})
        for each in results
    ]
    assert not any(cell.best for cell in column(table_of(plan, alike), "test_accuracy"))


def test_one_seed_makes_nothing_bold(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,))
    table = table_of(plan, make.run_of(plan))
    assert not any(cell.best for row in table.rows for cell in row)
    assert not any("±" in cell.text for row in table.rows for cell in row)


def test_a_failed_cell_says_why(make: ModuleType) -> None:
    plan = make.Plan()
    results = [
        make.result_of(each.trial, status="diverged", reason="loss is NaN at step 3")
        if each.trial.model.name == "cnn"
        else each
        for each in make.run_of(plan)
    ]
    table = table_of(plan, results)
    assert column(table, "test_accuracy")[2].text == "– (a)"
    assert column(table, "n")[2].text == "0 of 5 (a)"
    assert "(a) 5 diverged: loss is NaN at step 3." in table.notes


def test_some_failed_seeds_are_counted_beside_n(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    results[1] = make.result_of(results[1].trial, status="oom", reason="asked for 3 GiB")
    table = table_of(plan, results[:-1])
    assert [cell.text for cell in column(table, "n")] == ["5", "4 of 5 (a)", "4 of 5 (b)"]
    assert "(a) 1 oom: asked for 3 GiB." in table.notes
    assert "(b) 1 missing: no result yet." in table.notes


def test_disturbed_timings_are_marked_and_counted_and_accuracies_never(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    whole = table_of(plan, results)
    results = [
        make.disturbed(each) if (each.trial.model.name, each.trial.seed) in spoilt else each
        for each in results
        for spoilt in [{("linear", 0), ("linear", 1), *(("cnn", seed) for seed in range(5))}]
    ]
    table = table_of(plan, results)
    for metric in ("train_samples_per_second", "end_to_end_samples_per_second", "fit_seconds"):
        before, after = ([cell.text for cell in column(each, metric)] for each in (whole, table))
        assert after == [f"{before[0]} (2 †)", before[1], f"{before[2]} †"]
        assert not any(cell.best for cell in column(table, metric))
    for metric in ("test_accuracy", "n", "parameters", "host_peak_bytes"):
        assert [each.text for each in column(table, metric)] == [each.text for each in column(whole, metric)]
    assert [cell.text.endswith("†") for cell in column(table, "ratio")] == [False, False, True]
    assert (
        "†: timings that were disturbed; (n †): those of n seeds. 7 of 15 trials ran beside other programs. Accuracies "
        "are not affected." in table.notes
    )
    assert "†" not in to_csv(table)
    assert "\\dag" in to_latex(table)
    assert "†" not in to_markdown(whole)


def test_of_a_disturbed_baseline_every_ratio_is_marked(make: ModuleType) -> None:
    plan = make.Plan()
    results = [make.disturbed(each) if each.trial.model.name == "linear" else each for each in make.run_of(plan)]
    assert all(cell.text.endswith(" †") for cell in column(table_of(plan, results), "ratio"))


def test_target_that_some_seeds_did_not_reach(make: ModuleType) -> None:
    plan = make.Plan()
    results = with_metric(make.run_of(plan), "cnn", time_to_target_seconds=2.0)
    results[1] = replace(results[1], metrics={**results[1].metrics, "time_to_target_seconds": 1.0})
    table = table_of(plan, results)
    cells = column(table, "time_to_target_seconds")
    assert cells[0].text.startswith("–")
    assert cells[1].text.startswith("–")
    assert cells[2].number == 2.0
    assert any("not reached by 4 of 5 seeds; the others: " in note for note in table.notes)


def test_conditions_stand_under_every_table(make: ModuleType) -> None:
    plan = make.Plan(devices=("cpu", "cuda"))
    for section in sections_of(latest(make.run_of(plan), plan).rows, plan):
        text = models_table(section, name="x").notes[0]
        for part in ("Intel(R) Xeon(R) Processor, 2 cores", "2 threads", "torch 2.15.0", "2026-01-01", "n = "):
            assert part in text


def test_what_was_asked_for_beside_a_plain_step_is_said_in_words(make: ModuleType) -> None:
    settings: dict[str, tuple[Any, ...]] = {
        "train.nesterov": (True,), "train.l1": (0.001,), "train.label_smoothing": (0.1,), "train.gradient_clip": (1.0,),
        "train.schedule": ("step",), "train.schedule_step_epochs": (5,), "train.early_stopping_patience": (3,),
        "train.betas": ((0.5, 0.9),),
    }  # fmt: skip
    plan = make.Plan(settings=settings)
    note = table_of(plan, make.run_of(plan)).notes[0]
    assert "at most 10 epochs" in note
    assert (
        "Nesterov, betas [0.5, 0.9], L1 0.001, label smoothing 0.1, gradients clipped at norm 1, "
        "learning rate × 0.1 every 5 epochs, early stopping (patience 3 epochs)" in note
    )
    plain = make.Plan()
    note = table_of(plain, make.run_of(plain)).notes[0]
    assert not any(word in note for word in ("schedule", "stopping", "betas", "smoothing", "at most"))


def test_schedules_and_lists_as_axes_and_the_epochs_of_early_stopping(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.schedule": ("none", "cosine"), "train.betas": ((0.9, 0.999), (0.5, 0.9))})
    results = [
        replace(each, metrics={**each.metrics, "epochs_trained": 12, "best_epoch": 7 + each.trial.seed % 2})
        if each.trial.train.schedule == "cosine"
        else each
        for each in make.run_of(plan)
    ]
    table = table_of(plan, results)
    heads = [each.head for each in table.columns]
    assert heads[:3] == ["model", "betas", "schedule"]
    assert {cell.text for cell in column(table, "betas")} == {"[0.9, 0.999]", "[0.5, 0.9]"}
    assert {cell.text for cell in column(table, "schedule")} == {"none", "cosine"}
    assert heads[-2:] == ["epochs trained", "best epoch"]
    trained = [cell.text for cell in column(table, "epochs_trained")]
    assert set(trained) == {"12", "– (a)"}
    assert {cell.text for cell in column(table, "best_epoch")} == {"7–8", "– (a)"}  # a mean would be of no trial
    assert any("no early stopping" in note for note in table.notes)
    assert "learning rate" in table.notes[0]


def test_other_axes_have_a_column(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.optimizer": ("sgd", "adam"), "train.learning_rate": (0.1, 0.01)})
    table = table_of(plan, make.run_of(plan))
    assert [each.head for each in table.columns][:3] == ["model", "optimizer", "learning rate"]
    assert "sgd" not in table.notes[0]


def test_plugin_metrics_have_a_column(make: ModuleType) -> None:
    plan = make.Plan()
    table = table_of(plan, with_metric(make.run_of(plan), "mlp", top5=0.99))
    assert [each.text for each in column(table, "top5")] == ["– (a)", "0.990 ± 0.000", "– (a)"]


def test_one_model_alone(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),))
    assert to_markdown(table_of(plan, make.run_of(plan))).count("mlp") == 1


def test_n_is_that_of_the_accuracy_and_timings_have_their_own(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    there = replace(make.MACHINE, facts={**make.FACTS, "kernel": "6.19"})
    results[3:] = [replace(r, environment=there, environment_id=there.identity(threads=2)) for r in results[3:]]
    table = table_of(plan, results)
    assert [cell.text for cell in column(table, "n")] == ["5", "5", "5"]
    assert [cell.text for cell in column(table, "n_timings")] == ["1", "1", "1"]
    assert "±" in column(table, "test_accuracy")[0].text
    assert "±" not in column(table, "train_samples_per_second")[0].text
    assert any(note.startswith("n: seeds in the accuracy, which pools") for note in table.notes)
    assert "n = 1 seed (accuracy: 5)" in table.notes[0]


def test_the_caption_of_latex_can_stand_alone(make: ModuleType) -> None:
    plan = make.Plan()
    table = models_table(section_of(plan, make.run_of(plan)), name="models", suite_name="base_line")
    assert table.caption == "Models on digits · cpu, suite base_line, n = 5 seeds"
    assert r"\caption{Models on digits $\cdot$ cpu, suite base\_line, n = 5 seeds}" in to_latex(table)


def test_a_wide_interval_leaves_its_mean_readable(make: ModuleType) -> None:
    """One of two seeds is at chance: table, LaTeX, CSV, terminal, sentences and publish have the same mean and ends."""
    plan = make.Plan(seeds=(0, 1))
    broken = [{"test_accuracy": 0.866, "train_samples_per_second": 530_000.0, "own": -0.002},
              {"test_accuracy": 0.097, "train_samples_per_second": 50_000.0, "own": 0.001}]  # fmt: skip
    results = [
        replace(each, metrics={**each.metrics, **broken[each.trial.seed]}) if each.trial.model.name == "cnn" else each
        for each in make.run_of(plan)
    ]
    table = table_of(plan, results)
    assert column(table, "test_accuracy")[2].text == "0.48 [0.00, 1.00]"
    assert (column(table, "test_accuracy")[2].low, column(table, "test_accuracy")[2].high) == (0, 1)
    assert column(table, "train_samples_per_second")[2].text == "290,000 [8, 11,000,000,000]"
    assert column(table, "own")[2].text == "-0.00050 ± 0.019"
    for text in (to_latex(table), to_markdown(table).replace("\\", "")):
        assert "0.48 [0.00, 1.00]" in text
    assert any(note.startswith("In brackets after a mean") for note in table.notes)
    terminal = terminal_summary(results, plan)
    (row,) = [line for line in terminal.splitlines() if line.startswith("cnn ")]
    assert "0.48 [0.00, 1.00]" in row
    assert " 290,000 " in row
    assert [line.split(",")[2:5] for line in to_csv(table).splitlines() if line.startswith("cnn")] == [
        ["0.4815", "0", "1"]]  # fmt: skip
    section = section_of(plan, results)
    assert "cnn 0.48 [0.00, 1.00]" in next(plot.alt for _, plot in plots_of([section]) if plot.kind == "strip")
    for form, text in {"interval": "0.48 [0.00, 1.00]", "range": "0.00 to 1.00", "mean": "0.48"}.items():
        assert summary_table([section], {"format": form}).rows[2][1].text == text


def test_even_intervals_need_no_brackets(make: ModuleType) -> None:
    table = table_of(make.Plan(), make.run_of(make.Plan()))
    assert all("±" in cell.text for cell in column(table, "test_accuracy"))
    assert not any(note.startswith("In brackets after a mean") for note in table.notes)
