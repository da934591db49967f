"""`bench run --executor ray`: many jobs at once on a cluster, one writer here.

What is lost with a worker or a node runs again elsewhere. A result counts when it has come back: a trial is recorded
once, by this process, or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.base.records import Trial
from bench.cluster.nodes import prepared_on_cluster
from bench.cluster.runner import ClusterRunner
from bench.execute.opening_lines import wrapped
from bench.execute.prepare import Options
from bench.execute.progress import Voice
from bench.execute.run import Ran, planned_and_said, ran_of, read_writable
from bench.execute.signals import signals_raise


def run_on_cluster(options: Options, *, voice: Voice, meanwhile: Callable[[], None]) -> Ran:
    """Run on a cluster what is not there; otherwise as bench.execute.run.run_here."""
    began = time.monotonic()
    with signals_raise():
        try:
            file = read_writable(options)
            with prepared_on_cluster(options, file, voice) as prepared:
                plan = planned_and_said(prepared, voice, first=wrapped(prepared.cluster.text()))
                if any(_wants_checkpoints(planned.trial) for planned in plan.to_run):
                    voice.say("ray: no checkpoints on a cluster; a trial that is cut off starts from its beginning")
                if plan.to_run:
                    meanwhile()
                runner = ClusterRunner(prepared, voice)
                try:
                    trained = runner.run_all(plan, began=began)
                finally:
                    runner.status_file.ends()
                return ran_of(prepared, trained)
        finally:
            voice.end()


def _wants_checkpoints(trial: Trial) -> bool:
    return trial.train.checkpoint_every_epochs is not None or trial.train.keep_checkpoints
