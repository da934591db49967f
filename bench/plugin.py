"""Everything that a plugin imports: the decorators, what its functions take and give, and the errors to raise.

    from bench.plugin import Splits, Unavailable, dataset, model

The decorators and errors are loaded at once, and import nothing heavy; each other name when it is asked for. The older
paths (`bench.registry`, `bench.errors`, `bench.worker.datasets.splits`) stay.
"""

import importlib
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, DataError, Unavailable
from bench.registry import dataset, device, executor, metric, model, report_format

if TYPE_CHECKING:
    from bench.execute.executors.exit_status import Ending
    from bench.execute.executors.local import Executor
    from bench.present.tables import Column, Table, TableCell
    from bench.report.page import Report
    from bench.worker.datasets.splits import Splits
    from bench.worker.devices.base import Device, DeviceMemory, DeviceWatch
    from bench.worker.measure.energy import Meter

__all__ = [
    "BenchError",
    "Column",
    "DataError",
    "Device",
    "DeviceMemory",
    "DeviceWatch",
    "Ending",
    "Executor",
    "Meter",
    "Report",
    "Splits",
    "Table",
    "TableCell",
    "Unavailable",
    "dataset",
    "device",
    "executor",
    "metric",
    "model",
    "report_format",
]

# Where each name lives that is loaded when it is asked for: some need torch, some stand on the parent's side.
_LATER = {
    "Column": "bench.present.tables",
    "Report": "bench.report.page",
    "Device": "bench.worker.devices.base",
    "DeviceMemory": "bench.worker.devices.base",
    "DeviceWatch": "bench.worker.devices.base",
    "Ending": "bench.execute.executors.exit_status",
    "Executor": "bench.execute.executors.local",
    "Meter": "bench.worker.measure.energy",
    "Splits": "bench.worker.datasets.splits",
    "Table": "bench.present.tables",
    "TableCell": "bench.present.tables",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module 'bench.plugin' has no attribute {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
