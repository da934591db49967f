"""The nodes of a cluster in groups of one environment, and the identity of trials there.

A node with a GPU is in two groups: as a task sees it that asks for a GPU, and as one that asks for none.

A trial is there if the results of any group that can run it have it. With `--place environment` a cell belongs to one
group, and a trial is there if that group's results have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bench.base.records import NOT_THERE, Json, Result, Trial, canonical_json, digest
from bench.execute.plan import Identifier, Planned
from bench.present.format import plural
from bench.results.store import newest
from bench.suite.catalogue import Catalogue, DeviceInfo
from bench.suite.plan import Suite

CODE = ("models", "datasets", "devices")


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
        info = self.catalogue.devices.get(device)
        return info is not None and info.available and self.gpu == bool(info.ray_gpus)


class NodeGroups:
    """All groups that were seen."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, bool], NodeGroup] = {}

    def __iter__(self) -> Iterator[NodeGroup]:
        return iter(self._groups.values())

    def gpus_for(self, device: str) -> int:
        """How many of Ray's GPUs a trial on `device` takes."""
        found = [group.catalogue.devices.get(device) for group in self]
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
