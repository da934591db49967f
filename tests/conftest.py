"""What every test stands on: a cache and a lock of the session's own, the real data where somebody has it, results made
by hand (`make`), and suites that run through the command line as a user's do (`project`).
"""

from __future__ import annotations

import csv
import gc
import importlib.util
import io
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import bench
from bench.present.tables import frame_csv

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
COSTS = tomllib.loads((TESTS / "costs.toml").read_text(encoding="utf-8"))
COLLECTED: set[tuple[str, str]] = set()

SUITE = """
name = "mine"
plugins = ["models.py"]
[grid]
dataset = [{ name = "synthetic", train = 256, test = 64 }]
model = [MODELS]
seed = [SEEDS]
device = ["cpu"]
[train]
epochs = 2
threads = 1
"""

# torch is imported where a model is built: to ask this file for its models, which most tests do, then takes 0.3 s of
# a core and not 1.2.
MODELS = """
import functools, os, signal, subprocess, sys, time
from bench.registry import model

@functools.cache
def acting():
    from torch import nn
    class Act(nn.Module):
        def __init__(self, act, n, k):
            super().__init__()
            self.act, self.layer = act, nn.Sequential(nn.Flatten(), nn.Linear(n, k))
        def forward(self, x):
            if self.training and len(x) > 2:
                self.act()
            return self.layer(x)
    return Act

def make(name, act):
    @model(name)
    def build(input_shape, num_classes):
        c, h, w = input_shape
        return acting()(act, c * h * w, num_classes)

class Boom(RuntimeError):
    pass

def boom():
    raise Boom("no such luck")

def orphan():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", os.environ.get("MARK", "mark")])
    time.sleep(300)

make("good", lambda: None)
make("chatty", lambda: print("hello from the model", '{"outcome": {"status": "ok"}}'))
make("raises", boom)
make("dies", lambda: os.kill(os.getpid(), signal.SIGKILL))
make("exits", lambda: os._exit(7))
make("hangs", lambda: time.sleep(300))
make("orphans", orphan)
make("leaves", lambda: sys.exit(0))
make("memory", lambda: (_ for _ in ()).throw(MemoryError("out of it")))
def greedy():
    import torch
    torch.empty(2**60, dtype=torch.uint8)

make("greedy", greedy)

@model("nan_at_once")
def nan_at_once(input_shape, num_classes):
    c, h, w = input_shape
    class Nan(acting()):
        def forward(self, x):
            return super().forward(x) * float("nan")
    return Nan(lambda: None, c * h * w, num_classes)

@model("tuple")
def pair(input_shape, num_classes):
    c, h, w = input_shape
    class Two(acting()):
        def forward(self, x):
            return super().forward(x), None
    return Two(lambda: None, c * h * w, num_classes)

@model("nan")
def nan(input_shape, num_classes):
    c, h, w = input_shape
    class Nan(acting()):
        steps = 0
        def forward(self, x):
            if len(x) > 2 and self.training:
                self.steps += 1
            return super().forward(x) * (float("nan") if self.steps > 6 else 1.0)
    return Nan(lambda: None, c * h * w, num_classes)

@model("infinite")
def infinite(input_shape, num_classes):
    c, h, w = input_shape
    import torch
    class Infinite(acting()):
        steps = 0
        def forward(self, x):
            if len(x) > 2 and self.training:
                self.steps += 1
            return super().forward(x) * 0 + (3e38 if self.steps > 2 else 0.0) * torch.tensor([1.0] + [-1.0] * 9)
    return Infinite(lambda: None, c * h * w, num_classes)

@model("wrong_shape")
def wrong_shape(input_shape, num_classes):
    c, h, w = input_shape
    return acting()(lambda: None, c * h * w, num_classes + 1)
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds",
        choices=["few", "many", "most"],
        default="few",
        help="how many rounds a simulation has (default: few)",
    )


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> Callable[..., int]:
    """`rounds(4000, few=500)`: how often to draw, with `--rounds many` and by default. `most`: with `--rounds most`, of
    simulations that then take minutes."""
    how = request.config.getoption("--rounds")
    return lambda many, *, few, most=None: few if how == "few" else most if how == "most" and most else many


def cost_of(path: str, name: str) -> str:
    """The marker that costs.toml gives a test: of its case, else of its name, else of its file, else `fast`."""
    tests = COSTS["tests"].get(path, {})
    return tests.get(name) or tests.get(name.partition("[")[0]) or COSTS["files"].get(path, "fast")


@pytest.hookimpl(tryfirst=True)  # before -m chooses among the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(TESTS).as_posix(), item.name
        COLLECTED.add(place)
        item.add_marker(cost_of(*place))


@pytest.fixture(scope="session")
def collected() -> set[tuple[str, str]]:
    """File and name of every test that was found, whether -m has chosen it or not."""
    return COLLECTED


class Frozen:
    """How many modules there were when the garbage collector was last told to leave all that there is alone."""

    modules = 0


def freeze() -> None:
    """A trial collects garbage before it measures memory. In its own process that is quick; in that of the tests it
    looks at every object of torch, pandas and all tests, which takes longer than the rest of the trial.
    """
    if len(sys.modules) > Frozen.modules + 50:
        gc.collect()
        gc.freeze()
        Frozen.modules = len(sys.modules)


def pytest_collection_finish() -> None:
    freeze()


def pytest_runtest_teardown() -> None:
    freeze()  # what a test was the first to import


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


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """The module factory.py: tests are no package, so it is loaded by its path."""
    name = "bench_tests_factory"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TESTS / "factory.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without plots, which take nine tenths of the time: for tests that read what a report says."""
    monkeypatch.setattr("bench.report.render.plots_of", lambda sections: iter(()))


@dataclass
class Done:
    """What a command printed, how it ended and how long it took."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Project:
    """A folder with suites in it, and a results folder."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def suite(self, *models: str, seeds: str = "0", extra: str = "", name: str = "mine") -> Path:
        """Write a suite over synthetic data for models of MODELS."""
        path = self.folder / f"{name}.toml"
        (self.folder / "models.py").write_text(MODELS)
        text = SUITE.replace("MODELS", ", ".join(f'"{model}"' for model in models)).replace("SEEDS", seeds)
        path.write_text(text.replace('"mine"', f'"{name}"') + extra)
        return path

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def bench(self, *arguments: object, **environment: str) -> Done:
        """Run a command to its end."""
        began = time.monotonic()
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return Done(process.returncode, out, err, time.monotonic() - began)

    def run(self, suite: Path, *arguments: object, report: bool = False) -> Done:
        """Run a suite. Drawing its report takes a third of a short run: for tests that look at it."""
        more = () if report else ("--no-report",)
        return self.bench("run", suite, "--results", self.results, *more, *arguments)

    def rows(self, name: str = "mine") -> list[dict[str, str]]:
        """The rows of trials.csv, as a report would write them now."""
        return list(csv.DictReader(io.StringIO(frame_csv(bench.load(self.results / name)))))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    # A lock of its own: the tests neither wait for a real measurement nor hold one up.
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    return Project(tmp_path)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds; 60 s at most."""

    def wait(holds: Callable[[], bool]) -> None:
        stop = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < stop, "it never happened"
            time.sleep(0.05)

    return wait


@pytest.fixture
def processes_with() -> Callable[[str], list[int]]:
    """Processes whose environment or command line holds a text."""

    def look(text: str) -> list[int]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if text.encode() in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        # The test itself has the mark in its environment.
        return [pid for pid in found if pid != os.getpid()]

    return look
