"""From an exception to a status and one line."""

from __future__ import annotations

import pytest
import torch

from bench.errors import BenchError, Unavailable
from bench.worker.common.failures import Diverged, classify, readable_traceback

CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB."
MPS = "MPS backend out of memory (MPS allocated: 1 GB)"
HOST = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unavailable("no file: run `bench fetch mnist`"), "skipped", "no file: run `bench fetch mnist`"),
        (Diverged("training loss is nan at step 3"), "diverged", "training loss is nan at step 3"),
        (MemoryError(), "oom", "MemoryError: the host has no more memory"),
        (torch.OutOfMemoryError(CUDA), "oom", CUDA),
        (RuntimeError(MPS), "oom", MPS),
        (RuntimeError(HOST), "oom", HOST),
        (BenchError("cnn: too small"), "failed", "cnn: too small"),
        (ValueError("a\nb"), "failed", "ValueError: a b"),
        (ValueError(), "failed", "ValueError"),
    ],
)
def test_status_and_reason(error: Exception, status: str, reason: str) -> None:
    assert classify(error) == (status, reason)


def test_a_long_reason_is_one_short_line() -> None:
    assert len(classify(ValueError("x" * 10_000))[1]) <= 300


def test_the_home_path_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert classify(ValueError("/home/somebody/x"))[1] == "ValueError: ~/x"
    error = ValueError("/home/somebody/x")
    assert "~/x" in readable_traceback(error)
    assert "somebody" not in readable_traceback(error)
