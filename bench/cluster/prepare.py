"""A suite resolved for the nodes of a cluster, connected as long as its plan is looked at or run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.cluster.executor import RayExecutor
from bench.cluster.kinds import ClusterIdentifier, joined
from bench.cluster.nodes import Cluster
from bench.execute.ask_worker import catalogue_question
from bench.execute.prepare import Options, Prepared, prepare_with
from bench.execute.progress import Voice
from bench.suite.catalogue import Catalogue
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
        question = catalogue_question(file.plugins)
        cluster = Cluster(executor, file.plugins, voice)
        cluster.wait_for_nodes()
        found = prepare_with(joined(Catalogue.from_json(question.answer()), list(cluster.kinds)), options, file=file)
        yield ClusterPrepared(found.file, found.suite, found.catalogue, found.store, options, cluster)
    finally:
        executor.close()
