"""Fault 35, the worker's word to the parent: JSON on a pipe of its own, which no print of a model can reach."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from bench.execute.json_lines import Lines

LIE = '{"outcome": {"status": "ok", "reason": "", "metrics": {"test_accuracy": 1.0}}}'
# Prints in every way there is, lies in the words of the pipe, and closes what it was given to print on.
LOUD = """
import ctypes, logging, os, subprocess, sys, warnings
from torch import nn
from bench.registry import model

LIE = 'LIE_TEXT'

def shout():
    print(LIE, flush=True)
    print(LIE, file=sys.stderr, flush=True)
    print(LIE, file=sys.__stdout__, flush=True)
    os.write(1, LIE.encode() + b"\\n")
    os.write(2, b"\\xff\\x00" * 100_000 + b"\\n")
    ctypes.CDLL(None).puts(LIE.encode())
    subprocess.run(["echo", LIE], check=True)
    logging.getLogger().warning(LIE)
    warnings.warn(LIE, stacklevel=1)

class Loud(nn.Module):
    def __init__(self, shape, n, closes):
        super().__init__()
        self.closes, self.layer = closes, nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))
    def forward(self, x):
        if self.training and len(x) > 2:
            shout()
            if self.closes:
                sys.stdout.close(), sys.stderr.close()
                sys.stdout = sys.stderr = open(os.devnull, "w")
        return self.layer(x)

@model("loud")
def loud(shape, n):
    return Loud(shape, n, closes=False)

@model("closes")
def closes(shape, n):
    sys.stdout.close()
    sys.stderr.close()
    return Loud(shape, n, closes=False).layer

@model("raises")
def raises(shape, n):
    shout()
    raise RuntimeError("after all that")
"""


def test_prints_of_a_model_cannot_corrupt_it(project: Any) -> None:
    suite = project.suite("loud", "closes", "raises", "linear", seeds="0")
    (project.folder / "models.py").write_text(LOUD.replace("LIE_TEXT", LIE))
    done = project.run(suite, "--set", "train.steps=6", report=True)
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert {name: row["status"] for name, row in rows.items()} == {
        "loud": "ok", "closes": "ok", "raises": "failed", "linear": "ok",
    }, done.err  # fmt: skip
    # A linear layer that shouts learns what one that is silent learns.
    assert rows["loud"]["test_loss"] == rows["linear"]["test_loss"] == rows["closes"]["test_loss"]
    assert float(rows["loud"]["test_accuracy"]) < 1
    assert "outcome" not in done.out
    assert "outcome" not in done.err
    logs = b"".join(path.read_bytes() for path in (project.results / "mine/logs").rglob("*.log"))
    assert logs.count(LIE.encode()) > 10


def test_what_is_no_line_of_ours_is_dropped() -> None:
    reading, writing = os.pipe()
    garbage = [b"no JSON", b"[1]", b"3", b"\xff\xfe", b"[" * 5000, b"9" * 5000, b"", b"null"]
    os.write(writing, b"\n".join([*garbage, b'{"progress": {}}', b'{"outcome": {"status": "ok"}}', b'{"outcome"']))
    os.close(writing)
    words = Lines()
    assert words.drain(reading) == [{"progress": {}}, {"outcome": {"status": "ok"}}]
    os.close(reading)


# Writes on every pipe and socket that it has, as a model might that looks for one.
WRITES = """
import fcntl, os, time
from torch import nn
from bench.registry import model

def pipes():
    found = [int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
    kinds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in found}
    return [fd for fd, kind in kinds.items()
            if kind.startswith(("pipe:", "socket:")) and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY]

def writes(name, text, *, for_ever=False):
    @model(name)
    def build(shape, n):
        while True:
            for fd in pipes():
                os.write(fd, text)
            if not for_ever:
                return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))

writes("says_where_for_ever", b'{"progress": {"phase": "training"}}\\n' * 20, for_ever=True)
writes("line_without_end", b"x" * 65536, for_ever=True)
writes("a_number", b'{"outcome": 7}\\n')
writes("not_a_number", b'{"outcome": {"status": "ok", "metrics": {"total_seconds": NaN}}}\\n')
writes("no_such_status", b'{"outcome": {"status": "splendid"}}\\n')
writes("twice", b'{"outcome": {"status": "ok", "metrics": {"total_seconds": 1.0}}}\\n')
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for its pipe in /proc")
def test_a_trial_that_writes_on_the_pipe_costs_nobody_else_anything(project: Any) -> None:
    said = {
        "line_without_end": "a line of more than 67,108,864 bytes",
        "a_number": "7 (Input should be a valid dictionary or instance of Result)",
        "not_a_number": "metrics.total_seconds",
        "no_such_status": "status 'splendid' (Input should be 'ok', ",
        "twice": "more after its outcome",
    }
    suite = project.suite("says_where_for_ever", *said, "linear")
    (project.folder / "models.py").write_text(WRITES)
    done = project.run(suite, "--timeout", "8")
    rows = {row["model"]: row for row in project.rows()}
    assert (done.code, rows["linear"]["status"]) == (1, "ok"), done.err
    assert rows["says_where_for_ever"]["status"] == "timeout"
    for name, what in said.items():
        assert rows[name]["status"] == "crashed", (name, rows[name]["reason"])
        assert rows[name]["reason"].startswith("its code wrote into the pipe that its result comes through: ")
        assert what in rows[name]["reason"]
    assert "Traceback" not in done.err
