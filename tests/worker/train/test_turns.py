"""Turns of a trial: how far each goes, which of its steps are timed, and what the others are charged with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from bench.base.records import Json
from bench.worker.devices.cpu import Cpu
from bench.worker.measure import contention
from bench.worker.measure.watch import Watch
from bench.worker.train import timing_only, turns
from bench.worker.train.loop import FitLog
from bench.worker.train.timing_only import TimingOnly
from bench.worker.train.turns import Lead, SharedTurns, Turns

MILLISECOND = 1_000_000


class Clock:
    """A clock that stands still but for what is asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        monkeypatch.setattr(turns.time, "perf_counter_ns", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Parent:
    """The other end of the channel: gives the turns in a list, each after a sleep of a second."""

    def __init__(self, clock: Clock, *given: dict[str, Json]) -> None:
        self.clock, self.given, self.told = clock, list(given), list[Mapping[str, Json]]()

    def send(self, message: Mapping[str, Json]) -> None:
        self.told.append(message["turn"])

    def receive(self) -> dict[str, Json]:
        self.clock.now += 1000 * MILLISECOND
        return self.given.pop(0)


def taken(
    shared: Turns, chunks: Iterator[list[int]], clock: Clock, *, step: int, watch: Watch | None = None
) -> list[tuple[int, int, bool]]:
    """Trains: (round, number of steps, timed) of every part; each step takes so long."""
    found = []
    for chunk in chunks:
        for part, timed in shared.parts(chunk, watch or Watch()):
            clock.now += step * len(part)
            shared.lead.add(nanoseconds=step * len(part), samples=64 * len(part), timed=timed)
            found.append((shared.round, len(part), timed))
    return found


def begun(clock: Clock, *given: dict[str, Json], steps: int = 100) -> tuple[SharedTurns, Parent]:
    parent: Any = Parent(clock, *given)
    shared = SharedTurns(parent, timing_seconds=0.2)
    shared.ready(Cpu(), steps=steps, step_seconds=0.002)
    return shared, parent


def test_a_turn_ends_at_its_share_and_begins_with_steps_that_are_not_timed(clock: Clock) -> None:
    shared, parent = begun(clock, {"round": 0, "share": 0.4}, {"round": 1, "share": 0.8}, {"round": 2, "share": 1.0})
    parts = taken(shared, iter([list(range(50)), list(range(50))]), clock, step=2 * MILLISECOND)
    lead = [(1, False)] * 4  # 8 ms of 2 ms each
    assert [part[1:] for part in parts if part[0] == 0] == [*lead, (36, True)]
    assert [part[1:] for part in parts if part[0] == 1] == [*lead, (6, True), (30, True)]  # a chunk ends in it
    assert [part[1:] for part in parts if part[0] == 2] == [*lead, (16, True)]
    assert sum(count for _, count, _ in parts) == 100
    assert [told["share"] for told in parent.told] == [0.0, 0.4, 0.8]
    assert parent.told[0]["left_seconds"] == pytest.approx(0.2)
    assert parent.told[1]["left_seconds"] == pytest.approx(60 * 0.002)
    assert shared.asleep_nanoseconds == 3000 * MILLISECOND


def test_what_threads_wait_in_a_lead_in_disturbs_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading takes 3 ms here: neither that nor a lead-in is part of a stretch."""

    def read() -> contention.Counters:
        clock.now += 3 * MILLISECOND
        return contention.Counters(wait_seconds=clock.now / 1e9)

    monkeypatch.setattr(contention, "read", read)
    shared, _ = begun(clock, {"round": 0, "share": 0.4}, {"round": 1, "share": 1.0})
    watch, asleep = Watch(), shared.asleep_nanoseconds
    watch.stretch_begins(leads_in=shared.leads_in)
    began = clock.now
    parts = taken(shared, iter([list(range(100))]), clock, step=2 * MILLISECOND, watch=watch)
    assert clock.now - began - (shared.asleep_nanoseconds - asleep) == 200 * MILLISECOND
    watch.stretch_ends()
    timed = [0.002 * count for _, count, is_timed in parts if is_timed]
    assert timed == pytest.approx([0.074, 0.112])  # of the first 8 ms a reading took 3
    assert watch.contention.wall_seconds == pytest.approx(timed)


def test_of_a_turn_without_a_lead_in_all_counts(clock: Clock) -> None:
    """One step is left for it."""
    shared, _ = begun(clock, {"round": 0, "share": 0.5}, {"round": 1, "share": 1.0}, steps=3)
    watch = Watch()
    watch.stretch_begins(leads_in=shared.leads_in)
    parts = taken(shared, iter([[0, 1, 2]]), clock, step=30 * MILLISECOND, watch=watch)
    assert parts == [(0, 1, False), (0, 1, True), (1, 1, True)]
    watch.stretch_ends()
    assert watch.contention.wall_seconds == pytest.approx([0.03, 0.03])


def test_a_stretch_that_is_all_lead_in_is_not_counted(clock: Clock) -> None:
    shared, _ = begun(clock, {"round": 0, "share": 1.0})
    watch = Watch()
    watch.stretch_begins(leads_in=shared.leads_in)
    assert [timed for _, _, timed in taken(shared, iter([[0, 1]]), clock, step=MILLISECOND, watch=watch)] == [False] * 2
    watch.stretch_ends()
    assert watch.contention.wall_seconds == []


def test_timing_only_leaves_out_its_lead_in(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(fetch: object) -> None:
        clock.now += 2 * MILLISECOND

    monkeypatch.setattr(timing_only.clock, "read", lambda device: clock.now)
    chunk = [SimpleNamespace(fetch=None, samples=64)] * 5
    loop: Any = SimpleNamespace(
        watch=Watch(), turns=Turns(timing_seconds=0.1), device=Cpu(), log=FitLog(), steps_per_block=5,
        source=SimpleNamespace(epoch=lambda *, steps_per_chunk: iter([chunk] * 10)),
    )  # fmt: skip
    TimingOnly(step, loop).run(0.05)  # type: ignore[arg-type]
    assert loop.log.timing_only.seconds == pytest.approx([0.01] * 5)
    assert loop.watch.contention.wall_seconds == pytest.approx([0.05])


def test_a_lead_in_takes_no_more_than_half_of_a_turn(clock: Clock) -> None:
    shared, _ = begun(clock, {"round": 0, "share": 0.01}, {"round": 1, "share": 1.0}, steps=6)
    parts = taken(shared, iter([list(range(6))]), clock, step=300 * MILLISECOND)
    assert [part[1:] for part in parts if part[0] == 0] == [(1, False), (1, True)]  # two steps at least
    assert [part[1:] for part in parts if part[0] == 1] == [(1, False), (3, True)]
    shared, _ = begun(clock, {"round": 0, "share": 1.0}, steps=6)
    parts = taken(shared, iter([list(range(6))]), clock, step=MILLISECOND)  # all six would be within the 8 ms
    assert [part[1:] for part in parts] == [*[(1, False)] * 3, (3, True)]


def test_untimed_steps_are_charged_as_the_timed_ones_of_their_turn_take() -> None:
    lead = Lead()
    lead.add(nanoseconds=900, samples=10, timed=False)  # cold
    lead.add(nanoseconds=300, samples=30, timed=True)
    assert lead.charge() == 100
    lead.add(nanoseconds=500, samples=50, timed=True)
    assert lead.charge() == 0
    lead.turn_ends()
    lead.add(nanoseconds=800, samples=20, timed=False)
    assert lead.charge() == 200  # an epoch ends in the lead-in: as the turn before
    lead.add(nanoseconds=700, samples=5, timed=False)
    lead.add(nanoseconds=400, samples=20, timed=True)
    lead.turn_ends()
    assert lead.charge() == 100


def test_untimed_steps_are_charged_as_they_took_where_nothing_else_is_known() -> None:
    lead = Lead()
    lead.add(nanoseconds=900, samples=10, timed=False)
    assert lead.charge() == 900


def test_after_the_training_it_is_told_how_long_to_go_on(clock: Clock) -> None:
    shared, parent = begun(clock, {"round": 0, "share": 1.0}, {"round": 1, "seconds": 0.02}, {"round": 2})
    taken(shared, iter([list(range(7))]), clock, step=MILLISECOND)  # it has stopped early
    assert shared.after_training(0.004) == 0.02
    assert shared.round == 1
    assert parent.told[-1] == {"share": 1.0, "left_seconds": 0.0, "timed_seconds": 0.004, "turn_seconds": 0.02}
    assert shared.after_training(0.024) == 0
    assert parent.told[-1]["timed_seconds"] == 0.024


def test_a_trial_by_itself_trains_in_one_turn_and_goes_on_until_it_was_timed_for_long_enough() -> None:
    alone = Turns(timing_seconds=0.2)
    alone.ready(Cpu(), steps=100, step_seconds=0.002)
    assert list(alone.parts([1, 2, 3], Watch())) == [([1, 2, 3], True)]
    assert alone.after_training(0.15) == pytest.approx(0.05)
    assert alone.after_training(0.21) == 0
    assert alone.asleep_nanoseconds == 0
