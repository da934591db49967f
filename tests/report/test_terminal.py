"""What a run prints at its end: 80 columns, no colour codes, the answer, the path."""

from __future__ import annotations

import re
from dataclasses import replace
from types import ModuleType

import pytest

from bench.base.records import Component
from bench.present.names import width
from bench.report.terminal import terminal_summary


def test_the_table_of_a_run(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda"))
    text = terminal_summary(make.run_of(plan), plan, report_path="results/baseline/report/report.md")
    lines = text.splitlines()
    assert lines[0] == "Which model is best?  digits · cpu · batch size 64 · 5 seeds"
    assert lines[1].split()[:2] == ["1", "cnn"]
    (at,) = (place for place, line in enumerate(lines) if line.startswith("digits · cpu · batch size 64 "))
    assert lines[at].endswith("n = 5 seeds, ± 95 % (seeds alone)")
    assert lines[at + 1].split()[:5] == ["model", "parameters", "accuracy", "samples/s", "×linear"]
    assert lines[at + 3].split()[:3] == ["mlp", "7,510", "0.953"]
    assert "Best at batch size 256: cnn, by " in text
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in text
    assert "digits · cuda: nothing was measured: 30 skipped: cuda: no CUDA device on this machine." in " ".join(lines)
    assert lines[-1] == "report  results/baseline/report/report.md"


def test_one_seed_has_no_interval(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,))
    text = terminal_summary(make.run_of(plan), plan)
    assert "±" not in text
    assert "n = 1 seed\n" in text


def test_what_is_not_right_is_marked(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    results[0] = make.disturbed(results[0])
    results = [
        make.result_of(each.trial, status="failed", reason="RuntimeError: boom")
        if each.trial.model.name == "cnn"
        else each
        for each in results
    ]
    text = terminal_summary(results, plan)
    assert "Timings: 1 of 10 trials ran beside other programs." in " ".join(text.split())
    assert "†: timings that were disturbed" in text
    assert "– 5 failed: RuntimeError: boom" in text
    assert any(line.split()[:3] == ["cnn", "–", "failed"] for line in text.splitlines())


def test_control_characters_of_a_name_do_not_reach_the_terminal(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp", {"x": "\x1b[31mred\x07"}), Component("linear")))
    assert "\x1b" not in terminal_summary(make.run_of(plan), plan)


def test_nothing_yet(make: ModuleType) -> None:
    plan = make.Plan()
    assert "15 missing: no result yet" in terminal_summary([], plan)


def test_many_settings_are_cut_and_say_so(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=tuple(range(1, 21)), seeds=(0, 1))
    text = terminal_summary(make.run_of(plan), plan)
    assert text.count("\nBest at batch size ") == 4
    assert "\n… and 15 other settings: see the report\n" in text


def test_of_many_data_sets_the_first_have_their_ladder_and_the_others_a_line(make: ModuleType) -> None:
    plan = make.Plan(datasets=[Component(f"set{index}") for index in range(9)])
    text = terminal_summary(make.run_of(plan), plan)
    assert text.count("Which model is best?") == 3
    assert "\nset3 · cpu: Best: cnn, by " in text
    assert "\n… and 2 more: see the report\n" in text
    assert sum(line.split()[:1] == ["model"] for line in text.splitlines()) == 3


def test_long_names_and_many_axes_fit_the_terminal(make: ModuleType) -> None:
    path = "/".join(["a_long_folder_name"] * 6)
    plan = make.Plan(
        datasets=(
            Component("hdf5", {"path": f"{path}/train.h5", "inputs": "images/cropped/28x28", "scaling": "unit"}),
        ),
        models=tuple(Component("linear", {"hidden": size, "activation": "leaky_relu"}) for size in (10, 20, 3000)),
        settings={
            "train.learning_rate": (0.001, 0.1),
            "train.optimizer": ("sgd", "adam"),
            "train.momentum": (0.0, 0.9),
        },
        seeds=(0, 1),
    )
    results = make.run_of(plan)
    results[0] = make.result_of(results[0].trial, status="failed", reason="RuntimeError: " + "far too long " * 12)
    results[1] = replace(results[1], valid=False, validity_notes=("not alone: 30 %", "clock not steady: 12 %"))
    lines = terminal_summary(results, plan, report_path="r.md").splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert any(line.startswith("hdf5(") and "…" in line for line in lines)
    assert sum(line.split()[:1] == ["model"] for line in lines) == 1
    assert "1 of 47 trials was disturbed: 1 ran beside other programs and 1 was" in " ".join(lines)


def test_counts_of_one(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),))
    results = [make.disturbed(each, note="throttled: the GPU's clock was at 60%") for each in make.run_of(plan)]
    assert "Timings: 1 of 1 trial was throttled. Let the" in terminal_summary(results, plan)


def test_twenty_of_twenty_disturbed_say_so_once_above_the_table(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), seeds=(0, 1, 2))
    text = terminal_summary([make.disturbed(each) for each in make.run_of(plan)], plan)
    lines = text.splitlines()
    assert text.startswith("Accuracies are not affected. Timings: 18 of 18 trials ran beside other programs.\n")
    assert lines[2] == "  python -m bench run baseline.toml --retry disturbed"
    assert text.count("beside other programs") == 1
    assert "times as fast" not in text
    rows = [line for line in lines if line.startswith(("linear ", "mlp ", "cnn ")) and "±" in line]
    assert len(rows) == 3
    for row in rows:
        assert "†" not in row[: row.index("±") + 8]  # the accuracy
        assert row.count(" †") == 3  # samples/s, ratio, fit
    assert all(len(line) <= 80 for line in lines)


def test_the_state_of_undisturbed_timings_is_the_last_word(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,))
    steady = {"block_seconds": [0.02] * 20, "block_samples": [64.0] * 20}
    results = [replace(each, samples=steady) for each in make.run_of(plan)]
    assert terminal_summary(results, plan).endswith("\n\nTimings: good (3 of 3).\n")
    results[0] = replace(results[0], samples={})
    text = terminal_summary(results, plan)
    assert "Timings: 2 of 3 good, 1 rough (half-width above 5 %, or not known;" in " ".join(text.split())
    assert "†" not in text


def test_seeds_of_timings_stand_beside_those_of_accuracies(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),))
    results = make.run_of(plan)
    there = replace(make.MACHINE, facts={**make.FACTS, "kernel": "6.19"})
    results[4] = replace(results[4], environment=there, environment_id=there.identity(threads=2))
    text = terminal_summary(results, plan)
    assert "n = 5 seeds (timings 4), ± 95 % (seeds alone)" in text
    assert "n = 5 seeds (timings 1), ± 95 % (seeds alone)" in text


@pytest.mark.parametrize(
    ("models", "rows"),
    [
        (
            [Component("tagged", {"tag": f"block {each} with relu and dropout, wide variant"}) for each in (1, 2)],
            ["tagged…block 1 …", "tagged…block 2 …"],
        ),
        ([Component("net", {"a": a, "b": b, "c": 0.1}) for a in (1, 2) for b in (0.25, 0.5)], None),
        ([Component("tagged", {"tag": "長い名前" * 8 + each}) for each in ("甲", "乙", "丙甲", "丙乙")], None),
        ([Component("same", {"tag": tag}) for tag in (1, "1")], None),
    ],
)
def test_two_models_have_two_names(make: ModuleType, models: list[Component], rows: list[str] | None) -> None:
    plan = make.Plan(models=models, baseline=models[0].name)
    lines = terminal_summary(make.run_of(plan), plan).splitlines()
    (head,) = (place for place, line in enumerate(lines) if line.split()[:1] == ["model"])
    table = lines[head + 1 : head + 1 + len(models)]
    names = [re.split(r"\s{2,}", line)[0] for line in table]
    assert len(set(names)) == len(models)
    assert rows is None or names == rows
    assert max(map(width, lines)) <= 80


def test_two_data_sets_have_two_names(make: ModuleType) -> None:
    paths = [f"measurements of the {each} campaign, cleaned, resampled and joined.csv" for each in ("north", "south")]
    plan = make.Plan(datasets=[Component("table", {"path": path}) for path in paths])
    text = terminal_summary(make.run_of(plan), plan)
    heads = [line for line in text.splitlines() if line.startswith("table") and "n = " in line]
    assert ["north" in line for line in heads] == [True, False]
    assert ["south" in line for line in heads] == [False, True]
