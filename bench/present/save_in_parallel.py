"""Saving figures beside each other: a plot becomes two files in 0.2 s of one core, and a report has many plots."""

import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Self

Job = Callable[[], None]


class InParallel:
    """Runs jobs in children forked from this process, one fewer at a time than there are cores, the rest itself.

    A job only writes files. One that fails in a child is run again in this process when this is closed, so that what
    it raises is raised here. Where a fork is not safe, every job is run here and now.
    """

    def __init__(self, *, cores: int | None = None) -> None:
        cores = _usable_cores() if cores is None else cores
        self._most = cores - 1 if fork_is_safe() else 0
        self._children: list[tuple[BaseProcess, Job]] = []

    def run(self, job: Job) -> None:
        """Run `job` now, or in a child that is waited for when this is closed. Raises what it raises, or later."""
        # What ended well is forgotten, with its figure.
        self._children = [(child, each) for child, each in self._children if child.exitcode != 0]
        if sum(child.exitcode is None for child, _ in self._children) >= self._most:
            job()
        else:
            self._children.append((_started(job), job))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        for child, _ in self._children:
            child.join()
        for child, job in self._children:
            if kind is None and child.exitcode != 0:
                job()


def _started(job: Job) -> BaseProcess:
    child = multiprocessing.get_context("fork").Process(target=_without_traceback, args=(job,))
    with warnings.catch_warnings():
        # Python 3.12 counts the threads of OpenBLAS and of allocators too, which see to forks themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    return child


def _without_traceback(job: Job) -> None:
    """A job that fails says so by the exit code alone: it is run again where its error can be seen."""
    try:
        job()
    except BaseException:
        os._exit(1)


def fork_is_safe() -> bool:
    """Whether no thread of Python's, in a notebook say, may hold a lock in the child; on macOS it never is."""
    return sys.platform == "linux" and threading.active_count() == 1


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
