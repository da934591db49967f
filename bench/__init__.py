"""bench: which model is better on this data, and what does it cost on this machine?

    import bench
    frame = bench.load("results/baseline")      # one row a trial
    bench.summarize(frame)                      # one row a cell: mean, sd, 95 % interval, n
    bench.compare("results/before", "results/after").frame   # one row a cell: ratio, interval, verdict

Cheap to import: pandas, matplotlib and the rest are imported when they are called for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.base.version import __version__

if TYPE_CHECKING:
    from bench.api import compare, load, run, summarize

__all__ = ["__version__", "compare", "load", "run", "summarize"]


def __getattr__(name: str) -> Any:
    if name in ("compare", "load", "run", "summarize"):
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
