"""Before anything trains: each model is tried once on each data set, and what cannot work is said.

It is what every trial does first (bench.worker.trial.setup, bench.worker.trial.tried), on noise in the shape of the
data, by torch's own engine on the CPU; and what only one look before all training can afford: the last batch of each
part, a second instance by the same seed, answers that are probabilities, the data themselves.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch

from bench.base.records import Json
from bench.errors import one_line
from bench.worker.common import randomness
from bench.worker.common.discover import load_plugin
from bench.worker.common.failures import classify, readable_traceback
from bench.worker.common.messages import Channel, Request, TrialOutcome
from bench.worker.engines.eager import Eager
from bench.worker.trial.data import TrialData, load
from bench.worker.trial.notes import FEWEST_OUTPUTS, an_hour_ahead, not_trained, on_outputs
from bench.worker.trial.setup import THROWAWAY_SAMPLES, TrialSetup, configure_torch, engine_and_device

MOST_NOTES = 20  # of one try


def run(
    request: Request, channel: Channel, *, started_ns: int, measured: Callable[[], object] = lambda: None
) -> TrialOutcome:
    """Tries the trial of the request and of each of its `others`; says of each what became of it, as soon as it is.

    Where a model ends the process, nothing is said of it and of those behind it.
    """
    measured()  # nothing is timed here: the process of the first trial may get ready
    outcome = TrialOutcome()
    data = _Data()
    for place, each in enumerate((request, *request.others)):
        notes: list[str] = []
        told: dict[str, Json] = {"tried": place, "status": "ok", "reason": "", "traceback": ""}
        try:
            for plugin in request.plugins:
                load_plugin(plugin)
            notes += _tried(each, data)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            status, reason = classify(error)
            told |= {"status": status, "reason": reason}
            told["traceback"] = readable_traceback(error) if status == "failed" else ""
        channel.send({"progress": told | {"notes": [one_line(note) for note in notes[:MOST_NOTES]]}})
    return outcome


class _Data:
    """The data set that was loaded last, with what there is to know of it: several models are tried on one."""

    def __init__(self) -> None:
        self._key: object = None
        self._found: TrialData | None = None
        self._said: set[object] = set()

    def of(self, request: Request) -> TrialData:
        """The data of a trial. Nothing of them is copied to a device."""
        trial = request.trial
        train = replace(trial.train, loader="dataloader", num_workers=0, pin_memory=False)
        key = trial.dataset.canonical, trial.split_seed, trial.batch_size, train
        if self._found is None or key != self._key:
            self._found = None  # two at once may be too much
            _, device = engine_and_device(trial)
            self._found, self._key = load(replace(request, trial=replace(trial, train=train)), device), key
        return self._found

    def notes(self, request: Request, found: TrialData) -> list[str]:
        """What there is to know of a data set; once."""
        key = request.trial.dataset.canonical
        if key in self._said:
            return []
        self._said.add(key)
        return found.notes(request.trial.split_seed)


def _tried(request: Request, data: _Data) -> list[str]:
    """Tries one model on one data set. Returns what is suspicious; raises what a trial of it would raise."""
    trial = request.trial
    _, device = engine_and_device(trial)
    configure_torch(trial, device)
    found = data.of(request)
    setup = TrialSetup(trial, Eager(), device=device, threads=1, sizes=found)
    setup.warm_library()
    with torch.random.fork_rng(devices=[]):
        notes = _of_model(setup)
    return [*notes, *data.notes(request, found)]


def _of_model(setup: TrialSetup) -> list[str]:
    """Asks a second instance about the last batches, and says what is suspicious of both."""
    seed = setup.trial.init_seed
    with an_hour_ahead(), an_hour_ahead():  # two hours: later than the one before
        model = setup.build()
    notes = [*setup.starts.of(seed), *setup.tried.notes, *not_trained(model)]
    randomness.seed_globals(seed, randomness.TRAIN)
    setup.tried.takes_last_batches(model, lambda size: setup.noise(size)[0])
    if setup.judge.task != "classification":
        return notes
    with torch.no_grad():
        count = setup.tried.logits(model.eval(), setup.noise(THROWAWAY_SAMPLES)[0]).shape[1]
        images = setup.noise(max(THROWAWAY_SAMPLES, -(-FEWEST_OUTPUTS // count)))[0]
        with suppress(Exception):  # of so many it may know nothing
            notes += on_outputs(setup.tried.logits(model, images).float())
    return notes
