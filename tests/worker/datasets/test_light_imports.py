"""What a trial pays for: heavy libraries are imported only where a data set needs them."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys
import bench.worker.datasets
for module in pkgutil.iter_modules(bench.worker.datasets.__path__):
    importlib.import_module(f"bench.worker.datasets.{module.name}")
heavy = {"torch", "torchvision", "sklearn", "scipy", "h5py", "pandas", "matplotlib", "pydantic"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_importing_the_data_sets_imports_nothing_heavy() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == ""
