"""torch.compile: the model's forward and backward pass as one graph of fused kernels; loss and optimizer are eager.

Compiling is in no figure but `compile_seconds`. It is done before the baseline of memory, on an instance that is
dropped: another instance of the same model, with the same shapes, finds the code. From then on compiling is an error
(torch.compiler.set_stance), so that it cannot slip into a timed block.
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from bench.base.records import Trial
from bench.errors import Unavailable
from bench.worker.common.failures import first_line
from bench.worker.common.messages import Metrics
from bench.worker.devices.base import Device
from bench.worker.engines.base import Engine, Learner, first_batch
from bench.worker.train.loaders import Fetch, Source
from bench.worker.train.steps import Recipe, Step, eager_step

CACHE = "TORCHINDUCTOR_CACHE_DIR"
COLD = "cold: no cache of compiled code from before; without the import of the compiler"


class Compiled(Engine):
    """torch.compile with one graph a batch shape: a model that needs several graphs is refused."""

    name = "compiled"
    instruments: ClassVar[dict[str, str]] = {"compile_seconds": COLD}

    def __init__(self) -> None:
        self._classes: set[type[nn.Module]] = set()  # in the first model

    def cannot(self, trial: Trial, device: Device) -> str:
        missing = device.cannot_compile()
        return missing and f"engine 'compiled': {missing}"

    @contextmanager
    def open(self, scratch: Path | None) -> Iterator[None]:
        folder = scratch / "compiled" if scratch else Path(tempfile.mkdtemp(prefix="bench-compiled-"))
        before = os.environ.get(CACHE)
        # A folder of the trial's own: code of another trial would make this one compile faster.
        os.environ[CACHE] = str(folder)
        _set_up_compiler()
        try:
            yield
        finally:
            torch.compiler.set_stance("default")
            shutil.rmtree(folder, ignore_errors=True)
            if before is None:
                del os.environ[CACHE]
            else:
                os.environ[CACHE] = before

    def prepare(self, learner: Callable[[], Learner], sources: Sequence[Source], *, device: Device) -> Metrics:
        step, fetches = learner().step, [first_batch(source) for source in sources]
        start = time.perf_counter_ns()
        for fetch in fetches:
            step(fetch)
        device.synchronize()
        seconds = (time.perf_counter_ns() - start) / 1e9
        torch.compiler.set_stance("fail_on_recompile")
        return {"compile_seconds": seconds}

    def step(self, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, *, device: Device) -> Step:
        classes = {type(part) for part in model.modules()}
        self._classes = self._classes or classes
        anew = sorted(each.__name__ for each in classes - self._classes)
        compiled = torch.compile(model, fullgraph=True, dynamic=False)
        step = eager_step(compiled, optimizer, recipe, device=device.torch_device)

        def explained(fetch: Fetch) -> torch.Tensor:
            try:
                return step(fetch)
            except Exception as error:
                if reason := refusal(error, anew=anew):
                    raise Unavailable(reason) from error
                raise

        return explained


def refusal(error: Exception, *, anew: Sequence[str] = ()) -> str:
    """Why torch.compile does not take a model whole, in one line; empty where `error` is of another kind.

    `anew`: classes in the model that the instance before it did not have, whose code it does not share.
    """
    from torch._dynamo import exc

    if isinstance(error, exc.Unsupported | exc.UserError):
        what = f"torch.compile cannot take this model as one graph ({first_line(error)})"
        return f"engine 'compiled': {what}: use engine 'eager'"
    if isinstance(error, exc.FailOnRecompileLimitHit) or "fail_on_recompile" in str(error):
        if anew:
            what = f"its builder defines class {anew[0]} at each call, so that each model has to be compiled again"
            return f"engine 'compiled': {what}: define it outside of the builder, or use engine 'eager'"
        return "engine 'compiled': this model has to be compiled again while it trains: use engine 'eager'"
    return ""


def _set_up_compiler() -> None:
    """Imports the compiler, drops what this process compiled before, and keeps the work in this process."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # tells of CUDA where there is none
    import torch._dynamo
    import torch._inductor.compile_fx
    import torch._inductor.config as config

    torch.compiler.reset()
    # No pool of compile processes, which would live on beside the training. The C++ compiler belongs to the trial's
    # group of processes and ends with it.
    config.compile_threads = 1
    # Precompiled headers lie in one folder a user, whatever the cache is: a cold start would be cold only once.
    config.cpp_cache_precompile_headers = False
    config.fallback_random = True  # dropout draws what it draws in eager mode
