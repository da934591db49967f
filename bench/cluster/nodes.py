"""The nodes of a cluster: in groups of one environment, who is there, who cannot run trials; and the plan of a run.

A node with a GPU is in two groups: as a task sees it that asks for a GPU, and as one that asks for none.

A trial is there if the results of any group that can run it have it. With `--place environment` a cell belongs to one
group, and a trial is there if that group's results have it.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bench.base.records import NOT_THERE, Json, Result, Trial, canonical_json, digest
from bench.cluster.executor import Needs, RayExecutor
from bench.errors import BenchError
from bench.execute.ask_worker import catalogue_question
from bench.execute.plan import Identifier, Planned
from bench.execute.prepare import Options, Prepared, prepare
from bench.execute.progress import Voice
from bench.execute.signals import signals_wait
from bench.present.format import plural
from bench.results.store import newest
from bench.suite.catalogue import Catalogue, DeviceInfo
from bench.suite.plan import Suite
from bench.suite.read import SuiteFile

CODE = ("models", "datasets", "devices")
LOOK_SECONDS = 120.0  # for the first word of a node: it unpacks the code and may import torch from a cold disk
PATIENCE_SECONDS = 60.0  # for a node: one that went may come again
AGAIN_SECONDS = 5.0  # between two questions to Ray who is there


@dataclass(eq=False, slots=True)
class NodeGroup:
    """Nodes that are alike, as tasks see them that ask for a GPU, or for none."""

    catalogue: Catalogue
    gpu: bool
    nodes: set[str] = field(default_factory=set)  # those that were seen; they may be gone

    @property
    def name(self) -> str:
        """For people, without a host's name: `AMD EPYC 7763, 64 cores, NVIDIA H100`."""
        processor = self.catalogue.environment.facts.get("cpu", "unknown processor")
        cards = [info.description for info in self.catalogue.devices.values() if info.available and info.ray_gpus]
        own = [card for card in cards if card and self.gpu]
        return ", ".join([str(processor), plural(self.catalogue.physical_cores, "core"), *own])

    def can(self, device: str) -> bool:
        """Whether such a task finds the device here."""
        info = self.catalogue.find_device(device)
        return info is not None and info.available and self.gpu == bool(info.ray_gpus)


class NodeGroups:
    """All groups that were seen."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, bool], NodeGroup] = {}

    def __iter__(self) -> Iterator[NodeGroup]:
        return iter(self._groups.values())

    def gpus_for(self, device: str) -> int:
        """How many of Ray's GPUs a trial on `device` takes."""
        found = [group.catalogue.find_device(device) for group in self]
        return max((info.ray_gpus for info in found if info is not None), default=0)

    def of(self, told: dict[str, Json], *, gpu: bool, node: str) -> NodeGroup:
        """The group of a node whose catalogue is `told`, as a task sees it that asked for a GPU or did not."""
        available = {name: device["available"] for name, device in told["devices"].items()}
        code = {kind: {name: each["source_sha256"] for name, each in told[kind].items()} for kind in CODE}
        key = digest(canonical_json([told["environment"]["facts"], available, code, told["worker_sha256"]])), gpu
        if key not in self._groups:
            self._groups[key] = NodeGroup(Catalogue.from_json(told), gpu)
        self._groups[key].nodes.add(node)
        return self._groups[key]


def joined(own: Catalogue, groups: Sequence[NodeGroup]) -> Catalogue:
    """What the cluster has, for the plan: `own` knows settings and plugins; a device is there if a group has it."""
    first = next((group.catalogue for group in groups), own)
    return replace(
        own,
        devices={name: _device(info, name, groups) for name, info in own.devices.items()},
        physical_cores=first.physical_cores,
        environment=first.environment,
    )


def _device(info: DeviceInfo, name: str, groups: Sequence[NodeGroup]) -> DeviceInfo:
    if found := next((group for group in groups if group.can(name)), None):
        return replace(info, available=True, reason="", description=found.catalogue.devices[name].description)
    said = [each.reason for group in groups if (each := group.catalogue.devices.get(name)) and each.reason]
    reason = said[0] if said else info.reason or f"no node has {name}"
    return replace(info, available=False, reason=f"{reason} (no node of the cluster has it)")


class ClusterIdentifier(Identifier):
    """The identity of a trial as it is there, else as it would be on the first group that can run it."""

    def __init__(
        self, suite: Suite, catalogue: Catalogue, *, groups: Sequence[NodeGroup], results: Iterable[Result], cells: bool
    ) -> None:
        super().__init__(suite, catalogue)
        self._of: dict[NodeGroup, Identifier] = {}
        for group in groups:
            self.of(group)
        self._known = newest(results)
        self._cells = cells
        self._in_cell = Counter(
            (result.trial.cell_id, result.environment_id) for result in self._known.values() if _there(result)
        )

    def of(self, group: NodeGroup) -> Identifier:
        """The identity of trials on one group."""
        if group not in self._of:
            # Availability as on the whole cluster: a group is only asked for trials that it can run, or that none can.
            own = group.catalogue.devices
            devices = {
                name: replace(own.get(name, info), available=info.available, reason=info.reason)
                for name, info in self.catalogue.devices.items()
            }
            self._of[group] = Identifier(self.suite, replace(group.catalogue, devices=devices))
        return self._of[group]

    def groups_for(self, trial: Trial) -> list[NodeGroup]:
        """The groups that can run it, those first whose results stand for it best."""
        found = [group for group in self._of if group.can(trial.device)]
        rank = self._results_of_cell if self._cells else self._rank_of_trial
        return sorted(found, key=lambda group: rank(trial, group), reverse=True)

    def group_of_cell(self, trial: Trial) -> NodeGroup | None:
        """The group that has results of the trial's cell already; None where none has."""
        found = self.groups_for(trial)
        return found[0] if found and self._results_of_cell(trial, found[0]) else None

    def _results_of_cell(self, trial: Trial, group: NodeGroup) -> int:
        return self._in_cell[trial.cell_id, self.of(group).planned(trial).environment_id]

    def _rank_of_trial(self, trial: Trial, group: NodeGroup) -> int:
        result = self._known.get(self.of(group).planned(trial).key)
        return 0 if result is None else 1 + _there(result) + (result.status == "ok")

    def planned(self, trial: Trial) -> Planned:
        found = self.groups_for(trial)
        return self.of(found[0]).planned(trial) if found else super().planned(trial)


def _there(result: Result) -> bool:
    return result.status not in NOT_THERE


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

    cluster: Cluster = field(kw_only=True)

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
        question = catalogue_question(file.asked)
        cluster = Cluster(executor, file.plugins, voice)
        cluster.wait_for_nodes()
        catalogue = joined(Catalogue.from_json(question.answer()), list(cluster.groups))
        found = prepare(options, file, catalogue=catalogue)
        yield ClusterPrepared(found.suite, found.catalogue, found.store, options, cluster=cluster)
    finally:
        executor.close()
