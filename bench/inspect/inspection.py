"""What a worker found in a data set, as the page reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Component
from bench.present.format import number, printable

Array: TypeAlias = npt.NDArray[Any]

PARTS = ("train", "test")
WORDS = {"train": "training", "test": "test"}


def share_text(value: float, *, decimals: int = 4) -> str:
    """A share of the maximum, with a true minus sign."""
    return number(float(value), decimals=decimals).replace("-", "−")


@dataclass(frozen=True)
class Inspection:
    """A data set with its settings, and arrays by place: see bench.worker.inspection.figures."""

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

    def number(self, place: str) -> float:
        return float(self[place])

    @property
    def is_drawn(self) -> bool:
        """Whether the seed of a trial draws the test part: here, that of seed 0."""
        return bool(np.isfinite(self["about/test_fraction"]))
