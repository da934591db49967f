"""`bench run --executor ray`: many jobs at once on a cluster, one writer here.

What is lost with a worker or a node runs again elsewhere. A result counts when it has come back: a trial is recorded
once, by this process, or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.base.records import Trial
from bench.cluster.prepare import prepared_on_cluster
from bench.cluster.runner import ClusterRunner
from bench.execute.opening_lines import head, wrapped
from bench.execute.order import run_order
from bench.execute.prepare import Options, read
from bench.execute.progress import Voice
from bench.execute.run import Ran, keep_budget, ran_of
from bench.execute.signals import signals_raise
from bench.results.store import Store
from bench.suite.stored import suite_to_json


def run_on_cluster(options: Options, *, voice: Voice, meanwhile: Callable[[], None]) -> Ran:
    """Run on a cluster what is not there; otherwise as bench.execute.run.run_here."""
    began = time.monotonic()
    with signals_raise():
        try:
            file = read(options)
            Store(options.results / file.name).refuse_unwritable()
            with prepared_on_cluster(options, file, voice) as prepared:
                plan = prepared.plan()
                if plan.total:
                    prepared.store.save_suite(suite_to_json(prepared.suite))
                for line in wrapped(prepared.cluster.text()):
                    voice.say(line)
                for line in head(prepared.suite, plan, catalogue=prepared.catalogue, results=prepared.store.results):
                    voice.say(line)
                if any(_wants_checkpoints(planned.trial) for planned in plan.to_run):
                    voice.say("ray: no checkpoints on a cluster; a trial that is cut off starts from its beginning")
                if plan.to_run:
                    meanwhile()
                runner = ClusterRunner(prepared, voice)
                try:
                    order = run_order(plan, prepared.suite, results=prepared.store.results, began=began)
                    trained = runner.run(plan, order)
                    keep_budget(prepared, order, seconds=time.monotonic() - began)
                finally:
                    runner.presence.ends()
                return ran_of(prepared, trained)
        finally:
            voice.end()


def _wants_checkpoints(trial: Trial) -> bool:
    return trial.train.checkpoint_every_epochs is not None or trial.train.keep_checkpoints
