"""Every way in which a trial can end has its status and a reason of one line; the other trials run."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def stored(project: Any, name: str = "mine") -> dict[str, dict[str, Any]]:
    """The stored results by model."""
    found = {}
    for path in (project.results / name / "trials").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            value = json.loads(line)
            found[value["trial"]["model"]["name"]] = value
    return found


def test_each_ending_has_its_status_and_reason(project: Any) -> None:
    names = ("good", "raises", "leaves", "dies", "exits", "memory", "greedy", "nan", "nan_at_once")
    names += ("wrong_shape", "tuple", "chatty")
    done = project.run(project.suite(*names))
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert {name: rows[name]["status"] for name in names} == {
        "good": "ok",
        "raises": "failed",
        "leaves": "failed",
        "nan_at_once": "diverged",
        "tuple": "failed",
        "dies": "crashed",
        "exits": "crashed",
        "memory": "oom",
        "greedy": "oom",
        "nan": "diverged",
        "wrong_shape": "failed",
        "chatty": "ok",
    }
    assert rows["raises"]["reason"] == "Boom: no such luck"
    assert rows["dies"]["reason"] == "the process was killed by SIGKILL"
    assert "exit code 7" in rows["exits"]["reason"]
    # 10 steps of warm-up and of FLOP counting run on other instances: the seventh real step is the seventh.
    assert "nan at step 7 (epoch 2)" in rows["nan"]["reason"]
    assert "nan at step 1 (epoch 1)" in rows["nan_at_once"]["reason"]
    assert rows["leaves"]["reason"] == "SystemExit: 0"
    assert "answers with tuple" in rows["tuple"]["reason"]
    assert "(2, 11)" in rows["wrong_shape"]["reason"]
    assert "(2, 10)" in rows["wrong_shape"]["reason"]
    for row in rows.values():
        assert bool(row["reason"]) == (row["status"] != "ok")
        assert bool(row["test_accuracy"]) == (row["status"] == "ok")


def test_a_failure_has_its_traceback_in_result_and_log_without_the_home_path(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.folder))
    project.run(project.suite("raises", "chatty"))
    results = stored(project)
    assert "Boom: no such luck" in results["raises"]["traceback"]
    assert "~/models.py" in results["raises"]["traceback"]
    everything = [path for path in (project.results / "mine").rglob("*") if path.is_file() and path.suffix != ".h5"]
    for path in everything:
        if "report" not in path.parts or path.suffix in (".md", ".csv"):
            assert str(project.folder) not in path.read_text(errors="replace"), path
    logs = {path.stem: path.read_text() for path in (project.results / "mine/logs").rglob("*.log")}
    assert "Boom: no such luck" in logs[results["raises"]["trial_id"]]
    assert "hello from the model" in logs[results["chatty"]["trial_id"]]


def test_a_hang_is_a_timeout_and_its_children_die_too(
    project: Any, processes_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", mark)
    done = project.run(project.suite("hangs", "orphans", "good"), "--timeout", "3")
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert [rows[name]["status"] for name in ("hangs", "orphans", "good")] == ["timeout", "timeout", "ok"]
    assert "3 s" in rows["hangs"]["reason"]
    assert processes_with(mark) == []
    assert done.seconds < 60


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stores_what_was_under_way_and_the_run_goes_on(
    project: Any, wait_for: Any, number: signal.Signals, code: int
) -> None:
    suite = project.suite("good", "hangs", seeds="0")
    process = project.start("run", suite, "--results", project.results)
    wait_for(lambda: "good" in stored(project))
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert stored(project)["hangs"]["status"] == "interrupted"
    again = project.run(suite, "--timeout", "2")
    statuses = {row["model"]: row["status"] for row in project.rows()}
    assert statuses == {"good": "ok", "hangs": "timeout"}
    assert "1 to train · 1 there already" in again.err


def what_the_trial_started(mark: str) -> bool:
    """Whether the process that the model `orphans` starts is there: it has the mark on its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mark.encode() in path.read_bytes():
                return True
    return False


def test_nothing_is_left_two_seconds_after_the_parent_is_killed(
    project: Any, wait_for: Any, processes_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", mark)
    process = project.start("run", project.suite("orphans"), "--results", project.results)
    wait_for(lambda: len(processes_with(mark)) >= 4 and what_the_trial_started(mark))
    process.kill()
    process.communicate()
    stop = time.monotonic() + 2
    while processes_with(mark) and time.monotonic() < stop:
        time.sleep(0.05)
    assert processes_with(mark) == []


def test_a_killed_template_costs_one_trial(project: Any, wait_for: Any) -> None:
    suite = project.suite("hangs", "good")
    process = project.start("run", suite, "--results", project.results, "--timeout", "30")

    def children(pid: int) -> list[int]:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def template_with_a_trial() -> list[int]:
        found = [
            child
            for child in children(process.pid)
            if b"worker\0template" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        return [child for child in found if children(child)]

    # The trial opens its log; a child of the template alone may be something that an import of torch has started.
    wait_for(lambda: list((project.results / "mine/logs").rglob("*.log")))
    os.kill(template_with_a_trial()[0], signal.SIGKILL)
    process.communicate(timeout=120)
    statuses = {name: value["status"] for name, value in stored(project).items()}
    assert statuses == {"hangs": "crashed", "good": "ok"}
