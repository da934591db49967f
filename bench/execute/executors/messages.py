"""Checks what a trial's process says of itself, before any of it is used: a model can write on that pipe too."""

from itertools import islice
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel, ConfigDict, ValidationError

from bench.base.records import LONGEST_TRACEBACK, WHOLE_LIMIT, Json, Line, Status
from bench.results.validate import check_said
from bench.suite.mistakes import key_text, show

MOST_NOTES = 100  # of a trial that are passed on
Whole = Annotated[int, Ge(0), Lt(WHOLE_LIMIT)]
Seconds = Annotated[float, Ge(0)]


class _Progress(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Note(_Progress):
    note: Line


class _Phase(_Progress):
    phase: Line


class _Epoch(_Phase):
    epoch: Whole
    epochs: Whole
    loss: float


class _Tried(_Progress):
    """What became of a model that was tried on a data set: see bench.worker.trial.preflight."""

    tried: Whole
    status: Status
    reason: Line
    traceback: Annotated[str, MaxLen(LONGEST_TRACEBACK)]
    notes: Annotated[list[Line], MaxLen(MOST_NOTES)]


class TurnOver(_Progress):
    """What a trial says as it begins to sleep. `share` of its training is behind it, `left_seconds` are to come by its
    own estimate; `timed_seconds`: of all its blocks, once it has trained; `turn_seconds`: how long a turn should be."""

    share: Annotated[float, Ge(0), Le(1)]
    left_seconds: Seconds
    timed_seconds: Seconds
    turn_seconds: Annotated[float, Gt(0), Le(60)]


KINDS: dict[str, type[_Progress]] = {"note": _Note, "tried": _Tried, "epoch": _Epoch}


class TrialMessages:
    """What a trial has sent: its `outcome`, that its turn is over, or in one line what is `wrong` with it."""

    def __init__(self) -> None:
        self.outcome: dict[str, Json] | None = None
        self.turn_over: TurnOver | None = None  # taken and set back by whoever gave the turn
        self.wrong = ""
        self._notes = 0

    def take(self, messages: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """Takes up words as they came, to the first wrong one. Returns the progress that is worth telling: each note,
        and where the trial is by now."""
        notes, where = list[dict[str, Json]](), list[dict[str, Json]]()
        for message in messages:
            try:
                if self.outcome is not None:
                    raise ValueError("more after its outcome")
                if (what := self._checked(message)) is not None:
                    each = "note" in what or "tried" in what
                    notes, where = ([*notes, what], where) if each else (notes, [what])
            except (ValueError, OverflowError) as error:
                self.wrong = self.wrong or mistake_text(error)
                break
        told = notes[: max(0, MOST_NOTES - self._notes)]
        self._notes += len(notes)
        return told + where

    def _checked(self, message: dict[str, Json]) -> dict[str, Json] | None:
        """The progress that a message tells; None of an outcome or a turn. Raises ValueError where it is neither."""
        match message:
            case {"progress": dict(what), **others} if not others:
                kind = next((kind for name, kind in KINDS.items() if name in what), _Phase)
                kind.model_validate(what)
                return what
            case {"turn": dict(state), **others} if not others:
                self.turn_over = TurnOver.model_validate(state)
                return None
            case {"outcome": outcome, **others} if not others:
                check_said(outcome)
                self.outcome = outcome
                return None
        text = ", ".join(f"{show(name)}: {show(what)}" for name, what in islice(message.items(), 3))
        raise ValueError(f"a message of {text or 'nothing'}")


def mistake_text(error: Exception) -> str:
    """What is wrong, in one line: `metrics.test_accuracy 'high' (Input should be a valid number)`."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_context=False)[0]
    place = key_text(first["loc"])
    found = "nothing" if first["type"] == "missing" else show(first["input"])
    return f"{place} {found} ({first['msg']})".strip()
