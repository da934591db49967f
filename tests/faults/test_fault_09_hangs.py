"""Fault 9, a timeout and a hang in C code: SIGTERM, then SIGKILL, to the whole group of processes."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

# The interpreter's lock is held in C, where no handler of Python's ever runs; the first asks to be left alone, too.
STUBBORN = """
import ctypes, os, signal, subprocess, sys, time
from torch import nn
from bench.registry import model

CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"

@model("holds_the_lock")
def holds(input_shape, num_classes):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", CHILD, os.environ["MARK"]])
    ctypes.PyDLL(None).sleep(300)

@model("sleeps_in_c")
def sleeps(input_shape, num_classes):
    ctypes.CDLL(None).sleep(300)

@model("handles_it")
def handles(input_shape, num_classes):
    # Saves what it has and ends: a good citizen, which is a timeout all the same.
    signal.signal(signal.SIGTERM, lambda *_: (print("saved", flush=True), os._exit(0)))
    time.sleep(300)

@model("good")
def good(input_shape, num_classes):
    c, h, w = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, num_classes))
"""


def test_a_hang_in_c_code_is_a_timeout(project: Any, processes_with: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", mark)
    names = ("holds_the_lock", "sleeps_in_c", "handles_it", "good")
    suite = project.suite(*names)
    (project.folder / "models.py").write_text(STUBBORN)
    done = project.run(suite, "--timeout", "4")
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert [rows[name]["status"] for name in names] == ["timeout", "timeout", "timeout", "ok"]
    for name in names[:3]:
        assert rows[name]["reason"] == "not done after 4 s (measure.timeout_seconds)"
        assert rows[name]["test_accuracy"] == ""
    assert processes_with(mark) == []
    assert "saved" in "".join(path.read_text() for path in (project.results / "mine/logs").rglob("*.log"))


def test_a_hang_is_a_timeout_and_its_children_die_too(
    project: Any, processes_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", mark)
    done = project.run(project.suite("orphans", "good"), "--timeout", "3")
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert [rows[name]["status"] for name in ("orphans", "good")] == ["timeout", "ok"]
    assert "3 s" in rows["orphans"]["reason"]
    assert processes_with(mark) == []
    assert done.seconds < 60
