"""What a trial's process says on its pipe, word by word: what is none of a trial ends it, and never the run."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.execute import json_lines as lines
from bench.execute.executors import log as trial_log
from bench.execute.executors import watch
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.log import TrialLog

OK = {"status": "ok", "metrics": {"total_seconds": 1.5, "test_accuracy": 0.5}}
FAILED = {"status": "failed", "reason": "no", "metrics": {"total_seconds": 1}}


class Speaking(watch.TrialProcess):
    """A process that says what it is given, again and again where that is asked for; ends when it has, or is killed."""

    def __init__(self, text: bytes, *, for_ever: bool = False, dies: bool = True, lives: bool = False) -> None:
        self.pipe, self._writing = os.pipe()
        self.pid, self.killed, self.dies, self.lives = os.getpid(), list[int](), dies, lives
        self._for_ever = for_ever
        self.thread = threading.Thread(target=self._speak, args=(text,), daemon=True)
        self.thread.start()

    def _speak(self, text: bytes) -> None:
        try:
            while not self.killed:
                view = memoryview(text)
                while view:
                    view = view[os.write(self._writing, view) :]
                if not self._for_ever:
                    break
        except OSError:
            pass
        os.close(self._writing)

    def sources(self) -> list[int]:
        return []

    def look(self) -> None:
        if self.killed and self.dies:
            self.wait_status = self.killed[-1]
        elif not self.thread.is_alive() and not self.lives:
            self.wait_status = 0

    def kill(self, number: signal.Signals) -> None:
        self.killed.append(number)


def watched(process: Speaking, *, timeout_seconds: float = 60, told: list[Any] | None = None) -> Ending:
    tell = (told if told is not None else []).append
    watching = watch.Watch(process, timeout_seconds=timeout_seconds, on_progress=tell, log=TrialLog(None))
    try:
        while not watching.is_over:
            watch.look_at([watching])
        return watching.ending(oom_kills_before=0)
    finally:
        process.killed = process.killed or [signal.SIGKILL]
        os.close(process.pipe)
        process.thread.join()


def word(outcome: Any) -> bytes:
    return json.dumps({"outcome": outcome}).encode() + b"\n"


@pytest.mark.parametrize("outcome", [OK, FAILED, {**OK, "others": [FAILED, OK]}, {**OK, "curves": {"a": [1, None]}}])
def test_an_outcome_is_taken_as_it_was_said(outcome: dict[str, Any]) -> None:
    told: list[Any] = []
    where = [{"note": "n"}, {"phase": "warm-up"}, {"phase": "t", "epoch": 1, "epochs": 2, "loss": 3}]
    said = b"".join(json.dumps({"progress": what}).encode() + b"\n" for what in where)
    assert watched(Speaking(said + word(outcome)), told=told) == Ending(outcome)
    assert told[0] == where[0]
    assert told[-1] == where[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (word([1]), "[1] (Input should be a valid dictionary or instance of Result)"),
        (word(7), "7 (Input should be a valid dictionary or instance of Result)"),
        (word(None), "None (Input should be a valid dictionary or instance of Result)"),
        (word({"metrics": {}}), "status nothing (Field required)"),
        (word({**OK, "status": "fine"}), "status 'fine' (Input should be 'ok', 'failed',"),
        (word({**OK, "status": ["ok"]}), "status ['ok'] (Input should be 'ok', 'failed',"),
        (word({"status": "ok"}), "no metric total_seconds"),
        (word({**OK, "metrics": {"total_seconds": float("nan")}}), "metrics.total_seconds"),
        (word({**OK, "metrics": {"total_seconds": float("inf")}}), "metrics.total_seconds"),
        (word({**OK, "metrics": {"total_seconds": "1"}}), "metrics.total_seconds"),
        (word({**OK, "metrics": {"total_seconds": True}}), "metrics.total_seconds"),
        (word({**OK, "metrics": {"total_seconds": [1.0]}}), "metrics.total_seconds"),
        (word({**OK, "metrics": {"total_seconds": 10**400}}), "metrics.total_seconds"),
        (word({**OK, "metrics": {"x" * 65: 1}}), "String should have at most 64 characters"),
        (word({**OK, "metrics": None}), "metrics None (Input should be a valid dictionary)"),
        (word({**OK, "samples": {"block_seconds": 1.0}}), "samples.block_seconds 1.0 (Input should be a valid list)"),
        (word({**OK, "samples": {"block_seconds": ["1"]}}), "samples.block_seconds[0] '1' (Input should be a valid"),
        (word({**OK, "curves": {"epoch": [[1]]}}), "curves.epoch[0] [1] (Input should be a valid number)"),
        (word({**OK, "validity_notes": "alone"}), "validity_notes 'alone' (Input should be a valid list)"),
        (word({**OK, "valid": 1}), "valid 1 (Input should be a valid boolean)"),
        (word({**OK, "instruments": {"a": 1}}), "instruments.a 1 (Input should be a valid string)"),
        (word({**OK, "others": {"a": 1}}), "others that are no list"),
        (word({**OK, "others": [OK, 3]}), "3 (Input should be a valid dictionary or instance of Result)"),
        (word({**FAILED, "reason": ""}), "status failed with 0 lines of reason"),
        (word({**FAILED, "reason": "\x0b"}), "status failed with 1 lines of reason"),
        (word({**FAILED, "reason": "a\nb"}), "status failed with 2 lines of reason"),
        (word({**FAILED, "reason": "x" * 10_001}), "String should have at most 10000 characters"),
        (word({**FAILED, "traceback": "x" * 200_001}), "a traceback of 200,001 bytes"),
        (word({**FAILED, "traceback": "\ud800"}), "surrogates not allowed"),
        (word({**OK, "samples": {"\ud800": [1]}}), "surrogates not allowed"),
        (word({**FAILED, "reason": "\ud800"}), "reason '\\ud800' (Input should be a valid string"),
        (word({**OK, "notes": ["n"] * 101}), "more than 100 notes"),
        (word(OK) + word(OK), "more after its outcome"),
        (word(OK) + b'{"progress": {"phase": "more"}}\n', "more after its outcome"),
        (b'{"progress": 5}\n', "a message of 'progress': 5"),
        (b'{"progress": {}}\n', "phase nothing (Field required)"),
        (b'{"progress": {"phase": 1}}\n', "phase 1 (Input should be a valid string)"),
        (b'{"progress": {"phase": "a", "epoch": 1, "epochs": 2, "loss": "low"}}\n', "'low'"),
        (b'{"progress": {"phase": "a", "epoch": 1, "epochs": 2, "loss": NaN}}\n', "loss nan"),
        (b"{}\n", "a message of nothing"),
        (b'{"outcome": {}, "progress": {}}\n', "a message of 'outcome': a table, 'progress': a table"),
        (b'{"hello": 1}\n', "a message of 'hello': 1"),
        (b"[1]\n" + word(OK), "'[1]'"),
        (b"hello\n" + word(OK), "'hello'"),
        (b"\xff\xfe\n" + word(OK), "'\ufffd\ufffd'"),
        (b"[" * 5000 + b"\n", "'[[[["),
        (b'{"outcome": ' + b"9" * 5000 + b"}\n", "'{\"outcome\": 9999"),
        (b'{"a":' * 100_000 + b"\n", '\'{"a":{"a":'),
        (b"\x1b[2J\n", "'\\x1b[2J'"),
    ],
)  # fmt: skip
def test_what_is_no_word_of_a_trial_is_a_crash_that_says_what_it_was(text: bytes, said: str) -> None:
    ending = watched(Speaking(text))
    start = "its code wrote into the pipe that its result comes through: "
    assert (ending.outcome, ending.status) == (None, "crashed")
    assert ending.reason.startswith(start)
    assert said in ending.reason.removeprefix(start)
    assert ending.reason.isprintable()
    assert len(ending.reason) < 400


def test_a_line_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", 1 << 20)
    process = Speaking(b"x" * 65536, for_ever=True)
    ending = watched(process)
    assert ending.status == "crashed"
    assert "a line of more than 1,048,576 bytes" in ending.reason
    assert process.killed == [signal.SIGKILL]


def test_a_line_that_is_as_long_as_it_may_be_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", 300_000)
    long = {**OK, "samples": {"block_seconds": [0.125] * 40_000}}
    assert watched(Speaking(word(long))) == Ending(long)


def test_who_speaks_for_ever_is_out_of_time_all_the_same() -> None:
    process = Speaking(b'{"progress": {"phase": "training"}}\n' * 100, for_ever=True)
    ending = watched(process, timeout_seconds=0.2)
    assert (ending.status, process.killed) == ("timeout", [signal.SIGTERM])


def test_notes_without_end_are_not_all_passed_on() -> None:
    told: list[Any] = []
    assert watched(Speaking(b'{"progress": {"note": "again"}}\n' * 5000 + word(OK)), told=told).outcome == OK
    assert len(told) == 100


def test_a_process_whose_end_nobody_tells_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.05)
    process = Speaking(b"", lives=True, dies=False)
    ending = watched(process, timeout_seconds=0.05)
    assert (ending.status, process.killed) == ("timeout", [signal.SIGTERM, signal.SIGKILL])
    assert process.lost


def test_after_its_outcome_a_process_has_little_time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LAST_SECONDS", 0.1)
    process = Speaking(word(OK), lives=True)
    assert watched(process, timeout_seconds=600) == Ending(OK)
    assert process.killed == [signal.SIGTERM]


def test_a_template_that_forks_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BEGIN_SECONDS", 0.05)
    process = Speaking(b"", lives=True)
    process.pid = None
    with pytest.raises(watch.TemplateLost, match="no trial after"):
        watched(process)


@pytest.fixture
def small_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(trial_log, "HEAD_BYTES", 100)
    monkeypatch.setattr(trial_log, "TAIL_BYTES", 50)
    return tmp_path / "log"


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_of_a_long_log_the_first_and_the_last_bytes_are_kept(small_log: Path) -> None:
    kept = TrialLog(str(small_log))
    kept.look()  # there is none yet
    for _ in range(1000):
        append(small_log, b"a" * 97 + b"\n")
        kept.look()
        assert small_log.stat().st_size <= 150 + 98
    append(small_log, b"the last words\n")
    kept.close()
    text = small_log.read_bytes()
    assert text.startswith(b"a" * 97 + b"\naa\n[bench left out ")
    assert text.endswith(b"the last words\n")
    left_out = int(text.split(b"left out ")[1].split(b" ")[0].replace(b",", b""))
    line = text[100:].split(b"]\n")[0] + b"]\n"
    assert left_out + len(text) - len(line) == 98_000 + 15


@pytest.mark.parametrize("size", [0, 1, 150])
def test_a_log_that_is_short_stays_as_it_is(small_log: Path, size: int) -> None:
    append(small_log, b"x" * size)
    kept = TrialLog(str(small_log))
    kept.look()
    kept.close()
    assert small_log.read_bytes() == b"x" * size


def test_a_log_that_grew_too_long_at_the_very_end_is_cut_too(small_log: Path) -> None:
    append(small_log, b"h" * 100 + b"x" * 900 + b"t" * 50)
    TrialLog(str(small_log)).close()
    text = small_log.read_bytes()
    assert text.startswith(b"h" * 100 + b"\n[bench left out 900 bytes")
    assert text.endswith(b"]\n" + b"t" * 50)


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_is_no_log_is_left_alone(small_log: Path, what: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"x" * 1000)
    match what:
        case "link":
            small_log.symlink_to(other)
        case "pipe":
            os.mkfifo(small_log)
        case "folder":
            small_log.mkdir()
    kept, began = TrialLog(str(small_log)), time.monotonic()
    kept.look()
    kept.close()
    assert time.monotonic() - began < 30
    assert other.stat().st_size == 1000
