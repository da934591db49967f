"""What every test stands on: a cache and a lock of the session's own, and the real data where somebody has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's own cache is neither read nor written."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder))
        # Two processes of tests do not wait for each other; the tests of the lock have one of their own.
        patch.setenv("BENCH_LOCK", str(folder / "lock"))
        yield folder


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with nothing in it, of one test's own."""
    folder = tmp_path / "fresh-cache"
    folder.mkdir()
    monkeypatch.setenv("BENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def data_root() -> Path:
    """The folder with the real data sets."""
    if not os.environ.get("BENCH_DATA"):
        pytest.skip("needs the real data sets: set BENCH_DATA to their folder")
    return Path(os.environ["BENCH_DATA"])
