"""The raw figures of the benchmarks, one JSON file each, with the conditions under which they were taken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from bench.base.records import Environment
from bench.execute.ask_worker import ask_catalogue
from tests.benchmarks.beside.measured import Json


class Kept:
    """A folder of <name>.json: {"conditions": …, "found": …}."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _environment(self) -> Environment:
        return ask_catalogue().environment

    def save(self, name: str, found: Json, *, quick: bool, rounds: int) -> None:
        """Write the figures beside the conditions of this machine. Neither user nor host name is in them."""
        environment = self._environment
        conditions = {
            "facts": dict(environment.facts),
            "commit": environment.notes.get("commit", ""),
            "dirty": environment.notes.get("dirty"),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "quick": quick,
            "rounds": rounds,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"conditions": conditions, "found": found}, indent=1, sort_keys=True)
        (self.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")

    def load(self, name: str) -> Json | None:
        """What `save` wrote; None where there is none."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
