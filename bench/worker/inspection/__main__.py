"""`bench inspect dataset`, the worker's part: build the data set, look at it, leave what was found in a file.

    python -m bench.worker.inspection

The request: name, settings, locations (setting → path of a data file), plugins, data_root, output (an .npz that is
written). The answer: {}.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.base.records import Json
from bench.errors import BenchError
from bench.worker.common.answer import Say, answer, register_all
from bench.worker.datasets.prepare import build_set, prepare
from bench.worker.inspection.figures import figures

SEED = 0  # draws the test part of a set that has none of its own


def work(request: dict[str, Json], say: Say) -> None:
    """Write what was found. Raises Unavailable, DataError, BenchError."""
    name, root = request["name"], Path(request["data_root"])
    register_all(request["plugins"])
    try:
        splits, _, limits = build_set(name, request["settings"], locations=request["locations"], root=root)
        found: dict[str, Any] = dict(figures(splits, prepare(splits, seed=SEED, validation_split=0.0, **limits)))
    except MemoryError:
        raise BenchError(f"{name}: not enough memory; try --set train_limit=1000") from None
    np.savez(request["output"], **found)
    say({})


if __name__ == "__main__":
    sys.exit(answer(work))
