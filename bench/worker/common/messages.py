"""What the parent asks of a trial's process, and what the process says of the trial: JSON, one object a line."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bench.base.answers import Answers
from bench.base.records import Json, Trial, canonical_json

PROGRESS_SECONDS = 0.5
Metrics: TypeAlias = dict[str, float | None]  # by name; None where it could not be measured


@dataclass(frozen=True, slots=True)
class CheckpointPlace:
    """Where the checkpoints of a trial lie, and the ids that the worker does not know by itself."""

    folder: Path
    environment_id: str
    code_id: str
    resume: bool  # whether to go on from the one that is there


@dataclass(frozen=True, slots=True)
class Rates:
    """The learning rates of a range test: `steps` (two and more) of them, by equal factors from lowest to highest."""

    lowest: float
    highest: float
    steps: int


@dataclass(frozen=True, slots=True)
class Request:
    """What the parent asks for: the trial, and where things lie on this machine.

    `others`: the trials of the same cell that the engine trains side by side, in the same process; of them only trial,
    artifact and attributes count. `rates`: a range test of the learning rate, in place of the training.
    """

    trial: Trial
    data_root: Path
    locations: Mapping[str, str]  # setting of the data set → absolute path, for settings that name a file
    plugins: tuple[str, ...]
    artifact: Path | None
    attributes: Mapping[str, str]
    scratch: Path | None = None  # may be made and filled; the parent removes it
    others: "tuple[Request, ...]" = ()
    mates: int = 0  # trials that it shares the time with; then the parent gives it its turns
    next_is_due: bool = False  # whether one of them begins as soon as this one is set up
    checkpoints: CheckpointPlace | None = None
    rates: Rates | None = None
    preflight: bool = False  # whether it and the others are to be tried only, each with data of its own

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "Request":
        shared = {key: value[key] for key in ("data_root", "locations", "plugins", "scratch") if key in value}
        place = value.get("checkpoints")
        return cls(
            trial=Trial.from_json(value["trial"]),
            data_root=Path(value["data_root"]),
            locations=value.get("locations", {}),
            plugins=tuple(value.get("plugins", ())),
            artifact=Path(value["artifact"]) if value.get("artifact") else None,
            attributes=value.get("attributes", {}),
            scratch=Path(value["scratch"]) if value.get("scratch") else None,
            mates=int(value.get("mates", 0)),
            next_is_due=bool(value.get("next_is_due")),
            checkpoints=CheckpointPlace(**place | {"folder": Path(place["folder"])}) if place else None,
            rates=Rates(**value["rates"]) if value.get("rates") else None,
            preflight=bool(value.get("preflight")),
            others=tuple(cls.from_json(shared | other) for other in value.get("others", ())),
        )


@dataclass(slots=True)
class TrialOutcome:
    """What the trial says of itself; the parent adds ids, times and environment. `others`: see Request."""

    status: str = "ok"
    reason: str = ""
    traceback: str = ""
    metrics: Metrics = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    curves: dict[str, list[float | None]] = field(default_factory=dict)
    valid: bool | None = None
    validity_notes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    instruments: dict[str, str] = field(default_factory=dict)
    threads: int = 0
    answers: Answers | None = None
    others: "list[TrialOutcome]" = field(default_factory=list)

    def to_json(self) -> dict[str, Json]:
        measured = {name: value for name, value in self.metrics.items() if value is not None}
        own = {name: getattr(self, name) for name in self.__dataclass_fields__} | {"metrics": measured}
        own["answers"] = None if self.answers is None else self.answers.to_json()
        return own | {"others": [other.to_json() for other in self.others]}


class Channel:
    """The end of the connection to the parent; what a model prints goes elsewhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._process = descriptor, os.getpid()
        self._last = 0.0

    def send(self, message: dict[str, Json]) -> None:
        """Writes one whole line. A copy of the process, which a model or a plugin has made by fork(2), ends here: it is
        no trial."""
        if os.getpid() != self._process:
            os._exit(1)
        line = memoryview(canonical_json(message).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]

    def receive(self) -> dict[str, Json]:
        """The next line that the parent writes: one object. Sleeps until it has come; ends the process where the parent
        is gone."""
        line = b""
        while not line.endswith(b"\n"):
            if not (part := os.read(self._descriptor, 4096)):
                os._exit(1)
            line += part
        found: dict[str, Json] = json.loads(line)
        return found

    def progress(self, **what: Json) -> None:
        """Says where the trial is; at most twice a second, but each `note`."""
        now = time.monotonic()
        if "note" in what or now - self._last >= PROGRESS_SECONDS or os.getpid() != self._process:
            self._last = now
            self.send({"progress": what})
