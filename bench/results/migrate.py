"""Migrates results of older schemas when they are read; the files stay as they are.

A change of the shape of a result raises `SCHEMA` in bench/records.py, adds a line to the history there, a function
here, and a golden file under tests/results/golden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.base.records import SCHEMA, Json
from bench.errors import BenchError

VERSION = re.compile(r"[0-9]+(\.[0-9]+){1,3}")


class Newer(BenchError):
    """Written by a newer version of bench: refused, because what it means is not known here."""


def refuse_newer(value: Mapping[str, Json], path: Path | str) -> None:
    """Raise Newer, with the version to install, where the schema is younger than this package."""
    version = value["schema"]
    if isinstance(version, int) and version > SCHEMA:
        wrote = value.get("bench")
        package = f"'bench-models>={wrote}'" if isinstance(wrote, str) and VERSION.fullmatch(wrote) else "bench-models"
        raise Newer(
            f"{path}: written by a newer version of bench (schema {version}, this one reads up to {SCHEMA}); "
            f"install that version: pip install --upgrade {package}"
        )


def _from_1(value: Mapping[str, Json]) -> dict[str, Json]:
    """Schema 2 has the digest of the trial's HDF5 file; of older results it is not known."""
    return {**value, "artifact_sha256": ""}


# From the schema that is the key to the next one.
STEPS: Mapping[int, Callable[[Mapping[str, Json]], dict[str, Json]]] = {1: _from_1}


def migrate(value: Mapping[str, Json]) -> Mapping[str, Json]:
    """A result of any older schema as one of SCHEMA. KeyError: `value` has no schema that ever was."""
    for version in range(value["schema"], SCHEMA):
        value = {**STEPS[version](value), "schema": version + 1}
    return value
