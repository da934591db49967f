"""The store: a result on its way to the disk, and a thousand of them on their way back."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.results.store import Store

RESULTS = 1000


@pytest.mark.benchmark(group="store: append one result, until the disk has it")
def test_append(benchmark: Any, make: ModuleType, tmp_path: Path) -> None:
    [result] = make.run_of(make.Plan(models=[make.Component("mlp")], seeds=[0]))
    store = Store(tmp_path)
    writer = store.writer("run")
    benchmark(writer.append, result)
    writer.close()
    assert store.refresh() == [result]


@pytest.mark.benchmark(group=f"store: load {RESULTS} results")
def test_load(benchmark: Any, make: ModuleType, tmp_path: Path) -> None:
    store = Store(tmp_path)
    writer = store.writer("run")
    for result in make.run_of(make.Plan(models=[make.Component("mlp")], seeds=range(RESULTS))):
        writer.append(result)
    writer.close()
    assert len(benchmark(lambda: Store(tmp_path).refresh())) == RESULTS
