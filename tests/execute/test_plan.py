"""Which trials are there already, which run, and which are settled before they start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.base.records import STATUSES, Component, Environment, Result, Status
from bench.execute.plan import Identifier, Plan, make_plan, parse_retry
from bench.suite.catalogue import Catalogue, ComponentInfo, DeviceInfo
from bench.suite.plan import Axis, Suite

ABSENT = "cuda: no CUDA device on this machine"


def catalogue(*, cuda: bool = True, model_sha256: str = "0" * 64, facts: str = "EPYC") -> Catalogue:
    return Catalogue(
        models={"mlp": ComponentInfo(source_sha256=model_sha256)},
        datasets={"digits": ComponentInfo()},
        devices={"cpu": DeviceInfo(True), "cuda": DeviceInfo(cuda, "" if cuda else ABSENT)},
        plugins={},
        physical_cores=2,
        environment=Environment({"cpu": facts}),
    )


def suite(device: str = "cpu", seeds: Sequence[int] = (0, 1)) -> Suite:
    values: dict[str, Sequence[Any]] = {
        "dataset": [Component("digits")], "model": [Component("mlp")], "seed": seeds, "batch_size": [64],
        "device": [device],
    }  # fmt: skip
    return Suite("mine", "mine", tuple(Axis(*each) for each in values.items()))


def planned(of: Suite, told: Catalogue, results: Sequence[Result] = (), **more: Any) -> Plan:
    return make_plan(of.trials(), Identifier(of, told), results=results, **more)


def ended(of: Suite, told: Catalogue, status: Status, *, reason: str = "why", at: str = "1") -> list[Result]:
    """A result of every trial."""
    identifier = Identifier(of, told)
    return [
        Result(each.trial, each.trial.trial_id, "run", each.environment_id, each.code_id, status,
               reason="" if status == "ok" else reason, code=each.code, finished_at=at)
        for each in map(identifier.planned, of.trials())
    ]  # fmt: skip


@pytest.mark.parametrize("status", STATUSES)
def test_what_ended_is_there_and_what_was_skipped_or_interrupted_is_not(status: Status) -> None:
    plan = planned(suite(), catalogue(), ended(suite(), catalogue(), status))
    runs = status in ("skipped", "interrupted")
    assert (len(plan.to_run), plan.there, plan.total) == ((2, 0, 2) if runs else (0, 2, 2))


def test_a_device_that_appears_has_its_trials_run() -> None:
    before, wanted = catalogue(cuda=False), suite("cuda")
    first = planned(wanted, before)
    assert (len(first.settled), first.to_run, dict(first.skip_reasons)) == (2, [], {ABSENT: 2})
    stored = ended(wanted, before, "skipped", reason=ABSENT)
    again = planned(wanted, before, stored)  # said once, not a second time
    assert (again.settled, again.to_run) == ([], [])
    assert [each.trial.seed for each in planned(wanted, catalogue(), stored).to_run] == [0, 1]


def test_fresh_runs_all_and_retry_what_ended_so() -> None:
    results = ended(suite(seeds=[0]), catalogue(), "failed") + ended(suite(seeds=[1]), catalogue(), "ok")
    assert planned(suite(), catalogue(), results).to_run == []
    assert len(planned(suite(), catalogue(), results, fresh=True).to_run) == 2
    assert [each.trial.seed for each in planned(suite(), catalogue(), results, retry=["failed"]).to_run] == [0]


NOT_ALONE = "not alone: threads waited for a core 33% of the time"
STEADY = {"block_seconds": [0.02] * 20, "block_samples": [64.0] * 20}


@pytest.mark.parametrize(
    ("note", "again"),
    [
        (NOT_ALONE, True),
        ("throttled: the container's CPU quota was used up 12% of the time", True),
        ("cold: no warm-up steps", True),
        ("fan too slow: a device of a plugin says", True),
        ("unstable: sd of the step times is 12% of their mean", False),  # of an older bench: says nothing of others
        ("few samples: 4 timed blocks, fewer than 5", False),
        ("", False),
    ],
)
def test_retry_disturbed_measures_again_what_other_work_disturbed(note: str, again: bool) -> None:
    first, second = ended(suite(), catalogue(), "ok")
    steady = {"metrics": {"train_samples_per_second": 3200.0}, "samples": STEADY}
    results = [replace(first, validity_notes=(note,) if note else (), **steady), replace(second, **steady)]
    found = planned(suite(), catalogue(), results, retry=parse_retry("disturbed"))
    assert [each.trial.seed for each in found.to_run] == ([0] if again else [])
    assert found.there == 2 - again


def test_retry_disturbed_leaves_what_is_rough_and_goes_together_with_a_status() -> None:
    rough, disturbed, failed = ended(suite(seeds=(0, 1, 2)), catalogue(), "ok")
    results = [
        replace(rough, metrics={"train_samples_per_second": 1.0}),  # no blocks: its half-width is not known
        replace(disturbed, metrics={"train_samples_per_second": 1.0}, validity_notes=(NOT_ALONE,)),
        replace(failed, status="failed", reason="why"),
    ]
    for asked, seeds in {
        "disturbed": [1],
        "failed": [2],
        "disturbed, failed": [1, 2],
        "failed,disturbed": [1, 2],
    }.items():
        found = planned(suite(seeds=(0, 1, 2)), catalogue(), results, retry=parse_retry(asked))
        assert [each.trial.seed for each in found.to_run] == seeds


def test_with_a_disturbed_trial_all_that_shared_its_time_run_again() -> None:
    of = suite(seeds=range(6))
    steady = {"metrics": {"train_samples_per_second": 3200.0}, "samples": STEADY}
    a, b = "a" * 16, "b" * 16
    results = [
        replace(each, group_id=group, validity_notes=notes, **steady)
        for each, group, notes in zip(
            ended(of, catalogue(), "ok"),
            (a, a, b, b, "", ""),
            ((NOT_ALONE,), (), (), (), (NOT_ALONE,), ()),
            strict=True,
        )
    ]
    found = planned(of, catalogue(), results, retry=["disturbed"])
    assert [each.trial.seed for each in found.to_run] == [0, 1, 4]  # of no group: alone
    results[0] = replace(results[0], status="failed", reason="why")
    assert [each.trial.seed for each in planned(of, catalogue(), results, retry=["failed"]).to_run] == [0]


def test_what_was_measured_again_undisturbed_is_there() -> None:
    old, _ = ended(suite(), catalogue(), "ok", at="1")
    speed = {"train_samples_per_second": 1.0}
    new = replace(old, metrics=speed, samples=STEADY, finished_at="2")
    results = [new, replace(old, metrics=speed, validity_notes=(NOT_ALONE,))]
    asked = parse_retry("disturbed")
    assert planned(suite(seeds=[0]), catalogue(), results, retry=asked).there == 1
    assert len(planned(suite(seeds=[0]), catalogue(), [results[1], replace(results[1], finished_at="3"), new],
                       retry=asked).to_run) == 1  # fmt: skip


def test_the_newest_result_counts() -> None:
    old, new = (ended(suite(), catalogue(), status, at=at) for status, at in (("ok", "1"), ("interrupted", "2")))
    assert len(planned(suite(), catalogue(), [*new, *old]).to_run) == 2
    later = [replace(result, finished_at="3") for result in old]
    assert planned(suite(), catalogue(), [*new, *later]).there == 2


def test_other_code_runs_again_and_says_what_changed_other_machines_are_kept_apart() -> None:
    results = ended(suite(), catalogue(), "ok")
    edited = planned(suite(), catalogue(model_sha256="1" * 64), results)
    assert (len(edited.to_run), sum(edited.edited.values()), edited.elsewhere) == (2, 2, 0)
    elsewhere = planned(suite(), catalogue(facts="Xeon"), results)
    assert (len(elsewhere.to_run), sum(elsewhere.edited.values()), elsewhere.elsewhere) == (2, 0, 2)


def test_a_model_that_nobody_has_fails_before_it_starts_and_once() -> None:
    unknown = replace(suite(), unknown={"model:mlp": "no model 'mlp' is registered"})
    plan = planned(unknown, catalogue())
    assert [each.fail for each in plan.settled] == ["no model 'mlp' is registered"] * 2
    assert planned(unknown, catalogue(), ended(unknown, catalogue(), "failed")).there == 2
