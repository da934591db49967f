"""The nodes of a cluster while a run lasts: who is there, of which group, who cannot run trials; and its plan."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.cluster.executor import Needs, RayExecutor
from bench.cluster.node_groups import ClusterIdentifier, NodeGroup, NodeGroups, joined
from bench.errors import BenchError
from bench.execute.ask_worker import catalogue_question
from bench.execute.prepare import Options, Prepared, prepare
from bench.execute.progress import Voice
from bench.execute.signals import signals_wait
from bench.present.format import plural
from bench.suite.catalogue import Catalogue
from bench.suite.read import SuiteFile

LOOK_SECONDS = 120.0  # for the first word of a node: it unpacks the code and may import torch from a cold disk
PATIENCE_SECONDS = 60.0  # for a node: one that went may come again
AGAIN_SECONDS = 5.0  # between two questions to Ray who is there


class Cluster:
    """What is known of the nodes. `refresh` asks again, and looks at those that are new."""

    def __init__(self, executor: RayExecutor, plugins: Sequence[str], voice: Voice) -> None:
        self.executor, self.plugins, self.voice = executor, plugins, voice
        self.groups = NodeGroups()
        self.alive: dict[str, Mapping[str, float]] = {}
        self.unusable: dict[str, str] = {}  # node → why it cannot run trials
        self._looked: set[str] = set()
        self._asked = float("-inf")

    def refresh(self, *, now: bool = False) -> bool:
        """Whether other nodes are there than the last time. Asks Ray only every few seconds, but `now`."""
        if not now and time.monotonic() - self._asked < AGAIN_SECONDS:
            return False
        before = set(self.alive)
        self.alive, self._asked = self.executor.nodes(), time.monotonic()
        self._look([node for node in self.alive if node not in self._looked])
        return before != set(self.alive)

    def wait_for_nodes(self) -> None:
        """Look at the nodes; where none is there yet, wait a while. BenchError where none comes that can run trials."""
        stop = time.monotonic() + PATIENCE_SECONDS
        self.refresh(now=True)
        while not self.alive and time.monotonic() < stop:
            time.sleep(1.0)
            self.refresh(now=True)
        self._refuse_unusable(next(iter(self.unusable.values()), "it has no node with a CPU"))

    @property
    def usable(self) -> list[str]:
        """Nodes that are there and can run trials."""
        return [node for node in self.alive if node not in self.unusable]

    def give_up(self, node: str, why: str) -> None:
        """No more trials for a node. BenchError where it was the last one."""
        if node not in self.unusable:
            self.unusable[node] = why
            self.voice.say(f"ray: a node gets no more trials: {why}")
        self._refuse_unusable(why)

    def _refuse_unusable(self, why: str) -> None:
        if not self.usable:
            raise BenchError(f"--executor ray: no node of the cluster can run trials: {why}")

    def _look(self, nodes: Sequence[str]) -> None:
        """Ask new nodes what they have: as a task without a GPU sees it, and where there is a GPU as one with it."""
        views = [(n, gpu) for n in nodes for gpu in (False, True) if not gpu or self.alive[n].get("GPU", 0)]
        asked = {self.executor.look(n, gpu=gpu, plugins=self.plugins): (n, gpu) for n, gpu in views}
        stop = time.monotonic() + LOOK_SECONDS
        while asked and time.monotonic() < stop:
            with signals_wait():
                ready, _ = self.executor.ray.wait(list(asked), num_returns=1, timeout=0.5)
            for reference in ready:
                self._looked_at(reference, *asked.pop(reference))
        for node, gpu in asked.values():
            # Its GPUs may all be taken: that is no reason to leave it alone for good.
            self._looked.discard(node)
            if not gpu:
                self.unusable[node] = f"no answer after {LOOK_SECONDS:.0f} s"

    def _looked_at(self, reference: Any, node: str, gpu: bool) -> None:
        import ray

        try:
            told = self.executor.ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            self._looked.add(node)
            self.unusable[node] = why = str(error.cause)
            self.voice.say(f"ray: a node cannot run trials: {why}")
        except ray.exceptions.RayError:  # it went as it came; if it is still there it is asked again
            self._looked.discard(node)
        else:
            self._looked.add(node)
            self.groups.of(told, gpu=gpu, node=node)

    def fitting(self, device: str, group: NodeGroup | None) -> list[str]:
        """Nodes that are there and may run a trial on `device`; of one group, where one is given."""
        gpus, among = self.groups.gpus_for(device), self.usable if group is None else group.nodes
        return [node for node in self.usable if self.alive[node].get("GPU", 0) >= gpus and node in among]

    def needs(self, device: str, group: NodeGroup | None, *, avoid: Collection[str] = ()) -> Needs | None:
        """What a task asks for, so that a node is wholly its own; None where no node would do now."""
        nodes = [node for node in self.fitting(device, group) if node not in avoid]
        if not nodes:
            return None
        return Needs(
            cpus=min(self.alive[node]["CPU"] for node in nodes),
            gpus=self.groups.gpus_for(device),
            only=tuple(nodes) if group is not None else (),
            never=tuple(node for node in self.alive if node in self.unusable or node in avoid),
        )

    def text(self) -> str:
        """`3 nodes: 2 × AMD EPYC 7763, 64 cores; 1 × …`."""
        count = Counter[str]()
        for node in self.usable:
            if of := [group for group in self.groups if node in group.nodes]:
                count[max(of, key=lambda group: group.gpu).name] += 1
        names = "; ".join(f"{number} × {name}" for name, number in count.items())
        return f"{plural(len(self.usable), 'node')}: {names}"


@dataclass(slots=True)
class ClusterPrepared(Prepared):
    """A suite resolved for a cluster."""

    cluster: Cluster

    def identifier(self) -> ClusterIdentifier:
        return ClusterIdentifier(
            self.suite,
            self.catalogue,
            groups=list(self.cluster.groups),
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
        catalogue = joined(Catalogue.from_json(question.answer()), list(cluster.groups))
        found = prepare(options, file, catalogue=catalogue)
        yield ClusterPrepared(found.suite, found.catalogue, found.store, options, cluster)
    finally:
        executor.close()
