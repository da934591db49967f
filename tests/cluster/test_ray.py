"""The Ray executor on a cluster of three nodes on this machine. Skips where Ray is not installed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="needs the extra ray: pip install 'bench-models[ray]'")
ROOT = Path(__file__).resolve().parents[2]
NODES = 3


WAITS = """
def waits():
    Path(FOLDER, "on-" + Path(os.environ["TMPDIR"]).name).touch()
    while not Path(FOLDER, "go").exists():
        time.sleep(0.05)

make("waits", waits)
"""


@dataclass
class Cluster:
    """The process that holds the nodes; see ray_nodes.py."""

    process: subprocess.Popen[str]
    address: str
    folder: Path

    def trial_processes(self) -> list[str]:
        """Templates and trials on its nodes."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (process / "cmdline").read_bytes()
                if b"bench.worker" in command and bytes(self.folder) in (process / "environ").read_bytes():
                    found.append(process.name)
        return found

    def kill(self, node: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"kill {node}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "killed\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One for all tests of this file: the one that kills a node is the last."""
    # Paths of sockets are at most 107 characters long, so not below the folder of the test.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ray_nodes.py")), str(NODES), "2", str(folder / "nodes")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, "the cluster does not start"
            yield Cluster(process, address, folder)
        finally:
            process.communicate("stop\n", timeout=60)
            shutil.rmtree(folder, ignore_errors=True)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("trials/*.jsonl") for line in path.read_text().splitlines()]


def curves_of(folder: Path) -> dict[str, Any]:
    """What no clock is in: accuracies and losses after every epoch, by trial."""
    wanted = ("test_accuracy", "test_loss", "train_loss")
    return {line["trial_id"]: [line["curves"][name] for name in wanted] for line in lines_of(folder)}


def groups_of(folder: Path) -> set[frozenset[str]]:
    """The trials that shared the time by turns."""
    found: dict[str, set[str]] = {}
    for line in lines_of(folder):
        assert line["group_id"], line["trial_id"]
        found.setdefault(line["group_id"], set()).add(line["trial_id"])
    return {frozenset(trials) for trials in found.values()}


def test_the_baseline_on_three_nodes_is_bitwise_that_of_this_machine(project: Any, cluster: Cluster) -> None:
    baseline = ROOT / "suites" / "baseline.toml"
    # One thread: three nodes share this machine, and threads that spin while they wait take its cores from each other.
    only = ("--only", "device=cpu", "--set", "train.threads=1")
    here, there = project.folder / "here", project.folder / "there"
    assert project.bench("run", baseline, "--results", here, *only).code == 0
    done = project.bench("run", baseline, "--results", there, *only, "--executor", "ray", "--address", cluster.address)
    assert done.code == 0, done.err
    assert "3 nodes" in done.err
    one, two = curves_of(here / "baseline"), curves_of(there / "baseline")
    assert len(one) == 30
    assert one == two
    identity = ("trial_id", "environment_id", "code_id")
    ids = [sorted([line[n] for n in identity] for line in lines_of(f / "baseline")) for f in (here, there)]
    assert ids[0] == ids[1]
    one_seed, also_there = groups_of(here / "baseline"), groups_of(there / "baseline")
    assert one_seed == also_there  # the same six of a seed had their turns together
    assert sorted(map(len, also_there)) == [6] * 5
    for line in lines_of(there / "baseline"):
        assert line["artifact_sha256"]
        assert (there / "baseline/artifacts" / line["run_id"] / f"{line['trial_id']}.h5").is_file()
    assert project.bench("check", there / "baseline").code == 0
    again = project.bench("run", baseline, "--results", there, *only, "--executor", "ray", "--address", cluster.address)
    assert "0 to train · 30 there already" in again.err


def test_the_driver_is_killed_and_the_same_command_goes_on(
    project: Any, cluster: Cluster, wait_for: Callable[..., None]
) -> None:
    suite = project.suite("good", seeds=", ".join(map(str, range(12))))
    arguments = ("run", suite, "--results", project.results, "--executor", "ray", "--address", cluster.address)
    run = project.start(*arguments)
    while not run.stderr.readline().startswith("[4/12]"):
        assert run.poll() is None
    run.kill()
    run.communicate()
    wait_for(lambda: not cluster.trial_processes())
    before = {line["trial_id"] for line in lines_of(project.results / "mine")}
    assert 4 <= len(before) < 12
    again = project.bench(*arguments)
    assert again.code == 0, again.err
    assert f"{12 - len(before)} to train · {len(before)} there already" in again.err
    assert sorted(Counter(line["trial_id"] for line in lines_of(project.results / "mine")).values()) == [1] * 12


def test_sigint_ends_it_and_leaves_the_cluster_as_it_was(
    project: Any, cluster: Cluster, wait_for: Callable[..., None]
) -> None:
    suite = project.suite("good", "hangs")
    arguments = ("run", suite, "--results", project.results, "--executor", "ray", "--address", cluster.address)
    run = project.start(*arguments, "--set", "measure.turns=1")
    while "good" not in (line := run.stderr.readline()) or "accuracy" not in line:
        assert run.poll() is None
    assert cluster.trial_processes()
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    status = {line["trial"]["model"]["name"]: line["status"] for line in lines_of(project.results / "mine")}
    assert status == {"good": "ok", "hangs": "interrupted"}
    wait_for(lambda: not cluster.trial_processes())
    assert project.bench(*arguments, "--timeout", "1").code == 1  # the cluster takes the next run
    assert not list(cluster.folder.glob("nodes/*/bench-ray-*"))


def test_sigint_ends_all_that_share_the_time_and_stores_them_as_interrupted(
    project: Any, cluster: Cluster, wait_for: Callable[..., None]
) -> None:
    suite = project.suite("good", "waits", "chatty")
    with (project.folder / "models.py").open("a") as file:
        file.write(f"\nfrom pathlib import Path\nFOLDER = {str(project.folder)!r}\n{WAITS}")
    arguments = ("run", suite, "--results", project.results, "--executor", "ray", "--address", cluster.address)
    run = project.start(*arguments)
    wait_for(lambda: list(project.folder.glob("on-*")))  # and "good", which was set up before, is asleep
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    told = {
        line["trial"]["model"]["name"]: (line["status"], line["reason"]) for line in lines_of(project.results / "mine")
    }
    assert told == dict.fromkeys(("good", "waits", "chatty"), ("interrupted", "the run was stopped by SIGINT"))
    wait_for(lambda: not cluster.trial_processes())
    (project.folder / "go").touch()
    again = project.bench(*arguments)
    assert again.code == 0, again.err
    assert "3 to train" in again.err


def test_the_code_of_plugins_travels_and_what_they_print_comes_back(project: Any, cluster: Cluster) -> None:
    (project.folder / "beside.py").write_text("WORD = 'hello from beside'\n")
    suite = project.suite("speaks", "raises")
    with (project.folder / "models.py").open("a") as file:
        file.write("\nimport beside\nmake('speaks', lambda: print(beside.WORD, __file__))\n")
    done = project.run(suite, "--executor", "ray", "--address", cluster.address)
    assert done.code == 1
    line = next(line for line in lines_of(project.results / "mine") if line["status"] == "ok")
    log = (project.results / "mine" / "logs" / line["run_id"] / f"{line['trial_id']}.log").read_text()
    assert "hello from beside" in log
    assert "bench-code" in log  # not the file that lies here
    assert str(project.folder) not in log
    failed = next(line for line in lines_of(project.results / "mine") if line["status"] == "failed")
    assert "no such luck" in failed["traceback"]


def test_data_that_no_node_has_is_told_with_the_kind_of_node(project: Any, cluster: Cluster) -> None:
    suite = project.suite("good")
    suite.write_text(suite.read_text().replace('{ name = "synthetic", train = 256, test = 64 }', '"mnist"'))
    empty = project.folder / "empty"
    empty.mkdir()
    done = project.run(suite, "--executor", "ray", "--address", cluster.address, "--data-root", empty)
    assert done.code == 0, done.err
    (line,) = lines_of(project.results / "mine")
    assert line["status"] == "skipped"
    assert "core" in line["reason"].rpartition("(on ")[2]


def test_a_cell_stays_on_one_kind_of_node(project: Any, cluster: Cluster) -> None:
    suite = project.suite("good", "chatty", seeds="0, 1, 2")
    done = project.run(suite, "--executor", "ray", "--address", cluster.address, "--place", "environment")
    assert done.code == 0, done.err
    assert sorted(Counter(line["trial_id"] for line in lines_of(project.results / "mine")).values()) == [1] * 6
    assert sorted(map(len, groups_of(project.results / "mine"))) == [2] * 3


def test_trials_of_a_seed_take_turns_on_a_node_and_their_ratios_are_paired(project: Any, cluster: Cluster) -> None:
    suite = project.suite("good", "chatty", seeds="0, 1", extra='[report]\nbaseline = "good"\n')
    done = project.run(suite, "--executor", "ray", "--address", cluster.address, report=True)
    assert done.code == 0, done.err
    groups = groups_of(project.results / "mine")
    assert sorted(map(len, groups)) == [2, 2]
    for line in lines_of(project.results / "mine"):
        assert len(set(line["samples"]["block_round"])) >= 5  # those for timing alone count
    report = (project.results / "mine/report/report.md").read_text()
    assert "paired: both trained by turns, in the same rounds, 2 seeds" in report


def test_a_trial_that_fails_leaves_the_others_of_its_group_theirs(project: Any, cluster: Cluster) -> None:
    suite = project.suite("raises", "good", "dies", "chatty")
    done = project.run(suite, "--executor", "ray", "--address", cluster.address)
    assert done.code == 1
    found = {line["trial"]["model"]["name"]: line for line in lines_of(project.results / "mine")}
    assert {name: line["status"] for name, line in found.items()} == {
        "raises": "failed", "good": "ok", "dies": "crashed", "chatty": "ok"
    }  # fmt: skip
    assert found["good"]["group_id"] == found["chatty"]["group_id"] != ""


def test_a_cell_that_trains_side_by_side_is_one_task(project: Any, cluster: Cluster) -> None:
    suite = project.suite("linear", seeds="0, 1, 2", extra='engine = "vectorized"\n')
    done = project.run(suite, "--executor", "ray", "--address", cluster.address)
    assert done.code == 0, done.err
    found = lines_of(project.results / "mine")
    assert sorted(line["trial"]["seed"] for line in found) == [0, 1, 2]
    assert len({line["started_at"] for line in found}) == 1
    assert all(line["artifact_sha256"] for line in found)


def test_a_node_is_killed_and_each_trial_is_there_once(project: Any, cluster: Cluster) -> None:
    suite = project.suite("waits", "dies", seeds="0, 1, 2, 3, 4, 5")
    with (project.folder / "models.py").open("a") as file:
        file.write(f"\nfrom pathlib import Path\nFOLDER = {str(project.folder)!r}\n{WAITS}")
    run = project.start("run", suite, "--results", project.results, "--executor", "ray", "--address", cluster.address)
    try:
        while len(list(project.folder.glob("on-*"))) < NODES:
            assert run.poll() is None
            time.sleep(0.1)
        cluster.kill(1)
        # Not before: a worker may outlive its node by a second, and what it brings back then is a result.
        while "its trials run again" not in (line := run.stderr.readline()):
            assert line, "the loss was never told"
        (project.folder / "go").touch()
        _, err = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode == 1, err
    found = lines_of(project.results / "mine")
    assert Counter(line["trial_id"] for line in found).most_common(1)[0][1] == 1
    # A trial that kills its own process is a result, and is not tried again.
    status = Counter((line["trial"]["model"]["name"], line["status"], line["reason"]) for line in found)
    assert status == {("waits", "ok", ""): 6, ("dies", "crashed", "the process was killed by SIGKILL"): 6}
