"""How steps are executed: one file an engine, chosen by `train.engine`.

An engine runs the plain step of bench.worker.train.steps its own way. What it cannot do it says before anything trains,
and the trial is `skipped`: one engine never takes another's place.
"""

from bench.worker.engines.base import Engine
from bench.worker.engines.compiled import Compiled
from bench.worker.engines.cudagraph import CudaGraph
from bench.worker.engines.eager import Eager
from bench.worker.engines.vectorized import Vectorized

ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (Eager, Compiled, CudaGraph, Vectorized)}
