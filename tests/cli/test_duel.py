"""`bench duel` within this process: trials are played, and what a worker is asked is answered right here."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Environment, Result, Trial
from bench.duel import run as duels
from bench.duel import sides
from bench.duel.run import repeats
from bench.errors import BenchError
from bench.execute.ask_worker import PACKAGE, Interpreter
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor, Wanted
from bench.results import doctor
from bench.results.doctor import SelfComparison
from bench.results.duels import folders_of
from bench.results.store import Store

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


class Played(Executor):
    """Trials that B trains at `factor` times the speed of A, by turns of 20 ms on a machine whose speed changes.

    `fails`: side and model → what becomes of such a trial instead; `alone`: there is no room for a second process.
    """

    def __init__(self, make: ModuleType) -> None:
        self.make, self.factor, self.alone = make, 0.9, False
        self.fails: dict[tuple[str, str], Ending] = {}
        self.groups: list[list[tuple[str, str, int]]] = []  # of each group: side, model, seed

    def start(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing to end."""

    def run(self, request: Any, *, timeout_seconds: float, on_progress: Any) -> Ending:
        raise AssertionError("a duel asks for groups")

    def run_group(self, wanted: Sequence[Wanted], *, told: Callable[[int, Ending], None]) -> frozenset[int]:
        trials = [Trial.from_json(each.request["trial"]) for each in wanted]
        who = [each.interpreter.side for each in wanted]
        self.groups.append([(s, t.model.name, t.seed) for s, t in zip(who, trials, strict=True)])
        machine = random.Random(len(self.groups))
        speeds = [machine.choice((1.0, 0.5)) for _ in range(12)]
        for place, (side, trial) in enumerate(zip(who, trials, strict=True)):
            if place and self.alone:
                break
            told(place, self.fails.get((side, trial.model.name)) or self.ending(side, trial, speeds))
        return frozenset()

    def ending(self, side: str, trial: Trial, speeds: Sequence[float]) -> Ending:
        draw = random.Random(f"{side}{trial.seed}{len(self.groups)}")
        metrics = dict(self.make.result_of(trial).metrics)
        speed = metrics["train_samples_per_second"] * (self.factor if side == "B" else 1.0)
        metrics["train_samples_per_second"] = speed * draw.gauss(1, 0.3)  # of a process by itself: who knows
        samples = {
            "block_seconds": [0.02 * draw.gauss(1, 0.01) for _ in speeds],
            "block_samples": [speed * share * 0.02 for share in speeds],
            "block_steps": [10.0 for _ in speeds],
            "block_round": [float(number) for number in range(len(speeds))],
        }
        return Ending({"status": "ok", "metrics": metrics, "samples": samples, "valid": True})


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
def answers(registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """`answers(protocol=0)`: what the worker of B says differently. Gives whom it was asked of, with which plugins."""

    def set_up(**changes: Any) -> list[Any]:
        asked: list[Any] = []

        class Asked:
            def __init__(self, plugins: Sequence[str], *, interpreter: Interpreter) -> None:
                asked.append((interpreter, tuple(plugins)))

            def answer(self) -> dict[str, Any]:
                return {key: value for key, value in (registered | changes).items() if value is not None}

        monkeypatch.setattr(sides, "catalogue_question", Asked)
        return asked

    return set_up


def stored(folder: Path) -> Iterator[list[Result]]:
    """The results of A and of B, in the order of time."""
    found = folders_of(folder / "results" / "mine-duel")
    assert found is not None
    for each in found:
        store = Store(each)
        store.refresh()
        yield sorted(store.results, key=lambda result: result.finished_at)


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the table by model."""
    return {line.split()[0]: line.split() for line in text.splitlines() if line.startswith(("linear ", "mlp "))}


def test_each_cell_has_five_pairs_and_the_sides_take_turns_to_begin(
    command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    done = command("duel", suite, "--against", sys.executable)
    assert done.code == 0, done.err
    assert Counter((side, model) for group in played.groups for side, model, _ in group) == {
        (side, model): 5 for side in "AB" for model in ("linear", "mlp")
    }
    assert all({side for side, *_ in group} == {"A", "B"} and len({who[1:] for who in group}) == 1
               for group in played.groups)  # fmt: skip
    assert [group[0][0] for group in played.groups] == ["A", "B"] * 5
    a, b = stored(tmp_path)
    assert len(a) == 10
    assert sorted(r.trial_id for r in a) == sorted(r.trial_id for r in b)
    groups = [Counter(result.group_id for result in side) for side in (a, b)]
    assert groups[0] == groups[1]
    assert set(groups[0].values()) == {1}
    assert "" not in groups[0]
    assert not {r.run_id for r in a} & {r.run_id for r in b}


def test_the_ratio_is_taken_in_pairs_and_stands_below_what_differs(command: Any, suite: Path, played: Played) -> None:
    done = command("duel", suite, "--against", sys.executable)
    found = rows(done.out)
    assert set(found) == {"linear", "mlp"}
    for words in found.values():
        assert words[1] == "5"
        assert float(words[2]) == pytest.approx(0.9, abs=0.01)
        assert "slower" in words
    assert "paired: both trained by turns, in the same rounds, 5 pairs of trials" in " ".join(done.out.split())
    assert "drift" not in done.out
    assert done.out.index("Nothing that is recorded differs") < done.out.index("ratio B / A  ")
    assert "the same" in " ".join(found["mlp"])  # the accuracy: a repeat of a seed is no other seed
    assert max(map(len, done.out.partition("results  ")[0].splitlines())) <= 80


def test_compare_shows_it_again_from_its_folder_and_from_that_of_several(
    command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    played.factor = 1.25
    command("duel", suite, "--against", sys.executable)
    played.factor = 0.9
    done = command("duel", suite, "--against", sys.executable)
    shown = done.out.partition("\nresults  ")[0]
    assert command("compare", "results/mine-duel").out == shown
    newest = sorted((tmp_path / "results/mine-duel").iterdir())
    assert command("compare", newest[-1]).out == shown
    assert {words[2] for words in rows(command("compare", newest[0]).out).values()} == {"1.25"}
    slower = command("compare", newest[-1], "--fail-on", "slower")
    assert slower.code == 3
    assert rows(command("compare", newest[-1], "--metric", "test_accuracy").out)["mlp"][2] == "1.00"
    apart = command("compare", newest[-1] / "A", newest[-1] / "B")
    assert apart.code == 0
    assert "paired: both trained by turns" in " ".join(apart.out.split())


def test_other_figures_are_not_in_pairs(command: Any, suite: Path, played: Played) -> None:
    command("duel", suite, "--against", sys.executable)
    done = command("compare", "results/mine-duel", "--metric", "step_seconds")
    assert "not paired: only training throughput is, round by round (Welch)." in " ".join(done.out.split())


def test_with_the_doctors_word_of_both_sides_a_side_is_called_the_same(
    command: Any, suite: Path, played: Played, registered: dict[str, Any], tmp_path: Path
) -> None:
    played.factor = 1.0
    done = command("duel", suite, "--against", sys.executable)
    assert "bench doctor --results DIR, with each side's Python." in " ".join(done.out.split())
    environment = Environment.from_json(registered["environment"])
    found = SelfComparison("mlp", "cpu", 2, [1.0], [1.0], 1.0, 0.9, 1.1, 0.02, 0.2)
    doctor.save(
        doctor.Doctor(
            finished_at="2026-01-02T00:00:00+00:00",
            environment=environment,
            environment_id=environment.identity(threads=2),
            threads=2,
            findings=(),
            comparisons=(found,),
            peaks={},
            advice=(),
        ),
        tmp_path / "results",
    )
    done = command("duel", suite, "--against", sys.executable)
    assert {words[-3] for words in rows(done.out).values()} == {"same"}, done.out
    assert "(bench doctor): 20" in " ".join(done.out.split())


@pytest.mark.parametrize("words", [["report"], ["status"], ["check"], ["history"], ["diagnose"], ["export"]])
@pytest.mark.parametrize("place", ["results/mine-duel", "results/mine-duel/*"])
def test_what_takes_one_folder_of_results_says_that_a_duel_has_two(
    words: list[str], place: str, command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    command("duel", suite, "--against", sys.executable, "--rounds", 1)
    (folder,) = (path.relative_to(tmp_path) for path in tmp_path.glob(place))
    done = command(*words, folder)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"{folder}: a duel lies there; bench compare {folder} shows it")
    assert "/A and results/mine-duel/" in done.err


def test_a_document_shows_a_duel(command: Any, suite: Path, played: Played, tmp_path: Path) -> None:
    command("duel", suite, "--against", sys.executable)
    document = tmp_path / "notes.md"
    document.write_text("# Notes\n<!-- bench:duel results=results/mine-duel -->\n<!-- /bench -->\n")
    assert command("publish", document).code == 0
    text = document.read_text()
    assert re.search(r"\| digits +\| mlp +\| cpu .*\| +0\.\d+ \S.*\| slower ", text), text
    assert "5 pairs of trials" in text
    assert "Source: results/mine-duel." in text
    assert command("publish", "--check", document).code == 0
    played.factor = 1.25
    command("duel", suite, "--against", sys.executable)
    assert command("publish", "--check", document).code == 1
    document.write_text(text.replace("bench:duel results", "bench:duel metric=test_accuracy results"))
    assert command("publish", document).code == 0
    assert re.search(r"\| mlp .*\| +1\.00 ", document.read_text())


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("models results=results/mine-duel", "a duel lies there: bench:duel shows it; other blocks show one of its"),
        ("duel results=results/mine", "no duel lies there: bench duel keeps each in a folder results/SUITE-duel/"),
        ("duel results=results/mine-duel model=mlp", "model: no such attribute"),
        ("duel results=results/mine-duel metric=speed", "speed"),
    ],
)
def test_a_block_of_the_wrong_kind_is_refused_in_one_line(
    block: str, said: str, command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    command("duel", suite, "--against", sys.executable, "--rounds", 1)
    (found,) = (tmp_path / "results/mine-duel").iterdir()
    shutil.copytree(found / "A", tmp_path / "results/mine")
    document = tmp_path / "notes.md"
    document.write_text(f"<!-- bench:{block} -->\n<!-- /bench -->\n")
    done = command("publish", document)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err


def test_a_folder_beside_itself_is_no_pair(command: Any, suite: Path, played: Played, tmp_path: Path) -> None:
    command("duel", suite, "--against", sys.executable)
    (folder,) = (tmp_path / "results/mine-duel").iterdir()
    assert "not paired" in command("compare", folder / "A", folder / "A").out


def test_rounds_say_how_often_the_trials_are_repeated(command: Any, suite: Path, played: Played) -> None:
    assert command("duel", suite, "--against", sys.executable, "--rounds", 3).code == 0
    assert Counter(group[0][1:] for group in played.groups) == {
        (model, seed): 3 for model in ("linear", "mlp") for seed in (0, 1)
    }
    assert command("duel", suite, "--against", sys.executable, "--rounds", 0).code == 2


@pytest.mark.parametrize(
    ("seeds", "rounds", "expected"),
    [
        ([0], None, [[0]] * 5),
        ([0, 1], None, [[0, 1], [0, 1], [0]]),
        ([3, 5, 7, 9, 11, 13], None, [[3, 5, 7, 9, 11]]),
        (range(6), 1, [[*range(6)]]),
        ([4], 2, [[4], [4]]),
    ],
)
def test_seeds_are_repeated_until_there_are_five_pairs(
    make: ModuleType, seeds: Sequence[int], rounds: int | None, expected: list[list[int]]
) -> None:
    trials = [trial for trial in make.Plan(seeds=seeds).trials() if trial.model.name == "mlp"]
    assert [[trial.seed for trial in repeat] for repeat in repeats(trials, rounds)] == expected


def test_seeds_that_train_side_by_side_are_one_pair(make: ModuleType) -> None:
    plan = make.Plan(seeds=[0, 1, 2], settings={"train.engine": ["vectorized"]})
    trials = [trial for trial in plan.trials() if trial.model.name == "mlp"]
    assert [[trial.seed for trial in repeat] for repeat in repeats(trials, None)] == [[0, 1, 2]] * 5


def test_a_trial_that_fails_on_one_side_is_told_and_its_cell_not_repeated(
    command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    played.fails["B", "mlp"] = Ending(None, "crashed", "the process was killed")
    done = command("duel", suite, "--against", sys.executable)
    assert done.code == 1
    assert re.search(r"B · digits · mlp · cpu · batch 64 · seed 0: crashed: the process was killed", done.err)
    assert "Only in A: digits · mlp (the other side: 2 crashed: the process was killed)." in " ".join(done.out.split())
    a, b = stored(tmp_path)
    assert Counter((r.trial.model.name, r.status) for r in b) == {("linear", "ok"): 5, ("mlp", "crashed"): 2}
    assert Counter((r.trial.model.name, r.status) for r in a) == {("linear", "ok"): 5, ("mlp", "ok"): 2}
    assert rows(done.out)["linear"][1] == "5"


def test_a_repeat_that_failed_on_one_side_moves_no_other_pair(
    command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    command("duel", suite, "--against", sys.executable, "--rounds", 4, "--only", "model=mlp")
    (folder,) = (tmp_path / "results/mine-duel").iterdir()
    second = sorted((folder / "B" / "trials").glob("*.jsonl"))[1]
    text = second.read_text()
    second.write_text(text.replace('"status":"ok"', '"status":"failed"').replace('"reason":""', '"reason":"no luck"'))
    done = command("compare", folder)
    assert rows(done.out)["mlp"][1] == "8/6"
    assert float(rows(done.out)["mlp"][2]) == pytest.approx(0.9, abs=0.01)
    assert "paired: both trained by turns, in the same rounds, 6 pairs of trials" in " ".join(done.out.split())


def test_where_there_is_no_room_for_both_they_run_one_after_the_other(
    command: Any, suite: Path, played: Played
) -> None:
    played.alone = True
    done = command("duel", suite, "--against", sys.executable, "--only", "model=mlp")
    assert done.code == 0
    assert [len(group) for group in played.groups] == [2, 1] * 5
    assert "not paired: the two sides ran one after the other (Welch)." in " ".join(done.out.split())


def test_trials_that_take_no_turns_run_one_after_the_other(command: Any, suite: Path, played: Played) -> None:
    done = command("duel", suite, "--against", sys.executable, "--only", "model=mlp", "--set", "measure.turns=1")
    assert done.code == 0
    assert [len(group) for group in played.groups] == [1] * 10


def test_what_b_lacks_has_failed_there_and_is_not_trained(
    command: Any, suite: Path, played: Played, registered: dict[str, Any], answers: Any, tmp_path: Path
) -> None:
    models = {name: each for name, each in registered["models"].items() if name != "mlp"}
    answers(models=models, plugins={"/home/me/wide.py": {"error": "wide.py: failed to import: no luck", "sha256": ""}})
    done = command("duel", suite, "--against", sys.executable)
    assert done.code == 1
    assert "B · digits · mlp · cpu · batch 64 · seed 1: failed: side B has no model mlp; wide.py: failed" in done.err
    a, b = stored(tmp_path)
    assert {r.trial.model.name for r in a} == {"linear"}
    assert {r.reason for r in b if r.status == "failed"} == {
        "side B has no model mlp; wide.py: failed to import: no luck"
    }
    assert rows(done.out)["linear"][1] == "5"


@pytest.mark.parametrize("lacks", ["datasets", "devices", "models"])
def test_where_b_has_nothing_of_it_there_is_no_table(
    lacks: str, command: Any, suite: Path, played: Played, answers: Any
) -> None:
    answers(**{lacks: {}})
    done = command("duel", suite, "--against", sys.executable)
    assert done.code == 1
    assert not played.groups
    assert {"datasets": "no data set digits", "devices": "no device cpu", "models": "no model linear"}[
        lacks
    ] in done.err
    assert "Traceback" not in done.err


def script(folder: Path, text: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("none/python", r"--against none/python: No such file or directory; give a Python"),
        (".", r"--against .: Permission denied; give a Python"),
        ("./mine.toml", r"--against ./mine.toml: Permission denied; give a Python"),
        ("true", r"--against true: it is no Python; give one"),
        ("echo", r"--against echo: it is no Python; give one"),
        ("echo 7", r"--against ./python: it is no Python; give one"),
        ("exit 3", r"--against ./python: it is no Python; give one"),
        ('echo \'{"version": [3, 8], "bench": null}\'', r"--against ./python: it is Python 3.8; bench needs 3.11"),
        ('echo \'{"version": [3, 12], "bench": null}\'', r"--against ./python: it has no bench; install one there: "),
        (f"unset PYTHONPATH; exec {sys.executable} -S -E -I \"$@\"", r"--against ./python: it has no bench"),
        ('echo \'{"version": [3, 12], "bench": "/no/bench/__init__.py"}\'', r"--against ./python: its bench takes no"),
    ],
)  # fmt: skip
def test_what_is_no_python_with_a_bench_is_refused_in_one_line(
    python: str, said: str, command: Any, suite: Path, played: Played, tmp_path: Path
) -> None:
    if " " in python:
        script(tmp_path, python)
        python = "./python"
    done = command("duel", suite, "--against", python)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert re.match(said, done.err), done.err
    assert not played.groups
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("protocol", "word"), [(None, "an older one"), (0, "an older one"), (99, "a newer one")])
def test_a_bench_that_speaks_otherwise_is_refused_in_one_line(
    protocol: int | None, word: str, command: Any, suite: Path, played: Played, answers: Any
) -> None:
    answers(protocol=protocol)
    done = command("duel", suite, "--against", sys.executable)
    assert done.code == 2
    assert done.err.startswith(
        f"--against {sys.executable}: its bench takes no part in a duel: it is {word} (protocol "
    )
    assert done.err.endswith(", this one's 1); bring both to one version\n")


def test_a_bench_that_lacks_a_package_is_refused_in_one_line_with_the_cure(
    command: Any, suite: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any, **__: Any) -> None:
        raise BenchError("models and devices cannot be listed: ModuleNotFoundError: No module named 'torch'")

    monkeypatch.setattr(sides, "catalogue_question", asked)
    done = command("duel", suite, "--against", sys.executable)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.endswith(
        f"No module named 'torch'; install what it needs there: {sys.executable} -m pip install -e CHECKOUT\n"
    )


@pytest.mark.parametrize("changes", [{"devices": {"cpu": {"odd": 1}}}, {"models": None}, {"environment": {}}])
def test_a_bench_that_says_what_cannot_be_read_is_refused_in_one_line(
    changes: dict[str, Any], command: Any, suite: Path, played: Played, answers: Any
) -> None:
    answers(**changes)
    done = command("duel", suite, "--against", sys.executable)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "its bench says what this one cannot read" in done.err


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=me", "-c", "user.email=me@here", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a suite and a plugin, of one commit."""
    root = tmp_path / "work"
    (root / "suites").mkdir(parents=True)
    (root / "suites" / "mine.toml").write_text(SUITE.replace("[grid]", 'plugins = ["../models.py"]\n[grid]'))
    (root / "models.py").write_text("# of the commit\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_commit_is_a_worktree_that_is_gone_afterwards(
    command: Any, repository: Path, played: Played, answers: Any
) -> None:
    asked = answers()
    (repository / "models.py").write_text("# as it is now\n")
    done = command("duel", "work/suites/mine.toml", "--against-ref", "HEAD")
    assert done.code == 0, done.err
    ((interpreter, (plugin,)),) = asked
    assert interpreter == Interpreter(package=PACKAGE, side="B")
    assert Path(plugin).name == "models.py"
    assert not Path(plugin).is_relative_to(repository)
    assert not Path(plugin).exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    commit = git(repository, "rev-parse", "HEAD")
    assert f"B  HEAD ({commit[:8]}) · " in done.out
    assert "A  the working tree · " in done.out


def test_a_commit_with_a_bench_of_its_own_is_that_bench(
    command: Any, repository: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, bool] = {}

    class Asked:
        def __init__(self, plugins: Sequence[str], *, interpreter: Interpreter) -> None:
            said["there"] = (interpreter.package / "worker" / "__init__.py").is_file()
            said["plugin"] = Path(plugins[0]).read_text() == "# of the commit\n"

        def answer(self) -> Mapping[str, Any]:
            return {}

    monkeypatch.setattr(sides, "catalogue_question", Asked)
    (repository / "models.py").write_text("# as it is now\n")
    (repository / "bench" / "worker").mkdir(parents=True)
    for name in ("__init__.py", "worker/__init__.py"):
        (repository / "bench" / name).write_text("")
    git(repository, "add", "bench")
    git(repository, "commit", "-q", "-m", "second")
    git(repository, "tag", "old")
    done = command("duel", "work/suites/mine.toml", "--against-ref", "old")
    assert said == {"there": True, "plugin": True}
    assert done.code == 2
    assert done.err.startswith("--against-ref old: its bench takes no part in a duel: it is an older one")


@pytest.mark.parametrize(
    ("suite", "ref", "said"),
    [
        ("work/suites/mine.toml", "none", r"--against-ref none: the repository of \S+ has no such commit\n"),
        ("work/suites/mine.toml", "--force", r"--against-ref --force: the repository of \S+ has no such commit\n"),
        ("work/suites/mine.toml", "HEAD:models.py", r"--against-ref HEAD:models.py: the repository of \S+ has no"),
        ("work/suites/mine.toml", "", r"--against-ref : the repository of \S+ has no such commit\n"),
        ("mine.toml", "HEAD", r"--against-ref HEAD: mine.toml lies in no repository"),
    ],
)
def test_what_is_no_commit_is_refused_in_one_line(
    suite: str, ref: str, said: str, command: Any, repository: Path, played: Played, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(SUITE)
    done = command("duel", suite, f"--against-ref={ref}")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert re.match(said, done.err), done.err
    assert not (tmp_path / "results").exists()


def test_a_duel_needs_an_opponent(command: Any, suite: Path, played: Played) -> None:
    done = command("duel", suite)
    assert done.code == 2
    assert done.err.startswith("bench duel: against what? give --against PYTHON, or --against-ref REF")
