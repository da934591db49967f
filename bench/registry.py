"""Registries and the decorators that fill them: one file, one decorator, no list to edit.

@model("mlp")
def mlp(input_shape, num_classes, *, hidden=100) -> nn.Module: ...
"""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_args

from bench.base.metrics import BUILT_IN, OTHER_COLUMNS
from bench.base.records import Task
from bench.errors import BenchError, nearest

T = TypeVar("T", bound=Callable[..., Any])  # what a registry holds
F = TypeVar("F", bound=Callable[..., Any])  # what a decorator gives back as it came

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
OF_LIBRARY = re.compile(r"(sklearn:)?" + NAME.pattern)  # a data set that a library ships


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One registered thing: its name, what builds it, its source file, and the arguments of its decorator."""

    name: str
    build: T
    source: Path | None
    unit: str = ""
    higher_is_better: bool = True
    file: str = ""  # of a report format: what it writes of the whole report; empty: one file a table
    task: Task | None = None  # of a metric: the only task that it is of; None: either

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.build) or "").partition("\n")[0]


class Registry(Generic[T]):
    """Names to entries. A second registration of a name raises BenchError; so does asking for an unknown one."""

    # Finds the entry of a name with a colon, which nobody has registered (`torchvision:resnet18`). Set by the worker.
    find_named: Callable[[str], Entry[T]] | None = None

    def __init__(self, kind: str, *, name: re.Pattern[str] = NAME) -> None:
        self.kind = kind
        self._name = name
        self._entries: dict[str, Entry[T]] = {}

    def register(
        self,
        name: str,
        *,
        unit: str = "",
        higher_is_better: bool = True,
        file: str = "",
        task: Task | None = None,
    ) -> Callable[[F], F]:
        """Decorator: enter the decorated builder under `name`. Raises BenchError on a bad or a taken name."""
        if not isinstance(name, str) or not self._name.match(name):
            raise BenchError(f"{self.kind} {name!r}: a name is 1 to 64 letters, digits, '_', '.' or '-'")

        def enter(build: F) -> F:
            if name in self._entries:
                by = self._entries[name].source
                raise BenchError(f"{self.kind} {name!r} is registered already, by {by.name if by else 'hand'}")
            self._entries[name] = Entry(name, cast(T, build), source_of(build), unit, higher_is_better, file, task)
            return build

        return enter

    def get(self, name: str) -> Entry[T]:
        """The entry called `name`; BenchError names the choices and the nearest one."""
        if name not in self._entries and ":" in name and self.find_named is not None:
            return self.find_named(name)
        if name not in self._entries:
            choices = ", ".join(sorted(self._entries)) or "none"
            raise BenchError(f"unknown {self.kind} {name!r}{nearest(name, self._entries)} (there are: {choices})")
        return self._entries[name]

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def __contains__(self, name: object) -> bool:
        return name in self._entries or (isinstance(name, str) and ":" in name and self.find_named is not None)

    def __len__(self) -> int:
        return len(self._entries)


def source_of(build: Callable[..., Any]) -> Path | None:
    """The file that a builder was written in; None for one typed into an interpreter."""
    try:
        found = inspect.getsourcefile(inspect.unwrap(build))
    except TypeError:
        return None
    return Path(found).resolve() if found else None


MODELS: Registry[Callable[..., Any]] = Registry("model")
DATASETS: Registry[Callable[..., Any]] = Registry("data set", name=OF_LIBRARY)
METRICS: Registry[Callable[..., Any]] = Registry("metric")
DEVICES: Registry[Callable[..., Any]] = Registry("device")
EXECUTORS: Registry[Callable[..., Any]] = Registry("executor")
REPORT_FORMATS: Registry[Callable[..., Any]] = Registry("report format")


def model(name: str) -> Callable[[F], F]:
    """Register a builder `(input_shape, num_outputs, *, **settings) -> nn.Module`; its output is (N, num_outputs)."""
    return MODELS.register(name)


def dataset(name: str) -> Callable[[F], F]:
    """Register a builder `(root: Path, *, **settings) -> Splits`."""
    return DATASETS.register(name)


def metric(name: str, *, unit: str = "", higher_is_better: bool = True, task: Task | None = None) -> Callable[[F], F]:
    """Register `(logits: (N, K) float tensor, labels: (N,) int64 tensor) -> float`, taken on the test set.

    Of a regression it is called with predictions and targets, float tensors in the unit of the targets: both (N,), or
    (N, T) where there are several. `task`: the only one that it is of; None: either.
    Raises BenchError for the name of a metric or of a column that is there already, and for an unknown task.
    """
    if task not in (None, *get_args(Task)):
        raise BenchError(f"metric {name!r}: task {task!r}; needs classification or regression")
    if name in BUILT_IN or name in OTHER_COLUMNS:
        raise BenchError(f"metric {name!r} is the name of a column already; choose another name")
    return METRICS.register(name, unit=unit, higher_is_better=higher_is_better, task=task)


def device(name: str) -> Callable[[F], F]:
    """Register a class that answers available, synchronize and memory for one kind of device."""
    return DEVICES.register(name)


def executor(name: str) -> Callable[[F], F]:
    """Register a class that runs trials: `run(requests) -> iterator of outcomes`."""
    return EXECUTORS.register(name)


def report_format(name: str, *, file: str = "") -> Callable[[F], F]:
    """Register `(table: Table, path: Path) -> None`, which writes one table in one format.

    With `file`, the name of a file beside report.md: `(report: Report, path: Path) -> str`, which writes the whole
    report there, or returns in one line why it did not and what to do.
    """
    return REPORT_FORMATS.register(name, file=file)
