"""Faults 29 and 30: a device that is not there is `skipped`, and a plugin that raises or hangs is charged alone."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

HANGS = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", os.environ["MARK"]])
time.sleep(300)
"""


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("trials/*.jsonl") for line in path.read_text().splitlines()]


def test_a_device_that_is_not_here_is_skipped_once_and_never_the_cpu(project: Any) -> None:
    suite = project.suite("good")
    suite.write_text(suite.read_text().replace('["cpu"]', '["cpu", "mps"]'))
    first, second = project.run(suite), project.run(suite)
    assert first.code == second.code == 0
    rows = {row["device"]: row for row in project.rows()}
    assert rows["cpu"]["status"] == "ok"
    assert rows["mps"]["status"] == "skipped"
    assert rows["mps"]["reason"].startswith("mps: ")
    assert len(lines_of(project.results / "mine")) == 2  # it is not written again each time


def test_a_plugin_that_raises_is_charged_with_the_names_that_nobody_has(project: Any) -> None:
    suite = project.suite("linear", "nobodys")
    (project.folder / "models.py").write_text("raise OSError('not today')\n")
    planned = project.run(suite, "--dry-run").out
    assert re.findall(r"^  \w{16}  (\w+) +synthetic.* · (linear|nobodys) ·", planned, re.MULTILINE) == [
        ("train", "linear"),
        ("fail", "nobodys"),
    ]
    done = project.run(suite)
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert rows["linear"]["status"] == "ok"
    assert rows["nobodys"]["status"] == "failed"
    assert "models.py: failed to import: OSError: not today" in rows["nobodys"]["reason"]


def test_a_plugin_that_ends_its_process_is_charged_too(project: Any) -> None:
    suite = project.suite("linear", "nobodys")
    suite.write_text(suite.read_text().replace('["models.py"]', '["models.py", "more.py"]'))
    (project.folder / "models.py").write_text("import os; os._exit(0)")
    (project.folder / "more.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    done = project.run(suite)
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert (rows["linear"]["status"], rows["nobodys"]["status"]) == ("ok", "failed")
    assert rows["nobodys"]["reason"] == (
        "no model 'nobodys' is registered; models.py: failed to import: it ended its process (exit code 0); "
        "more.py: failed to import: it ended its process (SIGSEGV)"
    )
    assert "Traceback" not in done.err


def test_a_plugin_that_hangs_is_charged_and_list_answers_within_30_seconds(
    project: Any, processes_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them: they hang at the same time, one with a closed pipe. What they have started ends with them."""
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", mark)
    suite = project.suite("linear", "nobodys")
    suite.write_text(suite.read_text().replace('["models.py"]', '["models.py", "more.py"]'))
    (project.folder / "models.py").write_text(HANGS)
    (project.folder / "more.py").write_text(f"import os; os.closerange(3, 256){HANGS}")  # hides from who asks
    stops = f"import os, signal; os.kill(os.getppid(), signal.SIGSTOP)\n{LAYER.replace('NAME', 'stops')}"
    (project.folder / "stops.py").write_text(stops)  # who asks
    project.bench("list", "devices")  # what ours takes to be found is not what is timed
    began = time.monotonic()
    listing = project.start("list", "models", "--plugin", "models.py", "--plugin", "more.py", "--plugin", "stops.py")
    time.sleep(8)  # it imports torch, which takes long enough without another that does
    running = project.start("run", suite, "--results", project.results)
    out, err = listing.communicate(timeout=120)
    assert time.monotonic() - began < 30
    assert listing.returncode == 0
    assert "hidden: an integer" in out
    assert "\nstops\n  from stops.py\n" in out
    for name in ("models.py", "more.py"):
        assert f"{name}: failed to import: it took longer than" in err
    _, err = running.communicate(timeout=120)
    rows = {row["model"]: row for row in project.rows()}
    assert running.returncode == 1, err
    assert rows["linear"]["status"] == "ok"
    assert rows["nobodys"]["status"] == "failed"
    assert "models.py: failed to import: it took longer than" in rows["nobodys"]["reason"]
    assert processes_with(mark) == []


LAYER = """
from torch import nn
from bench.registry import model

@model("NAME")
def build(shape, n):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))
"""
# What a plugin does as it is imported → what is said of it; nothing, where it registers its model all the same.
RUDE = {
    "exits": ("import os; os._exit(0)", "it ended its process (exit code 0)"),
    "leaves": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "interrupts": ("raise KeyboardInterrupt('stop')", "KeyboardInterrupt: stop"),
    "generator": ("raise GeneratorExit", "GeneratorExit"),
    "alarm": ("import os, signal; os.kill(os.getpid(), signal.SIGRTMIN)", "it ended its process (SIGRTMIN)"),
    "silent": ("class E(Exception):\n    def __str__(self): raise self\nraise E", "E"),
    "lies": ("import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'{\"models\": 5}')\n    except OSError: pass",
             "it wrote something that is no answer"),
    "floods": ("import os\nwhile True:\n  for fd in range(3, 64):\n    try: os.write(fd, b'x' * 65536)\n"
               "    except OSError: pass", "it said more than 16,777,216 bytes"),
    "closes_all": ("import os; os.closerange(3, 256)", "it ended its process (exit code 1)"),
    "prints": ("import sys\nfor _ in range(40): print('x' * 1_000_000), print('y' * 1_000_000, file=sys.stderr)", ""),
    "closes": ("import os\nfor fd in range(3): os.close(fd)", ""),
    "forks": ("import os\nos.fork()", ""),
    "daemon": ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(300)\n"
               "    os._exit(0)", ""),
    "moves": ("import os; os.chdir('/')", ""),
    "handles": ("import signal\nfor n in (1, 2, 15, 17): signal.signal(n, signal.SIG_IGN)", ""),
    "threads": ("import threading, time; threading.Thread(target=time.sleep, args=(300,)).start()", ""),
    "at_exit": ("import atexit, time; atexit.register(time.sleep, 300)", ""),
}  # fmt: skip


def test_whatever_a_plugin_does_at_import_is_told_of_it_alone(
    project: Any, processes_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", mark)
    for name, (code, _) in RUDE.items():
        (project.folder / f"{name}.py").write_text(f"{code}\n{LAYER.replace('NAME', name)}")
    suite = project.suite("linear", *(name for name, (_, error) in RUDE.items() if not error), "exits")
    plugins = json.dumps([f"{name}.py" for name in RUDE])
    suite.write_text(suite.read_text().replace('["models.py"]', plugins))
    done = project.run(suite, "--set", "train.steps=2")
    rows = {row["model"]: row for row in project.rows()}
    told = re.findall(r"^plugin: (.*)$", re.sub(r"\n    ", " ", done.err), re.MULTILINE)
    assert sorted(told) == sorted(f"{name}.py: failed to import: {error}" for name, (_, error) in RUDE.items() if error)
    assert rows.pop("exits")["status"] == "failed"
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(rows, "ok"), done.err
    assert done.code == 1
    assert "Traceback" not in done.err
    assert processes_with(mark) == []
