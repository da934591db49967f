"""The name of the processor: what tells two chips apart, since a result belongs to the chip that it was measured on."""

import ctypes
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.base.kernel import text_of

CPUINFO = Path("/proc/cpuinfo")
# Who built the machine, where several build theirs around the same cores.
BOARDS = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))
VENDOR = Path("/sys/class/dmi/id/sys_vendor")
ARM, AMPERE = "0x41", "0xc0"  # implementers, as in the main ID register (Arm's architecture manual)
# Of the cores that people train on; any other one has its numbers alone.
CORES = {
    (ARM, "0xd03"): "Cortex-A53", (ARM, "0xd05"): "Cortex-A55", (ARM, "0xd07"): "Cortex-A57",
    (ARM, "0xd08"): "Cortex-A72", (ARM, "0xd0b"): "Cortex-A76", (ARM, "0xd41"): "Cortex-A78",
    (ARM, "0xd42"): "Cortex-A78AE", (ARM, "0xd0c"): "Neoverse-N1", (ARM, "0xd40"): "Neoverse-V1",
    (ARM, "0xd49"): "Neoverse-N2", (ARM, "0xd4f"): "Neoverse-V2", (AMPERE, "0xac3"): "Ampere-1",
}  # fmt: skip


def cpu_model() -> str:
    """Model name of the processor, as the system gives it."""
    if sys.platform == "darwin":
        found = of_macos(ctypes.CDLL(None))
    else:
        found = of_linux(text_of(CPUINFO))
    return found or platform.processor() or platform.machine()


def of_linux(cpuinfo: str) -> str:
    """From the text of /proc/cpuinfo: its own name, as x86 has one; of ARM the machine, and its cores by implementer
    and part. Empty where it says none."""
    pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in cpuinfo.splitlines())]
    for key, value in pairs:
        if key == "model name":
            return value
    parts = [value for key, value in pairs if key == "CPU part"]
    makers = [value for key, value in pairs if key == "CPU implementer"]
    cores = Counter(zip(makers, parts, strict=False))
    named = [next((value for key, value in pairs if key == "Model"), "") or _board(), ", ".join(_cores(cores))]
    return ", ".join(part for part in named if part)


def _cores(cores: Counter[tuple[str, str]]) -> Iterator[str]:
    for (maker, part), count in sorted(cores.items()):
        numbers = f"implementer {maker}, part {part}"
        name = CORES.get((maker, part), "")
        many = f"{count} × " if len(cores) > 1 else ""
        yield f"{many}{name} ({numbers})" if name else f"{many}{numbers}"


def _board() -> str:
    found = (text_of(path).strip("\0\n ") for path in BOARDS)
    board = next((name for name in found if name), "")
    return " ".join(part for part in (text_of(VENDOR).strip(), board) if part)


def of_macos(system: Any) -> str:
    """By `sysctlbyname` of `system`, the libraries that are loaded: the chip and the model of the Mac ("Apple M2
    (Mac14,2)"). Empty where it says none."""
    chip, mac = (_sysctl(system, name) for name in (b"machdep.cpu.brand_string", b"hw.model"))
    return f"{chip} ({mac})" if chip and mac else chip or mac


def _sysctl(system: Any, name: bytes) -> str:
    size = ctypes.c_size_t(256)
    text = ctypes.create_string_buffer(size.value)
    if system.sysctlbyname(name, text, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return ""
    return text.value.decode("utf-8", "replace").strip()
