"""Rule 10 between two environments: what `bench duel` finds with real processes, and what it leaves behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.results.duels import folders_of
from bench.results.store import Store

SUITE = """
name = "real"
[grid]
dataset = ["digits"]
model = ["linear", "mlp"]
device = ["cpu"]
[train]
epochs = 2
threads = 1
"""


@pytest.fixture
def suite(project: Any) -> Path:
    path: Path = project.folder / "real.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def temporary(project: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything that the test starts puts what it needs for a while."""
    folder: Path = project.folder / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def git(folder: Path, *words: str) -> list[str]:
    named = ["-c", "user.name=me", "-c", "user.email=me@here", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def committed(project: Any) -> None:
    git(project.folder, "init", "-q")
    git(project.folder, "add", "*.toml", "*.py")
    git(project.folder, "commit", "-q", "-m", "first")


def test_two_identical_environments_learn_the_same_by_turns_and_leave_nothing_else(
    project: Any, suite: Path, temporary: Path, processes_with: Any
) -> None:
    options = "--rounds", 2, "--set", "measure.timing_seconds=0.1"
    done = project.bench("duel", suite, "--against", sys.executable, *options, MARK=str(temporary))
    assert done.code == 0, done.err
    assert "Nothing that is recorded differs" in done.out
    found = folders_of(project.results / "real-duel")
    assert found is not None
    a, b = (Store(folder) for folder in found)
    for side in (a, b):
        assert len(side.refresh()) == 4
    keys = [{(r.group_id, r.trial_id): r.metrics["test_loss"] for r in side.results} for side in (a, b)]
    assert keys[0] == keys[1]
    assert all(group for group, _ in keys[0])
    rounds = [set(r.samples["block_round"]) for r in (*a.results, *b.results)]
    assert all(len(each) >= 3 for each in rounds)
    assert not list(temporary.glob("bench-*"))
    assert not processes_with(str(temporary))


def test_a_signal_ends_both_sides_and_the_worktree(
    project: Any, suite: Path, temporary: Path, wait_for: Any, processes_with: Any
) -> None:
    hangs = project.suite("good", "hangs")
    committed(project)
    process = project.start("duel", hangs, "--against-ref", "HEAD", MARK=str(temporary))
    wait_for(lambda: '"status":"ok"' in "".join(p.read_text() for p in project.results.rglob("*-B.jsonl")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "stopped by SIGINT; the same command begins a new duel"
    assert len(git(project.folder, "worktree", "list")) == 1
    assert not list(temporary.glob("bench-*"))
    wait_for(lambda: not processes_with(str(temporary)))
    told = next(line for line in err.splitlines() if line.startswith("what is done is stored: "))
    shown = project.bench("compare", told.rpartition(" ")[2])
    assert shown.code == 0, shown.err
    assert "good" in shown.out


def test_a_duel_that_is_stopped_before_a_trial_has_ended_leaves_nothing(
    project: Any, temporary: Path, wait_for: Any
) -> None:
    process = project.start("duel", project.suite("hangs"), "--against", sys.executable, MARK=str(temporary))
    wait_for(lambda: any("suite.json" in path.name for path in project.results.rglob("*")))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert not list(project.results.rglob("*-duel"))
    assert not list(temporary.glob("bench-*"))


def test_a_side_that_waits_is_slower(project: Any, suite: Path, tmp_path: Path) -> None:
    """30 % of each step, in one of two environments that record nothing else. Needs a quiet machine."""
    from tests.benchmarks.beside.slower import slower_python

    done = project.bench("duel", suite, "--against", slower_python(tmp_path / "slower", share=0.3))
    assert done.code == 0, done.err
    print(done.out)
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.startswith(("linear ", "mlp "))}
    assert len(rows) == 2
    for row in rows.values():
        assert " slower " in row
        assert 0.65 < float(row.split()[2]) < 0.88
        assert "the same" in row
