"""`bench plan`, `bench status` and `bench run --budget` as a user sees them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Its time is that of its sleeps, whatever else the machine does: 5 ms a step, 20 ms a step of another one.
PACED = """
import time
from pathlib import Path
from torch import nn
from bench.registry import model

def paced(name, seconds, accurate):
    @model(name)
    def build(input_shape, num_classes):
        c, h, w = input_shape
        class Paced(nn.Sequential):
            def forward(self, x):
                if self.training and len(x) > 2:
                    time.sleep(seconds)
                return super().forward(x) * (1.0 if accurate else 0.0)
        return Paced(nn.Flatten(), nn.Linear(c * h * w, num_classes))

paced("quick", 0.005, True)
paced("slow", 0.02, True)
paced("blind", 0.005, False)

@model("waits")
def waits(input_shape, num_classes):
    while not Path(__file__).with_name("go").exists():
        time.sleep(0.02)
    c, h, w = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, num_classes))
"""


@pytest.fixture
def suite(project: Any) -> Callable[..., Path]:
    """A suite of paced models on 256 images: 4 steps an epoch."""

    def write(*models: str, seeds: str = "0", epochs: int = 20) -> Path:
        path: Path = project.suite(*models, seeds=seeds)
        (project.folder / "models.py").write_text(PACED)
        path.write_text(path.read_text().replace("epochs = 2", f"epochs = {epochs}"))
        return path

    return write


def lines(project: Any) -> list[Any]:
    found = project.results.glob("mine/trials/*.jsonl")
    return [json.loads(line) for path in found for line in path.read_text().splitlines()]


def test_a_plan_from_a_pilot_stores_nothing_and_holds_what_the_run_then_takes(project: Any, suite: Any) -> None:
    path = suite("quick", "slow", seeds="0, 1")
    done = project.bench("plan", path, "--results", project.results, "--json", "--price", "cpu=3600")
    assert done.code == 0, done.err
    assert not project.results.exists()
    told = json.loads(done.out)
    assert told["pilot"]["kinds"] == told["pilot"]["of_kinds"] == 2
    assert "pilot: " in done.err
    cpu = told["devices"]["cpu"]
    assert (cpu["trials"], cpu["there"], cpu["to_run"], cpu["unknown"]) == (4, 0, 4, 0)
    assert cpu["cost"]["value"] == pytest.approx(cpu["seconds"]["value"], abs=0.01)
    assert cpu["memory"]["host_peak_bytes"] > 0
    assert cpu["memory"]["device_peak_allocated_bytes"] is None
    kinds = {row["model"]: row["seconds_a_job"] for row in told["kinds"]}
    # 80 steps: of 5 ms and of 20 ms. What a trial costs beside is its own, and never less than nothing.
    assert kinds["quick"] > 0.4
    assert kinds["slow"] > 1.6
    assert project.run(path).code == 0
    again = json.loads(project.bench("plan", path, "--results", project.results, "--json", "--fresh").out)
    assert again["pilot"] is None
    assert again["earlier_jobs"] == 4
    measured = sum(line["metrics"]["total_seconds"] for line in lines(project))
    assert again["total"]["seconds"]["value"] == pytest.approx(measured, rel=0.5)
    nothing = project.bench("plan", path, "--results", project.results)
    assert nothing.code == 0
    assert "0 to train · 4 there already" in nothing.out


def test_a_plan_says_what_it_does_not_know(project: Any, suite: Any) -> None:
    done = project.bench("plan", suite("quick"), "--results", project.results, "--no-pilot")
    assert done.code == 0
    assert "not known" in done.out
    assert "of 1 trial nothing is known" in done.out


def test_a_model_that_fails_in_the_pilot_is_named(project: Any) -> None:
    done = project.bench("plan", project.suite("good", "raises"), "--results", project.results)
    assert done.code == 0
    assert "not ok in the pilot: synthetic(test=64, train=256) · raises" in done.out
    assert not project.results.exists()


def test_a_status_while_a_run_goes_on_and_when_it_was_killed(project: Any, suite: Any, wait_for: Any) -> None:
    path = suite("quick", "waits", seeds="0, 1", epochs=2)
    process = project.start("run", path, "--results", project.results, "--set", "measure.turns=1")
    folder = project.results / "mine"

    def look() -> Any:
        return json.loads(project.bench("status", folder, "--json").out)

    wait_for(lambda: any(path.read_text() for path in folder.glob("trials/*.jsonl")))
    found = look()
    assert [run["state"] for run in found["runs"]] == ["running"]
    assert found["runs"][0]["pid"] == process.pid
    total = found["total"]
    assert total["trials"] == 4
    assert total["ok"] >= 1
    assert total["ok"] + total["running"] + total["left"] == 4
    assert project.bench("check", folder).out.count("status/") == 0
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed = look()
    assert [run["state"] for run in killed["runs"]] == ["killed"]
    assert killed["total"]["running"] == 0
    assert "killed: run " in project.bench("status", folder).out
    assert "left behind by a run that was killed" in " ".join(project.bench("check", folder).out.split())
    (project.folder / "go").touch()
    assert project.run(path).code == 0
    done = look()
    assert (done["runs"], done["total"]["ok"], done["total"]["left"]) == ([], 4, 0)
    assert done["total"]["seconds_left"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert not (folder / "status").exists()


def test_a_watch_ends_with_the_run(project: Any, suite: Any) -> None:
    path = suite("quick")
    project.run(path)
    watched = project.bench("status", path, "--results", project.results, "--watch", "1")
    assert watched.code == 0
    assert "no run is under way" in watched.out


def test_a_budget_leaves_out_what_decides_nothing_and_the_report_says_so(project: Any, suite: Any) -> None:
    path = (
        suite("quick", "blind", seeds="{ count = 40 }", epochs=2)
        .read_text()
        .replace("[{ count = 40 }]", "{ count = 40 }")
    )
    suite_file = project.folder / "mine.toml"
    suite_file.write_text(path)
    done = project.run(suite_file, "--budget", "10m", report=True)
    assert done.code == 0, done.err
    ran = lines(project)
    assert {line["trial"]["model"]["name"] for line in ran} == {"quick", "blind"}
    assert 4 <= len(ran) < 20
    left = 80 - len(ran)
    page = (project.results / "mine/report/report.md").read_text()
    said = f"Left out by the budget of 10 min: {left} trials."
    assert said in page
    assert "no pair was open any more" in page
    assert "quick is better than blind" in page
    assert "at most 5 % of such runs" in page
    assert said in " ".join(done.out.split())
    # A suite file does not say it; the folder does, until the rest has run.
    again = project.bench("report", suite_file, "--results", project.results)
    assert said in " ".join(again.out.split())
    more = project.run(suite_file, "--budget", "10m")
    assert more.code == 0
    assert len(lines(project)) == len(ran)
    project.run(suite_file, "--only", "seed=0", report=True)
    assert "Left out by" not in (project.results / "mine/report/report.md").read_text()


def test_seeds_go_on_until_it_is_decided_and_the_report_says_so(project: Any, suite: Any) -> None:
    path = suite("quick", "blind", seeds="0, 1", epochs=2)
    first = project.run(path, "--until-decided", report=True)
    assert first.code == 0, first.err
    assert "0 of 1 pair decided; another round: seed 2 for quick and blind" in first.err
    ran = lines(project)
    assert 8 <= len(ran) < 24
    assert len({line["group_id"] for line in ran}) == len(ran) / 2  # both of a seed by turns
    page = (project.results / "mine/report/report.md").read_text()
    said = "Decided by accuracy: 1 of 1 pair (1 told apart). quick is better than blind, by"
    assert said in page
    assert said in " ".join(first.out.split())
    for target in (path, project.results / "mine"):
        again = project.bench("report", target, *([] if target.is_dir() else ["--results", project.results]))
        assert said in " ".join(again.out.split())
    more = project.run(path, "--until-decided")
    assert (more.code, len(lines(project))) == (0, len(ran))
    ahead = project.bench("plan", path, "--results", project.results, "--until-decided")
    assert "until it is decided: nothing more, every pair is" in ahead.out
    path.write_text(path.read_text() + "\n[decide]\nmost_seeds = 4\n")
    status = project.bench("run", path, "--results", project.results, "--dry-run")
    assert "at most 4 seeds" in " ".join(status.out.split())
    plain = project.run(path, "--no-until-decided", report=True)
    assert plain.code == 0
    assert "Decided by" not in (project.results / "mine/report/report.md").read_text()
    refused = project.run(path, "--shard", "1/2")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--no-until-decided" in refused.err


def test_a_trial_that_would_overrun_is_ended_and_runs_again(project: Any) -> None:
    path = project.suite("hangs", "good")
    done = project.run(path, "--budget", "15s")
    assert done.code == 0, done.err
    hung = next(line for line in lines(project) if line["trial"]["model"]["name"] == "hangs")
    assert hung["status"] == "interrupted"
    assert hung["reason"].startswith("the budget of 15 s was spent while it ran")
    assert "2 to train · 0 there already" in project.bench("run", path, "--results", project.results, "--dry-run").out


@pytest.mark.parametrize("text", ["30", "soon", "-5m"])
def test_a_budget_that_is_no_time_is_refused(project: Any, text: str) -> None:
    done = project.run(project.suite("good"), f"--budget={text}")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"--budget {text}: expected a time over 0 with its unit, as in 90s, 30m, 2h or 1h30m\n"
