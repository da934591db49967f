"""A rehearsal: what a trial's process does for the first time, done before it knows its trial.

A forked process copies each page that it writes to, and torch looks up what it needs at its first call: tens of
milliseconds. The next trial's process spends them while the trial before saves its record; neither is timed then.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.base.records import TrainSettings
from bench.registry import DEVICES
from bench.worker.datasets.splits import Images, Labels
from bench.worker.evaluate.accuracy import Held, evaluate, first_answers
from bench.worker.measure import contention, flops, memory
from bench.worker.train.loaders import Resident, Scale, given
from bench.worker.train.optimizers import make_optimizer
from bench.worker.train.steps import eager_step
from bench.worker.trial.setup import PARALLEL_SIZE

BATCH, SIDE, CLASSES = 2, 8, 2


def rehearse(*, plugins: bool) -> None:
    """Loads, builds, evaluates and steps once, on two images. Raises nothing.

    Leaves no file, no thread, and torch as it was: switches, number of threads, random numbers. The first backward pass
    of a process starts the driver and a thread for every GPU, and fixes which kinds of device there are: so there is
    none here where there is a GPU, or where plugins are to come.
    """
    with suppress(Exception), _one_thread(), torch.random.fork_rng(devices=[]):  # the trial meets it too, and says it
        cpu = torch.device("cpu")
        images: Images = np.zeros((BATCH, 1, SIDE, SIDE), dtype=np.uint8)
        labels: Labels = np.arange(BATCH, dtype=np.int64) % CLASSES
        scale = Scale.on(cpu, [0.0], [1.0])
        source = Resident(images, labels, device=cpu, scale=scale, batch_size=BATCH, seed=0)
        # Not a registered model: those are the user's to change.
        layers = (nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        model = nn.Sequential(*layers, nn.Linear(4 * (SIDE // 2) ** 2, CLASSES))
        optimizer = make_optimizer(model.parameters(), TrainSettings())
        held = Held.around(source)
        first_answers(model, held, batch_size=BATCH, precision="float32")
        evaluate(model, held, batch_size=BATCH, precision="float32")
        if plugins or any(entry.build().has_driver() for entry in DEVICES):
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
        else:
            batch = held.images, held.labels
            flops.count(lambda: functional.cross_entropy(model(batch[0]), batch[1]), samples=BATCH)
            eager_step(model, optimizer, device=cpu)(given(batch))
        torch.ones(PARALLEL_SIZE).exp_()  # what starts threads, where there is more than one
        contention.read()
        memory.release()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Inside, torch has one thread: it would start the others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
