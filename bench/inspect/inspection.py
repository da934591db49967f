"""What a worker finds in a data set: asked of it once, then read by the page and the terminal."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsFloat, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Component
from bench.errors import BenchError
from bench.execute.ask_worker import Question
from bench.execute.prepare import dataset_request
from bench.present.format import number, printable
from bench.suite.components import ABSENT
from bench.suite.mistakes import Mistake, key_text

Array: TypeAlias = npt.NDArray[Any]

PARTS = ("train", "test")
WORDS = {"train": "training", "test": "test"}


def share_text(value: SupportsFloat, *, decimals: int = 4) -> str:
    """A share of the maximum, with a true minus sign."""
    return number(float(value), decimals=decimals).replace("-", "−")


@dataclass(frozen=True)
class Inspection:
    """A data set with its settings, and arrays by place: see bench.worker.inspection."""

    component: Component
    arrays: Mapping[str, Array]

    def __getitem__(self, place: str) -> Array:
        return self.arrays[place]

    @property
    def label(self) -> str:
        return printable(self.component.label)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        return tuple(printable(str(name)) for name in self["about/class_names"])

    def text(self, name: str) -> str:
        """A fact of the set that is a text: licence, source, type."""
        return printable(str(self[f"about/{name}"]))

    @property
    def maximum(self) -> float:
        return float(self["about/maximum"])

    @property
    def shape(self) -> str:
        """`1×28×28`"""
        return "×".join(str(length) for length in self["about/shape"].tolist())

    def size(self, part: str) -> int:
        return int(self[f"{part}/counts"].sum())

    @property
    def is_drawn(self) -> bool:
        """Whether the seed of a trial draws the test part: here, that of seed 0."""
        return bool(np.isfinite(self["about/test_fraction"]))


def inspect_dataset(name: str, sets: Sequence[str], *, data_root: Path | None, plugins: Sequence[str]) -> Inspection:
    """Look at a data set. Raises BenchError: an unknown name or setting, data that are not there or not right."""
    try:
        built, request = dataset_request(name, sets, data_root=data_root, plugins=plugins)
    except Mistake as found:
        raise BenchError(f"{f'--set {key_text(found.key)}: ' if found.key else ''}{found.text}") from None
    absent = [str(built.files[key]) for key, digest in built.component.files.items() if digest == ABSENT]
    if absent:
        raise BenchError(
            f"{absent[0]}: no such file; give a path from here, or from the data root {request['data_root']}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-inspect-") as folder:
        path = Path(folder) / "found.npz"
        request["output"] = str(path)
        Question("bench.worker.inspection", request=request, failed=f"{name} cannot be inspected").answer()
        with np.load(path, allow_pickle=False) as file:
            return Inspection(built.component, {key: file[key] for key in file.files})
