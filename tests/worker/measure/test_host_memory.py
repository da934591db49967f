"""The peak of host memory sees what was allocated and let go, and not what was there before."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys, numpy as np
from bench.worker.measure.memory import HostPeak
size = int(sys.argv[1]) * 2**20
before = np.ones(200 * 2**20, dtype=np.uint8)
peak = HostPeak()
peak.start()
np.ones(size, dtype=np.uint8).sum()
peak.pause()
np.ones(2 * size, dtype=np.uint8).sum()      # evaluation: not counted
peak.resume()
np.ones(size // 2, dtype=np.uint8).sum()
peak.pause()
print(peak.bytes, peak.how)
"""


@pytest.mark.parametrize("mebibytes", [64, 256, 1024])
def test_an_allocation_of_known_size_is_read(mebibytes: int) -> None:
    if sys.platform != "linux":
        pytest.skip("VmHWM is Linux's")
    done = subprocess.run([sys.executable, "-c", CODE, str(mebibytes)], capture_output=True, text=True, check=True)
    found, how = done.stdout.split(maxsplit=1)
    assert how.startswith("VmHWM")
    wanted = mebibytes * 2**20
    assert abs(int(found) - wanted) <= max(0.02 * wanted, 4 * 2**20)
