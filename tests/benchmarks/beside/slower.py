"""An interpreter that is slower by a known share: this one, with a torch whose optimizers wait after each step.

What a duel is to find: nothing that it records tells the two apart.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from tests.benchmarks.beside.measured import ROOT

# Imported by every interpreter before all else, torch's optimizers included. The wait is busy: a core that sleeps wakes
# up slow. A step is from the end of the last wait to the optimizer's own end; the median of fifteen, so that a pause
# between two turns is none, and once in fifteen steps: taken at each, it made the steps themselves 5 % slower.
SITECUSTOMIZE = """
import sys, time
from importlib.machinery import PathFinder

steps, ended, pause = [], 0.0, 0.0
clock = time.perf_counter

def wait(optimizer, args, kwargs):
    global ended, pause
    now = clock()
    stop = now + pause
    if ended:
        steps.append(now - ended)
        if len(steps) == 15:
            pause = SHARE * sorted(steps)[7]
            steps.clear()
    while clock() < stop:
        pass
    ended = clock()

class Optimizers:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "torch.optim.optimizer":
            return None
        found = PathFinder.find_spec(name, path)
        load = found.loader.exec_module
        def exec_module(module):
            load(module)
            module.register_optimizer_step_post_hook(wait)
        found.loader.exec_module = exec_module
        return found

sys.meta_path.insert(0, Optimizers)
"""


def slower_python(folder: Path, *, share: float) -> Path:
    """Makes an interpreter in `folder` whose training takes 1 + `share` times as long."""
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "sitecustomize.py").write_text(SITECUSTOMIZE.replace("SHARE", str(share)), encoding="utf-8")
    paths = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(paths)} exec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    return python
