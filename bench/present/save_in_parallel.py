"""Saving figures beside each other: a plot becomes two files in 0.2 s of one core, and a report has many plots."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Self

Job = Callable[[], None]


class Press:
    """Runs jobs in children forked from this process, one fewer at a time than there are cores, the rest itself.

    A job only writes files. One that fails in a child is run again in this process when the press is closed, so that
    what it raises is raised here. Where a fork is not safe, every job is run here and now.
    """

    def __init__(self, *, cores: int | None = None) -> None:
        cores = len(_usable_cores()) if cores is None else cores
        self._most = cores - 1 if fork_is_safe() else 0
        self._children: dict[int, Job] = {}
        self._failed: list[Job] = []

    def run(self, job: Job) -> None:
        """Run `job` now, or in a child that is waited for when the press is closed. Raises what it raises, or later."""
        while self._children and self._reap(os.WNOHANG):
            pass
        if len(self._children) >= self._most:
            job()
        elif child := _fork():
            self._children[child] = job
        else:
            _become(job)

    def _reap(self, options: int) -> bool:
        """Take up one child that has ended; False where none has."""
        for child in list(self._children):
            ended, status = os.waitpid(child, options)
            if ended:
                job = self._children.pop(child)
                if status != 0:
                    self._failed.append(job)
                return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        while self._children:
            self._reap(0)
        for job in self._failed if kind is None else ():
            job()


def _become(job: Job) -> None:
    code = 1
    try:
        job()
        code = 0
    finally:  # neither a traceback nor the handlers that the parent has left for its end: the parent runs it again
        os._exit(code)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 counts the threads of OpenBLAS and of allocators too, which see to forks themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def fork_is_safe() -> bool:
    """Whether no thread of Python's, in a notebook say, may hold a lock in the child; on macOS it never is."""
    return sys.platform == "linux" and threading.active_count() == 1


def _usable_cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
