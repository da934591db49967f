"""How long a process takes to be back at its speed after a pause in which another one worked.

Three processes train by turns. Each notes when every step of a turn ended; what a step took is compared with the steps
from LATE on in the same turn.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import cycle

import torch
from torch.nn.functional import cross_entropy

from bench.execute.ask_worker import ask_catalogue, worker_environment
from bench.worker.common import discover
from tests.benchmarks.beside.measured import ROOT, Json, Settings, alone, say
from tests.benchmarks.beside.spinning import BATCH_SIZE, Learner

CELLS = ("linear digits", "mlp digits", "cnn digits", "mlp mnist")
TURN_SECONDS, LATE, TURNS = 0.06, 0.03, 200
EDGES_MS = (0.0, 0.5, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30)  # of the stretches after the pause
NEAR = 1.03  # "back": a stretch's median step takes no more than so many times that of the late ones


def measure(settings: Settings) -> Json:
    """By cell: how many times as long as a late step the median step took in each stretch after a pause."""
    found: Json = {"batch_size": BATCH_SIZE, "turn_seconds": TURN_SECONDS, "edges_ms": EDGES_MS, "cells": {}}
    with alone(), ExitStack() as stack:
        found["threads"] = threads = ask_catalogue().physical_cores
        processes = [stack.enter_context(_started(threads)) for _ in range(3)]
        for cell in CELLS:
            turns = [_turn(processes[n % 3], cell) for n in range(20 if settings.quick else TURNS)]
            found["cells"][cell] = relative = stretches(turns)
            say(f"{cell}: " + ", ".join(f"{edge:g} ms {ratio:.2f}" for edge, ratio in relative.items()))
    return found


def stretches(turns: list[list[float]]) -> dict[float, float]:
    """Start of a stretch (ms after the pause) → median over turns of its steps, as multiples of the turn's late ones.

    `turns`: when each step ended, in seconds after the pause.
    """
    by_edge: dict[float, list[float]] = {}
    for ends in turns:
        steps = list(zip([0.0, *ends], ends, strict=False))
        late = [end - start for start, end in steps if start >= LATE]
        if not late:
            continue
        usual = statistics.median(late)
        for start, end in steps:
            edge = max(edge for edge in EDGES_MS if edge <= start * 1e3)
            by_edge.setdefault(edge, []).append((end - start) / usual)
    return {edge: statistics.median(by_edge[edge]) for edge in sorted(by_edge)}


def back_after_ms(relative: dict[float, float]) -> float:
    """From when on every stretch is near the late steps."""
    slow = [edge for edge, ratio in relative.items() if ratio > NEAR and edge < 1e3 * LATE]
    after = [edge for edge in relative if edge > max(slow, default=-1.0)]
    return min(after)


def _started(threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.beside.lead_in", str(threads)]
    return subprocess.Popen(
        command, cwd=ROOT, env=worker_environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _turn(process: subprocess.Popen[str], cell: str) -> list[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(cell + "\n")
    process.stdin.flush()
    told: list[float] = json.loads(process.stdout.readline())
    return told


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    discover.load_builtin()
    learners: dict[str, Learner] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in learners:
            learners[name] = Learner(*name.split())
            learners[name].train(0.2)
        print(json.dumps(_ends(learners[name])), flush=True)


def _ends(learner: Learner) -> list[float]:
    """Trains for a turn; when each step ended."""
    ends, began = list[float](), time.perf_counter()
    for index in cycle(learner.order):
        learner.optimizer.zero_grad()
        cross_entropy(
            learner.model(learner.images.index_select(0, index)), learner.labels.index_select(0, index)
        ).backward()
        learner.optimizer.step()
        ends.append(time.perf_counter() - began)
        if ends[-1] >= TURN_SECONDS:
            return ends
    raise AssertionError("the batches go round for ever")


if __name__ == "__main__":
    main()
