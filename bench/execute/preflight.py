"""Tries each model once on each data set before anything trains: what cannot work is told once, and is not trained.

The tries run in one process, forked from the template of the trials. What fails there is tried again in a process of
its own, by the next seed where there is one: one model may have broken torch for those behind it, or fail by chance.
Where a process dies or hangs nothing is said of its model: the trial will meet it, and says what became of it.

What was fine is kept in the cache folder, by everything that it depends on, and is not tried again.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bench.base import cache, files
from bench.base.records import Json, Trial, canonical_json, digest
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import LocalExecutor, Wanted
from bench.execute.plan import Plan, Planned, Verdict, what_is_tried
from bench.execute.prepare import Prepared, find_data_root

MOST_TRIES, MOST_AGAIN, MOST_PROCESSES = 90, 10, 3
SECONDS = 15.0  # of all tries together, no longer than a trial may take; what is left then is met by its trials
CONDEMNED = ("failed", "skipped")


@dataclass(frozen=True, slots=True)
class Found:
    """Lines that say what cannot work, and what is suspicious; in the order of the plan."""

    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def preflight(prepared: Prepared, plan: Plan, executor: object) -> Found:
    """Tries what is to run, and takes up in `prepared` what cannot work. Says what it found.

    Only the local executor does it, and only for the processor: a fork must not touch another device. A search meets
    what cannot work in its own first trainings.
    """
    if not isinstance(executor, LocalExecutor) or prepared.suite.tune is not None:
        return Found()
    seeds: dict[str, list[Planned]] = {}
    known: dict[tuple[object, ...], str] = {}  # trials of one cell share their parts: a plan may have a million
    for planned in plan.to_run:
        trial = planned.trial
        parts = id(trial.model), id(trial.dataset), id(trial.train), trial.batch_size, trial.device
        if parts not in known:
            known[parts] = what_is_tried(trial) if prepared.catalogue.device(trial.device).is_host else ""
        if known[parts]:
            seeds.setdefault(known[parts], []).append(planned)
    tries = _Tries(prepared, executor, dict(list(seeds.items())[:MOST_TRIES]))
    tries.run()
    prepared.verdicts |= tries.verdicts
    return Found(tuple(tries.faults()), tuple(tries.suspicions()))


class _Tries:
    """`seeds`: what is tried → its trials, one a seed or more. `verdicts` has what cannot work, `notes` the rest."""

    def __init__(self, prepared: Prepared, executor: LocalExecutor, seeds: Mapping[str, Sequence[Planned]]) -> None:
        self.prepared, self.executor, self.seeds = prepared, executor, seeds
        self.verdicts: dict[str, Verdict] = {}
        self.notes: dict[str, list[str]] = {}
        self._stop = time.monotonic() + SECONDS

    def run(self) -> None:
        self.notes = {key: notes for key, own in self.seeds.items() if (notes := _kept(key, own[0])) is not None}
        left = [key for key in self.seeds if key not in self.notes]
        failed: list[str] = []
        for _ in range(MOST_PROCESSES):
            if not left or self._is_late():
                break
            said = self._ask([self.seeds[key][0] for key in left])
            failed += [key for key, told in zip(left, said, strict=False) if not self._is_fine(key, told)]
            left = left[len(said) + 1 :]  # what ended the process is met by its trial
        for key in failed[:MOST_AGAIN]:
            if self._is_late():
                break
            own = self.seeds[key]
            said = self._ask([own[min(1, len(own) - 1)]])
            if said and said[0]["status"] in CONDEMNED:
                self.verdicts[key] = Verdict(said[0]["status"], said[0]["reason"], said[0]["traceback"])

    def _is_late(self) -> bool:
        return time.monotonic() >= self._stop

    def _is_fine(self, key: str, told: Mapping[str, Json]) -> bool:
        """Takes up what is said of a try. False where it is to be tried again."""
        if told["status"] == "ok":
            self.notes[key] = list(told["notes"])
            _keep(key, self.seeds[key][0], self.notes[key])
        return told["status"] not in CONDEMNED

    def _ask(self, planned: Sequence[Planned]) -> list[dict[str, Json]]:
        """What a process says of these trials, as far as it comes."""
        said: list[dict[str, Json]] = []
        requests = [self._request(each.trial) for each in planned]
        request = {**requests[0], "preflight": True, "others": requests[1:]}

        def told(what: dict[str, Json]) -> None:
            if what.get("tried") == len(said) < len(planned):
                said.append(what)

        def ended(place: int, ending: Ending) -> None:
            if ending.status == "timeout":  # one that hangs is enough
                self._stop = 0.0

        most = min(self._stop - time.monotonic(), planned[0].trial.measure.timeout_seconds)
        self.executor.run_group([Wanted(request, most, told)], told=ended)
        return said

    def _request(self, trial: Trial) -> dict[str, Json]:
        prepared = self.prepared
        places = prepared.suite.locations
        return {
            "trial": trial.to_json(),
            "data_root": str(find_data_root(prepared.options.data_root)),
            "locations": {name: places.get(f"{trial.dataset.canonical}|{name}", "") for name in trial.dataset.files},
            "plugins": [spec for spec, told in prepared.catalogue.plugins.items() if not told.error],
        }

    def faults(self) -> Iterator[str]:
        """What cannot work, each reason once."""
        for status, word in (("failed", "cannot be trained"), ("skipped", "skipped")):
            by_reason: dict[str, list[str]] = {}
            for key, verdict in self.verdicts.items():
                if verdict.status == status:
                    by_reason.setdefault(verdict.reason, []).append(key)
            for reason, keys in by_reason.items():
                count = sum(len(self.seeds[key]) for key in keys)
                yield f"{count:,} {word}: {reason} ({self._names(keys)})"

    def suspicions(self) -> Iterator[str]:
        """What there is to know of the rest, each note once."""
        by_note: dict[str, list[str]] = {}
        for key in self.seeds:
            for note in self.notes.get(key, ()):
                by_note.setdefault(note, []).append(key)
        for note, keys in by_note.items():
            yield f"note on {self._names(keys)}: {note}"

    def _names(self, keys: Sequence[str]) -> str:
        """`cnn on digits`, or of several the first and how many more."""
        names = [
            f"{trial.model.label} on {trial.dataset.label}" for trial in (self.seeds[key][0].trial for key in keys)
        ]
        names = list(dict.fromkeys(names))
        return names[0] + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")


def _path(key: str, planned: Planned) -> str:
    return digest("\0".join([key, planned.code_id, planned.environment_id, str(planned.trial.seed)]))


def _kept(key: str, planned: Planned) -> list[str] | None:
    """The notes of a try that was fine before; None where there is none."""
    with suppress(OSError, ValueError):
        found = json.loads((cache.cache_folder() / "preflight" / f"{_path(key, planned)}.json").read_bytes())
        if isinstance(found, list) and all(isinstance(note, str) for note in found):
            return found
    return None


def _keep(key: str, planned: Planned, notes: Sequence[str]) -> None:
    with suppress(OSError):  # a folder that cannot be written costs time only
        files.write(cache.cache_folder() / "preflight" / f"{_path(key, planned)}.json", canonical_json(list(notes)))
