"""One bad value among results is a damaged line or an empty place, and every command goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import canonical_json
from bench.cli.check import check
from bench.cli.compare import compare
from bench.cli.diagnose import diagnose
from bench.cli.export import export
from bench.cli.history import history
from bench.cli.merge import merge
from bench.cli.publish import publish
from bench.cli.report import report
from bench.cli.status import status
from bench.errors import BenchError
from bench.results.store import Store
from bench.results.validate import read_result
from bench.suite.stored import suite_to_json

RUN = "20260101T000000Z-00000000"
FORMS = ("csv", "json", "pytest-benchmark", "latex")
Line = dict[str, Any]


@pytest.fixture
def folder(make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models, three seeds, drawn by nobody: that takes seconds."""
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr("bench.report.render._draw", lambda *_: None)
    monkeypatch.setattr("bench.present.style.save", lambda *_: None)
    folder = tmp_path / "baseline"
    plan = make.Plan(models=(make.Component("linear"), make.Component("mlp")), seeds=(0, 1, 2))
    store = Store(folder)
    store.save_suite(suite_to_json(plan))
    (folder / "trials").mkdir()
    lines = [json.loads(canonical_json(result.to_json())) for result in make.run_of(plan)]
    (folder / "trials/run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "page.md").write_text("<!-- bench:models -->\n<!-- /bench -->\n")
    return folder


def edit(folder: Path, change: Callable[[Line], object], *, where: Callable[[int], bool] = lambda at: at == 1) -> None:
    """Change lines of the results: the second, or those `where` says."""
    lines = [json.loads(line) for line in (folder / "trials/run.jsonl").read_text().splitlines()]
    for at, line in enumerate(lines):
        if where(at):
            change(line)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    text = text.replace('"LONG"', "9" * 5000).replace('"DEEP"', "[" * 5000 + "]" * 5000)
    (folder / "trials/run.jsonl").write_text(text.replace('"TWICE"', '1, "test_accuracy": 0.5'))


def fact(name: str, value: Any) -> Callable[[Line], object]:
    return lambda line: line["environment"]["facts"].update({name: value})


def note(name: str, value: Any) -> Callable[[Line], object]:
    return lambda line: line["environment"]["notes"].update({name: value})


def metric(name: str, value: Any) -> Callable[[Line], object]:
    return lambda line: line["metrics"].update({name: value})


DAMAGED: dict[str, Callable[[Line], object]] = {
    "a number of 5,000 digits": metric("test_accuracy", "LONG"),
    "a number of 5,000 digits among facts": fact("memory_bytes", "LONG"),
    "deep": fact("cpu", "DEEP"),
    "deep settings": lambda line: line["trial"]["model"].update({"settings": {"hidden": "DEEP"}}),
    "NaN": metric("test_accuracy", float("nan")),
    "infinite": metric("test_accuracy", float("inf")),
    "a list as cores": fact("cores", [1, 2]),
    "a text as cores": fact("usable_cores", "many"),
    "a huge number": fact("memory_bytes", 10**30),
    "a list as a name": fact("cpu", ["a", "b"]),
    "an object as a version": fact("torch", {"a": 1}),
    "a list of versions": note("versions", ["numpy"]),
    "versions of versions": note("versions", {"numpy": {"a": 1}}),
    "a number as limits": fact("container_limits", 7),
    "a list as a commit": note("commit", [1]),
    "half a character": fact("cpu", "\ud800"),
    "half a character in a reason": lambda line: line.update(reason="\udfff"),
    "half a character in a metric's name": metric("x\ud800", 1.0),
    "metrics that are a list": lambda line: line.update(metrics=[1]),
    "a metric that is a list": metric("test_loss", [1.0]),
    "1e308": metric("train_samples_per_second", 1e308),
    "5e-324": metric("train_samples_per_second", 5e-324),
    "1e308 as accuracy": metric("test_accuracy", 1e308),
    "1e99 as accuracy": metric("test_accuracy", 1e99),
    "below zero": metric("train_samples_per_second", -5.0),
    "-1e308": metric("test_loss", -1e308),
    "1e-320": metric("step_seconds", 1e-320),
    "1e308 bytes": metric("host_peak_bytes", 1e308),
    "1e308 parameters": metric("parameters", 1e308),
    "a metric of a plugin of 1e308": metric("theirs", 1e308),
    "a number with many zeros": metric("test_loss", 10**400),
    "a curve up to 1e308": lambda line: line["curves"].update(test_loss=[1e308] * 3),
    "a curve down to 5e-324": lambda line: line["curves"].update(test_loss=[5e-324]),
    "samples of the ends": lambda line: line.update(samples={"block_seconds": [5e-324, 1e308]}),
    "an id that is a number": lambda line: line.update(trial_id=7),
}
KEPT: dict[str, Callable[[Line], object]] = {
    "1e99": metric("train_samples_per_second", 1e99),
    "1e-99": metric("train_samples_per_second", 1e-99),
    "-1e99": metric("test_loss", -1e99),
    "1e-99 seconds": metric("step_seconds", 1e-99),
    "1e99 bytes": metric("host_peak_bytes", 1e99),
    "1e99 parameters": metric("parameters", 1e99),
    "zero": metric("train_samples_per_second", 0.0),
    "a metric of a plugin": metric("theirs", 1e99),
    "a metric that is called like a column": metric("model", 1e-99),
    "the year 99999": lambda line: line.update(finished_at="99999-01-01T00:00:00Z", started_at="0001-01-01"),
    "no time": lambda line: line.update(finished_at="tomorrow", started_at=""),
    "the end of time": lambda line: line.update(finished_at="9999-12-31T23:59:59.999999+00:00"),
    "a key twice": metric("test_loss", "TWICE"),
    "an unknown fact": fact("theirs", {"a": [1, {"b": None}]}),
    "curves of other lengths": lambda line: line["curves"].update(epoch=[1.0], test_loss=[1e99] * 3, train_seconds=[]),
    "an empty curve": lambda line: line["curves"].update(test_accuracy=[], epoch=[]),
    "curves of nothing": lambda line: line["curves"].update(test_accuracy=[None] * 10),
    "huge epochs": lambda line: line["curves"].update(epoch=[1e99] * 10, train_seconds=[1e-99] * 10),
    "samples of the ends": lambda line: line.update(samples={"block_seconds": [1e-99, 1e99], "block_steps": [0.0]}),
    "no facts": lambda line: line.update(environment={"facts": {}, "notes": {}}),
}  # fmt: skip


def commands(folder: Path) -> dict[str, Callable[[], Any]]:
    out = folder.parent
    return {
        "check": partial(check, folder),
        "report": partial(report, folder, results=out),
        **{form: partial(export, folder, form=form, results=out) for form in FORMS},
        "compare": partial(compare, folder, by="model", output=out / "ranked"),
        "pair": partial(compare, folder, by="model", values="linear,mlp", output=out / "compared"),
        "history": partial(history, folder),
        "history of accuracy": partial(history, folder, metric="test_accuracy", output=out / "history"),
        "merge": partial(merge, out / "merged", [folder]),
        "status": partial(status, folder),
        "publish": partial(publish, [folder, out / "page.md"]),
    }  # fmt: skip


def run_all(folder: Path) -> None:
    for call in commands(folder).values():
        call()
    with pytest.raises(BenchError, match=r"h5: the trial's file is not there|no file of a trial"):
        diagnose(folder)


@pytest.mark.parametrize("kind", DAMAGED)
def test_such_a_line_is_left_out_and_its_neighbours_are_not(kind: str, folder: Path) -> None:
    edit(folder, DAMAGED[kind])
    store = Store(folder)
    assert (len(store.refresh()), store.damaged) == (5, 1)


def test_lines_with_bad_values_are_damaged_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line of each kind, beside those that are well: no command minds any of them."""
    path = folder / "trials/run.jsonl"
    whole, bad = path.read_text(), list[str]()
    for kind in DAMAGED:
        path.write_text(whole)
        edit(folder, DAMAGED[kind])
        bad.append(path.read_text().splitlines(keepends=True)[1])
    path.write_text(whole + "".join(bad))
    run_all(folder)
    said = capsys.readouterr().out
    assert f"{len(DAMAGED)} damaged" in said
    assert f"{len(DAMAGED)} damaged lines" in (folder / "report/report.md").read_text()
    store = Store(folder)
    assert (len(store.refresh()), store.damaged) == (6, len(DAMAGED))


@pytest.mark.parametrize("kind", KEPT)
def test_a_line_at_the_end_of_what_numbers_are_is_kept(kind: str, folder: Path) -> None:
    edit(folder, KEPT[kind])
    run_all(folder)
    assert len(Store(folder).refresh()) == 6


@pytest.mark.parametrize("kind", KEPT)
def test_and_so_are_all_lines_of_such_numbers(kind: str, folder: Path) -> None:
    edit(folder, KEPT[kind], where=lambda at: True)
    run_all(folder)
    assert len(Store(folder).refresh()) == 6


@pytest.mark.parametrize(
    ("name", "number"),
    [("test_accuracy", 1.7), ("test_accuracy", -0.1), ("train_samples_per_second", -5.0)],
)
def test_a_figure_that_cannot_be_is_a_damaged_line(name: str, number: float, make: Any) -> None:
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    line = json.loads(json.dumps(make.result_of(trial).to_json()))
    assert read_result(line).status == "ok"
    line["metrics"][name] = number
    with pytest.raises(ValueError, match=f"{name} is {number!r}, which cannot be"):
        read_result(line)


def test_a_difference_of_two_readings_may_be_below_zero(make: Any) -> None:
    """What launching takes is the time in blocks less that of the device alone: noise can make it negative."""
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    line = json.loads(json.dumps(make.result_of(trial).to_json()))
    line["metrics"]["step_launch_seconds"] = -1e-6
    assert read_result(line).metrics["step_launch_seconds"] == -1e-6
