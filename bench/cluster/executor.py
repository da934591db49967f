"""The Ray executor: one group is one Ray task. Ray finds the node; there it runs as it does on this machine.

A task asks for all CPUs of a node (the fewest that one has), the GPUs that its device takes, and one of a resource
that every Ray node has one of without declaring it: so no node runs two at a time, whatever else it has. The lock of
the machine guards what Ray does not know of: two nodes on one machine, a run beside the cluster.
"""

import importlib.util
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.base import files
from bench.base.records import Json
from bench.cluster.bundle import Bundle, make_bundle
from bench.errors import BenchError
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor, Wanted
from bench.execute.executors.watch import OnProgress
from bench.execute.signals import signals_wait
from bench.registry import executor

INSTALL = "--executor ray: Ray is not installed here: pip install 'bench-models[ray]'"
ANSWER_SECONDS = 5.0
# Every node has one of each resource that is called so; Ray's own Serve spreads its replicas by it.
IMPLICIT = "node:__internal_implicit_resource_"
SLOT = f"{IMPLICIT}bench_measuring"
GPU_GLANCE = 0.001  # of a GPU: enough for Ray to make one visible to the task that looks what there is


@dataclass(frozen=True, slots=True)
class Needs:
    """What a task asks Ray for. `only`, `never`: ids of nodes that are alive."""

    cpus: float = 1
    gpus: int = 0
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        """For `.options()` of a Ray function. Lost tasks are ours to run again: Ray would not say that it does."""
        # An id by itself, without in(), is a hint to Ray's driver too, which ends where that node is gone.
        label = f"in({','.join(self.only)})" if self.only else f"!in({','.join(self.never)})" if self.never else ""
        return {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "resources": {SLOT: 1},
            "max_retries": 0,
            "scheduling_strategy": "SPREAD",
            "label_selector": {"ray.io/node-id": label} if label else {},
        }


@executor("ray")
class RayExecutor(Executor):
    """Runs jobs on a Ray cluster: the one at `address`, else the one that this machine is a node of, else its own.

    Needs the extra `ray`; BenchError says so.
    """

    def __init__(self, address: str | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise BenchError(INSTALL)
        self.address, self.told = address, ""
        self._ray: Any = None
        self._bundle: tuple[Any, Bundle] | None = None
        self._functions: dict[str, Any] = {}

    @property
    def ray(self) -> Any:
        """The module `ray`, connected."""
        self.start()
        return self._ray

    def start(self) -> None:
        """Connect; `told` says to what. Raises BenchError where nothing answers."""
        if self._ray is not None:
            return
        address = self.address or current_cluster()
        if address:
            refuse_silent(address, asked=self.address is not None)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with signals_wait():
            import ray

            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            own = {"include_dashboard": False, "address": "local"}
            try:
                ray.init(**(own if address is None else {"address": address}), **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise BenchError(f"--executor ray: no cluster: {error}") from error
            self._ray = ray
        self.told = f"ray: the cluster at {address}" if address else "ray: no cluster runs here; one of this machine"

    def nodes(self) -> dict[str, Mapping[str, float]]:
        """The nodes that are alive and may run something, with their resources."""
        with signals_wait():
            found: Iterable[Mapping[str, Any]] = self.ray.nodes()
        return {n["NodeID"]: n["Resources"] for n in found if n["Alive"] and n["Resources"].get("CPU", 0) >= 1}

    def look(self, node: str, *, gpu: bool, plugins: Sequence[str]) -> Any:
        """Reference to the catalogue of a node, as a task sees it that asks for a GPU, or for none."""
        options = {
            "num_cpus": 0,
            "num_gpus": GPU_GLANCE if gpu else 0,
            "max_retries": 0,
            "label_selector": {"ray.io/node-id": f"in({node})"},
        }
        reference, bundle = self._code(plugins)
        return self._remote("look", options, [reference], bundle.sha256, list(plugins), dict(bundle.plugins))

    def submit(self, order: dict[str, Json], needs: Needs) -> Any:
        """Begin a group. What comes back generates references to what happens to it (see boot.group)."""
        reference, bundle = self._code(order["plugins"])
        options = {"num_returns": "streaming", **needs.options()}
        return self._remote("group", options, [reference], bundle.sha256, order | {"places": dict(bundle.plugins)})

    def _code(self, plugins: Sequence[str]) -> tuple[Any, Bundle]:
        """The code, where the nodes can fetch it. Raises BenchError where it is too much."""
        if self._bundle is None:
            bundle = make_bundle(plugins)
            with signals_wait():
                self._bundle = (self.ray.put(bundle.content), bundle)
        return self._bundle

    def _remote(self, name: str, options: dict[str, Any], *arguments: Any) -> Any:
        """Call a function of `boot` on the cluster: by value, since the nodes may have no bench or another one."""
        import ray.cloudpickle

        from bench.cluster import boot

        with signals_wait():
            if name not in self._functions:  # Ray keeps each that it is given
                ray.cloudpickle.register_pickle_by_value(boot)
                self._functions[name] = self.ray.remote(getattr(boot, name))
            return self._functions[name].options(**options).remote(*arguments)

    def run(self, request: dict[str, Json], *, timeout_seconds: float, on_progress: OnProgress) -> Ending:
        """One job, to its end."""
        order = order_of([Wanted(request, timeout_seconds, on_progress)], given=request["data_root"])
        self._bundle = None  # plugins may be others than those of the job before
        cpus = min(node["CPU"] for node in self.nodes().values())
        needs = Needs(cpus, request.get("ray_gpus", 0))
        for reference in self.submit(order, needs):
            word = self.ray.get(reference)
            if "progress" in word:
                on_progress(word["progress"])
            elif "ended" in word:
                artifacts = [one.get("artifact") for one in (request, *request.get("others", ()))]
                ended = word["ended"][0]
                for number, content in ended["files"].items():
                    files.write(Path(artifacts[number]), content)
                if ended["log"] and request.get("log"):
                    files.write(Path(request["log"]), ended["log"])
                return Ending(**ended["ending"])
        return Ending(None, "crashed", "the task ended without a word")

    def close(self) -> None:
        """Leave the cluster: Ray ends what is left of ours on every node."""
        if self._ray is not None:
            with signals_wait():
                self._ray.shutdown()
            self._ray = self._bundle = None
            self._functions.clear()


def order_of(wanted: Sequence[Wanted], *, given: str | None, drivers: str = "") -> dict[str, Json]:
    """What a node is told of a group: its requests without the places of this machine. `given`: --data-root."""
    return {
        "jobs": [
            {
                "request": _without_places(each.request),
                "timeout_seconds": each.timeout_seconds,
                "timing_seconds": each.timing_seconds,
            }
            for each in wanted
        ],
        "plugins": list(wanted[0].request["plugins"]),
        "data_roots": {"given": given, "drivers": drivers},
    }


def _without_places(request: Mapping[str, Json]) -> dict[str, Json]:
    others = [{key: one[key] for key in ("trial", "attributes")} for one in request.get("others", ())]
    own = {key: request[key] for key in ("trial", "attributes", "locations", "fork_is_safe") if key in request}
    return own | {"others": others}


def current_cluster() -> str | None:
    """$RAY_ADDRESS, else the cluster that was started on this machine and still answers; None where there is none."""
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    told = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray" / "ray_current_cluster"
    try:
        address = told.read_text().strip()
    except OSError:
        return None
    return address if address and answers(address) else None  # it stays behind when a cluster is killed


def refuse_silent(address: str, *, asked: bool) -> None:
    """Raise BenchError where nothing answers: Ray itself would try for minutes."""
    name = f"--address {address}" if asked else f"RAY_ADDRESS={address}"
    if "://" in address:
        raise BenchError(
            f"{name}: give HOST:PORT of the cluster, on one of its nodes; from elsewhere: ray job submit "
            "--working-dir . -- python -m bench run …"
        )
    if address != "auto" and not answers(address):
        raise BenchError(f"{name}: no Ray cluster answers there; start one with: ray start --head")


def answers(address: str) -> bool:
    """Whether somebody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True
