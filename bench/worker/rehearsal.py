"""The first part of a trial of nothing, which a trial's process runs before it knows its own.

A forked process copies each page that it writes to, and torch looks up what it needs at its first call: 50 ms of a
trial. While the trial before saves what it measured, the next one's process can have most of that behind it; no timed
window of either is open then.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.records import Component, TrainSettings, Trial
from bench.worker import components
from bench.worker.data import load
from bench.worker.measure import contention, memory
from bench.worker.messages import Request
from bench.worker.workshop import Workshop, engine_and_device, set_up

# Goes through what every trial goes through, and takes the least: one thread, so that none is started.
TRIAL = Trial(
    Component("synthetic", {"train": 2, "test": 2}),
    Component("cnn"),
    seed=0,
    batch_size=2,
    device="cpu",
    train=TrainSettings(threads=1),
)


def rehearse() -> None:
    """From the settings of the process to the throw-away step. Raises nothing.

    Leaves no file, no thread and no switch of torch that a trial does not set itself.
    """
    with suppress(Exception):  # whatever it is, the trial is going to meet it too, and to say it
        components.load_builtin()
        engine, device = engine_and_device(TRIAL)
        threads = set_up(TRIAL, device)
        data = load(Request(TRIAL, Path(), locations={}, plugins=(), artifact=None, attributes={}), device.torch_device)
        shop = Workshop(
            TRIAL,
            engine,
            device=device,
            threads=threads,
            input_shape=data.input_shape,
            num_classes=len(data.class_names),
            train_size=data.train_size,
        )
        shop.warm_library(data.test)
        contention.read()  # looks up once where the counters are
        memory.release()
