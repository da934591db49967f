"""`bench history`: series per machine, steps and change points, and what could explain them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from bench.base.metrics import BUILT_IN
from bench.base.records import Component, Environment
from bench.cli.history import history as command
from bench.errors import BenchError
from bench.history.series import differences, series_of
from bench.history.steps import metric_of, trends_of
from bench.history.write import findings, history_text
from bench.results.store import Store


def runs(make: ModuleType, *, count: int, slower_from: int, by: float = 0.9, plan: Any = None) -> list[Any]:
    """The same plan run `count` times, a day each; from one run on, with a newer torch, the cnn is slower."""
    draw = random.Random(1)
    found = []
    for run in range(count):
        late = run >= slower_from
        facts = make.FACTS | {"torch": "2.15.0" if late else "2.14.0", "memory_bytes": 25 * 10**9 + run}
        environment = Environment(facts, {"commit": f"{run % 10}" * 16, "dirty": False})
        for trial in (plan or make.Plan()).trials():
            result = make.result_of(
                trial,
                environment=environment,
                run_id=f"run{run:02}",
                finished_at=f"2026-01-{run + 1:02}T10:00:00Z",
                code={"model": "b" if late else "a"},
            )
            speed = result.metrics["train_samples_per_second"] * draw.gauss(1, 0.01)
            speed *= by if late and trial.model.name == "cnn" else 1
            found.append(replace(result, metrics={**result.metrics, "train_samples_per_second": speed}))
    return found


def stored(folder: Path, results: list[Any]) -> Path:
    writer = Store(folder).writer("run")
    for result in results:
        writer.append(result)
    writer.close()
    return folder


def history(folder: Path, metric: str = "train_samples_per_second", *, model: tuple[str, ...] = ()) -> int:
    return command(folder, metric=metric, model=list(model), results=folder)


@pytest.mark.parametrize("spoilt", [1, 2, 3])
@pytest.mark.parametrize("metric", ["train_samples_per_second", "fit_seconds", "host_peak_bytes", "test_accuracy"])
def test_beside_a_disturbed_run_the_verdict_is_doubtful(make: ModuleType, spoilt: int, metric: str) -> None:
    plan = make.Plan(models=(Component("mlp"),), seeds=(0, 1, 2))
    results = runs(make, count=4, slower_from=9, plan=plan)
    results = [
        make.disturbed(each) if each.run_id == "run02" and each.trial.seed < spoilt else each for each in results
    ]
    (trend,) = trends_of(results, BUILT_IN[metric])
    mostly = spoilt > 1 and metric in ("train_samples_per_second", "fit_seconds")
    assert [run.disturbed for run in trend.runs] == [False, False, mostly, False]
    words = [run.step.verdict for run in trend.runs if run.step]
    assert [word == "doubtful" for word in words] == [False, mostly, mostly]
    text = history_text([trend], BUILT_IN[metric], title="mine")
    assert ("†" in text) == (metric in ("train_samples_per_second", "fit_seconds"))
    assert ("(1 †)" in text) == ("†" in text and spoilt == 1)
    assert ("other programs. Accuracies" in " ".join(text.split())) == ("†" in text)


def test_a_disturbed_run_is_no_level_and_hides_none(make: ModuleType) -> None:
    """Of twelve runs the third and fourth were half as fast, beside other programs; from the eighth on it is slower."""
    plan = make.Plan(models=(Component("cnn"),), seeds=(0, 1, 2))
    speed = "train_samples_per_second"
    results = [
        make.disturbed(replace(each, metrics={**each.metrics, speed: each.metrics[speed] / 2}))
        if each.run_id in ("run02", "run03")
        else each
        for each in runs(make, count=12, slower_from=7, plan=plan)
    ]
    (trend,) = trends_of(results, BUILT_IN[speed])
    assert [run.point.first.run_id for run in trend.runs if run.change] == ["run07"]
    assert trend.runs[7].change.startswith("× 0.9")
    assert "Not looked at for change points: 2 runs" in " ".join(findings([trend]))
    (whole,) = trends_of([replace(each, validity_notes=()) for each in results], BUILT_IN[speed])
    assert [run.point.first.run_id for run in whole.runs if run.change] != ["run07"]
    everything = [make.disturbed(each) for each in results]
    (trend,) = trends_of(everything, BUILT_IN[speed])
    assert not any(run.change for run in trend.runs)


def test_a_slow_down_is_found_with_its_cause(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "mine", runs(make, count=12, slower_from=7))
    assert history(folder) == 0
    said = capsys.readouterr().out
    flat = " ".join(said.split())
    assert flat.count("Change point in") == 1
    assert "Change point in cnn · digits · cpu at 2026-01-08 10:00: × 0.9" in flat
    assert "torch 2.14.0 → 2.15.0; code of the model; commit 66666666 → 77777777." in flat
    assert max(map(len, said.splitlines())) <= max(80, len(str(folder)) + 60)
    assert all(len(line) <= 80 for line in said.splitlines() if not line.startswith("/"))
    table = pd.read_csv(folder / "report/history/history-train_samples_per_second.csv")
    assert len(table) == 36
    assert list(table[table["change"].notna()]["run_id"]) == ["run07"]
    assert table[table["series"].str.startswith("cnn")]["verdict"].iloc[7] == "worse"
    assert (folder / "report/history/history-train_samples_per_second.png").read_bytes()[:4] == b"\x89PNG"


def test_few_runs_are_compared_with_their_neighbours_and_say_so(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored(tmp_path / "mine", runs(make, count=2, slower_from=1, by=0.8))
    history(folder, model=("cnn",))
    said = capsys.readouterr().out
    assert "Change points need 8 runs of a cell at least, and the longest series here has 2" in " ".join(said.split())
    assert said.count("worse") == 1
    assert "linear" not in said


def test_accuracies_are_compared_by_seed_and_are_the_same(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history(stored(tmp_path / "mine", runs(make, count=3, slower_from=9)), "test_accuracy")
    said = capsys.readouterr().out
    assert said.count("+0.0000  same") == 6
    assert "worse" not in said


def test_a_series_never_goes_across_machines_but_across_versions(make: ModuleType) -> None:
    results = runs(make, count=3, slower_from=1)
    other = [make.result_of(trial, environment=make.OTHER_MACHINE, run_id="other") for trial in make.Plan().trials()]
    found = series_of([*results, *other], "train_samples_per_second")
    assert sorted(len(each.points) for each in found) == [1, 1, 1, 3, 3, 3]
    assert [point.first.environment.facts["torch"] for point in found[-1].points] == ["2.14.0", "2.15.0", "2.15.0"]
    assert differences(*found[-1].points[1:]) == ["commit 11111111 → 22222222"]


def test_one_run_has_a_table_and_no_plot(make: ModuleType, tmp_path: Path) -> None:
    folder = stored(tmp_path / "mine", make.run_of(make.Plan()))
    assert history(folder, "fit_seconds") == 0
    assert sorted(path.name for path in (folder / "report/history").iterdir()) == [
        "history-fit_seconds.csv",
        "history-fit_seconds.md",
        "history-fit_seconds.tex",
    ]


def test_what_is_not_there_is_said(make: ModuleType, tmp_path: Path) -> None:
    folder = stored(tmp_path / "mine", make.run_of(make.Plan()))
    with pytest.raises(BenchError, match="--metric fit_second: no such figure; did you mean fit_seconds"):
        history(folder, "fit_second")
    with pytest.raises(BenchError, match=r"--model resnet: no result is of it \(there are: linear, mlp, cnn\)"):
        history(folder, model=("resnet",))


def test_a_run_in_which_some_seeds_lack_the_figure_has_no_mean(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seeds that reached the target are the fast ones: their mean would be of other seeds in each run."""
    name = "time_to_target_seconds"
    found = [
        replace(each, metrics={**each.metrics, name: 1.0 + each.trial.seed})
        if each.run_id != "run01" or each.trial.seed < 3
        else each
        for each in runs(make, count=3, slower_from=9)
    ]
    history(stored(tmp_path / "results", found), name)
    said = capsys.readouterr().out
    assert "Left out: 3 runs in which some seeds do not have the figure" in " ".join(said.split())
    assert {run.point.first.run_id for trend in trends_of(found, metric_of(name, found)) for run in trend.runs} == {
        "run00", "run02"}  # fmt: skip
    last = [each for each in found if each.run_id == "run01"]
    with pytest.raises(BenchError, match=f"^--metric {name}: in no run all seeds have it"):
        trends_of(last, metric_of(name, last))
