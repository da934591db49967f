"""Trials that take turns, seen from the parent: one at a time, in proportion, until each has ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bench.base import kernel
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.log import TrialLog
from bench.execute.executors.turns import Group, Member
from bench.execute.executors.watch import TemplateLost, TrialProcess, Watch

OUTCOME = {"status": "ok", "metrics": {"total_seconds": 1.0}}
TURN = 0.02


class Diary:
    """What the trials did, in order; who works at this moment."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []
        self.working: set[str] = set()

    def works(self, name: str, what: Any) -> None:
        self.working.add(name)
        assert self.working == {name}, "two at once"
        self.lines.append((name, what))


class Actor(TrialProcess):
    """A trial that is played by a thread: `seconds` of training, and what it does instead of its n-th turn."""

    def __init__(self, name: str, diary: Diary, *, seconds: float, acts: dict[int, Callable[[Actor], object]]) -> None:
        ours, self.theirs = socket.socketpair()
        self.pipe, self.pid = ours.detach(), os.getpid()
        self.name, self.diary, self.seconds, self.acts = name, diary, seconds, acts
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()

    def play(self) -> None:
        try:
            self.diary.works(self.name, "set up")
            share, timed, number = 0.0, 0.0, 0
            while True:
                self.diary.working.discard(self.name)
                left = self.seconds * (1 - share)
                self.say({"turn": {
                    "share": share, "left_seconds": left, "timed_seconds": timed, "turn_seconds": TURN
                }})  # fmt: skip
                turn = json.loads(self.theirs.makefile().readline())
                self.diary.works(self.name, turn)
                if number in self.acts:
                    self.acts[number](self)
                    return
                number += 1
                timed += turn.get("seconds", 0.0) if share == 1 else self.seconds * (turn.get("share", 1.0) - share)
                share = turn.get("share", 1.0)
                if "share" not in turn and "seconds" not in turn:
                    break
            self.end(OUTCOME)
        except (OSError, ValueError):  # it was killed
            self.wait_status = signal.SIGKILL

    def say(self, message: Any) -> None:
        self.theirs.sendall(json.dumps(message).encode() + b"\n")

    def end(self, outcome: Any = None, *, status: int = 0) -> None:
        self.diary.working.discard(self.name)
        if outcome is not None:
            self.say({"outcome": outcome})
        self.wait_status = status
        self.theirs.close()

    def sources(self) -> list[int]:
        return []

    def look(self) -> None:
        """The thread says how it ended."""

    def kill(self, number: signal.Signals) -> None:
        self.theirs.close()


class Play:
    """A group of actors, and what became of it."""

    def __init__(self) -> None:
        self.diary, self.endings, self.actors = Diary(), dict[int, Ending](), dict[int, Actor]()
        self.members: list[Member] = []

    def run(
        self, *seconds: float, acts: dict[int, dict[int, Callable[[Actor], object]]] | None = None, timing: float = 0.0
    ) -> list[tuple[str, Any]]:
        def begin(place: int) -> Watch:
            actor = Actor("abcdefgh"[place], self.diary, seconds=seconds[place], acts=(acts or {}).get(place, {}))
            self.actors[place] = actor
            return Watch(actor, timeout_seconds=60, on_progress=lambda what: None, log=TrialLog(None))

        self.members = [Member(lambda n=n: begin(n), timing) for n in range(len(seconds))]  # type: ignore[misc]
        group = Group(self.members, told=self.endings.__setitem__)
        try:
            group.run()
        finally:
            group.close()
        return self.diary.lines

    def rounds(self, key: str) -> list[list[str]]:
        """Who had turns of a kind, by round."""
        turns = [(name, what) for name, what in self.diary.lines if isinstance(what, dict) and key in what]
        return [
            [name for name, what in turns if what["round"] == number]
            for number in sorted({what["round"] for _, what in turns})
        ]


@pytest.fixture
def play() -> Play:
    return Play()


def shares(lines: Sequence[tuple[str, Any]], name: str) -> list[float]:
    return [what["share"] for who, what in lines if who == name and isinstance(what, dict) and "share" in what]


def test_all_train_the_same_share_in_each_round_another_one_first(play: Play) -> None:
    lines = play.run(0.1, 0.2, 0.15)
    assert list(lines[:3]) == [("a", "set up"), ("b", "set up"), ("c", "set up")]
    # The fastest needs 20 ms a round: a fifth; 60 ms of the slowest are three tenths.
    assert shares(lines, "a") == shares(lines, "b") == pytest.approx([0.3, 0.6, 1.0])
    assert play.rounds("share") == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
    assert [ending.outcome for ending in play.endings.values()] == [OUTCOME] * 3


def test_the_fastest_has_a_turn_that_can_be_timed_however_slow_the_others_are(play: Play) -> None:
    assert shares(play.run(0.1, 90.0), "b") == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_training_shorter_than_a_turn_is_one(play: Play) -> None:
    assert shares(play.run(0.004, 5.0), "b") == [1.0]


def test_what_was_too_short_to_be_timed_goes_on_and_the_others_with_it(play: Play) -> None:
    lines = play.run(0.05, 3.0, timing=0.2)
    # Two rounds of training, and six in all: what it lacks, 0.15 s, in four turns; the other one has turns of 20 ms.
    assert len(play.rounds("seconds")) == 4
    assert all(sorted(names) == ["a", "b"] for names in play.rounds("seconds"))
    seconds = {name: [what["seconds"] for by, what in lines if by == name and "seconds" in what] for name in "ab"}
    assert seconds == {"a": pytest.approx([0.0375] * 4), "b": [TURN] * 4}
    assert not Play().run(0.3, 3.0, timing=0.2)[-1][1].get("seconds")


def test_turns_for_timing_alone_are_not_longer_than_five_others(play: Play) -> None:
    lines = play.run(0.05, 3.0, timing=1.0)
    seconds = [what["seconds"] for by, what in lines if by == "a" and "seconds" in what]
    assert seconds == pytest.approx([0.095] * 10)  # 0.95 s


def test_one_that_raises_or_stops_early_leaves_the_turns_to_the_others(play: Play) -> None:
    lines = play.run(1.0, 1.0, acts={0: {2: lambda actor: actor.end({**OUTCOME, "status": "ok"})}})
    assert len(shares(lines, "a")) == 3
    assert shares(lines, "b")[-1] == 1.0
    assert set(play.endings) == {0, 1}


def test_one_that_is_killed_in_its_turn_is_a_crash(play: Play) -> None:
    play.run(1.0, 1.0, acts={1: {1: lambda actor: actor.end(status=signal.SIGKILL)}})
    assert play.endings[1].status == "crashed"
    assert play.endings[0].outcome == OUTCOME
    assert not any(member.alone for member in play.members)


def test_one_that_is_killed_while_it_sleeps_runs_again_by_itself(play: Play) -> None:
    def kills_the_other(actor: Actor) -> None:
        other = play.actors[1]
        other.wait_status = signal.SIGKILL
        other.theirs.shutdown(socket.SHUT_RDWR)
        actor.end(OUTCOME)

    play.run(1.0, 1.0, acts={0: {2: kills_the_other}})
    assert [member.alone for member in play.members] == [False, True]
    assert set(play.endings) == {0}


@pytest.mark.parametrize("outcome", [{**OUTCOME, "status": "oom", "reason": "no memory"}])
def test_one_that_had_too_little_memory_beside_others_runs_again_by_itself(play: Play, outcome: Any) -> None:
    play.run(1.0, 1.0, acts={1: {0: lambda actor: actor.end(outcome)}})
    assert play.members[1].alone
    assert set(play.endings) == {0}


def test_one_by_itself_that_has_too_little_memory_is_told_so(play: Play) -> None:
    play.run(1.0, acts={0: {0: lambda actor: actor.end({**OUTCOME, "status": "oom", "reason": "no memory"})}})
    assert not play.members[0].alone
    assert play.endings[0].outcome is not None


def test_no_more_begin_than_memory_allows(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "memory_free", lambda available: 1)
    lines = play.run(0.1, 0.1)
    assert {name for name, _ in lines} == {"a"}
    assert set(play.endings) == {0}
    assert not any(member.alone for member in play.members)


def test_where_the_first_does_not_begin_nobody_does(play: Play) -> None:
    def begin() -> Watch:
        raise TemplateLost("gone")

    group = Group([Member(begin, 0.0)], told=play.endings.__setitem__)
    with pytest.raises(TemplateLost):
        group.run()
    assert not play.endings
