"""`bench gate` within this process: on folders of results, and measuring with trials that are played."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.base.answers import Answers
from bench.base.records import Trial, digest
from bench.duel import run as duels
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor, Wanted
from bench.gate import rounds as gate_rounds
from bench.results.duels import folders_of

SUITE = """
name = "mine"
[grid]
dataset = ["digits"]
model = ["linear", "mlp"]
seed = [0, 1]
device = ["cpu"]
[train]
epochs = 1
threads = 1
"""
EXAMPLES = 2000


class Played(Executor):
    """Trials of both sides by turns, on a machine whose speed changes. Side A, which runs the command and is AFTER, is
    `factor` times as fast, and in `less` of the test examples wrong where B is right; mlp alone, the other is equal.

    `status`: how a trial of mlp ends on side A; `disturbed`: the remainders of seeds by four whose trials ran beside
    other programs."""

    def __init__(self, make: ModuleType) -> None:
        self.make, self.factor, self.less, self.noise = make, 1.0, 0.0, 0.01
        self.status, self.disturbed = "ok", frozenset[int]()
        self.seeds: list[tuple[str, int]] = []  # model and seed of each pair

    def start(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing to end."""

    def run(self, request: Any, *, timeout_seconds: float, on_progress: Any) -> Ending:
        raise AssertionError("a gate asks for groups")

    def run_group(self, wanted: Sequence[Wanted], *, told: Callable[[int, Ending], None]) -> frozenset[int]:
        trials = [Trial.from_json(each.request["trial"]) for each in wanted]
        self.seeds.append((trials[0].model.name, trials[0].seed))
        machine = random.Random(len(self.seeds))
        speeds = [machine.choice((1.0, 0.5)) for _ in range(6)]
        for place, each in enumerate(wanted):
            told(place, self.ending(each.interpreter.side, trials[place], speeds))
        return frozenset()

    def ending(self, side: str, trial: Trial, speeds: Sequence[float]) -> Ending:
        changed = side == "A" and trial.model.name == "mlp"
        if changed and self.status != "ok":
            return Ending({"status": self.status, "reason": "no luck", "metrics": {"total_seconds": 1.0}})
        draw = random.Random(f"{side}{trial.trial_id}")
        right = np.random.default_rng(trial.seed).random(EXAMPLES) < 0.9
        if changed and self.less:
            right &= np.random.default_rng(trial.seed + 999).random(EXAMPLES) > self.less
        metrics = dict(self.make.result_of(trial).metrics) | {"test_accuracy": int(right.sum()) / EXAMPLES}
        metrics |= {"test_loss": 1 - metrics["test_accuracy"], "train_loss": 0.1}
        speed = 1e5 * (self.factor if changed else 1.0) * draw.gauss(1, self.noise)
        samples = {
            "block_seconds": [0.02 for _ in speeds],
            "block_samples": [speed * share * 0.02 for share in speeds],
            "block_steps": [10.0 for _ in speeds],
            "block_round": [float(number) for number in range(len(speeds))],
        }
        answers = Answers.of(right, test_set=digest("one"), trained_on=9000)
        assert answers is not None
        said: dict[str, Any] = {"status": "ok", "metrics": metrics | {"train_samples_per_second": speed}}
        notes = [self.make.NOT_ALONE] if trial.seed % 4 in self.disturbed else []
        said |= {"samples": samples, "valid": not notes, "validity_notes": notes, "answers": answers.to_json()}
        return Ending(said)


@pytest.fixture
def played(make: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Played:
    executor = Played(make)
    monkeypatch.setattr(duels, "LocalExecutor", lambda *interpreters: executor)
    return executor


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(SUITE)
    return tmp_path / "mine.toml"


@pytest.fixture
def gate(command: Any, suite: Path) -> Callable[..., Any]:
    """`gate("--most", "10m")` measures the suite against this very interpreter."""
    return lambda *words: command("gate", suite, "--against", sys.executable, *words)


def test_two_equal_sides_are_kept_once_speed_and_accuracy_are_decided(
    gate: Any, command: Any, played: Played, tmp_path: Path
) -> None:
    done = gate()
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert said.startswith("keep: AFTER is no worse than BEFORE in both cells, to within 0.005 of accuracy and 2 %")
    counts = Counter(model for model, _ in played.seeds)
    assert all(4 <= count <= 20 for count in counts.values())
    assert sorted(seed for model, seed in played.seeds if model == "mlp") == list(range(counts["mlp"]))
    assert f"round {max(counts.values())}: 0 of 2 cells open" in done.err
    shown = "results" + done.out.rpartition("\nresults")[2]
    assert max(map(len, done.out.partition("\nresults ")[0].splitlines())) <= 80
    assert "results/mine-duel/" in shown
    found = folders_of(tmp_path / "results" / "mine-duel")
    assert found is not None
    kept = json.loads((found[0].parent / "gate.json").read_text())
    assert (kept["verdict"], kept["live"], kept["rounds"]) == ("keep", True, max(counts.values()))
    again = command("gate", "results/mine-duel", "--json")
    assert again.code == 0
    assert json.loads(again.out)["cells"] == kept["cells"]


@pytest.mark.parametrize(("factor", "less"), [(0.9, 0.0), (1.0, 0.05)])
def test_what_is_slower_or_less_accurate_is_reverted_as_soon_as_it_is_shown(
    gate: Any, command: Any, played: Played, factor: float, less: float
) -> None:
    played.factor, played.less = factor, less
    done = gate("--markdown")
    assert done.code == 3, done.err
    assert done.out.startswith("### ❌ revert: AFTER is worse than BEFORE in 1 of 2 cells: mlp, ")
    assert Counter(model for model, _ in played.seeds)["mlp"] <= 12
    assert command("gate", "results/mine-duel").code == 3
    assert (
        command("compare", "results/mine-duel", "--fail-on", "slower,accuracy").code == 0
    )  # B is before: it is better


def test_a_revert_ends_it_whatever_else_is_open(gate: Any, played: Played) -> None:
    played.factor, played.noise = 0.3, 0.1
    assert gate().code == 3
    counts = Counter(model for model, _ in played.seeds)
    assert counts["linear"] == counts["mlp"] <= 6


def test_seeds_that_train_side_by_side_are_one_pair(make: ModuleType) -> None:
    plan = make.Plan(seeds=[0, 1, 5], settings={"train.engine": ["vectorized"]}, models=make.Plan().axes[1].values[:1])
    (cell,) = gate_rounds.cells_of(plan).values()
    assert [[trial.seed for trial in cell.of_round(number)] for number in range(2)] == [[0, 1, 5], [6, 7, 8]]


def test_it_is_after_that_is_judged(gate: Any, command: Any, played: Played) -> None:
    played.factor = 1.3
    done = gate()
    assert done.code == 0
    assert "speed" in done.out


def test_a_cell_that_is_decided_is_measured_no_more(gate: Any, played: Played) -> None:
    played.less = 0.02
    gate("--slower", "off", "--set", "grid.seed=[7]")
    counts = Counter(model for model, _ in played.seeds)
    assert counts["linear"] < counts["mlp"]
    assert [seed for model, seed in played.seeds if model == "linear"] == [7 + n for n in range(counts["linear"])]


@pytest.mark.parametrize("words", [("gate",), ("duel", "--rounds", "1")])
def test_the_suites_own_rounds_of_seeds_are_none_of_theirs(
    command: Any, suite: Path, played: Played, tmp_path: Path, words: tuple[str, ...]
) -> None:
    suite.write_text(f"{SUITE}\n[decide]\nmost_seeds = 8\n")
    name, *rest = words
    assert command(name, suite, "--against", sys.executable, *rest).code == 0
    found = folders_of(tmp_path / "results" / "mine-duel")
    assert found is not None
    assert [json.loads((side / "suite.json").read_text()).get("decide") for side in found] == [None, None]


def test_it_ends_in_time(gate: Any, played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 10.0
        return now[0]

    monkeypatch.setattr(gate_rounds.Rounds.__init__, "__kwdefaults__", {"clock": clock})
    played.disturbed = frozenset(range(4))
    done = gate("--most", "90s")
    assert done.code == 4
    assert "no further round would have ended in time" in " ".join(done.out.split())
    assert "timings are disturbed by other programs: such pairs do not count" in done.err
    assert "End what else runs on the machine, and measure again." in done.out
    assert 2 <= Counter(model for model, _ in played.seeds)["mlp"] <= 4


def test_a_disturbed_pair_does_not_count(gate: Any, played: Played) -> None:
    played.disturbed, played.factor = frozenset({0, 1, 3}), 0.8
    done = gate()
    assert done.code == 3
    pairs = Counter(model for model, _ in played.seeds)["mlp"]
    (row,) = (line.split() for line in done.out.splitlines() if line.startswith("mlp") and "speed" in line)
    assert 4 <= int(row[2]) <= 6
    assert pairs >= 4 * (int(row[2]) - 1)
    assert "Left out of the speeds:" in done.out


def test_only_what_is_asked_for_is_judged(gate: Any, played: Played) -> None:
    played.disturbed = frozenset(range(4))
    assert gate("--slower", "off").code == 0
    assert Counter(model for model, _ in played.seeds) == {"linear": 3, "mlp": 3}  # the same losses in three seeds
    assert gate("--within", "off", "--most", "1s").code == 4


def test_what_fails_after_the_change_in_every_seed_is_reverted(gate: Any, played: Played) -> None:
    played.status = "failed"
    done = gate("--slower", "off")
    assert done.code == 3
    assert "mlp, all 3 seeds of AFTER failed, and ended well in BEFORE." in " ".join(done.out.split())


def test_what_the_machine_ended_is_undecided_and_named(gate: Any, played: Played) -> None:
    played.status = "oom"
    done = gate()
    assert done.code == 4
    assert "Seed 0 of AFTER ended as oom: no luck." in " ".join(done.out.split())
    assert Counter(model for model, _ in played.seeds)["mlp"] == 1


def test_the_two_sides_of_a_stored_duel_may_be_given(command: Any, suite: Path, played: Played, tmp_path: Path) -> None:
    played.factor = 0.9
    assert (
        command("duel", suite, "--against", sys.executable, "--set", "grid.seed=[0,1,2,3,4,5,6,7]", "--rounds", 1).code
        == 0
    )
    found = folders_of(tmp_path / "results" / "mine-duel")
    assert found is not None
    a, b = found
    assert command("gate", b, a).code == 3
    assert command("gate", a, b, "--slower", "off").code == 0
    assert command("gate", "results/mine-duel").code == 3
    same = command("gate", a, a)
    assert same.code == 4
    assert "8 measurements stand on both sides" in " ".join(same.out.split())
