"""A trial's process from its first to its last moment, forked or spawned."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from typing import NoReturn

from bench.records import Json
from bench.worker.channel import Channel

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
OWN_WORD = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_")


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the process that made this one ends (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def keep_freed_memory() -> None:
    """Have glibc keep the pages of tensors that were freed, as allocators of GPUs do (mallopt(3)).

    By itself it gives the end of its heap back to the kernel whenever more than a threshold is free there, and whether
    a step ends so is chance: of cnn at batch 512 some processes then met 10,000 page faults a step and others none,
    and were up to a quarter slower for it. Of the main thread's heap, on which trials train. Blocks of 32 MiB, the most
    that glibc goes up to by itself, and larger ones are mapped each time. What the user said of it in the environment
    stands.
    """
    if any(os.environ.get(name) for name in OWN_WORD) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * 1024**2)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def run_and_exit(request: dict[str, Json], *, descriptor: int, started_ns: int) -> NoReturn:
    """Run the trial that `request` describes, say what became of it on `descriptor`, end the process.

    The process is the leader of its own session: a signal to its group reaches what it started, and a Ctrl-C in the
    terminal does not reach it. Standard output and error go to the trial's log.
    """
    code = 1
    try:
        die_with_parent()
        keep_freed_memory()
        _redirect(request.get("log"))
        # Read by CUDA when it starts, which is later in this process; without it cuBLAS refuses to be deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        from bench.worker import components, trial
        from bench.worker.messages import Request

        components.load_builtin()
        channel = Channel(descriptor)
        outcome = trial.run(Request.from_json(request), channel, started_ns=started_ns)
        channel.send({"outcome": outcome.to_json()})
        code = 0
        with suppress(OSError, ValueError):  # as below
            sys.stderr.write(outcome.traceback)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # the disk is full; the model has closed it
                stream.flush()
        # Not sys.exit: handlers that a library left for the end of the template are not this process's to run.
        os._exit(code)


def _redirect(log: str | None) -> None:
    """Standard input from nowhere; output and error to the log, appended."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    target = os.open(os.devnull, os.O_WRONLY)
    if log:
        with suppress(OSError):  # a full disk: that the record does not fit either is said by the parent
            target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)


def spawned_main(descriptor: int) -> NoReturn:
    """`python -m bench.worker spawn FD`: one trial; its request is the first line of standard input."""
    import json

    started_ns = time.perf_counter_ns()
    request = json.loads(sys.stdin.readline())
    run_and_exit(request, descriptor=descriptor, started_ns=started_ns)
