"""One thing asked of a worker process: the answer, its lines under way, and each way in which there is none."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.base import kernel
from bench.base.version import PROTOCOL
from bench.errors import BenchError
from bench.execute import ask_worker
from bench.execute.ask_worker import Interpreter, Question
from bench.worker.measure import environment

WORKER = """
import os, signal, sys, time
from bench.base import kernel
from bench.errors import BenchError
from bench.worker.common.answer import answer

def work(request, say):
    print("what a model prints")
    os.system("echo and what it starts")
    for part in range(request.get("parts", 0)):
        say({"part": part})
    match request["do"]:
        case "refuse":
            raise BenchError("no such thing; take another")
        case "raise":
            raise ValueError("a bug")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "garbage":
            os.write(3, b"no answer\\n")  # the first number that was free when it kept its output apart
        case "prints":
            for _ in range(400):
                os.write(2, b"x" * 1_000_000)
            time.sleep(0.5)
            os.write(2, b"\\nthe last line\\n")
            os._exit(3)
        case "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "leave":
            os._exit(0)
        case "hang":
            try:
                open(request["file"], "w").close()
                time.sleep(300)
            finally:
                os.remove(request["file"])
    say({"long": "x" * request.get("long", 0), "hash": hash("a text") if request["do"] == "hash" else 0})

if __name__ == "__main__":
    sys.exit(answer(work))
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Question]:
    (tmp_path / "asked.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))

    def start(do: str, *, limit_seconds: float | None = None, **request: Any) -> Question:
        return Question("asked", request={"do": do, **request}, failed="it failed", limit_seconds=limit_seconds)

    return start


def test_lines_come_as_they_are_said_and_the_last_is_the_answer(ask: Any) -> None:
    told: list[Any] = []
    assert ask("answer", parts=2).answer(told.append) == {"long": "", "hash": 0}
    assert told == [{"part": 0}, {"part": 1}, {"long": "", "hash": 0}]


def test_the_hash_of_a_text_is_the_same_in_each_process(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    assert ask("hash").answer()["hash"] == ask("hash").answer()["hash"] != 0


def test_a_long_answer_is_whole(ask: Any) -> None:
    assert len(ask("answer", long=3_000_000).answer()["long"]) == 3_000_000


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("refuse", "no such thing; take another"),
        ("raise", "it failed: ValueError: a bug"),
        ("die", "it failed: its process was killed by SIGKILL: and what it starts"),
        ("leave", "it failed: and what it starts"),
    ],
)
def test_without_an_answer_there_is_one_line(do: str, said: str, ask: Any) -> None:
    with pytest.raises(BenchError) as caught:
        ask(do).answer()
    assert str(caught.value) == said


@pytest.mark.parametrize("killer", ["the kernel", "somebody"])
def test_a_kill_for_lack_of_memory_is_named(killer: str, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = iter([3, 4 if killer == "the kernel" else 3])
    monkeypatch.setattr(ask_worker, "oom_kills", lambda: next(counted))
    monkeypatch.setattr(kernel, "oom_kills", lambda: next(counted))
    with pytest.raises(BenchError) as caught:
        ask("die").answer()
    why = ": the host has no more memory (oom_kill, the memory cgroup's counter, has risen)"
    said = "it failed: its process was killed by SIGKILL" + (why if killer == "the kernel" else "")
    assert str(caught.value) == f"{said}: and what it starts"


@pytest.mark.parametrize(("code", "said"), [(-9, "its process was killed by SIGKILL"), (1, "it said nothing")])
@pytest.mark.parametrize("text", [b"", b"\n\n", b"\0" * 100_000])
def test_of_a_silent_process_only_its_end_is_told(code: int, said: str, text: bytes) -> None:
    with tempfile.TemporaryFile() as errors:
        errors.write(text)
        assert ask_worker.why_none(code, errors, oom_kills_before=kernel.oom_kills()) == said


def test_what_is_no_json_is_no_answer(ask: Any) -> None:
    with pytest.raises(BenchError, match="it failed: its process wrote something that is no answer: 'no answer'"):
        ask("garbage").answer()


def test_what_it_prints_does_not_fill_the_disk(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_worker, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(ask_worker, "MOST_PRINTED_BYTES", 1 << 20)
    question, most = ask("prints"), 0
    held = os.dup(question._errors.fileno())
    with pytest.raises(BenchError, match="it failed: the last line"):
        question.answer()
    most = os.fstat(held).st_blocks * 512
    os.close(held)
    assert most < 300 << 20


def test_a_process_that_was_stopped_is_told_to_go_on(ask: Any) -> None:
    assert ask("stops").answer()["long"] == ""


def test_what_came_before_the_end_is_no_answer(ask: Any) -> None:
    with pytest.raises(BenchError, match="killed by SIGKILL"):
        ask("die", parts=3).answer()


def test_a_limit_ends_it_and_what_lay_half_written_goes(
    ask: Any, tmp_path: Path, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_worker, "GRACE_SECONDS", 60.0)
    file = tmp_path / "half"
    question = ask("hang", file=str(file), limit_seconds=0.2)
    wait_for(file.exists)
    with pytest.raises(BenchError, match="it failed: no answer after 0 s"):
        question.answer()
    assert not file.exists()


def test_a_worker_ends_with_its_parent(ask: Any, tmp_path: Path, wait_for: Any) -> None:
    file = tmp_path / "half"
    code = f"""
from bench.execute.ask_worker import Question
from bench.worker.measure import environment
Question("asked", request={{"do": "hang", "file": {str(file)!r}}}, failed="").answer()
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    wait_for(file.exists)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    if sys.platform == "linux":
        wait_for(lambda: not file.exists())


WAITS = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """What of the variables on how threads wait a process of the worker is started with, by those of the user."""

    def start(**users: str) -> dict[str, str]:
        given: dict[str, str] = {}
        for name in WAITS:
            monkeypatch.delenv(name, raising=False)
        for name, value in users.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ask_worker.subprocess, "Popen", lambda *_, env, **__: given.update(env))
        ask_worker.start_worker("bench.worker.catalogue")
        return {name: given[name] for name in WAITS if name in given}

    return start


def test_threads_of_a_trial_wait_busily_for_a_short_time_only(started: Callable[..., dict[str, str]]) -> None:
    assert started() == ask_worker.WAITING_THREADS
    assert 0 < int(ask_worker.WAITING_THREADS["KMP_BLOCKTIME"]) < 20  # ms: no longer than a turn
    if platform.machine() == "x86_64":
        assert 0 < int(ask_worker.WAITING_THREADS["GOMP_SPINCOUNT"]) < 300_000  # what libgomp has by itself
    assert started(OMP_WAIT_POLICY="") == {"OMP_WAIT_POLICY": ""} | ask_worker.WAITING_THREADS  # says nothing


@pytest.mark.parametrize(
    "users",
    [
        {"GOMP_SPINCOUNT": "300000"},
        {"GOMP_SPINCOUNT": "infinity"},
        {"OMP_WAIT_POLICY": "ACTIVE"},
        {"OMP_WAIT_POLICY": "passive"},
        {"KMP_BLOCKTIME": "200"},
        {"KMP_BLOCKTIME": "0", "OMP_WAIT_POLICY": "PASSIVE"},
    ],
)
def test_a_users_own_word_on_how_threads_wait_stands_alone(
    users: dict[str, str], started: Callable[..., dict[str, str]]
) -> None:
    assert started(**users) == users


def test_what_threads_wait_by_makes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fact of it, and so of its id: a timing with it and one without are not alike."""
    for name in WAITS:
        monkeypatch.delenv(name, raising=False)
    for name, value in ask_worker.worker_environment().items():
        monkeypatch.setenv(name, value)
    assert environment.system_facts()["switches"].items() >= ask_worker.WAITING_THREADS.items()


def test_a_worker_of_another_interpreter_imports_the_bench_that_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(ask_worker.subprocess, "Popen", lambda words, **_: started.append(words))
    ask_worker.start_worker("bench.worker", "spawn", "7")
    ask_worker.start_worker("bench.worker", interpreter=Interpreter("/other/python", tmp_path, side="B"))
    assert [[words[0], *words[4:]] for words in started] == [
        [sys.executable, str(ask_worker.PACKAGE), "bench.worker", "spawn", "7"],
        ["/other/python", str(tmp_path), "bench.worker"],
    ]


def test_the_catalogue_says_which_protocol_its_worker_speaks() -> None:
    assert ask_worker.catalogue_question().answer()["protocol"] == PROTOCOL
