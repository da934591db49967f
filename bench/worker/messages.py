"""What the parent asks of a trial's process, and what the process says of the trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.records import Json, Trial


@dataclass(frozen=True, slots=True)
class Request:
    """What the parent asks for: the trial, and where things lie on this machine."""

    trial: Trial
    data_root: Path
    locations: Mapping[str, str]  # setting of the data set → absolute path, for settings that name a file
    plugins: tuple[str, ...]
    artifact: Path | None
    attributes: Mapping[str, str]

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Request:
        return cls(
            trial=Trial.from_json(value["trial"]),
            data_root=Path(value["data_root"]),
            locations=value.get("locations", {}),
            plugins=tuple(value.get("plugins", ())),
            artifact=Path(value["artifact"]) if value.get("artifact") else None,
            attributes=value.get("attributes", {}),
        )


@dataclass(slots=True)
class Outcome:
    """What the trial says of itself; the parent adds ids, times and environment."""

    status: str = "ok"
    reason: str = ""
    traceback: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    curves: dict[str, list[float | None]] = field(default_factory=dict)
    valid: bool | None = None
    validity_notes: list[str] = field(default_factory=list)
    instruments: dict[str, str] = field(default_factory=dict)
    threads: int = 0

    def to_json(self) -> dict[str, Json]:
        measured = {name: value for name, value in self.metrics.items() if value is not None}
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"metrics": measured}
