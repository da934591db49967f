"""What the processor is called. Needs no torch, so that the fingerprint of the machine needs none."""

from __future__ import annotations

import platform
from pathlib import Path


def cpu_model() -> str:
    """Model name of the processor, as the kernel gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
