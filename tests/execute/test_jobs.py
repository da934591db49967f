"""Which trials share a process, and what becomes of all of them when it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component, MeasureSettings, Result, TrainSettings, Trial
from bench.execute.executors.exit_status import Ending
from bench.execute.jobs import Group, StatusFile, group_id, groups, jobs, outcomes, scratch, timeout_seconds
from bench.execute.plan import Planned, estimate_seconds
from bench.results.status import statuses
from bench.results.store import Store


def planned(model: str, seed: int, engine: str = "vectorized", **changes: Any) -> Planned:
    train = TrainSettings(engine=engine)  # type: ignore[arg-type]
    trial = Trial(Component("digits"), Component(model), seed, 64, "cpu", train, MeasureSettings(timeout_seconds=10))
    return replace(Planned(trial, "environment", "code", {}), **changes)


def test_only_seeds_of_one_cell_share_a_process_and_only_with_an_engine_that_trains_them_at_once() -> None:
    grid = [planned(model, seed, engine) for seed in (0, 1, 2) for engine in ("eager", "vectorized") for model in "ab"]
    found = [[(p.trial.model.name, p.trial.train.engine, p.trial.seed) for p in job] for job in jobs(grid)]
    assert found[:4] == [
        [("a", "eager", 0)],
        [("b", "eager", 0)],
        [("a", "vectorized", 0), ("a", "vectorized", 1), ("a", "vectorized", 2)],
        [("b", "vectorized", 0), ("b", "vectorized", 1), ("b", "vectorized", 2)],
    ]
    assert sorted(each for job in found for each in job) == sorted(
        (p.trial.model.name, p.trial.train.engine, p.trial.seed) for p in grid
    )
    assert len(jobs([planned("a", 0), planned("a", 1, code_id="edited")])) == 2


def eager(model: str = "a", seed: int = 0, **changes: Any) -> Planned:
    trial = replace(planned(model, seed, "eager").trial, **changes)
    return replace(planned(model, seed), trial=trial)


def names(found: list[Group]) -> list[str]:
    """`ab` for a group of the models a and b."""
    return ["".join(each.trial.model.name for job in group for each in job) for group in found]


def test_trials_of_one_seed_device_and_number_of_threads_share_the_time() -> None:
    grid = [eager(model, seed) for seed in (0, 1) for model in "abc"]
    assert names(groups(jobs(grid))) == ["abc", "abc"]
    others = [eager("a"), eager("b", device="cuda"), replace(eager("c"), environment_id="of 1 thread"), eager("d")]
    assert names(groups(jobs(others))) == ["ad", "b", "c"]
    one_by_one = [eager(model, measure=MeasureSettings(turns=1)) for model in "abc"]
    assert names(groups(jobs(one_by_one))) == ["a", "b", "c"]


def test_what_works_beside_its_own_turn_or_has_no_seed_of_its_own_is_by_itself() -> None:
    workers = TrainSettings(loader="dataloader", num_workers=2)
    loaded = TrainSettings(loader="dataloader")
    grid = [eager("a"), eager("w", train=workers), eager("l", train=loaded), planned("v", 0), planned("v", 1)]
    assert names(groups(jobs(grid))) == ["al", "w", "vv"]


def test_a_group_that_is_too_large_is_cut_by_data_set_then_by_batch_size_then_anywhere() -> None:
    data = [eager(model, dataset=Component(name)) for name in ("digits", "mnist") for model in "abcde"]
    assert names(groups(jobs(data))) == ["abcde", "abcde"]
    batches = [eager(model, batch_size=size) for size in (64, 256) for model in "abcde"]
    assert names(groups(jobs(batches))) == ["abcde", "abcde"]
    assert names(groups(jobs([eager(model) for model in "abcdefghi"]))) == ["abcd", "efghi"]
    two = [eager(model, measure=MeasureSettings(turns=2)) for model in "abcde"]
    assert names(groups(jobs(two))) == ["a", "bc", "de"]


def test_only_those_that_shared_the_time_have_a_group() -> None:
    pair, other, alone = groups(jobs([eager("a"), eager("b"), eager("a", 1), eager("b", 1), eager("a", 2)]))
    assert group_id(pair, "run") == group_id(pair, "run") != group_id(other, "run")
    assert group_id(pair, "another run") != group_id(pair, "run")
    assert len(group_id(pair, "run")) == 16
    assert group_id(alone, "run") == ""


def test_a_job_may_take_as_long_as_its_trials_one_after_the_other() -> None:
    assert timeout_seconds([planned("a", seed).trial for seed in range(3)]) == 30


def test_an_ending_without_a_word_is_that_of_every_trial() -> None:
    assert [each["status"] for each in outcomes(Ending(None, "timeout", "not done"), 3)] == ["timeout"] * 3
    said = {"status": "ok", "reason": "", "others": [{"status": "diverged", "reason": "loss is nan"}]}
    assert [each["status"] for each in outcomes(Ending(said), 2)] == ["ok", "diverged"]
    assert [each["status"] for each in outcomes(Ending(said), 3)] == ["ok", "diverged", "crashed"]


def test_the_time_of_a_cell_is_counted_once() -> None:
    before = [planned("a", seed) for seed in range(3)]
    results = [
        Result(each.trial, each.trial.trial_id, "run", "environment", "code", "ok", metrics={"total_seconds": 5.0})
        for each in before
    ]
    assert estimate_seconds([planned("a", seed).trial for seed in range(9)], results) == 5.0


def test_scratch_is_gone_whatever_happens() -> None:
    with pytest.raises(ZeroDivisionError), scratch() as folder:
        (folder / "a").mkdir(parents=True)
        raise ZeroDivisionError
    assert not folder.exists()


def test_a_cell_crosses_the_pipe_and_its_crash_is_every_seeds(project: Any) -> None:
    """A suite that crosses engines: a record a trial, the same accuracy; one process a cell that is vectorized."""
    suite = project.suite("good", "dies", seeds="0, 1, 2")
    text = suite.read_text().replace("[train]", '"train.engine" = ["eager", "vectorized"]\n[train]')
    suite.write_text(text)
    done = project.run(suite)
    assert done.code == 1, done.err
    rows = project.rows()
    assert len(rows) == 12
    good = {(row["engine"], row["seed"]): row for row in rows if row["model"] == "good"}
    for seed in "012":
        eager, together = good["eager", seed], good["vectorized", seed]
        assert (eager["status"], together["status"]) == ("ok", "ok"), together["reason"]
        assert float(together["test_accuracy"]) == pytest.approx(float(eager["test_accuracy"]), abs=0.02)
        assert float(together["test_loss"]) == pytest.approx(float(eager["test_loss"]), abs=1e-4)
        assert (project.results / "mine/artifacts" / together["run_id"] / f"{together['trial_id']}.h5").exists()
    assert len({good["vectorized", seed]["fit_seconds"] for seed in "012"}) == 1
    dead = [row for row in rows if row["model"] == "dies"]
    assert {row["status"] for row in dead} == {"crashed"}
    assert all("SIGKILL" in row["reason"] for row in dead)
    # What is there is not trained again; a seed more is a job of its own.
    assert "0 to train" in project.run(suite).err
    suite.write_text(text.replace("[0, 1, 2]", "[0, 1, 2, 3]").replace('"good", "dies"', '"good"'))
    assert "2 to train" in project.run(suite).err
    lines = [line for path in project.results.glob("mine/trials/*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == 14


def test_a_cell_that_hangs_is_a_timeout_of_every_seed(project: Any) -> None:
    suite = project.suite("hangs", seeds="0, 1", extra='engine = "vectorized"\n')
    done = project.run(suite, "--timeout", "2")
    assert done.code == 1, done.err
    assert [row["status"] for row in project.rows()] == ["timeout", "timeout"]
    assert "not done after 4 s" in project.rows()[0]["reason"]


def test_trials_that_share_the_time_are_not_silent_before_all_of_them_could_have_ended(tmp_path: Path) -> None:
    file = StatusFile(Store(tmp_path), "20260101T000000Z-00000000", again=(), budget_seconds=None)
    one, two = jobs([eager("a"), eager("b")])
    for job in (one, two):
        file.job_begins(job, limit_seconds=60.0)
    (status,) = statuses(tmp_path)
    assert status.limit_seconds == 120.0
    assert len(status.trials) == 2
    file.job_ends(one)
    file.job_begins(two, limit_seconds=60.0)
    (status,) = statuses(tmp_path)
    assert status.limit_seconds == 60.0
