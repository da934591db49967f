"""The peak of host memory sees what was allocated and let go, and not what was there before."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.worker.measure import host_memory as instrument
from bench.worker.measure.host_memory import host_memory
from bench.worker.measure.memory import HostPeak

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


class Mac:
    """What libproc of a Mac does, by the bytes of `struct rusage_info_v4` (296 of them)."""

    def __init__(self, *, footprint: int, refuses: str = "") -> None:
        self.footprint = self.peak = footprint
        self.refuses = refuses

    def use(self, footprint: int) -> None:
        self.footprint, self.peak = footprint, max(self.peak, footprint)

    def proc_pid_rusage(self, pid: int, flavour: int, buffer: Any) -> int:
        assert (pid, flavour) == (os.getpid(), 4)
        usage = bytearray(296)
        usage[72:80] = self.footprint.to_bytes(8, sys.byteorder)
        usage[280:288] = self.peak.to_bytes(8, sys.byteorder)
        ctypes.memmove(buffer, bytes(usage), len(usage))
        return -1 if self.refuses == "proc_pid_rusage" else 0

    def proc_reset_footprint_interval(self, pid: int) -> int:
        assert pid == os.getpid()
        self.peak = self.footprint
        return -1 if self.refuses == "proc_reset_footprint_interval" else 0


def on_a_mac(monkeypatch: pytest.MonkeyPatch, mac: object) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: mac)


def test_on_a_mac_it_is_the_largest_footprint_of_the_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    mac, peak = Mac(footprint=500), HostPeak()
    mac.use(9_000)  # before the baseline: a large throw-away step
    mac.use(500)
    on_a_mac(monkeypatch, mac)
    peak.start()
    mac.use(700)
    mac.use(600)
    peak.pause()
    assert (peak.bytes, peak.how) == (200, "largest physical footprint after a reset")
    mac.use(5_000)  # evaluation: not counted, but what it leaves moves the baseline
    mac.use(650)
    peak.resume()
    mac.use(900)
    peak.pause()
    assert peak.bytes == 900 - 500 - (650 - 600)


@pytest.mark.parametrize("refuses", ["proc_pid_rusage", "proc_reset_footprint_interval"])
def test_where_the_system_refuses_there_is_no_figure(refuses: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_mac(monkeypatch, Mac(footprint=500, refuses=refuses))
    peak = HostPeak()
    peak.start()
    peak.pause()
    peak.resume()
    peak.pause()
    assert (peak.bytes, peak.how) == (None, "")


def test_an_older_mac_and_another_system_have_no_figure_either(monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_mac(monkeypatch, object())  # without the functions
    assert host_memory() is None
    monkeypatch.setattr(sys, "platform", "freebsd14")
    assert host_memory() is None


def test_linux_that_does_not_let_the_mark_be_reset_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(instrument, "CLEAR_REFS", tmp_path / "none" / "clear_refs")
    assert host_memory() is None
