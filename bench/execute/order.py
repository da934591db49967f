"""In which order jobs are run, and how long each may take. Executors draw from it, one by one or several at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from bench.base.records import Result
from bench.execute.jobs import Job, jobs, timeout_seconds
from bench.execute.plan import Plan
from bench.suite.plan import Budget, Suite


class Order:
    """Every job, in the order of the plan."""

    # Whether jobs are chosen by results: then no more is drawn at a time than can begin at once, and it is asked again
    # after each.
    chooses = False

    def __init__(self, plan: Plan) -> None:
        self._jobs = iter(jobs(plan.to_run))

    def __iter__(self) -> Iterator[Job]:
        return self._jobs

    def limit_seconds(self, job: Job) -> float:
        """How long the job may take."""
        return timeout_seconds([planned.trial for planned in job])

    def cut(self, job: Job) -> str:
        """Why a job that took too long was ended, where that was not its own limit; else an empty string."""
        return ""

    def tell(self, results: Sequence[Result]) -> None:
        """Take up the results of a job."""

    def spent(self, seconds: float) -> Budget | None:
        """What became of the budget in a run that took `seconds`; None where there was none."""
        return None


def run_order(plan: Plan, suite: Suite, *, results: Sequence[Result], began: float) -> Order:
    """The order of the plan, or what the suite's budget chooses; `began`: time.monotonic() when its time began."""
    budget = suite.budget
    if budget is None:
        return Order(plan)
    from bench.execute.budget import Budgeted  # numpy, scipy

    def left_seconds() -> float:
        return began + budget.seconds - time.monotonic()

    return Budgeted(plan, suite=suite, budget=budget, results=results, left_seconds=left_seconds)
