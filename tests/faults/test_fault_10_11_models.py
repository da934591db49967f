"""Faults 10 and 11, and every other way in which a trial can end: a status, a reason of one line; the others run."""

from __future__ import annotations

import json
from typing import Any

import pytest


def stored(project: Any, name: str = "mine") -> dict[str, dict[str, Any]]:
    """The stored results by model; JSON that is not strict (NaN, Infinity) is refused."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in a record")

    found = {}
    for path in (project.results / name / "trials").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            value = json.loads(line, parse_constant=refuse)
            found[value["trial"]["model"]["name"]] = value
    return found


def test_each_ending_has_its_status_and_reason(project: Any) -> None:
    names = ("good", "raises", "leaves", "dies", "exits", "memory", "greedy", "nan", "nan_at_once")
    names += ("wrong_shape", "tuple", "chatty", "infinite")
    done = project.run(project.suite(*names))
    rows = {row["model"]: row for row in project.rows()}
    assert len(stored(project)) == len(names)
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
        "infinite": "diverged",
        "wrong_shape": "failed",
        "chatty": "ok",
    }
    assert rows["raises"]["reason"] == "Boom: no such luck"
    assert rows["dies"]["reason"] == "the process was killed by SIGKILL"
    assert "exit code 7" in rows["exits"]["reason"]
    # 10 steps of warm-up and of FLOP counting run on other instances: the seventh real step is the seventh.
    assert "nan at step 7 (epoch 2)" in rows["nan"]["reason"]
    assert "nan at step 1 (epoch 1)" in rows["nan_at_once"]["reason"]
    assert rows["leaves"]["reason"].startswith("the code of the trial ended itself: sys.exit(0)")
    assert "answers with tuple" in rows["tuple"]["reason"]
    assert "(2, 11)" in rows["wrong_shape"]["reason"]
    assert "(2, 10)" in rows["wrong_shape"]["reason"]
    assert "inf at step 3 (epoch 1)" in rows["infinite"]["reason"]
    for name in ("nan", "nan_at_once", "infinite"):
        assert rows[name]["test_accuracy"] == rows[name]["train_loss"] == ""
    for row in rows.values():
        assert bool(row["reason"]) == (row["status"] != "ok")
        assert bool(row["test_accuracy"]) == (row["status"] == "ok")


def test_a_failure_has_its_traceback_in_result_and_log_without_the_home_path(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.folder))
    assert project.run(project.suite("raises", "chatty"), report=True).code == 1
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


ENDLESS = """
import os, time
from torch import nn
from bench.registry import model

def make(name, act):
    @model(name)
    def build(shape, n):
        act()
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))

def talk():
    print("the first word", flush=True)
    for _ in range(100):
        os.write(1, (b"x" * 99 + b"\\n") * 10_000)
    time.sleep(1)
    print("the last word", flush=True)

def even(n):
    return odd(n - 1)

def odd(n):
    return even(n - 1)

def long_text():
    raise ValueError("first " + "x" * 100_000_000 + " last")

make("talks", talk)
make("recurses", lambda: even(1))
make("long_text", long_text)
"""


def test_a_model_that_says_too_much_fills_neither_the_disk_nor_the_record(project: Any) -> None:
    suite = project.suite("talks", "recurses", "long_text")
    (project.folder / "models.py").write_text(ENDLESS)
    done = project.run(suite)
    found = stored(project)
    assert {name: value["status"] for name, value in found.items()} == {
        "talks": "ok", "recurses": "failed", "long_text": "failed",
    }, done.err  # fmt: skip
    log = next((project.results / "mine/logs").rglob(f"{found['talks']['trial_id']}.log"))
    text = log.read_bytes()
    assert len(text) < (16 << 20) + 1000
    assert text.startswith(b"the first word\nxxx")
    assert text.endswith(b"x\nthe last word\n")
    assert b"\n[bench left out " in text
    assert found["long_text"]["reason"].startswith("ValueError: first xxx")
    assert found["long_text"]["traceback"].endswith("x last\n")
    assert found["recurses"]["reason"].startswith("RecursionError: maximum recursion depth exceeded")
    for value in found.values():
        assert len(value["reason"]) <= 300
        assert len(value["traceback"]) < 60_000
    assert max(path.stat().st_size for path in (project.results / "mine/trials").iterdir()) < 200_000
