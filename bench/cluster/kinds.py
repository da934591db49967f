"""The nodes of a cluster by kind, and the identity of trials there.

Nodes of one environment are one kind. A node with a GPU is two: as a task sees it that asks for a GPU, and as one that
asks for none.

A trial is there if the results of any kind that can run it have it. With `--place environment` a cell belongs to one
kind, and a trial is there if that kind's results have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bench.base.records import NOT_THERE, Json, Result, Trial, canonical_json, digest
from bench.execute.plan import Identifier, Planned
from bench.results.store import newest
from bench.suite.catalogue import Catalogue, DeviceInfo
from bench.suite.plan import Suite

CODE = ("models", "datasets", "devices")


@dataclass(eq=False, slots=True)
class Kind:
    """Nodes that are alike, as one sort of task sees them."""

    catalogue: Catalogue
    gpu: bool
    nodes: set[str] = field(default_factory=set)  # those that were seen; they may be gone

    @property
    def name(self) -> str:
        """For people, without a host's name: `AMD EPYC 7763, 64 cores, NVIDIA H100`."""
        facts = self.catalogue.environment.facts
        cores = self.catalogue.physical_cores
        parts = [str(facts.get("cpu", "unknown processor")), f"{cores} core{'' if cores == 1 else 's'}"]
        cards = [info.description for info in self.catalogue.devices.values() if info.available and info.ray_gpus]
        return ", ".join([*parts, *(card for card in cards if self.gpu and card)])

    def can(self, device: str) -> bool:
        """Whether a task of this sort finds the device here."""
        info = self.catalogue.devices.get(device)
        return info is not None and info.available and self.gpu == bool(info.ray_gpus)


class Kinds:
    """All kinds that were seen."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, bool], Kind] = {}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def gpus_for(self, device: str) -> int:
        """How many of Ray's GPUs a trial on `device` takes."""
        found = [kind.catalogue.devices.get(device) for kind in self]
        return max((info.ray_gpus for info in found if info is not None), default=0)

    def of(self, told: dict[str, Json], *, gpu: bool, node: str) -> Kind:
        """The kind of a node that says this of itself, as a task sees it that asked for a GPU or did not."""
        available = {name: device["available"] for name, device in told["devices"].items()}
        code = {kind: {name: each["source_sha256"] for name, each in told[kind].items()} for kind in CODE}
        key = digest(canonical_json([told["environment"]["facts"], available, code, told["worker_sha256"]])), gpu
        if key not in self._kinds:
            self._kinds[key] = Kind(Catalogue.from_json(told), gpu)
        self._kinds[key].nodes.add(node)
        return self._kinds[key]


def joined(own: Catalogue, kinds: Sequence[Kind]) -> Catalogue:
    """What the cluster has, for the plan: `own` knows settings and plugins; a device is there if a kind has it."""
    devices = {name: _device(info, name, kinds) for name, info in own.devices.items()}
    first = next((kind.catalogue for kind in kinds), own)
    return replace(
        own,
        devices=devices,
        physical_cores=first.physical_cores,
        environment=first.environment,
    )


def _device(info: DeviceInfo, name: str, kinds: Sequence[Kind]) -> DeviceInfo:
    if found := next((kind for kind in kinds if kind.can(name)), None):
        return replace(info, available=True, reason="", description=found.catalogue.devices[name].description)
    said = [each.reason for kind in kinds if (each := kind.catalogue.devices.get(name)) and each.reason]
    reason = said[0] if said else info.reason or f"no node has {name}"
    return replace(info, available=False, reason=f"{reason} (no node of the cluster has it)")


class ClusterIdentifier(Identifier):
    """The identity of a trial as it is there, else as it would be on the first kind that can run it."""

    def __init__(
        self, suite: Suite, catalogue: Catalogue, *, kinds: Sequence[Kind], results: Iterable[Result], cells: bool
    ) -> None:
        super().__init__(suite, catalogue)
        self._of = {kind: Identifier(suite, replace(kind.catalogue, devices=self._devices(kind))) for kind in kinds}
        self._known = newest(results)
        self._cells = cells
        self._in_cell = Counter(
            (result.trial.cell_id, result.environment_id) for result in self._known.values() if _there(result)
        )

    def _devices(self, kind: Kind) -> dict[str, DeviceInfo]:
        """Availability as on the whole cluster: a kind is only asked for trials that it can run, or that none can."""
        whole, own = self.catalogue.devices, kind.catalogue.devices
        return {n: replace(own.get(n, info), available=info.available, reason=info.reason) for n, info in whole.items()}

    def of(self, kind: Kind) -> Identifier:
        """The identity of trials on one kind."""
        if kind not in self._of:
            self._of[kind] = Identifier(self.suite, replace(kind.catalogue, devices=self._devices(kind)))
        return self._of[kind]

    def kinds_for(self, trial: Trial) -> list[Kind]:
        """The kinds that can run it, those first that its results stand for best."""
        found = [kind for kind in self._of if kind.can(trial.device)]
        rank = self._rank_of_cell(trial) if self._cells else self._rank_of_trial(trial)
        return sorted(found, key=rank, reverse=True)

    def kind_of_cell(self, trial: Trial) -> Kind | None:
        """The kind that has results of the trial's cell already; None where none has."""
        found = self.kinds_for(trial)
        return found[0] if found and self._rank_of_cell(trial)(found[0]) else None

    def _rank_of_cell(self, trial: Trial) -> Callable[[Kind], int]:
        return lambda kind: self._in_cell[trial.cell_id, self.of(kind).planned(trial).environment_id]

    def _rank_of_trial(self, trial: Trial) -> Callable[[Kind], int]:
        def rank(kind: Kind) -> int:
            result = self._known.get(self.of(kind).planned(trial).key)
            return 0 if result is None else 1 + _there(result) + (result.status == "ok")

        return rank

    def planned(self, trial: Trial) -> Planned:
        found = self.kinds_for(trial)
        return self.of(found[0]).planned(trial) if found else super().planned(trial)


def _there(result: Result) -> bool:
    return result.status not in NOT_THERE
