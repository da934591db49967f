"""What becomes of each group of a run on a cluster: handed out, heard of, lost and handed out again, stored.

The loop sleeps in `ray.wait`. Every job is in one flight, which waits or flies; it leaves when its results are stored.
"""

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.base import files
from bench.base.records import Json, Result, Trial
from bench.cluster.executor import order_of
from bench.cluster.nodes import PATIENCE_SECONDS, ClusterIdentifier, ClusterPrepared, NodeGroup
from bench.errors import BenchError
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Wanted
from bench.execute.jobs import Group, Job, Order, group_id, outcomes, request
from bench.execute.plan import Identifier
from bench.execute.prepare import find_data_root
from bench.execute.progress import Voice
from bench.execute.run import Runner, now, to_run_again
from bench.execute.signals import Stopped, signals_wait

LOSSES = 3  # how often a group is lost with a worker or a node before its jobs run by themselves; once more each
SAY_SECONDS = 10.0  # after which it is said that nothing begins
AHEAD = 2  # groups that wait for each node: the next one begins when the last one ends
LOOKAHEAD = 256  # groups of the plan that are looked at for one whose nodes are not all provided for
WAIT_SECONDS = 0.5
GRACE_SECONDS = 4.0  # for what runs on the nodes to end and to tidy up
BY_ITSELF = ", each by itself"
NOTHING: Mapping[int, dict[str, Json]] = MappingProxyType({})


@dataclass(eq=False, slots=True)
class Flight:
    """Jobs that share the time, to run or running: where, since when, how often they were lost, on which nodes not."""

    jobs: Group
    wanted: NodeGroup | None = None
    task: Any = None
    node: str = ""
    found: NodeGroup | None = None  # that the node is of
    began: str = ""
    losses: int = 0
    avoid: set[str] = field(default_factory=set)
    ended: bool = False
    alone_since: float | None = None  # no node fits

    @property
    def device(self) -> str:
        return self.jobs[0][0].trial.device

    def again(self, jobs: Group = (), *, losses: int = 0, avoid: Collection[str] = ()) -> "Flight":
        """The same jobs, or these of them, to be handed out once more; `losses`: how often they were lost since;
        `avoid`: more nodes that they are not to run on."""
        return Flight(jobs or self.jobs, losses=self.losses + losses, avoid={*self.avoid, *avoid})


class ClusterRunner(Runner):
    """Keeps every node supplied, takes back what comes, and is the only one who writes."""

    identifier: ClusterIdentifier
    order: Order

    def __init__(self, prepared: ClusterPrepared, voice: Voice) -> None:
        super().__init__(prepared, prepared.cluster.executor, voice)
        self.cluster, self.ray = prepared.cluster, prepared.cluster.executor.ray
        self.by_cell = prepared.options.place == "environment"
        self.place: dict[str, NodeGroup] = {}  # cell → the group that it belongs to
        self.flying: dict[Any, Flight] = {}
        self.waiting: deque[Flight] = deque()
        self.started = 0
        self.room = True  # something has changed since jobs were handed out
        self.heard = time.monotonic()
        self.told: set[str] = set()

    def train(self, order: Order) -> int:
        self.order, before = order, self.started
        try:
            while self._draw() or self.flying:
                if self.cluster.refresh():
                    self._call_back()
                if self.room:
                    self._supply()
                self._listen()
        except Stopped as signal:
            for flight in self.flying.values():
                if flight.found is not None and not flight.ended:
                    self._store_all(flight, Ending(None, "interrupted", f"the run was stopped by {signal}"))
            self._cancel()
            raise
        return self.started - before

    def _draw(self) -> bool:
        """Take groups from the order: those that are looked at, or where jobs are chosen by results, one a node at
        most. Whether any wait."""
        while len(self.waiting) < LOOKAHEAD:
            if self.order.chooses and len(self.waiting) + len(self.flying) >= max(1, len(self.cluster.usable)):
                break
            if (group := next(self.order.groups(), None)) is None:
                break
            self.waiting.append(Flight(group))
        return bool(self.waiting)

    def _cancel(self) -> None:
        """Ask the nodes to end what they run and to tidy up. What does not answer ends with the connection."""
        stop = time.monotonic() + GRACE_SECONDS
        with signals_wait():
            for task in self.flying:
                self.ray.cancel(task)
            while self.flying and time.monotonic() < stop:
                for task in self.ray.wait(list(self.flying), num_returns=1, timeout=WAIT_SECONDS)[0]:
                    try:
                        self.ray.get(next(task))  # what it said before
                    except (StopIteration, self.ray.exceptions.RayError):
                        self._drop(task)

    def _supply(self) -> None:
        """Hand flights to Ray until every group of nodes has one a node and one ahead."""
        self.room = False
        flying = Counter(self._group(flight) for flight in self.flying.values())
        for flight in list(islice(self.waiting, LOOKAHEAD)):
            if self.by_cell:
                flight.wanted = self._one_place(flight)
            nodes = self.cluster.fitting(flight.device, flight.wanted)
            needs = self.cluster.needs(flight.device, flight.wanted, avoid=flight.avoid)
            if needs is None:
                self._no_node(flight)
            elif flying[self._group(flight)] < AHEAD * len(nodes):
                self.waiting.remove(flight)
                flight.alone_since = None
                flying[self._group(flight)] += 1
                flight.task = self.cluster.executor.submit(self._order(flight), needs)
                self.flying[flight.task] = flight

    def _group(self, flight: Flight) -> object:
        return flight.wanted or self._takes_gpu(flight)

    def _takes_gpu(self, flight: Flight) -> bool:
        return self.cluster.groups.gpus_for(flight.device) > 0

    def _one_place(self, flight: Flight) -> NodeGroup | None:
        """Where the flight's first cell belongs; the jobs whose cells belong elsewhere wait by themselves."""
        places = [self._place(job[0].trial) for job in flight.jobs]
        here = tuple(job for job, place in zip(flight.jobs, places, strict=True) if place is places[0])
        if rest := tuple(job for job in flight.jobs if job not in here):
            flight.jobs, self.room = here, True
            self.waiting.append(flight.again(rest))
        return places[0]

    def _place(self, trial: Trial) -> NodeGroup | None:
        """The group of the trial's cell. A new cell goes where the fewest flights a node are, else where most nodes
        are: the cells of a group go there together."""
        if trial.cell_id not in self.place:
            able = [group for group in self.cluster.groups if group.can(trial.device)]
            nodes = {group: count for group in able if (count := len(self.cluster.fitting(trial.device, group)))}
            load = Counter(flying.wanted for flying in self.flying.values())
            freest = min(nodes, key=lambda group: (load[group] / nodes[group], -nodes[group]), default=None)
            if found := self.identifier.group_of_cell(trial) or freest:
                self.place[trial.cell_id] = found
        return self.place.get(trial.cell_id)

    def _order(self, flight: Flight) -> dict[str, Json]:
        given = self.prepared.options.data_root
        return order_of(
            [self._wanted_there(job) for job in flight.jobs],
            given=None if given is None else str(find_data_root(given)),
            drivers=str(find_data_root(None)),
        )

    def _wanted_there(self, job: Job) -> Wanted:
        trials, nowhere = [planned.trial for planned in job], Path()
        wanted = request(trials, store=self.prepared.store, run_id=self.run_id, log=nowhere, scratch=nowhere)
        return Wanted(
            wanted | self.shared(trials[0]),
            timeout_seconds=self.order.limit_seconds(job),
            on_progress=lambda what: self._progress(trials[0], what),
            timing_seconds=trials[0].measure.timing_seconds,
        )

    def _no_node(self, flight: Flight) -> None:
        """No node fits a flight now. One that went may come again; after a while its trials are `skipped`."""
        flight.alone_since = flight.alone_since or time.monotonic()
        if time.monotonic() - flight.alone_since > PATIENCE_SECONDS:
            what = f"with the environment of its cell ({flight.wanted.name})" if flight.wanted else flight.device
            reason = f"no node {what} is left in the cluster; run again when there is one"
            flight.found = flight.wanted
            self.waiting.remove(flight)
            self._store_all(flight, Ending(None, "skipped", reason))

    def _listen(self) -> None:
        """Take up what the next task has to say; wait no longer than half a second."""
        if not self.flying:
            time.sleep(WAIT_SECONDS if self.waiting else 0)
            self.room = True
            return
        with signals_wait():
            ready, _ = self.ray.wait(list(self.flying), num_returns=1, timeout=WAIT_SECONDS)
        for task in ready:
            self.heard = time.monotonic()
            self._take(task)
        if not ready:
            self.room = True
            if time.monotonic() - self.heard > SAY_SECONDS and not any(f.node for f in self.flying.values()):
                self._say_once(
                    "waiting: no node of the cluster has all its CPUs free; something else of Ray runs there"
                )

    def _take(self, task: Any) -> None:
        errors, flight = self.ray.exceptions, self.flying[task]
        try:
            with signals_wait():
                word = self.ray.get(next(task))
        except StopIteration:
            self._drop(task)
            if not flight.ended:
                self._lost(flight, "the task ended without a word")
        except errors.RayTaskError as error:
            if not isinstance(error.cause, BenchError | OSError):
                raise
            self._unusable(flight, str(error.cause))
        except errors.OutOfMemoryError:
            self._out_of_memory(flight)
        except errors.RayError as error:
            self._drop(task)
            if not flight.ended:
                self._lost(flight, type(error).__name__)
        else:
            self._heard(flight, word)

    def _drop(self, task: Any) -> None:
        for job in self.flying.pop(task).jobs:
            self.status_file.job_ends(job)
        self.room = True

    def _heard(self, flight: Flight, word: dict[str, Json]) -> None:
        if "on" in word:
            flight.node = word["on"]
        elif "waiting" in word:
            self._say_once("waiting: another run is measuring on a node of the cluster")
        elif "began" in word:
            flight.found = self.cluster.groups.of(word["began"], gpu=self._takes_gpu(flight), node=flight.node)
            flight.began = now()
            for job in flight.jobs:
                self.voice.trial_begins(job[0].trial)
                self.status_file.job_begins(job, limit_seconds=self.order.limit_seconds(job))
        elif "progress" in word:
            self._progress(flight.jobs[word["place"]][0].trial, word["progress"])
        elif "ended" in word:
            self._end(flight, word)

    def _end(self, flight: Flight, word: dict[str, Json]) -> None:
        """A flight has come back: store what became of its jobs, but of those that another node may do better, and hand
        out again what has not run."""
        flight.ended = True
        told = dict(sorted(word["ended"].items()))
        endings = {place: Ending(**each["ending"]) for place, each in told.items()}
        first = {place: next(outcomes(ending, 1)) for place, ending in endings.items()}
        # By itself: the node's disk takes no more.
        full = {place: said["reason"] for place, said in first.items() if said["status"] == "interrupted"}
        lacks = {place for place, said in first.items() if said["status"] == "skipped"}
        avoid = flight.avoid | {flight.node}
        if self.cluster.needs(flight.device, flight.wanted, avoid=avoid) is None:
            lacks = set()
        with signals_wait():  # what has come is stored, all of it
            kept = {place: ending for place, ending in endings.items() if place not in lacks and place not in full}
            self._store(flight, kept, files_of=told)
        again = [flight.again(jobs) for jobs in to_run_again(flight.jobs, endings, word["alone"])]
        if elsewhere := tuple(flight.jobs[place] for place in sorted({*full, *lacks})):
            again.append(flight.again(elsewhere, avoid=avoid))
        self._hand_out_next(again)
        for why in full.values():
            self.cluster.give_up(flight.node, why)

    def _bring(self, job: Job, told: dict[str, Json]) -> None:
        """Write the files of a job that have come from its node."""
        store = self.prepared.store
        for number, planned in enumerate(job):
            if content := told["files"].get(number):
                path = store.artifact_path(self.run_id, planned.trial.trial_id)
                files.write(path, content, inside=store.folder, sync=True)
        if told["log"]:
            path = store.log_path(self.run_id, job[0].trial.trial_id)
            files.write(path, told["log"], inside=store.folder, sync=True)

    def _store_all(self, flight: Flight, ending: Ending) -> None:
        self._store(flight, dict.fromkeys(range(len(flight.jobs)), ending))

    def _store(
        self, flight: Flight, endings: Mapping[int, Ending], *, files_of: Mapping[int, dict[str, Json]] = NOTHING
    ) -> None:
        """Store what became of jobs, by their place in the flight; `files_of` those that have come from its node."""
        shared = group_id(flight.jobs, self.run_id) if flight.began and len(endings) > 1 else ""
        results: list[Result] = []
        for place, ending in endings.items():
            if place in files_of:
                self._bring(flight.jobs[place], files_of[place])
            results += self._store_job(flight, flight.jobs[place], ending, group_id=shared)
        self.started += len(results)
        self.order.tell(results)

    def _store_job(self, flight: Flight, job: Job, ending: Ending, *, group_id: str) -> Iterator[Result]:
        where: Identifier = self.identifier.of(flight.found) if flight.found else self.identifier
        if ending.status == "timeout" and (cut := self.order.cut(job)):
            ending = Ending(None, "interrupted", cut)
        for planned, said in zip(job, outcomes(ending, len(job)), strict=True):
            if said["status"] == "skipped" and flight.found and flight.node:
                said = said | {"reason": f"{said['reason']} (on {flight.found.name})"}
            own = where.planned(planned.trial)
            result = self.result(own, said, began=flight.began or now(), where=where, group_id=group_id)
            self.writer.append(result)
            if ending.status != "interrupted":
                self.voice.trial_ends(result)
            yield result

    def _lost(self, flight: Flight, why: str) -> None:
        """A worker or a node is gone, and the flight with it: again, elsewhere; not for ever."""
        losses, several = flight.losses + 1, len(flight.jobs) > 1
        if losses > LOSSES and not several:
            why = f"lost with its Ray worker or node {losses} times ({why})"
            self._store_all(flight, Ending(None, "crashed", why))
            return
        again = "its trials run again" if several else "its trial runs again"
        self.voice.say(f"ray: a worker or node is gone ({why}); {again}{BY_ITSELF * (losses > LOSSES)}")
        if self.cluster.refresh(now=True):
            self._call_back()
        if losses > LOSSES:
            self._each_by_itself(flight)
        else:
            self._hand_out_next([flight.again(losses=1)])

    def _out_of_memory(self, flight: Flight) -> None:
        """Ray has ended the worker, because its node had no more memory."""
        flight.ended = True
        if len(flight.jobs) == 1:
            self._store_all(flight, Ending(None, "oom", "Ray ended it: the node has no more memory"))
        else:
            self.voice.say(f"ray: a node has no more memory; its trials run again{BY_ITSELF}")
            self._each_by_itself(flight)

    def _each_by_itself(self, flight: Flight) -> None:
        """One of the jobs may have taken the others with it."""
        self._hand_out_next([flight.again((job,)) for job in flight.jobs])

    def _hand_out_next(self, flights: Iterable[Flight]) -> None:
        """Before all that waits, in their order."""
        self.waiting.extendleft(reversed(list(flights)))

    def _unusable(self, flight: Flight, why: str) -> None:
        """The node cannot run trials: the flight goes elsewhere."""
        flight.ended = True
        self._hand_out_next([flight.again()])
        self.cluster.give_up(flight.node, why)

    def _call_back(self) -> None:
        """Other nodes are there: what has not begun is handed out again, to those."""
        for task, flight in list(self.flying.items()):
            if not flight.node and not flight.ended:
                with signals_wait():
                    self.ray.cancel(task, force=True)
                self._drop(task)
                self._hand_out_next([flight.again()])

    def _say_once(self, line: str) -> None:
        if line not in self.told:
            self.told.add(line)
            self.voice.say(line)
