"""`bench run --executor ray`: many jobs at once on a cluster, one writer here.

What is lost with a worker or a node runs again elsewhere. A result counts when it has come back: a trial is recorded
once, by this process, or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.execute.announce import head, wrapped
from bench.execute.ask import Question
from bench.execute.cluster.executor import RayExecutor
from bench.execute.cluster.kinds import ClusterIdentifier, joined
from bench.execute.cluster.nodes import Cluster
from bench.execute.cluster.runner import ClusterRunner
from bench.execute.order import run_order
from bench.execute.prepare import Options, Prepared, prepare_with, read
from bench.execute.progress import Voice
from bench.execute.run import Ran, keep_budget, ran_of
from bench.execute.signals import signals_raise
from bench.records import Trial
from bench.results.store import Store
from bench.suite.read import SuiteFile


@dataclass(slots=True)
class ClusterPrepared(Prepared):
    """A suite resolved for a cluster."""

    cluster: Cluster

    def identifier(self) -> ClusterIdentifier:
        return ClusterIdentifier(
            self.suite,
            self.catalogue,
            kinds=list(self.cluster.kinds),
            results=self.store.results,
            cells=self.options.place == "environment",
        )


@contextmanager
def prepared_on_cluster(options: Options, file: SuiteFile, voice: Voice) -> Iterator[ClusterPrepared]:
    """The plan for a cluster, connected as long as this lasts. BenchError: one line."""
    executor = RayExecutor(options.address)
    try:
        executor.start()
        voice.say(executor.told)
        question = Question(file.plugins)
        cluster = Cluster(executor, file.plugins, voice)
        cluster.wait_for_nodes()
        found = prepare_with(joined(question.answer(), list(cluster.kinds)), options, file=file)
        yield ClusterPrepared(found.file, found.suite, found.catalogue, found.store, options, cluster)
    finally:
        executor.close()


def run_on_cluster(options: Options, *, voice: Voice, meanwhile: Callable[[], None]) -> Ran:
    """As bench.execute.run.run_suite, which calls it."""
    began = time.monotonic()
    with signals_raise():
        try:
            file = read(options)
            Store(options.results / file.name).refuse_unwritable()
            with prepared_on_cluster(options, file, voice) as prepared:
                plan = prepared.plan()
                if plan.total:
                    prepared.store.save_suite(prepared.suite.to_json())
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
