"""What a trial's process asks of the system before anything else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Five arrays of 12 MiB at a time, written and freed, as the activations of a step are. Prints page faults a round.
ROUNDS = """
import resource, sys
import numpy as np
from bench.worker.process.process import keep_freed_memory
if sys.argv[1:] == ["keep"]:
    keep_freed_memory()

def round_of_arrays():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.full(12 * 2**20, 1, dtype=np.uint8) for _ in range(5)]
    del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(min([round_of_arrays() for _ in range(20)][10:]))
"""
FEWEST = 5 * 12 // 2 - 5  # with the largest pages that a heap gets, of 2 MiB


def faults(*arguments: str, **environment: str) -> int:
    """Page faults of a round once the heap has settled."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS, *arguments], env=clean | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_is_freed_is_not_faulted_in_again() -> None:
    # By itself glibc gives the end of the heap back: that is what costs, and what this test would not see otherwise.
    assert faults() >= FEWEST
    assert faults("keep") < 5


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_what_the_user_says_of_the_heap_stands() -> None:
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="33554432") >= FEWEST
    assert faults("keep", GLIBC_TUNABLES="glibc.malloc.trim_threshold=131072") >= FEWEST
    assert faults("keep", GLIBC_TUNABLES="glibc.rtld.optional_static_tls=4096", MALLOC_TOP_PAD_="") < 5
