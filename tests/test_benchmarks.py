"""The micro-benchmarks work, and the test run leaves them alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_pytest(*arguments: str, **environment: str) -> str:
    """What pytest prints, with the project's own settings: warnings are errors there too."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_test_run_does_not_collect_them() -> None:
    collected = run_pytest("--collect-only", "-q")
    assert "tests/test_architecture.py::" in collected
    assert "tests/benchmarks/" not in collected


def test_every_benchmark_works(tmp_path: Path) -> None:
    """Each once, untimed."""
    printed = run_pytest("tests/benchmarks", "--benchmark-disable", "-q", BENCH_LOCK=str(tmp_path / "lock"))
    names = {path.stem for path in (ROOT / "tests/benchmarks").glob("test_*.py")}
    assert len(names) >= 6
    assert "29 passed" in printed
