"""From an exception to a status and one line."""

from __future__ import annotations

import errno
import re
import sys
from typing import Any

import pytest
import torch

from bench.errors import BenchError, Unavailable
from bench.worker.common.failures import Diverged, classify, first_line, readable_traceback

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
        (FileNotFoundError("no file of \udcff"), "failed", "FileNotFoundError: no file of \\udcff"),
        (BenchError(""), "failed", "BenchError"),
        (Unavailable(""), "skipped", "Unavailable"),
        (Diverged(), "diverged", "Diverged"),
    ],
)
def test_status_and_reason(error: Exception, status: str, reason: str) -> None:
    assert classify(error) == (status, reason)


def test_a_long_reason_is_one_short_line() -> None:
    assert len(classify(ValueError("x" * 10_000))[1]) <= 300


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            + "  File ...\n" * 50
            + "RuntimeError: unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left (28)\n",
            "Caught RuntimeError in DataLoader worker process 0. RuntimeError: unable to allocate shared memory(",
        ),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit.",
            "DataLoader worker (pid 7) is killed by signal: Bus error.",
        ),
        ("unable to open shared memory object </torch_1_2_3> in read-write mode", "unable to open shared memory"),
        ("unable to write to file </torch_1_2_3>: No space left on device (28)", "unable to write to file"),
        ("unable to mmap 128 bytes from file </torch_1_2_3>: Cannot allocate memory (12)", "unable to mmap 128 bytes"),
    ],
)
def test_full_shared_memory_is_named_with_its_cure(text: str, cause: str) -> None:
    status, reason = classify(RuntimeError(text))
    assert status == "failed"
    assert reason.startswith(f"shared memory (/dev/shm) has no room or is not there: {cause}")
    assert reason.endswith("; give the container more (docker run --shm-size=8g), or set train.num_workers = 0")
    assert len(reason) < 300


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENOENT, errno.EROFS, errno.EACCES])
def test_a_lock_that_shared_memory_has_no_room_for_is_not_the_disk(number: int) -> None:
    names: dict[str, Any] = {}
    code = "def lock(number): raise OSError(number, 'no room')"
    exec(compile(code, "/usr/lib/python3.11/multiprocessing/synchronize.py", "exec"), names)
    with pytest.raises(OSError, match="no room") as caught:
        names["lock"](number)
    status, reason = classify(caught.value)
    assert status == "failed"
    assert reason.startswith("shared memory (/dev/shm) has no room or is not there: [Errno ")
    assert "--shm-size" in reason


def test_other_shared_memory_is_not_the_hosts() -> None:
    triton = RuntimeError("out of resource: shared memory, Required: 147456, Hardware limit: 101376.")
    assert classify(triton) == ("failed", f"RuntimeError: {triton}")


def test_of_a_failure_in_a_loaders_worker_the_cause_is_told() -> None:
    trace = "Original Traceback (most recent call last):\n" + "  File x\n" * 100
    text = f"Caught ValueError in DataLoader worker process 1.\n{trace}ValueError: image 7 is bad"
    assert classify(ValueError(text)) == (
        "failed",
        "ValueError: Caught ValueError in DataLoader worker process 1. ValueError: image 7 is bad",
    )


class Silent(Exception):
    def __str__(self) -> str:
        raise ValueError("no word of it")


class Wordless(Exception):
    def __str__(self) -> str:
        sys.exit(0)


class NoText(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]


@pytest.mark.parametrize("kind", [Silent, Wordless, NoText])
def test_an_exception_that_cannot_be_asked_is_called_by_its_type(kind: type[Exception]) -> None:
    assert classify(kind()) == ("failed", kind.__name__)
    assert first_line(kind()) == kind.__name__
    assert kind.__name__ in readable_traceback(kind())


def test_a_type_with_a_name_of_several_lines_is_told_on_one() -> None:
    assert classify(type("a\nb" * 1000, (Exception,), {})())[1] == ("a b" * 1000)[:299] + "…"


def deep(most: int) -> None:
    deeper(most - 1)


def deeper(most: int) -> None:
    if most <= 0:
        raise RecursionError("the innermost")
    deep(most - 1)


@pytest.mark.parametrize("text", ["x" * 5_000_000, "many words " * 500_000, "line\n" * 1_000_000])
def test_of_a_long_text_the_ends_are_told(text: str) -> None:
    error = ValueError(f"first {text} last")
    assert len(classify(error)[1]) == 300
    assert len(first_line(error)) <= 150
    told = readable_traceback(error)
    assert len(told) < 60_000
    assert "ValueError: first" in told
    assert told.endswith(" last\n")
    assert re.search(r"\n… [0-9,]+ characters left out …\n", told)


def test_of_a_deep_traceback_the_first_frames_and_the_last_are_told() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        deep(5000)
    except RecursionError as error:
        told = readable_traceback(error)
    finally:
        sys.setrecursionlimit(limit)
    assert told.startswith("Traceback (most recent call last):\n")
    assert "in test_of_a_deep_traceback" in told
    assert told.endswith("RecursionError: the innermost\n")
    assert len(told) < 60_000


def test_the_home_path_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert classify(ValueError("/home/somebody/x"))[1] == "ValueError: ~/x"
    error = ValueError("/home/somebody/x")
    assert "~/x" in readable_traceback(error)
    assert "somebody" not in readable_traceback(error)
