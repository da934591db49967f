"""The whole report: the files of the contract, what is in the page, and when it is rendered again."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Component, Result, TrainSettings
from bench.errors import BenchError
from bench.registry import REPORT_FORMATS, report_format
from bench.report.render import RenderOutcome, _record, render
from bench.suite.plan import Axis, Suite
from bench.suite.stored import suite_from_json, suite_to_json


def report_of(folder: Path, plan: Any, results: Any, **seen: int) -> str:
    return render(folder, suite=plan, results=results, **seen).report_path.read_text(encoding="utf-8")


def small(make: ModuleType) -> tuple[Any, list[Result]]:
    """A plan that is drawn quickly, and its results."""
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=(0, 1))
    return plan, [replace(result, curves={}) for result in make.run_of(plan)]


@dataclass(frozen=True)
class Whole:
    """The report of the baseline on three devices, of which one is there."""

    outcome: RenderOutcome
    folder: Path

    @property
    def text(self) -> str:
        return self.outcome.report_path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(make: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Rendered once; tests read it."""
    folder = tmp_path_factory.mktemp("whole")
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda", "mps"))
    results = make.run_of(plan)
    return Whole(render(folder, suite=plan, results=results), folder)


@pytest.fixture(scope="module")
def drawn(make: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `small`, rendered once: `before` is a copy of a test's own."""
    folder = tmp_path_factory.mktemp("drawn")
    plan, results = small(make)
    assert render(folder, suite=plan, results=results).rendered
    return folder


@pytest.fixture
def before(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    shutil.copy(_record(drawn / "report"), _record(tmp_path / "report"))  # as if it had been rendered there
    return tmp_path


def test_files_of_the_contract(whole: Whole) -> None:
    report = whole.folder / "report"
    assert whole.outcome.rendered
    assert whole.outcome.report_path == report / "report.md"
    tables = {path.name for path in (report / "tables").iterdir()}
    assert {"trials.csv", "summary.csv"} < tables
    assert {f"models-digits-cpu.{ending}" for ending in ("md", "csv", "tex")} < tables
    plots = {path.name for path in (report / "plots").iterdir()}
    assert {"accuracy-digits-cpu.png", "accuracy-digits-cpu.svg"} < plots
    assert not list(report.glob(".new-*"))


def test_links_of_the_page_lead_somewhere(whole: Whole) -> None:
    links = [part.partition(")")[0] for part in whole.text.split("](")[1:]]
    assert len(links) >= 16
    for link in links:
        assert (whole.folder / "report" / link).is_file(), link


def test_order_of_the_page(whole: Whole) -> None:
    text = whole.text
    parts = ["# Linear, two-layer MLP", "**Which model is best?** digits · cpu", "|  1 | **cnn** |", "Best: cnn, by ",
             "judged together", "tables/pairs-digits-cpu.csv", "## What to know", "## digits · cpu", "parameters |",
             "[![", "## digits · cuda", "## Conditions", "## How to do it again"]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "    python -m bench run baseline.toml\n" in text
    assert "seeds 0–4" in text
    assert "commit: 0123456789ab" in text


@pytest.mark.usefixtures("without_plots")
def test_what_is_not_right_is_said(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(devices=("cpu", "cuda"), only=("model=linear,mlp,cnn",))
    results = make.run_of(plan)
    results[0] = make.result_of(results[0].trial, status="failed", reason="RuntimeError: boom")
    results[1] = replace(results[1], valid=False, validity_notes=("not alone: 30 %",))
    labels = {each.trial.model.label for each in results if each.status == "ok"}
    results = [replace(each, notes=("it is odd",)) if each.trial.model.label == "mlp" else each for each in results]
    results[2] = replace(results[2], notes=("it is odd", "and large."))
    older = replace(results[2], run_id="older", finished_at="2025-01-01T00:00:00Z")
    text = report_of(tmp_path, plan, [*results[:-1], older], damaged=2, others=7)
    assert "Of 30 trials 14 are ok, 14 skipped, 1 failed and 1 missing." in text
    assert "cuda: no CUDA device on this machine" in text
    assert "1 failed: RuntimeError: boom" in text
    assert "**Accuracies are not affected. Timings: 1 of 14 trials ran beside other programs. End those" in text
    assert "\n    python -m bench run baseline.toml --only model=linear,mlp,cnn --retry disturbed\n" in text
    assert text.index("--retry disturbed") < text.index("## What to know")
    assert "mlp" in labels
    assert text.count("it is odd.") == text.count("and large.") == 1
    assert "1 older result of these trials" in text
    assert "2 damaged lines" in text
    assert "7 other results" in text
    assert "Only a part of the suite was planned" in text


@pytest.mark.usefixtures("without_plots")
def test_all_well_is_said_too(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    assert "- All 15 trials are ok." in report_of(tmp_path, plan, make.run_of(plan))


def test_nothing_was_run_yet(make: ModuleType, tmp_path: Path) -> None:
    text = report_of(tmp_path, make.Plan(), [])
    assert "Nothing was measured yet" in text
    assert "15 missing: no result yet" in text


@pytest.mark.usefixtures("without_plots")
def test_without_a_suite(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    folder = tmp_path / "old_results"
    text = report_of(folder, None, make.run_of(plan))
    assert text.startswith("# old_results\n")
    assert "batch size 256" in text


def test_an_unchanged_report_is_not_rendered_again(make: ModuleType, before: Path) -> None:
    plan, results = small(make)
    written = (before / "report" / "report.md").stat().st_mtime_ns
    assert not render(before, suite=plan, results=results[::-1]).rendered  # the order of files does not matter
    assert (before / "report" / "report.md").stat().st_mtime_ns == written


def test_what_an_older_report_left_is_removed(make: ModuleType, before: Path) -> None:
    (before / "report" / "plots" / "old.png").write_bytes(b"x")
    render(before, suite=small(make)[0], results=[])
    assert not list((before / "report" / "plots").iterdir())
    assert (before / "report" / "tables" / "models-digits-cpu.md").is_file()


@pytest.mark.usefixtures("without_plots")
def test_a_format_of_ones_own_writes_every_table(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, results = small(make)
    monkeypatch.setattr(REPORT_FORMATS, "_entries", dict(REPORT_FORMATS._entries))
    report_format("txt")(lambda table, path: path.write_text(table.title))
    render(tmp_path, suite=plan, results=results)
    assert (tmp_path / "report" / "tables" / "models-digits-cpu.txt").read_text() == "Models on digits · cpu"


def test_a_folder_that_cannot_be_written_is_one_line(make: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file where the folder should be")
    with pytest.raises(BenchError, match="cannot be written"):
        render(tmp_path, suite=make.Plan(), results=[])


def test_matplotlib_and_pandas_wait_until_something_is_rendered() -> None:
    code = (
        "import sys; import bench.report.render, bench.report.terminal, bench.results.frame; "
        "print(sorted({'matplotlib', 'pandas', 'torch', 'scipy.stats'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("without_plots")
def test_a_stored_suite_is_the_plan_of_its_report(make: ModuleType, tmp_path: Path) -> None:
    axes = {
        "dataset": (Component("digits"),),
        "model": (Component("linear"), Component("mlp")),
        "seed": range(3),
        "batch_size": (64,),
        "device": ("cpu",),
        "train.momentum": (0.0, 0.9),
    }
    suite = Suite(
        name="own",
        title="My own",
        axes=tuple(Axis(name, values) for name, values in axes.items()),
        train=TrainSettings(epochs=2),
        baseline="linear",
        source="own.toml",
        shard="1/2",
    )
    stored = suite_from_json(json.loads(json.dumps(suite_to_json(suite))))
    results = [make.result_of(trial) for trial in suite.trials()]
    text = report_of(tmp_path, stored, results[1:])
    assert "1 missing" in text
    assert "--shard 1/2" in text
    with (tmp_path / "report" / "tables" / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in suite.trials()]
    assert {row["train.momentum"] for row in rows} == {"0.0", "0.9"}
    assert not render(tmp_path, suite=suite, results=results[1:]).rendered  # stored or resolved: the same plan


@pytest.mark.usefixtures("without_plots")
def test_plugins_that_could_not_be_imported_are_said(make: ModuleType, before: Path) -> None:
    plan, results = small(make)
    outcome = render(before, suite=plan, results=results, plugin_errors=("own.py: ImportError: <b>no</b> x",))
    assert outcome.rendered
    known = outcome.report_path.read_text().partition("## What to know")[2].partition("\n## ")[0]
    assert "- A plugin could not be imported, what it registers is missing here: own.py" in known
    assert "<b>" not in known


def test_the_command_has_all_that_changed_the_plan(make: ModuleType, tmp_path: Path) -> None:
    changed = {"sets": ("train.epochs=2", 'report.title="a b"'), "plugins_added": ("my plugin.py",)}
    plan = make.Plan(models=(Component("mlp"),), seeds=(1,), only=("model=mlp",), shard="1/2", **changed)
    text = report_of(tmp_path, plan, [])
    options = """--set train.epochs=2 --set 'report.title="a b"' --plugin 'my plugin.py' --only model=mlp --shard 1/2"""
    assert f"    python -m bench run baseline.toml {options}\n" in text
    assert "Suite file: baseline.toml, seed 1.\n" in text


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four small files in place of a report, which takes seconds."""

    def write(aside: Path, _: object) -> tuple[str, ...]:
        for name in ("report.md", "index.html", "tables/trials.csv", "plots/accuracy-digits-cpu.svg"):
            (aside / name).parent.mkdir(exist_ok=True)
            (aside / name).write_text("right")
        return ()

    monkeypatch.setattr("bench.report.render._write", write)


@pytest.mark.parametrize("change", ["result", "damaged", "title", "file"])
def test_a_changed_one_is(make: ModuleType, tmp_path: Path, undrawn: None, change: str) -> None:
    plan, results = small(make)
    picture = tmp_path / "report/plots/accuracy-digits-cpu.svg"
    assert render(tmp_path, suite=plan, results=results).rendered
    assert not render(tmp_path, suite=plan, results=results).rendered
    if change == "file":
        picture.unlink()
    outcome = render(
        tmp_path,
        suite=replace(plan, title="Another") if change == "title" else plan,
        results=results[1:] if change == "result" else results,
        damaged=int(change == "damaged"),
    )
    assert outcome.rendered
    assert picture.is_file()


FORGED = {
    "an edited page": ("report.md", b"linear is the best of all"),
    "a script": ("index.html", b"<script>alert(1)</script>"),
    "a picture": ("plots/accuracy-digits-cpu.svg", b"<svg onload='alert(1)'/>"),
    "a table": ("tables/trials.csv", b"=CMD()"),
    "another table": ("tables/of-theirs.md", b"linear is the best of all"),
    "an empty page": ("report.md", b""),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_report_that_somebody_else_has_changed_is_rendered_again(
    kind: str, make: ModuleType, tmp_path: Path, undrawn: None
) -> None:
    """Its stamp lies in the user's cache: what lies in `report/` vouches for nothing."""
    plan, (name, content) = make.Plan(models=(make.Component("linear"),), seeds=(0, 1)), FORGED[kind]
    results = make.run_of(plan)
    assert render(tmp_path, suite=plan, results=results).rendered
    assert not render(tmp_path, suite=plan, results=results).rendered
    path = tmp_path / "report" / name
    right = path.read_bytes() if path.exists() else None
    path.write_bytes(content)
    assert render(tmp_path, suite=plan, results=results).rendered
    assert (path.read_bytes() if path.exists() else None) == right
    assert not render(tmp_path, suite=plan, results=results).rendered


def test_a_report_that_came_with_the_results_is_not_believed(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    """The whole folder, with whatever its report says of itself, from another machine; and a cache that was deleted."""
    plan = make.Plan(models=(make.Component("linear"),), seeds=(0, 1))
    results = make.run_of(plan)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "theirs"))
    render(tmp_path / "a", suite=plan, results=results)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "mine"))
    (tmp_path / "a/report/report.md").write_text("forged")
    assert render(tmp_path / "a", suite=plan, results=results).rendered
    assert "forged" not in (tmp_path / "a/report/report.md").read_text()
    (tmp_path / "a").rename(tmp_path / "b")  # of another path nothing is known
    assert render(tmp_path / "b", suite=plan, results=results).rendered
    shutil.rmtree(tmp_path / "mine")
    assert render(tmp_path / "b", suite=plan, results=results).rendered


def test_models_at_one_learning_rate_are_said_to_share_it(make: ModuleType, tmp_path: Path) -> None:
    said = "All models share one learning rate, 0.1, and none is tuned"
    plan = make.Plan()
    assert said in report_of(tmp_path / "one", plan, make.run_of(plan))
    for name, other in (
        ("rates", make.Plan(settings={"train.learning_rate": (0.1, 0.2)})),
        ("alone", make.Plan(models=(Component("mlp"),))),
    ):
        assert said not in report_of(tmp_path / name, other, make.run_of(other)), name
