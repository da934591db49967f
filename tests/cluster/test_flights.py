"""What becomes of groups on a cluster, with a Ray that is played: lost, short of memory, split, handed out again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.base.records import Component, Environment, Result
from bench.cluster import runner
from bench.cluster.executor import Needs
from bench.cluster.nodes import Cluster, ClusterPrepared, NodeGroup
from bench.cluster.runner import ClusterRunner
from bench.errors import BenchError
from bench.execute.budget import Budgeted
from bench.execute.executors.exit_status import Ending
from bench.execute.jobs import Order
from bench.execute.plan import Plan
from bench.execute.prepare import Options
from bench.execute.progress import Voice
from bench.execute.signals import Stopped
from bench.results.searches import searches_of
from bench.results.store import Store
from bench.suite.catalogue import Catalogue, ComponentInfo, DeviceInfo
from bench.suite.plan import Axis, Budget, Decide, Suite
from bench.suite.stored import suite_from_json
from bench.suite.tune import Range, Tune

OK = Ending({"status": "ok", "metrics": {"test_accuracy": 0.5, "total_seconds": 1.0}})
Words = list[Any]
Act = Callable[[tuple[str, ...], str], Words]


class RayError(Exception):
    """Of a worker or a node that is gone."""


class RayTaskError(RayError):
    """What the task raised."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class OutOfMemoryError(RayError):
    """Ray has ended the worker."""


def told(node: str) -> dict[str, Any]:
    """What a node says of itself: "1" and "2" are of one kind, "3" of another."""
    device = {"available": True, "reason": "", "source_sha256": "a" * 64, "is_host": True}
    return {
        "models": {name: {"source_sha256": "c" * 64} for name in "abc"},
        "datasets": {"synthetic": {"source_sha256": "d" * 64}},
        "devices": {"cpu": device},
        "plugins": {},
        "physical_cores": 4,
        "environment": {"facts": {"cpu": "fast" if node == "3" else "slow"}, "notes": {}},
        "worker_sha256": "e" * 64,
    }


def begun(node: str) -> Words:
    return [{"on": node}, {"began": told(node)}]


def ended(
    names: Sequence[str],
    how: Mapping[str, Ending] | None = None,
    *,
    alone: Sequence[str] = (),
    left: Sequence[str] = (),
) -> dict[str, Any]:
    """The last word of a node; `left`: what has not run."""
    there = [name for name in names if name not in (*alone, *left)]
    return {
        "ended": {
            names.index(name): {
                "ending": asdict((how or {}).get(name, OK)), "files": {0: f"record of {name}".encode()}, "log": b"",
            }
            for name in there
        },
        "alone": [names.index(name) for name in alone],
    }  # fmt: skip


def fine(names: tuple[str, ...], node: str) -> Words:
    return [*begun(node), {"progress": {"phase": "fit"}, "place": len(names) - 1}, ended(names)]


def lost(names: tuple[str, ...], node: str) -> Words:
    return [*begun(node), RayError()]


class Task:
    """What a node says, one word after the other."""

    def __init__(self, words: Words) -> None:
        self.words, self.cancelled = list(words), False

    def __next__(self) -> Any:
        if self.cancelled or not self.words:
            raise StopIteration
        return self.words.pop(0)


class Ray:
    """Ray as far as the runner asks for it, and its executor: each task does what the next act says."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, OutOfMemoryError=OutOfMemoryError)

    def __init__(self) -> None:
        self.ray = self
        self.acts: list[Act] = []
        self.handed: list[str] = []  # the models of each task: "abc"
        self.nodes_of: list[str] = []
        self.alive = {"1": {"CPU": 4.0}, "2": {"CPU": 4.0}, "3": {"CPU": 4.0}}

    def nodes(self) -> dict[str, dict[str, float]]:
        return dict(self.alive)

    def submit(self, order: Mapping[str, Any], needs: Needs) -> Task:
        names = tuple(job["request"]["trial"]["model"]["name"] for job in order["jobs"])
        node = min(set(needs.only or self.alive) - set(needs.never))
        self.handed.append("".join(names))
        self.nodes_of.append(node)
        return Task((self.acts.pop(0) if self.acts else fine)(names, node))

    def wait(self, tasks: Sequence[Task], *, num_returns: int, timeout: float) -> tuple[list[Task], list[Task]]:
        return list(tasks[:1]), list(tasks[1:])

    def get(self, word: Any) -> Any:
        if isinstance(word, BaseException):
            raise word
        return word

    def cancel(self, task: Task, *, force: bool = False) -> None:
        task.cancelled = True


@dataclass
class Played:
    """A run, and what it left."""

    ray: Ray
    cluster: Cluster
    folder: Path
    voice: Any
    place: str = "any"
    seeds: tuple[int, ...] = (0,)
    said: list[str] = field(default_factory=list)

    def prepared(self) -> ClusterPrepared:
        suite = Suite(
            name="x",
            title="x",
            axes=(
                Axis("dataset", (Component("synthetic"),)),
                Axis("model", tuple(map(Component, "abc"))),
                Axis("seed", self.seeds),
                Axis("batch_size", (64,)),
                Axis("device", ("cpu",)),
            ),
        )
        catalogue = Catalogue(
            models={name: ComponentInfo() for name in "abc"},
            datasets={"synthetic": ComponentInfo()},
            devices={"cpu": DeviceInfo(True)},
            environment=Environment({"cpu": "driver"}),
        )
        store = Store(self.folder / "x")
        store.refresh()
        options = Options(Path("x.toml"), executor="ray", place=self.place)
        return ClusterPrepared(suite, catalogue, store, options, cluster=self.cluster)

    def run(self, order: Callable[[ClusterPrepared, Plan], Order] = lambda _, plan: Order(plan)) -> dict[str, Result]:
        """Model, and seed where there are several → its result."""
        prepared = self.prepared()
        plan = prepared.plan()
        ClusterRunner(prepared, self.voice).run(plan, order(prepared, plan))
        return self.results()

    def results(self) -> dict[str, Result]:
        store = Store(self.folder / "x")
        new = store.refresh()
        found = {result.trial.model.name + str(result.trial.seed) * (len(self.seeds) > 1): result for result in new}
        assert len(found) == len(new), "a trial is there twice"
        for result in new:
            if result.status == "ok":
                path = store.artifact_path(result.run_id, result.trial_id)
                assert path.read_text() == f"record of {result.trial.model.name}"
        return found


class Listening(Voice):
    """Keeps what is said, and of which trials."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.progress_of: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, trial: Any, what: Any) -> None:
        self.progress_of.append(trial.model.name)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    ray, voice = Ray(), Listening()
    cluster = Cluster(ray, (), voice)  # type: ignore[arg-type]
    for node in ray.alive:
        cluster.groups.of(told(node), gpu=False, node=node)
    monkeypatch.setattr(cluster, "_look", lambda new: None)
    monkeypatch.setattr(runner, "WAIT_SECONDS", 0.0)
    cluster.refresh(now=True)
    return Played(ray, cluster, tmp_path, voice)


def test_the_trials_of_a_seed_are_one_task_and_their_results_one_group(played: Played) -> None:
    played.seeds = (0, 1)
    found = played.run()
    assert played.ray.handed == ["abc", "abc"]
    ids = [{found[f"{name}{seed}"].group_id for name in "abc"} for seed in (0, 1)]
    assert [len(each) for each in ids] == [1, 1]
    assert ids[0] != ids[1]
    assert "" not in ids[0] | ids[1]
    assert {result.status for result in found.values()} == {"ok"}
    assert played.voice.progress_of == ["c", "c"]  # its place, not the first one's
    assert [line.partition("]")[0] for line in played.voice.lines] == [f"[{number}/6" for number in range(1, 7)]


def test_a_lost_group_is_handed_out_again_as_one(played: Played) -> None:
    played.ray.acts = [lost]
    found = played.run()
    assert played.ray.handed == ["abc", "abc"]
    assert len({result.group_id for result in found.values()}) == 1
    assert "ray: a worker or node is gone (RayError); its trials run again" in played.voice.lines


def test_what_is_lost_with_every_worker_is_told_from_the_rest_of_its_group(played: Played) -> None:
    def poison(names: tuple[str, ...], node: str) -> Words:
        return (lost if "b" in names else fine)(names, node)

    played.ray.acts = [poison] * 20
    found = played.run()
    assert played.ray.handed == ["abc"] * 4 + ["a", "b", "c"]
    assert {name: result.status for name, result in found.items()} == {"a": "ok", "b": "crashed", "c": "ok"}
    assert found["b"].reason == "lost with its Ray worker or node 4 times (RayError)"
    assert {result.group_id for result in found.values()} == {""}
    assert played.voice.lines.count("ray: a worker or node is gone (RayError); its trials run again") == 3
    assert (
        played.voice.lines.count("ray: a worker or node is gone (RayError); its trials run again, each by itself") == 1
    )


def test_trials_that_had_too_little_memory_beside_others_run_again_each_by_itself(played: Played) -> None:
    played.ray.acts = [lambda names, node: [*begun(node), ended(names, alone="bc")]]
    found = played.run()
    assert played.ray.handed == ["abc", "b", "c"]
    assert {result.status for result in found.values()} == {"ok"}
    assert {result.group_id for result in found.values()} == {""}  # the first one had nobody to be compared with


def test_those_that_have_not_run_are_another_group(played: Played) -> None:
    played.ray.acts = [lambda names, node: [*begun(node), ended(names, left="bc")]]
    found = played.run()
    assert played.ray.handed == ["abc", "bc"]
    assert found["a"].group_id == ""  # it had the time for itself
    assert found["b"].group_id == found["c"].group_id != ""


def test_where_ray_ends_a_worker_for_memory_each_trial_runs_by_itself(played: Played) -> None:
    def eats(names: tuple[str, ...], node: str) -> Words:
        return [*begun(node), OutOfMemoryError()] if "b" in names else fine(names, node)

    played.ray.acts = [eats] * 20
    found = played.run()
    assert played.ray.handed == ["abc", "a", "b", "c"]
    assert {name: result.status for name, result in found.items()} == {"a": "ok", "b": "oom", "c": "ok"}
    assert "ray: a node has no more memory; its trials run again, each by itself" in played.voice.lines


def test_only_what_a_node_has_no_data_for_is_tried_on_the_others(played: Played) -> None:
    def lacks(names: tuple[str, ...], node: str) -> Words:
        return [*begun(node), ended(names, {"b": Ending(None, "skipped", "no such file")} if node != "3" else {})]

    played.ray.acts = [lacks] * 20
    found = played.run()
    assert list(zip(played.ray.handed, played.ray.nodes_of, strict=True)) == [("abc", "1"), ("b", "2"), ("b", "3")]
    assert {result.status for result in found.values()} == {"ok"}
    assert found["a"].group_id == found["c"].group_id != found["b"].group_id


def test_where_no_node_has_the_data_the_trial_is_skipped_once(played: Played) -> None:
    skipped = {"b": Ending(None, "skipped", "no such file")}
    played.ray.acts = [lambda names, node: [*begun(node), ended(names, skipped)]] * 20
    found = played.run()
    assert played.ray.handed == ["abc", "b", "b"]
    assert {name: result.status for name, result in found.items()} == {"a": "ok", "b": "skipped", "c": "ok"}
    assert found["b"].reason == "no such file (on fast, 4 cores)"


def test_a_node_with_a_full_disk_keeps_what_it_had_done_and_gets_no_more(played: Played) -> None:
    full = {"b": Ending({"status": "interrupted", "reason": "no space left"})}
    played.ray.acts = [lambda names, node: [*begun(node), ended(names, full, left="c")]]
    found = played.run()
    assert list(zip(played.ray.handed, played.ray.nodes_of, strict=True)) == [("abc", "1"), ("c", "2"), ("b", "2")]
    assert {result.status for result in found.values()} == {"ok"}
    assert "ray: a node gets no more trials: no space left" in played.voice.lines


def test_a_node_that_cannot_run_trials_loses_its_group_to_another(played: Played) -> None:
    played.ray.acts = [lambda names, node: [{"on": node}, RayTaskError(BenchError("no torch"))]]
    found = played.run()
    assert list(zip(played.ray.handed, played.ray.nodes_of, strict=True)) == [("abc", "1"), ("abc", "2")]
    assert {result.status for result in found.values()} == {"ok"}


def test_cells_that_belong_to_nodes_of_their_own_are_no_group(played: Played) -> None:
    fast = next(group for group in played.cluster.groups if group.nodes == {"3"})
    prepared = played.prepared()
    identifier = prepared.identifier().of(fast)
    writer = prepared.store.writer("before")
    for trial in played.prepared().suite.trials():
        if trial.model.name == "b":
            planned = identifier.planned(trial)
            writer.append(Result(trial, trial.trial_id, "before", planned.environment_id, planned.code_id, "ok"))
    writer.close()
    for path in (prepared.store.folder / "trials").iterdir():
        path.rename(path.with_name("before.jsonl"))
    played.place, played.seeds = "environment", (0, 1)
    played.ray.acts = [fine] * 20
    prepared = played.prepared()
    ClusterRunner(prepared, played.voice).run(plan := prepared.plan(), Order(plan))
    assert sorted(zip(played.ray.handed, played.ray.nodes_of, strict=True)) == [("ac", "1"), ("ac", "1"), ("b", "3")]


def test_new_cells_of_a_group_go_together_to_where_most_nodes_are(played: Played) -> None:
    played.place = "environment"
    groups = played.cluster.groups
    groups._groups = dict(reversed(groups._groups.items()))  # the smaller one is the first
    assert [group.nodes for group in groups] == [{"3"}, {"1", "2"}]
    found = played.run()
    assert list(zip(played.ray.handed, played.ray.nodes_of, strict=True)) == [("abc", "1")]
    assert len({result.group_id for result in found.values()}) == 1


def test_a_group_of_two_kinds_of_nodes_is_split_and_each_part_shares_the_time(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name: dict[str, NodeGroup] = {"a": (both := list(played.cluster.groups))[0], "b": both[1], "c": both[0]}
    monkeypatch.setattr(ClusterRunner, "_place", lambda self, trial: by_name[trial.model.name])
    played.place = "environment"
    found = played.run()
    assert list(zip(played.ray.handed, played.ray.nodes_of, strict=True)) == [("ac", "1"), ("b", "3")]
    assert found["a"].group_id == found["c"].group_id != ""
    assert found["b"].group_id == ""


def test_with_a_budget_each_trial_is_by_itself(played: Played) -> None:
    def order(prepared: ClusterPrepared, plan: Plan) -> Order:
        return Budgeted(plan, suite=prepared.suite, budget=Budget(100.0), results=(), left_seconds=lambda: 90.0)

    found = played.run(order)
    assert sorted(played.ray.handed) == ["a", "b", "c"]
    assert {result.group_id for result in found.values()} == {""}


def test_seeds_go_on_until_it_is_decided_a_round_on_the_nodes_at_a_time(played: Played) -> None:
    accuracies = {"a": 0.9, "b": 0.5, "c": 0.1}

    def act(names: tuple[str, ...], node: str) -> Words:
        number = len(played.ray.handed)
        said = {name: {"test_accuracy": accuracies[name] + 0.001 * (number % 3) * (name != "c")} for name in names}
        said = {name: metrics | {"total_seconds": 1.0} for name, metrics in said.items()}
        how = {name: Ending({"status": "ok", "metrics": metrics}) for name, metrics in said.items()}
        return [*begun(node), ended(names, how)]

    played.ray.acts, played.seeds = [act] * 20, (0, 1)
    prepared = played.prepared()
    prepared.suite = replace(prepared.suite, decide=Decide(most_seeds=7))
    runner = ClusterRunner(prepared, played.voice)
    trained = runner.run_all(prepared.plan(), began=0.0)
    seeds = {name: sum(key.startswith(name) for key in played.results()) for name in "abc"}
    assert trained == sum(seeds.values()) == prepared.suite.count()
    assert played.ray.handed[:4] == ["abc"] * 4
    assert [each.verdict for each in prepared.suite.decisions] == [
        "open",
        "different",
        "different",
    ]  # a and b: no spread
    assert seeds == {"a": 7, "b": 7, "c": played.ray.handed.count("abc")}
    stored = suite_from_json(Store(played.folder / "x").load_suite())
    assert (stored.decide, stored.decisions) == (prepared.suite.decide, prepared.suite.decisions)


def test_searches_run_on_the_nodes_and_are_counted_also_where_a_worker_is_lost(played: Played) -> None:
    def act(names: tuple[str, ...], node: str) -> Words:
        number = len(played.ray.handed)
        if number == 7:
            return lost(names, node)
        search = {"validation_accuracy": 1 / number, "epochs_trained": 10, "total_seconds": 2.0}
        own = {"test_accuracy": 0.5, "total_seconds": 1.0} if len(names) > 1 else search
        return [*begun(node), ended(names, {name: Ending({"status": "ok", "metrics": own}) for name in names})]

    played.ray.acts = [act] * 40
    prepared = played.prepared()
    rates = Range("train.learning_rate", low=0.01, high=1.0, log=True)
    prepared.suite = replace(prepared.suite, tune=Tune((rates,), trials=5))
    runner = ClusterRunner(prepared, played.voice)
    trained = runner.run_all(prepared.plan(), began=0.0)
    assert trained == 3 * 5 + 3
    store = Store(played.folder / "x")
    store.refresh()
    searches = searches_of(prepared.suite, store.searches)
    assert [len(search.tried) for search in searches] == [5, 5, 5]
    assert [search.seconds for search in searches] == [10.0] * 3
    assert sum(search.seconds for search in searches) == sum(e.metrics["total_seconds"] for e in store.searches)
    assert sorted(played.ray.handed[:16]) == sorted("abc" * 5 + played.ray.handed[6])
    assert all(search.done for search in searches)
    again = suite_from_json(store.load_suite())
    assert again.tune is not None
    assert prepared.suite.tune is not None
    assert again.tune.searches == prepared.suite.tune.searches


def test_a_stopped_run_stores_every_trial_of_what_is_under_way(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[Task] = []

    def wait(waiting: Sequence[Task], **_: Any) -> tuple[list[Task], list[Task]]:
        tasks[:] = waiting
        if len(waiting[0].words) == 1 and not waiting[0].cancelled:
            raise Stopped(signal.SIGINT)
        return [waiting[0]], list(waiting[1:])

    monkeypatch.setattr(played.ray, "wait", wait)
    played.ray.acts = [lambda names, node: [*begun(node), ended(names)]]
    with pytest.raises(Stopped):
        played.run()
    assert all(task.cancelled for task in tasks)
    found = played.results()
    assert {name: (result.status, result.reason) for name, result in found.items()} == dict.fromkeys(
        "abc", ("interrupted", "the run was stopped by SIGINT")
    )


def test_a_signal_that_comes_while_a_group_is_stored_waits_until_it_is(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(number: int, frame: object) -> None:
        raise Stopped(number)

    made, count = ClusterRunner.result, list[int]()

    def result(self: ClusterRunner, *arguments: Any, **more: Any) -> Result:
        count.append(1)
        if len(count) == 1:
            signal.raise_signal(signal.SIGINT)
        return made(self, *arguments, **more)

    monkeypatch.setattr(ClusterRunner, "result", result)
    before = signal.signal(signal.SIGINT, stop)
    try:
        with pytest.raises(Stopped):
            played.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert {result.status for result in played.results().values()} == {"ok"}
    assert len(played.results()) == 3


def test_where_no_node_is_left_every_trial_of_the_group_is_skipped(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(played.cluster, "needs", lambda *_, **__: None)
    found = played.run()
    assert {result.status for result in found.values()} == {"skipped"}
    assert {result.group_id for result in found.values()} == {""}
    assert found["a"].reason == "no node cpu is left in the cluster; run again when there is one"
