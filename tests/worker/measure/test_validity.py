"""What disturbs a timing is noted; how single blocks jump is not: the half-width says it."""

from __future__ import annotations

from bench.worker.measure import validity


def noted(**other: object) -> list[str]:
    asked = {"contention_share": 0.0, "warmup_steps": 10} | other
    return [note.partition(":")[0] for note in validity.notes(**asked)]  # type: ignore[arg-type]


def test_a_trial_alone_on_the_machine_has_no_note() -> None:
    assert noted() == []


def test_each_doubt_has_its_word() -> None:
    assert noted(warmup_steps=0) == ["cold"]
    assert noted(contention_share=0.3) == ["not alone"]


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
