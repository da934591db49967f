"""The soak test and the fuzzers, a short run of each; the long ones are commands, their figures are in the docs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = ("suites", "idx", "cifar", "hdf5", "results")

# Readers with a fault planted in each: the fuzzer must see it, and go on.
PLANTED = """
import sys, time
sys.path.insert(0, {here!r})
import fuzz
from bench.errors import BenchError
from pathlib import Path

class Reader(fuzz.Target):
    def prepare(self, folder): pass
    def make(self, rng): return {{"x": b"x"}}

class Raises(Reader):
    def read(self, folder): raise KeyError("deep")

class Hangs(Reader):
    def read(self, folder): time.sleep(60)

class Greedy(Reader):
    def read(self, folder): self.kept = b"x" * (300 << 20)

class Hides(Reader):
    def read(self, folder):
        try:
            bytes(1 << 40)
        except MemoryError as error:
            raise BenchError("damaged") from error

class Refuses(Reader):
    def read(self, folder): raise BenchError("one line")

fuzz.LIMIT_SECONDS = 6.0
fuzz.TARGETS.update(raises=Raises, hangs=Hangs, greedy=Greedy, hides=Hides, refuses=Refuses)
for name in ("raises", "hangs", "greedy", "hides", "refuses"):
    tally = fuzz.fuzz(name, seconds=0.2, seed=0, kept=Path({kept!r}))
    print(name, list(tally.faults), tally.outcomes["refused"] > 0)
"""


def test_the_fuzzer_sees_a_traceback_a_hang_and_greed(tmp_path: Path) -> None:
    code = PLANTED.format(here=str(HERE), kept=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert "KeyError" in found["raises"], done.stderr
    assert "a hang" in found["hangs"]
    assert "memory" in found["greedy"] or "MemoryError" in found["greedy"]
    assert "more memory than the cap" in found["hides"]
    assert found["refuses"] == "[] True"


@pytest.mark.parametrize("target", TARGETS)
def test_fuzz_a_little(target: str) -> None:
    command = [sys.executable, str(HERE / "fuzz.py"), target, "--minutes", "0.06", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kinds of faults: 0" in done.stdout


def test_soak_a_little(rounds: Callable[..., int]) -> None:
    """One attack of each kind, with `--rounds most`: it takes minutes. Else one."""
    attacks = rounds(1, few=1, most=3)
    command = [sys.executable, str(HERE / "soak.py"), str(attacks), "--seed", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every trial exactly once in every round" in done.stdout
