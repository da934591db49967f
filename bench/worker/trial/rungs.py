"""A training that only serves a search: what it has reached at each rung, and whether it is given up there."""

from dataclasses import dataclass, field

from bench.base.records import RUNGS, SearchRole, TrainSettings


@dataclass(slots=True)
class Rungs:
    """Takes up what each evaluation brought. `reached`: the score on the validation part (accuracy, R²) at each of
    RUNGS that it has come to."""

    search: SearchRole
    train: TrainSettings
    steps_per_epoch: int
    reached: list[float] = field(default_factory=list)
    given_up: bool = False

    def after_epoch(self, epoch: int, *, score: float | None) -> None:
        """`epoch` counts from 1. The last one is no rung: there is nothing left to save. Nor is one whose score is not
        defined."""
        if score is None:
            return
        share = self._share(epoch)
        while len(self.reached) < len(RUNGS) and RUNGS[len(self.reached)] <= share < 1 and not self.given_up:
            below = dict(self.search.give_up).get(RUNGS[len(self.reached)])
            self.reached.append(score)
            self.given_up = below is not None and score < below

    def _share(self, epoch: int) -> float:
        """How much of the training is done after an epoch."""
        if self.train.steps is None:
            return epoch / self.train.epochs
        return min(1.0, epoch * self.steps_per_epoch / self.train.steps)
