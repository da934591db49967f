"""The fixtures of the folders whose code the faults are done to: each has one home, and is taken from there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parents[1]


def module(path: str) -> ModuleType:
    """A file of the tests: they are no package, so it is loaded by its path."""
    name = f"bench_tests_{path.removesuffix('.py').replace('/', '_')}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TESTS / path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_suite, _worker = module("suite/conftest.py"), module("worker/conftest.py")
_datasets = module("worker/datasets/conftest.py")
_cli = module("cli/conftest.py")
catalogue, broken_plugin, plan, refusal = _suite.catalogue, _suite.broken_plugin, _suite.plan, _suite.refusal
folder = _suite.folder
command, registered = _cli.command, _cli.registered
run_trial, register = _worker.run_trial, _worker.register
make_batch, make_tar, small_cifar = _datasets.make_batch, _datasets.make_tar, _datasets.small_cifar
small_mnist, server, served = _datasets.small_mnist, _datasets.server, _datasets.served


@pytest.fixture
def at_start(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The environment in which every Python process runs some code first: a `sitecustomize`."""

    def put(code: str) -> dict[str, str]:
        folder = tmp_path / "at-start"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(code)
        return {"PYTHONPATH": os.pathsep.join([str(folder), str(TESTS.parent)])}

    return put


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`tiny_disk("64k")` mounts a file system of that size; `options` of mount(8) come after it."""
    mounted: list[Path] = []

    def mount(size: str, *options: str) -> Path:
        if os.geteuid() != 0:
            pytest.skip("mounting a small tmpfs needs root")
        folder = tmp_path / f"disk-{size}"
        folder.mkdir()
        words = ",".join([f"size={size}", *options])
        command = ["mount", "-t", "tmpfs", "-o", words, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
