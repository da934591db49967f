"""Faults 1 to 3: the worker killed, the run killed, and the signals that ask it to stop."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

LOADER = """
[train]
epochs = 100000
threads = 1
loader = "dataloader"
num_workers = 2
"""
HANGS_AT_IMPORT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", os.environ["MARK"]])
time.sleep(300)
"""
# In the run's own process, where a first SIGINT takes as long as the model wants.
SLOW_TO_STOP = """
import time
from bench.registry import model

@model("slow_to_stop")
def build(input_shape, num_classes):
    try:
        open("reached", "w").close()
        time.sleep(300)
    finally:
        open("stopping", "w").close()
        time.sleep(300)
"""


def by_model(project: Any, name: str = "mine") -> dict[str, dict[str, Any]]:
    """The stored results by model."""
    return {value["trial"]["model"]["name"]: value for value in lines_of(project.results / name)}


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("trials/*.jsonl") for line in path.read_text().splitlines()]


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def template_with_a_trial(run: int) -> list[int]:
    """The template of a run, where it has forked a trial."""
    found = [child for child in children(run) if b"worker\0template" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return [child for child in found if children(child)]


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word in the environment of everything that a test starts."""
    word = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("MARK", word)
    return word


def gone(processes_with: Callable[[str], list[int]], mark: str, *, seconds: float = 2.0) -> bool:
    """Whether nothing with the mark is left after so long."""
    stop = time.monotonic() + seconds
    while processes_with(mark) and time.monotonic() < stop:
        time.sleep(0.05)
    return not processes_with(mark)


def test_a_killed_worker_is_one_crashed_result_and_the_others_run(project: Any, wait_for: Any) -> None:
    suite = project.suite("hangs", "good", "dies")
    process = project.start("run", suite, "--results", project.results)
    wait_for(lambda: template_with_a_trial(process.pid) and list((project.results / "mine/logs").rglob("*.log")))
    os.kill(children(template_with_a_trial(process.pid)[0])[0], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    found = by_model(project)
    assert process.returncode == 1
    assert {name: value["status"] for name, value in found.items()} == {
        "hangs": "crashed", "good": "ok", "dies": "crashed",
    }  # fmt: skip
    for name in ("hangs", "dies"):
        assert found[name]["reason"] == "the process was killed by SIGKILL"
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stores_what_was_under_way_and_the_run_goes_on(
    project: Any, wait_for: Any, number: signal.Signals, code: int
) -> None:
    suite = project.suite("good", "hangs", seeds="0")
    # One after the other: of those that take turns, all are under way until the last has ended.
    process = project.start("run", suite, "--results", project.results, "--set", "measure.turns=1")
    wait_for(lambda: "good" in by_model(project))
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert by_model(project)["hangs"]["status"] == "interrupted"
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
    project: Any, wait_for: Any, processes_with: Any, mark: str
) -> None:
    process = project.start("run", project.suite("orphans"), "--results", project.results)
    wait_for(lambda: len(processes_with(mark)) >= 4 and what_the_trial_started(mark))
    process.kill()
    process.communicate()
    assert gone(processes_with, mark)


def test_a_killed_template_costs_one_trial(project: Any, wait_for: Any) -> None:
    suite = project.suite("hangs", "good")
    process = project.start("run", suite, "--results", project.results, "--timeout", "30")
    # The trial opens its log; a child of the template alone may be something that an import of torch has started.
    wait_for(lambda: list((project.results / "mine/logs").rglob("*.log")))
    os.kill(template_with_a_trial(process.pid)[0], signal.SIGKILL)
    process.communicate(timeout=120)
    statuses = {name: value["status"] for name, value in by_model(project).items()}
    assert statuses == {"hangs": "crashed", "good": "ok"}


def test_killed_in_the_middle_and_started_again_every_trial_is_there_once(project: Any, wait_for: Any) -> None:
    suite = project.suite("good", seeds="0, 1, 2, 3, 4, 5, 6, 7")
    for done in (1, 4):
        process = project.start("run", suite, "--results", project.results)
        wait_for(lambda done=done: len(lines_of_whole(project.results / "mine")) >= done)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        time.sleep(0.5)
    end = project.run(suite)
    assert end.code == 0
    ids = [line["trial_id"] for line in lines_of(project.results / "mine")]
    assert len(ids) == len(set(ids)) == len(project.rows()) == 8


def lines_of_whole(folder: Path) -> list[str]:
    return [line for path in folder.glob("trials/*.jsonl") for line in path.read_text().splitlines(keepends=True)]


@pytest.mark.parametrize("what", ["loader workers", "a plugin at import"])
def test_nothing_else_is_left_either(what: str, project: Any, wait_for: Any, processes_with: Any, mark: str) -> None:
    """Of loader workers, and of a plugin that hangs at import with a process of its own."""
    suite = project.suite("good")
    if what == "loader workers":
        suite.write_text(suite.read_text().partition("[train]")[0] + LOADER)
    else:
        (project.folder / "models.py").write_text(HANGS_AT_IMPORT)
    process = project.start("run", suite, "--results", project.results)
    if what == "loader workers":  # the trial, and under it two of its own
        wait_for(lambda: [1 for t in template_with_a_trial(process.pid) for c in children(t) if len(children(c)) >= 2])
    else:
        wait_for(lambda: what_the_trial_started(mark))
    process.kill()
    process.communicate()
    assert gone(processes_with, mark), [Path(f"/proc/{p}/cmdline").read_bytes() for p in processes_with(mark)]


def test_a_second_sigint_stops_at_once(project: Any, wait_for: Any) -> None:
    suite = project.suite("slow_to_stop")
    (project.folder / "models.py").write_text(SLOW_TO_STOP)
    process = project.start("run", suite, "--results", project.results, "--executor", "inline")
    for name in ("reached", "stopping"):
        wait_for((project.folder / name).exists)
        assert process.poll() is None
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=2)
    # Ended by the signal itself: what a shell shows as 130.
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("twice", [False, True])
def test_sigint_leaves_nothing_behind(twice: bool, project: Any, wait_for: Any, processes_with: Any, mark: str) -> None:
    process = project.start("run", project.suite("orphans"), "--results", project.results)
    wait_for(lambda: what_the_trial_started(mark))
    for _ in range(1 + twice):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode in ((130, -signal.SIGINT) if twice else (130,))
    assert "Traceback" not in err
    assert gone(processes_with, mark)
    if not twice:
        assert by_model(project)["orphans"]["status"] == "interrupted"


# What a model may leave behind, or do to the process that it was forked from. All of it bears the mark.
LEAVES = """
import os, signal, subprocess, sys, threading, time
from torch import nn
from bench.registry import model

def leaves(name, act):
    @model(name)
    def build(shape, n):
        act()
        return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))

def daemon(*, ignores=False, stops=False):
    # By two forks and a session of its own, as daemons do: no group reaches it, and its parent is gone.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if ignores:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
            if stops:
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(300)
        os._exit(0)
    os.wait()

def nohup():
    subprocess.Popen(["nohup", "sleep", "300"], start_new_session=True,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

def thread():
    threading.Thread(target=time.sleep, args=(300,)).start()

def at_exit():
    import atexit
    atexit.register(time.sleep, 300)

def then(*acts):
    return lambda: [act() for act in acts]

leaves("daemon", daemon)
leaves("ignores", lambda: daemon(ignores=True))
leaves("stopped", lambda: daemon(stops=True))
leaves("nohup", nohup)
leaves("thread", then(thread, at_exit))
leaves("stops_template", then(daemon, lambda: os.kill(os.getppid(), signal.SIGSTOP)))
leaves("stops_and_ends", lambda: (os.kill(os.getppid(), signal.SIGSTOP), os._exit(0)))
leaves("stops_and_hangs", lambda: (os.kill(os.getppid(), signal.SIGSTOP), time.sleep(300)))
leaves("kills_template", then(daemon, lambda: os.kill(os.getppid(), signal.SIGKILL), lambda: time.sleep(300)))
leaves("stops_itself", then(daemon, lambda: os.kill(os.getpid(), signal.SIGSTOP)))
leaves("closes", then(lambda: os.closerange(3, 1000), lambda: time.sleep(300)))
leaves("dies", then(daemon, lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""
ENDS = {
    "daemon": "ok", "ignores": "ok", "stopped": "ok", "nohup": "ok", "thread": "ok", "stops_template": "crashed",
    "stops_and_ends": "crashed", "stops_and_hangs": "crashed", "kills_template": "crashed", "stops_itself": "timeout",
    "closes": "timeout", "dies": "crashed", "linear": "ok",
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to who asks for them")
def test_whatever_a_trial_leaves_ends_with_it_and_the_others_run(project: Any, processes_with: Any, mark: str) -> None:
    suite = project.suite(*ENDS)
    (project.folder / "models.py").write_text(LEAVES)
    done = project.run(suite, "--timeout", "4", "--set", "train.steps=3")
    found = by_model(project)
    assert {name: value["status"] for name, value in found.items()} == ENDS, done.err
    reasons = {
        "kills_template": "the process that it was forked from was killed",
        "dies": "the process was killed by SIGKILL",
    } | dict.fromkeys(
        ["stops_template", "stops_and_ends", "stops_and_hangs"],
        "the process that it was forked from was stopped while it ran",
    )
    for name in reasons:
        assert found[name]["reason"] == reasons[name]
    assert done.code == 1
    assert "Traceback" not in done.err
    assert processes_with(mark) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to who asks for them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_daemon_of_a_trial_ends_with_the_run(
    project: Any, wait_for: Any, processes_with: Any, mark: str, number: signal.Signals
) -> None:
    suite = project.suite("hangs")
    (project.folder / "models.py").write_text(LEAVES + "leaves('hangs', then(daemon, lambda: time.sleep(300)))\n")
    process = project.start("run", suite, "--results", project.results)
    wait_for(lambda: any(
        b"import time; time.sleep(300)" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_with(mark)
    ))  # fmt: skip
    process.send_signal(number)
    process.communicate(timeout=60)
    assert gone(processes_with, mark, seconds=5.0)
