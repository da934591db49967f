"""What makes a timing doubtful is flagged; what does not, is not."""

from __future__ import annotations

from bench.worker.measure import validity
from bench.worker.measure.clock import Blocks

STEADY = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01]


def noted(**other: object) -> list[str]:
    blocks = Blocks()
    for seconds in other.pop("seconds", STEADY):  # type: ignore[attr-defined]
        blocks.add(nanoseconds=int(seconds * 1e9), steps=1, samples=1)
    asked = {"blocks": blocks, "contention_share": 0.0, "warmup_steps": 10} | other
    return [note.partition(":")[0] for note in validity.notes(**asked)]  # type: ignore[arg-type]


def test_a_steady_trial_alone_on_the_machine_is_valid() -> None:
    assert noted() == []


def test_each_doubt_has_its_word() -> None:
    assert noted(warmup_steps=0) == ["cold"]
    assert noted(contention_share=0.3) == ["not alone"]
    assert noted(seconds=[1.0, 1.0]) == ["few samples"]
    assert noted(seconds=[1.0] * 10 + [2.0] * 10) == ["unstable"]  # two modes: a mean would hide them
    assert noted(seconds=[1.0] * 19 + [5.0]) == ["unstable"]  # one outlier: the sd sees it, the quartiles do not


def test_where_the_kernel_does_not_say_nothing_is_claimed() -> None:
    assert noted(contention_share=None) == []


def test_busy_processes_that_left_the_trial_a_core_of_its_own_are_seen_by_the_pressure_on_the_machine() -> None:
    assert noted(pressure_share=0.5) == ["not alone"]
    assert noted(pressure_share=0.5, contention_share=0.3) == ["not alone"]  # said once
    assert noted(pressure_share=0.03) == []
    assert noted(pressure_share=0.5, loader_workers=2) == []  # its own want a core, too


def test_a_quota_that_was_used_up_is_flagged_and_what_the_device_says_is_passed_on() -> None:
    assert noted(throttled_share=0.2) == ["throttled"]
    assert noted(throttled_share=0.001) == []
    assert noted(throttled_share=None, of_device=["throttled: power cap"]) == ["throttled"]
