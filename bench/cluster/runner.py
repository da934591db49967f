"""What becomes of each job of a run on a cluster: handed out, heard of, lost and handed out again, stored.

The loop sleeps in `ray.wait`. Every job is in one place: it waits, or it flies; it leaves when its results are stored.
"""

import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bench.base import files
from bench.base.records import Json
from bench.cluster.executor import order_of
from bench.cluster.nodes import PATIENCE_SECONDS, ClusterIdentifier, ClusterPrepared, NodeGroup
from bench.errors import BenchError
from bench.execute.executors.exit_status import Ending
from bench.execute.jobs import Job, Order, outcomes, request
from bench.execute.plan import Identifier
from bench.execute.prepare import find_data_root
from bench.execute.progress import Voice
from bench.execute.run import Runner, now
from bench.execute.signals import Stopped, signals_wait
from bench.results.store import Writer

LOSSES = 3  # how often a job is lost with a worker or a node before that is what became of it
SAY_SECONDS = 10.0  # after which it is said that nothing begins
AHEAD = 2  # jobs that wait for each node: the next one begins when the last one ends
LOOKAHEAD = 256  # jobs of the plan that are looked at for one whose nodes are not all provided for
WAIT_SECONDS = 0.5
GRACE_SECONDS = 4.0  # for what runs on the nodes to end and to tidy up


@dataclass(eq=False, slots=True)
class Flight:
    """A job that is to run or runs: where, since when, how often it was lost, which nodes could not run it."""

    job: Job
    wanted: NodeGroup | None = None
    task: Any = None
    node: str = ""
    group: NodeGroup | None = None
    began: str = ""
    losses: int = 0
    avoid: set[str] = field(default_factory=set)
    ended: bool = False
    alone_since: float | None = None  # no node fits

    @property
    def device(self) -> str:
        return self.job[0].trial.device

    def again(self, *, losses: int = 0) -> "Flight":
        """The same job, to be handed out once more; `losses`: how often it was lost since."""
        return Flight(self.job, losses=self.losses + losses, avoid=self.avoid)


class ClusterRunner(Runner):
    """Keeps every node supplied, takes back what comes, and is the only one who writes."""

    identifier: ClusterIdentifier
    writer: Writer
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

    def train(self, writer: Writer, order: Order) -> int:
        self.writer, self.order = writer, order
        try:
            while self._draw() or self.flying:
                if self.cluster.refresh():
                    self._call_back()
                if self.room:
                    self._supply()
                self._listen()
        except Stopped as signal:
            for flight in self.flying.values():
                if flight.group is not None and not flight.ended:
                    self._store(flight, Ending(None, "interrupted", f"the run was stopped by {signal}"))
            self._cancel()
            raise
        return self.started

    def _draw(self) -> bool:
        """Take jobs from the order: those that are looked at, or where each is chosen by results, one a node at most.
        Whether any wait."""
        while len(self.waiting) < LOOKAHEAD:
            if self.order.chooses and len(self.waiting) + len(self.flying) >= max(1, len(self.cluster.usable)):
                break
            if (job := next(iter(self.order), None)) is None:
                break
            self.waiting.append(Flight(job))
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
        """Hand jobs to Ray until every group of nodes has one a node and one ahead."""
        self.room = False
        flying = Counter(self._group(flight) for flight in self.flying.values())
        for flight in list(islice(self.waiting, LOOKAHEAD)):
            flight.wanted = self._group_for(flight)
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

    def _group_for(self, flight: Flight) -> NodeGroup | None:
        """With --place environment: the group of the cell. A new cell goes where the fewest jobs a node are."""
        if not self.by_cell:
            return None
        trial = flight.job[0].trial
        if trial.cell_id not in self.place:
            able = [group for group in self.cluster.groups if group.can(trial.device)]
            nodes = {group: count for group in able if (count := len(self.cluster.fitting(trial.device, group)))}
            load = Counter(flying.wanted for flying in self.flying.values())
            freest = min(nodes, key=lambda group: load[group] / nodes[group], default=None)
            if found := self.identifier.group_of_cell(trial) or freest:
                self.place[trial.cell_id] = found
        return self.place.get(trial.cell_id)

    def _order(self, flight: Flight) -> dict[str, Json]:
        trials = [planned.trial for planned in flight.job]
        nowhere = Path()
        wanted = request(trials, store=self.prepared.store, run_id=self.run_id, log=nowhere, scratch=nowhere)
        given = self.prepared.options.data_root
        return order_of(
            wanted | self.shared(trials[0]),
            timeout_seconds=self.order.limit_seconds(flight.job),
            given=None if given is None else str(find_data_root(given)),
            drivers=str(find_data_root(None)),
        )

    def _no_node(self, flight: Flight) -> None:
        """No node fits a job now. One that went may come again; after a while the job's trials are `skipped`."""
        flight.alone_since = flight.alone_since or time.monotonic()
        if time.monotonic() - flight.alone_since > PATIENCE_SECONDS:
            what = f"with the environment of its cell ({flight.wanted.name})" if flight.wanted else flight.device
            reason = f"no node {what} is left in the cluster; run again when there is one"
            flight.group = flight.wanted
            self.waiting.remove(flight)
            self._store(flight, Ending(None, "skipped", reason))

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
            ended = asdict(Ending(None, "oom", "Ray ended it: the node has no more memory"))
            self._end(flight, {"ended": ended, "files": {}, "log": b""})
        except errors.RayError as error:
            self._drop(task)
            if not flight.ended:
                self._lost(flight, type(error).__name__)
        else:
            self._heard(flight, word)

    def _drop(self, task: Any) -> None:
        self.status_file.job_ends(self.flying.pop(task).job)
        self.room = True

    def _heard(self, flight: Flight, word: dict[str, Json]) -> None:
        trial = flight.job[0].trial
        if "on" in word:
            flight.node = word["on"]
        elif "waiting" in word:
            self._say_once("waiting: another run is measuring on a node of the cluster")
        elif "began" in word:
            flight.group = self.cluster.groups.of(word["began"], gpu=self._takes_gpu(flight), node=flight.node)
            flight.began = now()
            self.voice.trial_begins(trial)
            self.status_file.job_begins(flight.job, limit_seconds=self.order.limit_seconds(flight.job))
        elif "progress" in word:
            self._progress(trial, word["progress"])
        elif "ended" in word:
            self._end(flight, word)

    def _end(self, flight: Flight, word: dict[str, Json]) -> None:
        """A job has come back: store it, unless another node may do better."""
        ending = Ending(**word["ended"])
        said = list(outcomes(ending, len(flight.job)))
        if said[0]["status"] == "interrupted":  # by itself: the node's disk takes no more
            self._unusable(flight, said[0]["reason"])
            return
        flight.ended = True
        if said[0]["status"] == "skipped":
            flight.avoid.add(flight.node)
            if self.cluster.needs(flight.device, flight.wanted, avoid=flight.avoid) is not None:
                self.waiting.appendleft(flight.again())
                return
        store = self.prepared.store
        for number, planned in enumerate(flight.job):
            if content := word["files"].get(number):
                path = store.artifact_path(self.run_id, planned.trial.trial_id)
                files.write(path, content, inside=store.folder, sync=True)
        if word["log"]:
            path = store.log_path(self.run_id, flight.job[0].trial.trial_id)
            files.write(path, word["log"], inside=store.folder, sync=True)
        self._store(flight, ending)

    def _store(self, flight: Flight, ending: Ending) -> None:
        where: Identifier = self.identifier.of(flight.group) if flight.group else self.identifier
        if ending.status == "timeout" and (cut := self.order.cut(flight.job)):
            ending = Ending(None, "interrupted", cut)
        results = []
        for planned, said in zip(flight.job, outcomes(ending, len(flight.job)), strict=True):
            if said["status"] == "skipped" and flight.group and flight.node:
                said = said | {"reason": f"{said['reason']} (on {flight.group.name})"}
            own = where.planned(planned.trial)
            result = self.result(own, said, began=flight.began or now(), where=where)
            self.writer.append(result)
            results.append(result)
            self.started += 1
            if ending.status != "interrupted":
                self.voice.trial_ends(result)
        self.order.tell(results)

    def _lost(self, flight: Flight, why: str) -> None:
        """A worker or a node is gone, and the job with it: again, elsewhere; not for ever."""
        losses = flight.losses + 1
        if losses > LOSSES:
            why = f"lost with its Ray worker or node {losses} times ({why})"
            self._store(flight, Ending(None, "crashed", why))
            return
        self.voice.say(f"ray: a worker or node is gone ({why}); its trial runs again")
        if self.cluster.refresh(now=True):
            self._call_back()
        self.waiting.appendleft(flight.again(losses=1))

    def _unusable(self, flight: Flight, why: str) -> None:
        """The node cannot run trials: the job goes elsewhere."""
        flight.ended = True
        self.waiting.appendleft(flight.again())
        self.cluster.give_up(flight.node, why)

    def _call_back(self) -> None:
        """Other nodes are there: what has not begun is handed out again, to those."""
        for task, flight in list(self.flying.items()):
            if not flight.node and not flight.ended:
                with signals_wait():
                    self.ray.cancel(task, force=True)
                self._drop(task)
                self.waiting.appendleft(flight.again())

    def _say_once(self, line: str) -> None:
        if line not in self.told:
            self.told.add(line)
            self.voice.say(line)
