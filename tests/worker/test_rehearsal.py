"""What a trial's process does before it knows its trial leaves nothing that the trial could meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

REHEARSED = """
import json, os, random, sys, tempfile
import numpy as np
import torch
from bench.worker import rehearsal, template

def state():
    return {
        "threads": len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1,
        "own threads": torch.get_num_threads(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "numbers": [torch.get_rng_state().tolist(), repr(np.random.get_state()), repr(random.getstate())],
        "dtype": str(torch.get_default_dtype()),
        "grad": torch.is_grad_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "autocast": torch.is_autocast_enabled("cpu"),
        "numpy errors": np.geterr(),
        "folder": os.getcwd(),
        "files": sorted(os.listdir(".")) + sorted(os.listdir(tempfile.gettempdir())),
        "environment": dict(os.environ),
        "descriptors": len(os.listdir("/dev/fd")),
    }

template._import_everything()
before, ended = state(), []
release = rehearsal.memory.release
rehearsal.memory.release = lambda: (release(), ended.append(True))
rehearsal.rehearse()
print(json.dumps([before, state(), ended]))
"""


@pytest.fixture
def states(tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any], list[bool]]:
    """Of a process before and after it rehearsed, and whether it came to the end."""
    temporary, own = tmp_path / "tmp", tmp_path / "own"
    temporary.mkdir()
    own.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", REHEARSED], capture_output=True, text=True, check=True, cwd=own, env=environment
    )
    before, after, ended = json.loads(done.stdout)
    return before, after, ended


def test_a_rehearsal_comes_to_its_end_and_leaves_nothing(
    states: tuple[dict[str, Any], dict[str, Any], list[bool]],
) -> None:
    before, after, ended = states
    assert ended == [True]
    assert after == before
    assert after["threads"] == 1
