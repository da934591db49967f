"""How long OpenMP's threads may wait for each other busily: images a second by setting, alone and beside busy programs.

libgomp reads its settings when it is loaded, so each side is a process of its own. All are alive at once and train by
turns, one at a time, in the order A B C, C B A, …: what the machine does meanwhile it does to all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import IO

import torch
from torch.nn.functional import cross_entropy

from bench.execute.ask_worker import OWN_WORD, WAITING_THREADS, ask_catalogue
from bench.registry import MODELS
from bench.worker.common import discover
from tests.benchmarks.beside.busy import beside
from tests.benchmarks.beside.measured import ROOT, Json, Settings, alone, say, times_by_round

# What libgomp does where nobody says anything: 300,000 looks at most (libgomp/env.c, gcc 4.4 to 15).
AS_IT_IS = "as it is"
SIDES: dict[str, dict[str, str]] = {
    AS_IT_IS: {},
    **{
        f"GOMP_SPINCOUNT={count}": {"GOMP_SPINCOUNT": str(count)}
        for count in (1000, 3000, 10_000, 20_000, 30_000, 100_000)
    },
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {},
}
SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28)}  # images of noise: the values change no time
CELLS = tuple((model, data) for model in ("linear", "cnn", "mlp") for data in SHAPES)
BATCH_SIZE, CLASSES, BUSY_PROGRAMS = 64, 10, 3
TURN_SECONDS, LEAD_SECONDS, TURNS = 0.25, 0.05, 6  # timed and before it, a side and cell; turns a set of processes


def measure(settings: Settings) -> Json:
    """Images a second of every side in every set of processes, by cell; alone first, then beside busy programs."""
    found: Json = {"batch_size": BATCH_SIZE, "busy_programs": BUSY_PROGRAMS, "default": WAITING_THREADS, "rates": {}}
    cells = CELLS[-1:] if settings.quick else CELLS
    with alone():
        threads = ask_catalogue().physical_cores
        for where, count in (("alone", 0), ("beside", BUSY_PROGRAMS)):
            rates = {f"{model}, {data}": {side: list[float]() for side in SIDES} for model, data in cells}
            for number in range(settings.rounds):
                with beside(count):
                    _one_set(rates, cells, threads=threads, turns=2 if settings.quick else TURNS)
                say(f"spinning {where}, set {number + 1}/{settings.rounds}: " + _last(rates))
            found["rates"][where] = rates
    return found | {"threads": threads}


def ratios(found: Json, where: str) -> dict[tuple[str, str], Json]:
    """By cell and side: its rate as a multiple of that as it is, over the sets of processes."""
    return {
        (cell, side): times_by_round(own[side], own[AS_IT_IS])
        for cell, own in found["rates"][where].items()
        for side in SIDES
    }


def _one_set(rates: Json, cells: Sequence[tuple[str, str]], *, threads: int, turns: int) -> None:
    """One process a side: its images over its seconds, in all turns of a cell."""
    with ExitStack() as stack:
        sides = {side: stack.enter_context(_side(side, threads)) for side in SIDES}
        for model, data in cells:
            sums = {side: [0.0, 0.0] for side in SIDES}
            for number in range(turns):
                for side in list(SIDES) if number % 2 == 0 else list(SIDES)[::-1]:
                    told = _turn(*sides[side], f"{model} {data}")
                    sums[side] = [a + b for a, b in zip(sums[side], told, strict=True)]
            for side, (images, seconds) in sums.items():
                rates[f"{model}, {data}"][side].append(images / seconds)


@contextmanager
def _side(side: str, threads: int) -> Iterator[tuple[IO[str], IO[str]]]:
    """A process that waits for its turns; what it is told on, and what it answers on."""
    own = {name: value for name, value in os.environ.items() if name not in OWN_WORD}
    command = [sys.executable, "-m", "tests.benchmarks.beside.spinning", "1" if side == "one thread" else str(threads)]
    with subprocess.Popen(
        command, cwd=ROOT, env=own | SIDES[side], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.stdin, process.stdout


def _turn(asks: IO[str], answers: IO[str], cell: str) -> list[float]:
    asks.write(cell + "\n")
    asks.flush()
    told: list[float] = json.loads(answers.readline())
    return told


def _last(rates: Json) -> str:
    own = rates[next(reversed(rates))]
    return f"{next(reversed(rates))}: " + ", ".join(f"{side} {own[side][-1]:,.0f}" for side in SIDES)


class Learner:
    """A cell in training: plain SGD on batches of noise, drawn before."""

    def __init__(self, model: str, data: str) -> None:
        torch.manual_seed(0)
        self.model = MODELS.get(model).build(SHAPES[data], CLASSES)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.images, self.labels = torch.rand(1024, *SHAPES[data]), torch.randint(CLASSES, (1024,))
        self.order = torch.randperm(1024).split(BATCH_SIZE)

    def train(self, seconds: float) -> tuple[int, float]:
        """Train for so long; the images and the seconds that they took."""
        images, began = 0, time.perf_counter()
        for index in cycle(self.order):
            self.optimizer.zero_grad()
            answers = self.model(self.images.index_select(0, index))
            cross_entropy(answers, self.labels.index_select(0, index)).backward()
            self.optimizer.step()
            images += len(index)
            if (took := time.perf_counter() - began) >= seconds:
                return images, took
        raise AssertionError("the batches go round for ever")


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    discover.load_builtin()
    learners = {f"{model} {data}": Learner(model, data) for model, data in CELLS}
    print("ready", flush=True)
    for line in sys.stdin:
        learner = learners[line.strip()]
        learner.train(LEAD_SECONDS)
        print(json.dumps(learner.train(TURN_SECONDS)), flush=True)


if __name__ == "__main__":
    main()
