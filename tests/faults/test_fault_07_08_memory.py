"""Faults 7 and 8, out of memory: `oom` where it is that, with the bytes asked for; the batch stays; the others run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.base import kernel
from bench.execute.executors import exit_status

# The real thing within limits: RLIMIT_AS for the process, and a cgroup that the kernel kills in.
GREEDY = """
import os, resource, signal
import torch
from torch import nn
from bench.registry import model

class Eats(nn.Module):
    def __init__(self, shape, n, eat):
        super().__init__()
        self.eat, self.layer = eat, nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))
    def forward(self, x):
        if self.training and len(x) > 2:
            self.eat()
        return self.layer(x)

def limited(eat):
    size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, resource.RLIM_INFINITY))
    eat()

held = []

def everything():
    while True:
        held.append(torch.ones(2**24, dtype=torch.uint8))

@model("tensor")
def tensor(shape, n):
    return Eats(shape, n, lambda: limited(lambda: torch.ones(2**30, dtype=torch.uint8)))

@model("bytes")
def bytes_(shape, n):
    return Eats(shape, n, lambda: limited(lambda: bytearray(2**30)))

@model("everything")
def everything_(shape, n):
    return Eats(shape, n, everything)

@model("killed")
def killed(shape, n):
    return Eats(shape, n, lambda: os.kill(os.getpid(), signal.SIGKILL))

@model("good")
def good(shape, n):
    return Eats(shape, n, lambda: None)
"""
# A card with 8 GiB that torch's own error speaks of, and Apple's, whose error is a plain RuntimeError.
CARD = """
import torch
from torch import nn
from bench.registry import device, model
from bench.worker.devices.cpu import Cpu

@device("card")
class Card(Cpu):
    name = "card"
    torch_device = torch.device("cpu")
    room = 64

class Wide(nn.Module):
    def __init__(self, shape, n, error):
        super().__init__()
        self.error, self.layer = error, nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n))
    def forward(self, x):
        if self.training and len(x) > Card.room:
            raise self.error
        return self.layer(x)

@model("cuda")
def cuda(shape, n):
    return Wide(shape, n, torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB."))

@model("mps")
def mps(shape, n):
    return Wide(shape, n, RuntimeError(
        "MPS backend out of memory (MPS allocated: 7.90 GB, max allowed: 8.00 GB). Tried to allocate 2.00 GB"))
"""


def suite_of(project: Any, plugin: str, *models: str) -> Path:
    suite: Path = project.suite(*models)
    (project.folder / "models.py").write_text(plugin)
    return suite


def test_what_the_allocators_say_is_oom(project: Any) -> None:
    done = project.run(suite_of(project, GREEDY, "tensor", "bytes", "killed", "good"))
    rows = {row["model"]: row for row in project.rows()}
    assert done.code == 1
    assert {name: row["status"] for name, row in rows.items()} == {
        "tensor": "oom", "bytes": "oom", "killed": "crashed", "good": "ok",
    }  # fmt: skip
    assert f"you tried to allocate {2**30} bytes" in rows["tensor"]["reason"]
    assert rows["bytes"]["reason"].startswith("MemoryError")
    assert rows["killed"]["reason"] == "the process was killed by SIGKILL"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A memory cgroup of ours with 1.5 GiB, version 1 or 2."""
    if os.geteuid() != 0:
        pytest.skip("making a cgroup needs root")
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    base, limit = (first, "memory.limit_in_bytes") if first.is_dir() else (second, "memory.max")
    folder = base / f"bench-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / limit).write_text(str(3 * 2**29))
        if (folder / "memory.swap.max").exists():
            (folder / "memory.swap.max").write_text("0")
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"a memory cgroup cannot be made here: {error}")
    yield folder
    folder.rmdir()


def test_what_the_kernel_kills_for_memory_is_oom(project: Any, cgroup: Path) -> None:
    suite = suite_of(project, GREEDY, "everything", "killed", "good")
    command = [sys.executable, "-m", "bench", "run", str(suite), "--results", str(project.results)]
    join = (
        f"import os, sys; open({str(cgroup / 'cgroup.procs')!r}, 'w').write('0'); os.execv(sys.argv[1], sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", join, *command], capture_output=True, text=True, cwd=project.folder)
    rows = {row["model"]: row for row in project.rows()}
    assert done.returncode == 1, done.stderr
    assert {name: row["status"] for name, row in rows.items()} == {
        "everything": "oom", "killed": "crashed", "good": "ok",
    }  # fmt: skip
    assert rows["everything"]["reason"] == "the kernel killed the process: the host has no more memory"


@pytest.mark.parametrize("counter", ["cgroup v1", "cgroup v2", "vmstat"])
def test_every_counter_of_the_kernel_is_read(counter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where one of them rose is SIGKILL `oom`; files as the kernel writes them, in a root of our own."""
    files = {
        "cgroup v1": ("sys/fs/cgroup/memory/box/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"),
        "cgroup v2": ("sys/fs/cgroup/box/memory.events", "low 0\nhigh 3\nmax 5\noom 1\noom_kill {}\n"),
        "vmstat": ("proc/vmstat", "nr_free_pages 5\noom_kill {}\n"),
    }
    groups = {"cgroup v1": "4:memory:/box\n", "cgroup v2": "0::/box\n", "vmstat": ""}
    path, text = tmp_path / files[counter][0], files[counter][1]
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "proc/self").mkdir(parents=True, exist_ok=True)
    (tmp_path / "proc/self/cgroup").write_text(groups[counter])
    monkeypatch.setattr(kernel, "Path", lambda name: tmp_path / str(name).lstrip("/"))
    path.write_text(text.format(2))
    before = kernel.oom_kills()
    killed = exit_status.ending(None, wait_status=signal.SIGKILL, oom_kills_before=before)
    assert killed.status == "crashed"
    path.write_text(text.format(3))
    assert exit_status.ending(None, wait_status=signal.SIGKILL, oom_kills_before=before).status == "oom"
    assert exit_status.ending(None, wait_status=signal.SIGSEGV, oom_kills_before=before).status == "crashed"


def test_a_full_device_is_oom_with_the_bytes_and_the_batch_stays(project: Any) -> None:
    suite = suite_of(project, CARD, "cuda", "mps")
    text = suite.read_text().replace('device = ["cpu"]', 'device = ["card"]\nbatch_size = [64, 256]')
    suite.write_text(text.replace("train = 256", "train = 512"))
    done = project.run(suite)
    rows = {(row["model"], row["batch_size"]): row for row in project.rows()}
    assert done.code == 1
    assert {key: row["status"] for key, row in rows.items()} == {
        ("cuda", "64"): "ok", ("mps", "64"): "ok", ("cuda", "256"): "oom", ("mps", "256"): "oom",
    }  # fmt: skip
    assert "Tried to allocate 2.00 GiB" in rows["cuda", "256"]["reason"]
    assert "Tried to allocate 2.00 GB" in rows["mps", "256"]["reason"]
    stored = [json.loads(line) for path in project.results.rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert sorted(value["trial"]["batch_size"] for value in stored) == [64, 64, 256, 256]
