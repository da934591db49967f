"""Fingerprint of machine and software: facts that can change a timing, notes that are recorded beside them.

What changes between two runs in a row (load, clocks, temperatures) is no fact; user name, host name and home path
are neither fact nor note: results get published. The facts that need torch are asked apart (`torch_facts`), since
importing it takes seconds.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from bench.base.kernel import cgroup_folders, text_of
from bench.worker.measure.processor import cpu_model

# Variables that change what torch and its libraries calculate, or how fast. How threads wait is set for the worker
# (bench.execute.ask_worker) where the user's environment does not say; none of the others is set on most machines.
# Those that are set make another environment.
SWITCHES = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_DEVICE_MAX_CONNECTIONS", "CUDA_LAUNCH_BLOCKING", "DNNL_MAX_CPU_ISA",
    "GLIBC_TUNABLES", "GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT", "KMP_AFFINITY", "KMP_BLOCKTIME", "LD_PRELOAD",
    "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_", "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS", "NVIDIA_TF32_OVERRIDE", "OMP_PLACES", "OMP_PROC_BIND", "OMP_WAIT_POLICY",
    "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ENABLE_MPS_FALLBACK", "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
CPU = Path("/sys/devices/system/cpu/cpu0")
NVIDIA = (Path("/dev/nvidiactl"), Path("/dev/dxg"))

PACKAGES = ("torch", "torchvision", "numpy", "h5py", "scikit-learn", "pandas", "matplotlib")


# Read before torch is imported (bench.worker.__main__): OpenMP then binds this thread to one core, where the user asks
# for that (OMP_PROC_BIND), and a trial that looked later trained on one thread where its conditions said two.
ALLOWED_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def physical_cores() -> int:
    """Physical cores that this process may use: no more than the CPU affinity that it began with allows."""
    return max(1, min(psutil.cpu_count(logical=False) or ALLOWED_CORES, ALLOWED_CORES))


def system_facts() -> dict[str, Any]:
    """Operating system, processor, memory, limits of the container, GPU and driver: what takes no torch to know."""
    return {
        "os": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(logical=True),
        "usable_cores": physical_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "container_limits": container_limits(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    } | (nvidia_facts() | ({"switches": found} if (found := switches()) else {}))


def switches() -> dict[str, str]:
    """The variables of SWITCHES that are set. Libraries that are loaded first stand there without their folders."""
    found = {name: value for name in SWITCHES if (value := os.environ.get(name))}
    if preloaded := found.get("LD_PRELOAD"):
        found["LD_PRELOAD"] = " ".join(Path(path).name for path in re.split(r"[\s:]+", preloaded))
    return found


def container_limits() -> dict[str, str]:
    """What cgroups (v2, or v1) allow this process: CPU quota, CPU set and memory, as the kernel words them."""
    found = {}
    for folder in cgroup_folders():
        for name in ("cpu.max", "memory.max", "cpu.cfs_quota_us", "memory.limit_in_bytes"):
            value = text_of(folder / name)
            # "no limit" has many spellings; it is left out, so that they are one environment.
            if value and not value.startswith(("max", "-1")) and not (value.isdigit() and int(value) >= 2**60):
                found[name] = value
    return found


def nvidia_facts() -> dict[str, Any]:
    """Name, number, memory and driver of NVIDIA GPUs by NVML; nothing where there is none."""
    return _ask_nvml(
        lambda nvml, card: {
            "gpu": _text(nvml.nvmlDeviceGetName(card)),
            "gpu_count": nvml.nvmlDeviceGetCount(),
            "gpu_memory_bytes": nvml.nvmlDeviceGetMemoryInfo(card).total,
            "driver": _text(nvml.nvmlSystemGetDriverVersion()),
            "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }
    )


def _ask_nvml(question: Callable[[Any, Any], dict[str, Any]]) -> dict[str, Any]:
    """The answer about the first card; nothing where there is no card, or where it does not know."""
    if not any(path.exists() for path in NVIDIA):
        return {}
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            return question(pynvml, pynvml.nvmlDeviceGetHandleByIndex(0))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return {}


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def torch_facts() -> dict[str, Any]:
    """Version and build of torch and of the libraries that it calculates with. Imports torch."""
    import torch

    build = torch.__config__.show()
    lines = [line.strip(" -") for line in build.splitlines()]
    return {
        "torch": torch.__version__,
        "torch_git": torch.version.git_version,
        "cuda": torch.version.cuda or "",
        "blas": found[1] if (found := re.search(r"BLAS_INFO=(\w+)", build)) else "",
        "mkl": next((line for line in lines if "Math Kernel Library" in line), ""),
        "onednn": next((line for line in lines if "MKL-DNN" in line or "oneDNN" in line.split(" v")[0]), ""),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def notes() -> dict[str, Any]:
    """What is worth knowing of a run and changes no identity: versions, caches, clocks, limits, commit."""
    versions = {}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    found: dict[str, Any] = {"versions": versions, "python": platform.python_version()}
    if sizes := caches():
        found["caches"] = sizes
    return found | clock_notes() | nvidia_notes() | commit()


def clock_notes(cpu: Path = CPU) -> dict[str, Any]:
    """Governor of the first core's clock, the highest that it may be set to, and whether it may go over that.

    Nothing where the system does not say, as in most virtual machines. Somebody may change each while the machine
    runs, so none is a fact.
    """
    governor = text_of(cpu / "cpufreq/scaling_governor")
    found: dict[str, Any] = {"governor": governor} if governor else {}
    if kilohertz := text_of(cpu / "cpufreq/scaling_max_freq"):
        found["cpu_highest_mhz"] = int(kilohertz) / 1e3
    if boost := text_of(cpu.parent / "cpufreq/boost"):
        found["cpu_boost"] = boost == "1"
    elif no_turbo := text_of(cpu.parent / "intel_pstate/no_turbo"):
        found["cpu_boost"] = no_turbo == "0"
    return found


def caches(cpu: Path = CPU) -> dict[str, str]:
    """Caches that the first core sees, as the kernel words their sizes: {"L1 data": "32K", "L2": "2048K", ...}."""
    found = {}
    for folder in sorted((cpu / "cache").glob("index*")):
        level, kind, size = (text_of(folder / name) for name in ("level", "type", "size"))
        if size:
            found[f"L{level}" + ("" if kind == "Unified" else f" {kind.lower()}")] = size
    return found


def nvidia_notes() -> dict[str, Any]:
    """Power limit and highest clocks of the first NVIDIA GPU; nothing where there is none."""
    return _ask_nvml(
        lambda nvml, card: {
            "gpu_power_limit_watts": nvml.nvmlDeviceGetEnforcedPowerLimit(card) / 1e3,
            "gpu_highest_sm_mhz": nvml.nvmlDeviceGetMaxClockInfo(card, nvml.NVML_CLOCK_SM),
            "gpu_highest_memory_mhz": nvml.nvmlDeviceGetMaxClockInfo(card, nvml.NVML_CLOCK_MEM),
        }
    )


def commit() -> dict[str, Any]:
    """Commit and dirty flag of the checkout that bench runs from; nothing where it is installed."""
    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        return {}

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10)  # noqa: S607
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "HEAD")
        return {"commit": head, "dirty": bool(git("status", "--porcelain", "-uno"))} if head else {}
    except (OSError, subprocess.TimeoutExpired):
        return {}
