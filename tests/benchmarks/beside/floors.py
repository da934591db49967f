"""The floor under a training step: FLOPs over measured peak, bytes over measured bandwidth. `... THREADS` prints it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch

from bench.registry import MODELS
from bench.worker.common import discover
from bench.worker.measure import flops
from tests.benchmarks.beside.measured import Json, Settings, alone, ask, say

IMAGES, IMAGE_BYTES, CLASSES = 12_800, 28 * 28 * 4, 10
SIDE, REPEATS = 2048, 15  # of the square matrices


def measure(settings: Settings) -> Json:
    """Peak and bandwidth of this machine with every core, and FLOPs a sample and bytes of parameters of each model."""
    from bench.execute.ask_worker import ask_catalogue

    threads = ask_catalogue().physical_cores
    with alone():
        found = ask("floors", str(threads))
    say(f"floors: {found['peak_flops'] / 1e9:.0f} GFLOP/s, {found['bytes_per_second'] / 1e9:.1f} GB/s")
    return found


def floor_seconds(floors: Json, *, model: str, batch_size: int) -> dict[str, float]:
    """Least seconds of one step. FLOPs: as counted from the graph. Bytes: what has to move however good the code is:
    every image is read once, every parameter read once and written once; what lies between stays in the cache."""
    known = floors["models"][model]
    arithmetic = known["flops_per_sample"] * batch_size / floors["peak_flops"]
    moved = (batch_size * IMAGE_BYTES + 2 * known["parameter_bytes"]) / floors["bytes_per_second"]
    return {"arithmetic_seconds": arithmetic, "memory_seconds": moved, "floor_seconds": max(arithmetic, moved)}


def _best(call: Callable[[], object]) -> float:
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def _peak() -> float:
    """FLOP/s of the best of some float32 products of square matrices."""
    a, b, out = (torch.rand(SIDE, SIDE) for _ in range(3))
    return 2 * SIDE**3 / _best(lambda: torch.mm(a, b, out=out))


def _bandwidth() -> float:
    """Bytes a second that are read and written, in the best of some copies of as many bytes as the images have."""
    source = torch.rand(IMAGES * IMAGE_BYTES // 4)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / _best(lambda: target.copy_(source))


def _model(name: str) -> dict[str, float]:
    model = MODELS.get(name).build((1, 28, 28), CLASSES)
    images, labels = torch.rand(2, 1, 28, 28), torch.zeros(2, dtype=torch.int64)
    counted = flops.count(lambda: torch.nn.functional.cross_entropy(model(images), labels), samples=2)
    return {
        "flops_per_sample": counted,
        "parameter_bytes": float(sum(p.numel() * p.element_size() for p in model.parameters())),
    }


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    discover.load_builtin()
    models = {name: _model(name) for name in ("linear", "mlp", "cnn")}
    print(json.dumps({"peak_flops": _peak(), "bytes_per_second": _bandwidth(), "models": models}))


if __name__ == "__main__":
    main()
