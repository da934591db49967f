"""What the Ray executor is made of, as far as it needs no Ray: the code that travels, groups of nodes, who is there."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.base.records import Component, Environment, Result, Trial
from bench.cluster import boot, bundle, executor
from bench.cluster.node import data_root
from bench.cluster.nodes import Cluster, ClusterIdentifier, NodeGroup, NodeGroups, joined
from bench.errors import BenchError
from bench.execute.plan import Identifier, make_plan
from bench.suite.catalogue import Catalogue, ComponentInfo, DeviceInfo
from bench.suite.plan import Axis, Suite

SEEDS = (0, 1, 2)


def told(cpu: str, *, cores: int = 4, cuda: bool = False) -> dict[str, Any]:
    """What a node says of itself."""
    devices = {
        "cpu": {"available": True, "source_sha256": "a" * 64, "is_host": True},
        "cuda": {
            "available": cuda,
            "reason": "" if cuda else "no GPU",
            "source_sha256": "b" * 64,
            "rank": 20,
            "ray_gpus": 1,
        },
    }
    return {
        "models": {"linear": {"source_sha256": "c" * 64}},
        "datasets": {"synthetic": {"source_sha256": "d" * 64}},
        "devices": devices,
        "plugins": {},
        "physical_cores": cores,
        "environment": {"facts": {"cpu": cpu}, "notes": {}},
        "worker_sha256": "e" * 64,
    }


@pytest.fixture
def groups() -> NodeGroups:
    """Two nodes of a group, one of another, which has a GPU."""
    found = NodeGroups()
    found.of(told("slow"), gpu=False, node="1")
    found.of(told("slow"), gpu=False, node="2")
    found.of(told("fast"), gpu=False, node="3")
    found.of(told("fast", cuda=True), gpu=True, node="3")
    return found


@pytest.fixture
def suite() -> Suite:
    return Suite(
        name="x",
        title="x",
        axes=(
            Axis("dataset", (Component("synthetic"),)),
            Axis("model", (Component("linear"),)),
            Axis("seed", SEEDS),
            Axis("batch_size", (64,)),
            Axis("device", ("cpu",)),
        ),
    )


def own() -> Catalogue:
    """The driver's: it has no GPU, and is another machine."""
    return Catalogue(
        models={"linear": ComponentInfo()},
        datasets={"synthetic": ComponentInfo()},
        devices={"cpu": DeviceInfo(True), "cuda": DeviceInfo(False, "no GPU here", rank=20, ray_gpus=1)},
        environment=Environment({"cpu": "driver"}),
    )


def result_of(identifier: Identifier, trial: Trial, *, status: Any = "ok") -> Result:
    planned = identifier.planned(trial)
    ids = trial.trial_id, "run", planned.environment_id, planned.code_id
    return Result(trial, *ids, status, reason="" if status == "ok" else "x")


@pytest.fixture
def identify(groups: NodeGroups, suite: Suite) -> Callable[..., ClusterIdentifier]:
    def make(results: Any = (), *, cells: bool = False) -> ClusterIdentifier:
        return ClusterIdentifier(suite, joined(own(), list(groups)), groups=list(groups), results=results, cells=cells)

    return make


def test_nodes_that_are_alike_are_one_group(groups: NodeGroups) -> None:
    assert [(group.name, group.gpu, group.nodes) for group in groups] == [
        ("slow, 4 cores", False, {"1", "2"}),
        ("fast, 4 cores", False, {"3"}),
        ("fast, 4 cores", True, {"3"}),
    ]


def test_a_device_is_there_if_a_node_has_it(groups: NodeGroups) -> None:
    whole = joined(own(), list(groups))
    assert whole.devices["cuda"].available
    assert whole.best_device == "cuda"
    without = joined(own(), [group for group in groups if not group.gpu])
    assert without.devices["cuda"].reason == "no GPU (no node of the cluster has it)"


def test_a_trial_is_there_if_any_group_has_it(
    suite: Suite, groups: NodeGroups, identify: Callable[..., ClusterIdentifier]
) -> None:
    slow, fast, _ = groups
    one, two, _ = suite.trials()
    by = identify()
    results = [
        result_of(by.of(fast), one),
        result_of(by.of(slow), two, status="failed"),
        result_of(by.of(fast), two),
    ]
    plan = make_plan(suite.trials(), identify(results), results=results, retry=["failed"])
    assert plan.there == 2
    assert [planned.trial.seed for planned in plan.to_run] == [2]
    assert by.of(slow).planned(one).environment_id != by.of(fast).planned(one).environment_id


def test_with_cells_placed_a_trial_is_there_if_its_cells_group_has_it(
    suite: Suite, groups: NodeGroups, identify: Callable[..., ClusterIdentifier]
) -> None:
    slow, fast, _ = groups
    one, two, three = suite.trials()
    by = identify()
    results = [result_of(by.of(fast), one), result_of(by.of(fast), two), result_of(by.of(slow), three)]
    placed = identify(results, cells=True)
    assert placed.group_of_cell(three) is fast
    plan = make_plan(suite.trials(), placed, results=results)
    assert [planned.trial.seed for planned in plan.to_run] == [2]
    assert identify(cells=True).group_of_cell(one) is None


class Executor:
    """Ray as far as Cluster asks for it."""

    def __init__(self, nodes: dict[str, dict[str, float]]) -> None:
        self.alive = nodes

    def nodes(self) -> dict[str, dict[str, float]]:
        return dict(self.alive)


@pytest.fixture
def cluster(groups: NodeGroups, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    nodes = {"1": {"CPU": 8.0}, "2": {"CPU": 4.0}, "3": {"CPU": 16.0, "GPU": 8.0}}
    voice = SimpleNamespace(say=lambda line: None)
    found = Cluster(Executor(nodes), (), voice)  # type: ignore[arg-type]
    found.groups = groups
    monkeypatch.setattr(found, "_look", lambda new: None)
    found.refresh(now=True)
    return found


def test_a_task_asks_for_a_whole_node(cluster: Cluster) -> None:
    needs = cluster.needs("cpu", None)
    assert needs is not None
    assert needs.cpus == 4
    options = needs.options()
    assert options["num_gpus"] == 0
    assert options["resources"] == {executor.SLOT: 1}
    assert options["label_selector"] == {}
    gpu = cluster.needs("cuda", None)
    assert gpu is not None
    assert (gpu.cpus, gpu.options()["num_gpus"]) == (16, 1)


def test_a_task_is_kept_to_its_group_and_off_bad_nodes(cluster: Cluster, groups: NodeGroups) -> None:
    slow = next(iter(groups))
    cluster.give_up("2", "no disk")
    placed, free = cluster.needs("cpu", slow), cluster.needs("cpu", None)
    assert placed is not None
    assert free is not None
    assert placed.options()["label_selector"] == {"ray.io/node-id": "in(1)"}
    assert free.options()["label_selector"] == {"ray.io/node-id": "!in(2)"}
    assert cluster.needs("cpu", slow, avoid={"1"}) is None
    cluster.give_up("1", "no disk")
    with pytest.raises(BenchError, match="no node of the cluster can run trials: no disk"):
        cluster.give_up("3", "no disk")


def test_the_same_code_is_the_same_bundle_and_lies_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "mine" / "plugin.py"
    (plugin.parent / "inner").mkdir(parents=True)
    plugin.write_text("import beside\n")
    (plugin.parent / "inner" / "more.py").write_text("")
    (plugin.parent / ".hidden").mkdir()
    (plugin.parent / ".hidden" / "secret.py").write_text("")
    one, two = bundle.make_bundle([str(plugin)]), bundle.make_bundle([str(plugin)])
    assert one.content == two.content
    names = zipfile.ZipFile(io.BytesIO(one.content)).namelist()
    assert names == sorted(names)  # not in the order in which a disk or a hash gives them
    plugin.write_text("import other\n")
    assert bundle.make_bundle([str(plugin)]).sha256 != one.sha256

    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda reference: reference))
    folder = Path(boot.unpacked([one.content], one.sha256))
    assert (folder / one.plugins[str(plugin)]).read_text() == "import beside\n"
    assert (folder / "bench/_models/linear.py").is_file()
    assert (folder / "bench/cluster/node.py").is_file()
    assert len(list(folder.glob("plugins/*/inner/more.py"))) == 1
    assert not list(folder.rglob("secret.py"))
    assert not list(folder.rglob("*.pyc"))
    assert boot.unpacked([b"not needed again"], one.sha256) == str(folder)
    with pytest.raises(RuntimeError, match="not the code that was sent"):
        boot.unpacked([b"other"], two.sha256[::-1])


def test_a_plugin_beside_everything_one_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.py").write_text("")
    with pytest.raises(BenchError, match="give it a folder of its own"):
        bundle.make_bundle([str(tmp_path / "a.py")])


def test_where_a_node_looks_for_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    roots = {"given": None, "drivers": str(tmp_path)}
    assert data_root(roots) == tmp_path
    assert data_root(roots | {"drivers": str(tmp_path / "only there")}) == tmp_path / "home/.cache/bench"
    monkeypatch.setenv("BENCH_DATA", "/of/the/node")
    assert data_root(roots) == Path("/of/the/node")
    assert data_root(roots | {"given": "/given"}) == Path("/given")


def test_a_cluster_that_is_gone_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert executor.current_cluster() is None
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    assert executor.current_cluster() is None  # Ray leaves the file behind, and would try it for minutes
    with pytest.raises(BenchError, match="--address 127.0.0.1:1: no Ray cluster answers there"):
        executor.refuse_silent("127.0.0.1:1", asked=True)
    with pytest.raises(BenchError, match="ray job submit"):
        executor.refuse_silent("ray://head:10001", asked=True)


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"pip install 'bench-models\[ray\]'"):
        executor.RayExecutor()


def test_a_group_is_known_by_what_can_change_a_figure(groups: NodeGroups) -> None:
    slow = next(iter(groups))
    assert groups.of(told("slow"), gpu=False, node="9") is slow
    edited = told("slow")
    edited["models"]["linear"]["source_sha256"] = "f" * 64
    assert groups.of(edited, gpu=False, node="9") is not slow
    assert isinstance(slow, NodeGroup)
    assert replace(slow.catalogue, physical_cores=8) != slow.catalogue
