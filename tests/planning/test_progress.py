"""Where a run stands: what counts as done, what is in work, and the time that is left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.base.records import Component, Result, TrainSettings
from bench.planning.progress import Progress, progress_of
from bench.planning.text import status_text
from bench.present.columns import WIDTH
from bench.results.status import Process, Status
from bench.suite.plan import Axis, Suite

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
RUN = "20260101T000000Z-00000000"
FAR = Process("f" * 16, 4711, "1")


def suite(devices: Sequence[str] = ("cpu",), engine: str = "eager") -> Suite:
    axes = (
        Axis("dataset", (Component("digits"),)),
        Axis("model", (Component("mlp"),)),
        Axis("seed", range(5)),
        Axis("batch_size", (64,)),
        Axis("device", tuple(devices)),
    )
    return Suite("mine", "Mine", axes, train=TrainSettings(engine=engine))  # type: ignore[arg-type]


def results(of: Suite, count: int, **changes: Any) -> list[Result]:
    own: dict[str, Any] = {
        "run_id": RUN,
        "environment_id": "here",
        "code_id": "code",
        "status": "ok",
        "metrics": {"total_seconds": 10.0, "fit_seconds": 5.0},
        "finished_at": (NOW - timedelta(minutes=1)).isoformat(),
    } | changes
    return [Result(trial=trial, trial_id=trial.trial_id, **own) for trial in list(of.trials())[:count]]


def test_a_run_that_measures_the_disturbed_again_counts_only_its_own_of_them() -> None:
    of = suite()
    alone, *others = results(of, 5, run_id="before", metrics={"train_samples_per_second": 1.0, "total_seconds": 9.0})
    disturbed = [replace(each, validity_notes=("not alone: 30 %",)) for each in others]
    mine = replace(disturbed[0], run_id=RUN, finished_at=NOW.isoformat())
    found = progress_of(of, [alone, *disturbed, mine], [running(again=("disturbed",))], at=NOW)
    assert (found.all.ok, found.all.left) == (2, 3)


def running(*trials: Any, ago_seconds: float = 4.0, **changes: Any) -> Status:
    moment = (NOW - timedelta(seconds=ago_seconds)).isoformat()
    found = Status(
        RUN,
        FAR,
        "running",
        moment,
        moment,
        5,
        environments=("here",),
        codes=("code",),
        trials=tuple(trial.trial_id for trial in trials),
        began_at=moment,
        limit_seconds=600.0,
    )
    return replace(found, **changes)


def counts(found: Progress) -> tuple[int, ...]:
    own = found.all
    return own.ok, own.failed, own.skipped, own.running, own.left


def test_done_in_work_and_left() -> None:
    of = suite()
    work = list(of.trials())[2]
    found = progress_of(of, results(of, 2), [running(work)], at=NOW)
    assert counts(found) == (2, 0, 0, 1, 2)
    assert found.alive
    (job,) = found.runs[0].at_work
    assert (job.trial, job.for_seconds, job.expected_seconds) == (work, 4.0, pytest.approx(10))
    left = found.all.seconds_left
    assert left is not None
    assert left.value == pytest.approx(3 * 10 - 4)
    assert left.low < left.value < left.high


def test_a_job_that_takes_longer_than_thought_leaves_no_less_than_nothing() -> None:
    of = suite()
    found = progress_of(of, results(of, 4), [running(list(of.trials())[4], ago_seconds=300)], at=NOW)
    assert found.all.seconds_left is not None
    assert found.all.seconds_left.value == 0


def test_a_trial_whose_result_is_stored_is_in_work_no_more() -> None:
    of = suite()
    found = progress_of(of, results(of, 3), [running(list(of.trials())[2])], at=NOW)
    assert counts(found) == (3, 0, 0, 0, 2)


@pytest.mark.parametrize("changes", [{"environment_id": "there"}, {"code_id": "older"}, {"status": "interrupted"}])
def test_what_the_run_does_not_count_is_left(changes: dict[str, Any]) -> None:
    of = suite()
    changes |= {"reason": "because"} if "status" in changes else {}
    assert counts(progress_of(of, results(of, 2, **changes), [running()], at=NOW)) == (0, 0, 0, 0, 5)


def test_what_is_run_again_is_left_until_this_run_has_done_it() -> None:
    of = suite()
    before = results(of, 4, run_id="before", status="failed", reason="no luck", metrics={})
    assert counts(progress_of(of, before, [running()], at=NOW)) == (0, 4, 0, 0, 1)
    assert counts(progress_of(of, before, [running(again=("failed",))], at=NOW)) == (0, 0, 0, 0, 5)
    mine = results(of, 1, finished_at=NOW.isoformat())
    assert counts(progress_of(of, [*before, *mine], [running(again=("*",))], at=NOW)) == (1, 0, 0, 0, 4)


def test_without_a_run_every_result_counts() -> None:
    of = suite(("cpu", "cuda"))
    skipped = [
        Result(trial, trial.trial_id, RUN, "here", "code", "skipped", "no CUDA")
        for trial in of.trials()
        if trial.device == "cuda"
    ]
    done = [r for r in results(of, 10, environment_id="elsewhere") if r.trial.device == "cpu"]
    found = progress_of(of, [*done, *skipped], [], at=NOW)
    assert counts(found) == (5, 0, 5, 0, 0)
    assert not found.alive
    assert found.last_seconds == 60


def test_seeds_that_train_at_once_are_one_job() -> None:
    of = suite(engine="vectorized")
    found = progress_of(of, [], [running(*of.trials())], at=NOW)
    assert counts(found) == (0, 0, 0, 5, 0)
    (job,) = found.runs[0].at_work
    assert job.trials == 5
    assert found.all.seconds_left is None  # nothing like it has run


def test_a_run_elsewhere_that_is_silent_for_long_is_told_from_one_that_goes_on() -> None:
    of = suite()
    work = next(iter(of.trials()))
    gone = progress_of(of, [], [running(work, ago_seconds=3600)], at=NOW)
    assert not gone.alive
    assert counts(gone) == (0, 0, 0, 0, 5)
    text = " ".join(status_text("mine", gone, pretty=False).split())
    assert f"silent: run {RUN}, process 4711 on another machine, last heard of 60 min ago" in text
    alive = status_text("mine", progress_of(of, [], [running(work)], at=NOW), pretty=False)
    assert "running on another machine, last heard of 4 s ago" in alive


@pytest.mark.parametrize("pretty", [False, True])
def test_it_fits_a_terminal(pretty: bool) -> None:
    of = suite(("cpu", "cuda"))
    title = "mine · " + "a title that is longer than it should be " * 4
    found = progress_of(of, results(of, 4), [running(*list(of.trials())[4:6], budget_seconds=5400.0)], at=NOW)
    text = status_text(title, found, pretty=pretty)
    assert all(len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= WIDTH for line in text.splitlines()), text
    for word in ("running", "budget 90 min", "for 4.0 s of about 10 s", "cuda", "total", "time left"):
        assert word in text
