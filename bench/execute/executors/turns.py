"""Whose turn it is: trials that share the time of a machine, each in its own process, of which one at a time works.

    set up, one after another → rounds of training → rounds for timing alone → finish, one after another

In each round every trial trains the same share of its own training, so that all of them see the same machine
(bench.worker.train.turns is the other side). What is asleep runs nothing, and its own time stands still.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.base import kernel
from bench.base.records import Json
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.messages import TurnOver
from bench.execute.executors.watch import TemplateLost, Watch, look_at

# Of the slowest trial, in turns of the length that its device asks for; the fastest has one such turn at least.
MOST_TURNS = 3.0
LEAST_ROUNDS = 6  # of trials that are timed together: two for each batch of the interval over rounds
MOST_TIMING_TURNS = 5.0  # of a turn for timing alone, in turns of the length that the device asks for
# A trial may come to hold so many times what the largest one holds that is set up; and so much of the memory that is
# there is left alone.
MEMORY_FACTOR, MEMORY_LEFT = 1.5, 0.1


@dataclass(slots=True)
class Member:
    """A trial of a group: how it is begun, and what becomes of it."""

    begin: Callable[[], Watch]
    timing_seconds: float
    watch: Watch | None = None
    oom_kills_before: int = 0
    state: TurnOver | None = None  # what it said when its last turn ended
    ending: Ending | None = None
    alone: bool = False  # whether it has to run again by itself

    @property
    def waits(self) -> bool:
        """Whether it waits for a turn."""
        return self.watch is not None and self.ending is None and self.state is not None

    @property
    def trains(self) -> bool:
        return self.waits and self.state is not None and self.state.share < 1


class Group:
    """The trials of a group until their end. `told` gets the place of each, and its ending, as it comes."""

    def __init__(self, members: Sequence[Member], *, told: Callable[[int, Ending], None]) -> None:
        self._members, self._told = list(members), told
        self._round = 0
        self._behind = 0.0  # share of the training that is behind every trial

    def run(self) -> None:
        """Runs as many of the first ones as memory allows. Raises TemplateLost where the first one does not begin."""
        self._set_up()
        while any(member.trains for member in self._members):
            share = self._share()
            # The last round takes up what would be less than half of one.
            self._behind = self._behind + share if self._behind + 1.5 * share < 1 else 1.0
            for member in self._in_order():
                if member.trains and member.state is not None and member.state.share < self._behind:
                    self._turn(member, {"share": self._behind})
            self._round += 1
        for left in range(self._rounds_for_timing(), 0, -1):
            for member in self._in_order():
                if member.waits and member.state is not None:
                    self._turn(member, {"seconds": max(member.state.turn_seconds, _missing(member) / left)})
            self._round += 1
        for member in self._members:
            while member.waits:
                self._turn(member, {})

    def close(self) -> None:
        """Ends what is not over."""
        for member in self._members:
            if member.watch is not None:
                member.watch.close()

    def _set_up(self) -> None:
        for place, member in enumerate(self._members):
            if place and not self._has_room():
                return
            try:
                member.oom_kills_before = kernel.oom_kills()
                member.watch = member.begin()
                self._until_asleep(member)
            except TemplateLost:
                if place == 0:
                    raise
                assert member.watch is not None
                member.watch.close()
                member.watch = None  # it has not begun, and may in another group
                return

    def _share(self) -> float:
        """By how much of its training each goes on in a round: the fastest for a turn, the slowest for not many."""
        states = [member.state for member in self._members if member.trains and member.state is not None]
        seconds = [max(1e-6, state.left_seconds / (1 - state.share)) for state in states]  # of the whole training
        turn = max(state.turn_seconds for state in states)
        return min(1.0, max(turn / min(seconds), MOST_TURNS * turn / max(seconds)))

    def _rounds_for_timing(self) -> int:
        """So many that each has been timed for long enough, and that there are pairs to compare speeds by."""
        timing = len(self._members) > 1 and any(member.timing_seconds for member in self._members)
        left = LEAST_ROUNDS - self._round if timing else 0
        for member in self._members:
            if member.waits and member.state is not None:
                left = max(left, math.ceil(_missing(member) / (MOST_TIMING_TURNS * member.state.turn_seconds)))
        return left

    def _in_order(self) -> Iterator[Member]:
        """The members, another one first in each round."""
        first = self._round % len(self._members)
        yield from self._members[first:] + self._members[:first]

    def _turn(self, member: Member, what: dict[str, Json]) -> None:
        assert member.watch is not None
        member.state = None
        member.watch.wake({"round": self._round, **what})
        self._until_asleep(member)

    def _until_asleep(self, holder: Member) -> None:
        """Sleeps until the turn of `holder` is over, or the trial is."""
        assert holder.watch is not None
        while holder.ending is None and holder.state is None:
            under_way = [each for each in self._members if each.watch is not None and each.ending is None]
            look_at([each.watch for each in under_way if each.watch is not None])
            for each in under_way:
                self._take_up(each, holder)

    def _take_up(self, member: Member, holder: Member) -> None:
        assert member.watch is not None
        if member.watch.is_over:
            others = any(each.waits or each is holder for each in self._members if each is not member)
            ending = member.watch.ending(oom_kills_before=member.oom_kills_before)
            member.watch.close()
            member.ending = ending
            # It may have had too little memory because the others held theirs.
            member.alone = others and _ran_out_of_memory(ending, asleep=member is not holder)
            if not member.alone:
                self._told(self._members.index(member), ending)
        elif member is holder and (state := member.watch.turn_over()) is not None:
            member.state = state

    def _has_room(self) -> bool:
        """Whether the next one may begin, by what the largest one holds that is set up."""
        import psutil  # only where trials share the time

        held = [_bytes_of(each.watch.process.pid) for each in self._members if each.waits and each.watch is not None]
        free = kernel.memory_free(psutil.virtual_memory().available)
        return not held or free * (1 - MEMORY_LEFT) >= MEMORY_FACTOR * max(held)


def _missing(member: Member) -> float:
    """Seconds that it has still to be timed for."""
    assert member.state is not None
    return max(0.0, member.timing_seconds - member.state.timed_seconds)


def _ran_out_of_memory(ending: Ending, *, asleep: bool) -> bool:
    status = ending.status if ending.outcome is None else ending.outcome.get("status")
    return status == "oom" or (asleep and ending.outcome is None and "SIGKILL" in ending.reason)


def _bytes_of(pid: int | None) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.Error:
        return 0
