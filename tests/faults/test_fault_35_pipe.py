"""Fault 35, the worker's word to the parent: JSON on a pipe of its own, which no print of a model can reach."""

from __future__ import annotations

import os
from typing import Any

from bench.execute.executors.local import _Lines

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
    words = _Lines()
    assert words.drain(reading) == [{"progress": {}}, {"outcome": {"status": "ok"}}]
    os.close(reading)
