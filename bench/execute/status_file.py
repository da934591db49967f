"""The file of a run that `bench status` reads: one small write where a job begins, none while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.execute.jobs import Job
from bench.execute.plan import Plan
from bench.results.status import Process, Status, now, remove_status, status_path, sweep, write_status
from bench.results.store import Store


def _now() -> str:
    return now().isoformat(timespec="milliseconds")


class StatusFile:
    """Writes the file of this run. A job that has ended stays in it until the next write; its results tell."""

    def __init__(self, store: Store, run_id: str, *, again: Sequence[str], budget_seconds: float | None) -> None:
        self._store, self._run_id = store, run_id
        self._path, self._process = status_path(store.folder, run_id), Process.own()
        self._again, self._budget_seconds = tuple(again), budget_seconds
        self._started_at = _now()
        self._plan = Plan()
        self._jobs: dict[str, tuple[Job, str, float]] = {}

    def waits(self, plan: Plan) -> None:
        """Writes that the run waits: another one measures on this machine."""
        self._plan = plan
        self._write(waiting=True)

    def begins(self, plan: Plan) -> None:
        """Takes up the plan, before the first job."""
        sweep(self._store.folder)
        self._plan = plan

    def job_begins(self, job: Job, *, limit_seconds: float) -> None:
        """Writes that a job begins."""
        self._jobs[job[0].trial.trial_id] = (job, _now(), limit_seconds)
        self._write()

    def job_ends(self, job: Job) -> None:
        self._jobs.pop(job[0].trial.trial_id, None)

    def ends(self) -> None:
        """Removes the file: the run is over, however it ended."""
        remove_status(self._path)

    def _write(self, *, waiting: bool = False) -> None:
        at_work = list(self._jobs.values())
        write_status(
            self._path,
            Status(
                run_id=self._run_id,
                process=self._process,
                phase="waiting" if waiting else "running",
                started_at=self._started_at,
                written_at=_now(),
                to_run=len(self._plan.to_run),
                environments=tuple(sorted(self._plan.environments)),
                codes=tuple(sorted(self._plan.codes)),
                again=self._again,
                trials=tuple(planned.trial.trial_id for job, _, _ in at_work for planned in job),
                began_at=min((began for _, began, _ in at_work), default=""),
                limit_seconds=max((limit for _, _, limit in at_work), default=None),
                budget_seconds=self._budget_seconds,
            ),
        )
