"""The local executor: a clean template, a fresh process a trial. That the parent sleeps is in tests/measure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component, TrainSettings, Trial
from bench.execute.ask_worker import OWN, Interpreter
from bench.execute.executors import local

CORRUPTING = """
import random, numpy as np, torch
from torch import nn
from bench.registry import model

@model("corrupts")
def corrupts(input_shape, num_classes):
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(99); np.random.seed(99); random.seed(99)
    torch.backends.mkldnn.enabled = False
    torch.nn.Linear.reset_parameters = lambda self: [each.data.zero_() for each in self.parameters()]
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes)).float()
"""


def request_for(folder: Path, model: str, *, plugins: tuple[str, ...] = (), **train: Any) -> dict[str, Any]:
    trial = Trial(
        Component("synthetic", {"train": 640, "test": 64}),
        Component(model),
        0,
        64,
        "cpu",
        TrainSettings(**{"epochs": 2, "threads": 2, **train}),
    )
    return {
        "trial": trial.to_json(),
        "data_root": str(folder),
        "locations": {},
        "plugins": list(plugins),
        "artifact": str(folder / f"{model}.h5"),
        "attributes": {},
        "log": str(folder / "log"),
    }


@pytest.fixture
def executor() -> Any:
    running = local.LocalExecutor()
    running.start()
    yield running
    running.close()


def run(executor: Any, request: dict[str, Any], on_progress: Any = lambda what: None) -> dict[str, Any]:
    outcome = executor.run(request, timeout_seconds=120, on_progress=on_progress).outcome
    assert outcome is not None
    return dict(outcome)


def test_a_trial_that_corrupts_its_process_does_not_change_the_next_by_a_bit(executor: Any, tmp_path: Path) -> None:
    plugin = tmp_path / "corrupting.py"
    plugin.write_text(CORRUPTING)
    before = run(executor, request_for(tmp_path, "mlp"))
    run(executor, request_for(tmp_path, "corrupts", plugins=(str(plugin),)))
    after = run(executor, request_for(tmp_path, "mlp"))
    assert before["status"] == after["status"] == "ok"
    for name in ("test_loss", "train_loss", "test_accuracy"):
        assert before["metrics"][name] == after["metrics"][name]
    assert before["curves"]["test_loss"] == after["curves"]["test_loss"]


TELLING = """
import os
from bench.registry import metric, model

@metric("process")
def process(logits, labels):
    return os.getpid()

@model("raises")
def raises(input_shape, num_classes):
    raise ValueError("no such thing")
"""


def children(executor: Any) -> set[int]:
    """The processes that the template has made and that have not ended."""
    (template,) = [each.process.pid for each in executor._templates.values()]
    found = Path(f"/proc/{template}/task/{template}/children").read_text().split()
    return {int(child) for child in found}


def wait_for(holds: Callable[[], bool]) -> None:
    stop = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < stop, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def telling(tmp_path: Path) -> dict[str, Any]:
    """The request of a trial that says which process it ran in."""
    plugin = tmp_path / "telling.py"
    plugin.write_text(TELLING)
    return request_for(tmp_path, "linear", plugins=(str(plugin),))


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_the_next_process_waits_for_its_trial_and_has_no_other(executor: Any, telling: dict[str, Any]) -> None:
    ran = {run(executor, telling)["metrics"]["process"]}
    for _ in range(2):
        wait_for(lambda: len(children(executor)) == 1)
        [waiting] = children(executor)
        ran.add(waiting)
        assert run(executor, telling)["metrics"]["process"] == waiting
    assert len(ran) == 3
    wait_for(lambda: len(children(executor)) == 1)
    [waiting] = children(executor)
    executor.close()
    wait_for(lambda: not Path(f"/proc/{waiting}").exists())


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_process_waits_after_a_cell_of_seeds_too(executor: Any, tmp_path: Path) -> None:
    outcome = run(executor, request_for(tmp_path, "linear", engine="vectorized"))
    assert outcome["status"] == "ok", outcome["reason"]
    wait_for(lambda: len(children(executor)) == 1)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_waiting_process_that_is_killed_takes_no_trial_with_it(executor: Any, telling: dict[str, Any]) -> None:
    run(executor, telling)
    wait_for(lambda: len(children(executor)) == 1)
    [waiting] = children(executor)
    os.kill(waiting, signal.SIGKILL)
    wait_for(lambda: not children(executor))
    assert run(executor, telling)["status"] == "ok"


def test_a_trial_that_fails_before_it_measures_leaves_the_next_one_its_process(
    executor: Any, telling: dict[str, Any]
) -> None:
    failing = telling | {"trial": telling["trial"] | {"model": {"name": "raises"}}}
    assert run(executor, failing)["status"] == "failed"
    assert run(executor, telling)["status"] == "ok"


def test_the_template_is_clean() -> None:
    """Torch imported, nothing run: one thread, CUDA not touched, no number drawn."""
    code = (
        "import os; os.environ['OPENBLAS_NUM_THREADS'] = '1'\n"
        "from bench.worker.process import template; template._import_everything(); template._refuse_threads()\n"
        "import sys, torch, json\n"
        "print(json.dumps([len(os.listdir('/proc/self/task')), torch.cuda.is_initialized(),"
        " torch.initial_seed() == torch.default_generator.initial_seed(), 'torch._dynamo' in sys.modules,"
        " 'pandas' in sys.modules, 'matplotlib' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1, False, True, True, False, False]


def test_a_plugin_is_never_imported_by_the_template(executor: Any, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(CORRUPTING)
    assert run(executor, request_for(tmp_path, "corrupts", plugins=(str(plugin),)))["status"] == "ok"
    without = run(executor, request_for(tmp_path, "corrupts"))
    assert without["status"] == "failed"
    assert "unknown model 'corrupts'" in without["reason"]


@pytest.mark.parametrize("of", ["the system", "the device"])
def test_a_spawned_trial_gives_the_same_numbers(
    of: str, executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where forks are not safe, be it here or on the trial's device."""
    forked = run(executor, request_for(tmp_path, "mlp"))
    monkeypatch.setattr(local, "fork_is_safe", lambda: of == "the device")
    spawning = local.LocalExecutor()
    spawned = run(spawning, request_for(tmp_path, "mlp") | {"fork_is_safe": of == "the system"})
    assert not spawning._templates
    spawning.close()
    assert spawned["status"] == "ok", spawned
    assert spawned["metrics"]["test_loss"] == forked["metrics"]["test_loss"]


def test_a_spawned_trial_times_out_and_crashes_like_a_forked_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "bad.py"
    plugin.write_text(
        "import os, time\nfrom bench.registry import model\n"
        "model('sleeps')(lambda shape, n: time.sleep(300))\nmodel('ends')(lambda shape, n: os._exit(3))\n"
    )
    monkeypatch.setattr(local, "fork_is_safe", lambda: False)
    monkeypatch.delattr(os, "pidfd_open")  # as on macOS
    executor = local.LocalExecutor()
    slept = executor.run(
        request_for(tmp_path, "sleeps", plugins=(str(plugin),)), timeout_seconds=8, on_progress=lambda what: None
    )
    ended = executor.run(
        request_for(tmp_path, "ends", plugins=(str(plugin),)), timeout_seconds=60, on_progress=lambda what: None
    )
    assert (slept.status, slept.outcome) == ("timeout", None)
    assert ended.status == "crashed"
    assert "exit code 3" in ended.reason


def test_a_template_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.errors import BenchError

    (tmp_path / "h5py.py").write_text("raise ImportError('h5py is broken')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    executor = local.LocalExecutor()
    with pytest.raises(BenchError, match="h5py is broken"):
        run(executor, request_for(tmp_path, "linear"))
    executor.close()


# As something native that crashes in the rehearsal would.
ENDING = """
import os, sys
from importlib.util import find_spec

class Ending:
    def find_spec(self, name, path=None, target=None):
        if name != "bench.worker.process.rehearsal":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            module.rehearse = lambda **settings: os._exit(5)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Ending())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_rehearsal_that_ends_its_process_ends_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(ENDING)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    executor = local.LocalExecutor()
    try:
        outcomes = [run(executor, request_for(tmp_path, "linear")) for _ in range(2)]
    finally:
        executor.close()
    assert [outcome["status"] for outcome in outcomes] == ["ok", "ok"]


def test_each_side_of_a_duel_has_a_template_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(local, "Template", lambda interpreter: begun.append(interpreter))
    monkeypatch.setattr(local, "fork_is_safe", lambda: True)
    sides = Interpreter(side="A"), Interpreter(side="B")
    executor = local.LocalExecutor(*sides)
    for _ in range(2):
        executor.start()
    assert begun == [*sides]
    local.LocalExecutor().start()
    assert begun[2:] == [OWN]


def test_two_interpreters_take_turns(tmp_path: Path) -> None:
    sides = Interpreter(side="A"), Interpreter(side="B")
    executor = local.LocalExecutor(*sides)
    endings: dict[int, Any] = {}
    try:
        request = request_for(tmp_path, "mlp", epochs=40, threads=1)
        wanted = [local.Wanted(request, 120, lambda what: None, interpreter=side) for side in sides]
        assert not executor.run_group(wanted, told=endings.__setitem__)
        pids = {template.process.pid for template in executor._templates.values()}
    finally:
        executor.close()
    a, b = (endings[place].outcome for place in (0, 1))
    assert len(pids) == 2
    assert a["metrics"]["test_loss"] == b["metrics"]["test_loss"]
    assert len(set(a["samples"]["block_round"]) & set(b["samples"]["block_round"])) >= 2
