"""The inline executor: the trial runs in this very process, for a debugger. No isolation, no timeout.

The one place where the parent imports torch.
"""

import gc
import importlib
import time

from bench.base.records import Json
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor
from bench.execute.executors.watch import OnProgress
from bench.registry import executor


@executor("inline")
class InlineExecutor(Executor):
    """Runs trials one after the other in the parent. Their timings are marked as not valid: nothing isolates them."""

    def __init__(self) -> None:
        self._settled = False

    def start(self) -> None:
        """Nothing to prepare."""

    def run(self, request: dict[str, Json], *, timeout_seconds: float, on_progress: OnProgress) -> Ending:
        started_ns = time.perf_counter_ns()
        discover = importlib.import_module("bench.worker.common.discover")
        messages = importlib.import_module("bench.worker.common.messages")
        trial = importlib.import_module("bench.worker.trial.trial")
        discover.load_builtin()

        class Direct:
            def progress(self, **what: Json) -> None:
                on_progress(what)

        outcome = trial.run(messages.Request.from_json(request), Direct(), started_ns=started_ns).to_json()
        for each in (outcome, *outcome["others"]):
            each["valid"] = False if each["status"] == "ok" else None
            each["validity_notes"] = [*each["validity_notes"], "not isolated: run with --executor inline"]
        if not self._settled:
            # After the first trial all is imported: out of the collector's sight with it, as in the template. A trial
            # collects several times, and each took 0.4 s with torch in sight.
            gc.collect()
            gc.freeze()
            self._settled = True
        return Ending(outcome)

    def close(self) -> None:
        """Let the collector see again what was there before."""
        if self._settled:
            gc.unfreeze()
