"""Other tools that every trial of a suite can be logged to: their names, and what each needs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Literal

from bench.errors import BenchError

SinkName = Literal["tensorboard", "mlflow"]


def check_installed(names: Iterable[str]) -> None:
    """Raise BenchError where a sink's package, which is called like it, is not there: before anything trains."""
    for name in names:
        if find_spec(name) is None:
            raise BenchError(
                f"report.sinks: {name} is not installed: python -m pip install 'bench-models[{name}]', or take it out "
                "of the suite (--set 'report.sinks=[]')"
            )
