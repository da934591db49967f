"""What a trial's process does before it knows its trial leaves nothing that the trial could meet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REHEARSED = """
import json, os, random, sys, tempfile
import numpy as np
import torch
from bench.registry import DEVICES
from bench.worker.devices import cuda
from bench.worker.process import rehearsal, template

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
backward, passes = torch.Tensor.backward, []
torch.Tensor.backward = lambda loss: (passes.append(True), backward(loss))
cuda.DRIVERS = (cuda.Path("/dev/null"),) if sys.argv[1] == "gpu" else ()
rehearsal.rehearse(plugins=sys.argv[1] == "plugins")
print(json.dumps([before, state(), ended, passes]))
"""


@pytest.mark.parametrize(("there", "backward"), [("plugins", False), ("gpu", False), ("neither", True)])
def test_a_rehearsal_comes_to_its_end_and_leaves_nothing(tmp_path: Path, there: str, backward: bool) -> None:
    """And runs a backward pass only where nothing can come of it."""
    temporary, own = tmp_path / "tmp", tmp_path / "own"
    temporary.mkdir()
    own.mkdir()
    # A backward pass starts a thread for each GPU: not on the machine of this test.
    unseen = {"TMPDIR": str(temporary), "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", REHEARSED, there],
        capture_output=True,
        text=True,
        check=True,
        cwd=own,
        env={**os.environ, **unseen},
    )
    before, after, ended, passes = json.loads(done.stdout)
    assert ended == [True]
    assert after == before
    assert after["threads"] == 1
    assert bool(passes) == backward
