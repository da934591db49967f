"""Which trials run in one process, which processes share the time, in which order, for how long; and the file that
says which are under way.

Each trial has a process, but those that an engine trains side by side have one together: that is a job. The jobs of one
seed, device and number of threads take turns (bench.execute.executors.turns): that is a group.

A job's request is that of its first trial; `others` holds what the rest differ in. Its outcome is the first trial's,
with `others` beside it in the same order. An ending without an outcome (crashed, timeout, oom) is that of every trial
of the job: the process is the unit of isolation.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.base import files
from bench.base.privacy import published
from bench.base.records import Json, Result, Trial, digest
from bench.execute.executors.exit_status import Ending
from bench.execute.plan import Plan, Planned
from bench.results.status import Process, Status, now, remove_status, status_path, sweep, write_status
from bench.results.store import Store

Job = tuple[Planned, ...]
Group = tuple[Job, ...]
MOST_TURNS = 8  # jobs of a group, where measure.turns does not say


def jobs(planned: Iterable[Planned]) -> list[Job]:
    """Returns the jobs, in the order of the first trial of each."""
    found: dict[object, list[Planned]] = {}
    for number, each in enumerate(planned):
        found.setdefault((each.trial.cell_id, *each.key[1:]) if each.trial.together else number, []).append(each)
    return [tuple(job) for job in found.values()]


def groups(all_jobs: Iterable[Job]) -> list[Group]:
    """Returns the groups, in the order of the first job of each.

    One that is too large is cut by data set, else by batch size, else into parts of about one size. Seeds that train
    side by side, and trials with loader workers, which would work on while others have their turn, are by themselves.
    """
    found: dict[object, list[Job]] = {}
    for number, job in enumerate(all_jobs):
        trial, most = job[0].trial, job[0].trial.measure.turns or MOST_TURNS
        key = (trial.seed, trial.device, job[0].environment_id, most) if shares(trial) else number
        found.setdefault(key, []).append(job)
    return [part for own in found.values() for part in _cut(own, own[0][0].trial.measure.turns or MOST_TURNS)]


def shares(trial: Trial) -> bool:
    """Whether it may share the time with others."""
    workers = trial.train.num_workers if trial.train.loader == "dataloader" else 0
    return trial.measure.turns != 1 and not trial.together and not workers


def _cut(own: Sequence[Job], most: int) -> Iterator[Group]:
    if len(own) <= most:
        yield tuple(own)
        return
    for name in ("dataset", "batch_size"):
        parts: dict[object, list[Job]] = {}
        for job in own:
            trial = job[0].trial
            parts.setdefault(trial.dataset.canonical if name == "dataset" else trial.batch_size, []).append(job)
        if len(parts) > 1:
            for part in parts.values():
                yield from _cut(part, most)
            return
    count = -(-len(own) // most)
    for number in range(count):
        yield tuple(own[number * len(own) // count : (number + 1) * len(own) // count])


def group_id(group: Sequence[Job], run_id: str) -> str:
    """What its trials have in common with nothing else; empty where there is one process alone."""
    return digest(" ".join([run_id, *(planned.trial.trial_id for job in group for planned in job)])) * (len(group) > 1)


def timeout_seconds(trials: Sequence[Trial]) -> float:
    """Returns how long a job may take: as long as its trials may take one after the other."""
    return sum(trial.measure.timeout_seconds for trial in trials)


def request(trials: Sequence[Trial], *, store: Store, run_id: str, log: Path, scratch: Path) -> dict[str, Json]:
    """What a job's process is told of its trials; `log` and `scratch` are for all of them."""
    each: list[dict[str, Json]] = [
        {
            "trial": trial.to_json(),
            "artifact": str(store.artifact_path(run_id, trial.trial_id).absolute()),
            "attributes": {"trial_id": trial.trial_id, "run_id": run_id},
        }
        for trial in trials
    ]
    return {**each[0], "others": each[1:], "log": str(log.absolute()), "scratch": str(scratch)}


def wants_checkpoints(trial: Trial) -> bool:
    return trial.train.checkpoint_every_epochs is not None or trial.train.keep_checkpoints


def checkpoints(job: Job, *, store: Store, resume: bool) -> dict[str, Json]:
    """What a job's process is told of its checkpoints, where its settings ask for some."""
    planned = job[0]
    if not wants_checkpoints(planned.trial):
        return {}
    folder = store.checkpoint_folder(planned.trial.trial_id)
    files.refuse_links(folder, inside=store.folder)
    place: dict[str, Json] = {
        "folder": str(folder.absolute()),
        "environment_id": planned.environment_id,
        "code_id": planned.code_id,
        "resume": resume,
    }
    return {"checkpoints": place}


def outcomes(ending: Ending, count: int) -> Iterator[dict[str, Json]]:
    """What became of each trial of the job."""
    if ending.outcome is None:
        yield from [{"status": ending.status, "reason": ending.reason}] * count
        return
    said = [ending.outcome, *ending.outcome.get("others", ())]
    missing = {"status": "crashed", "reason": "the process ended without a word about this trial"}
    yield from (said + [missing] * count)[:count]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for what a job's process leaves on disk, gone with it; made where the process makes it."""
    folder = Path(tempfile.gettempdir()) / f"bench-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tidy(log: Path) -> None:
    """Removes an empty log; takes names and the home path out of any other: results get published."""
    with suppress(OSError):
        text = files.read(log, inside=log.parent, most_bytes=files.ANY_BYTES).decode("utf-8", "surrogateescape")
        if not text:
            log.unlink()
            log.parent.rmdir()  # of the run: only where it is empty
        elif (clean := published(text)) != text:
            files.write(log, clean.encode("utf-8", "surrogateescape"))


class Order:
    """Every job, in the order of the plan."""

    # Whether jobs are chosen by results: then no more is drawn at a time than can begin at once, and it is asked again
    # after each.
    chooses = False

    def __init__(self, plan: Plan) -> None:
        self._groups = iter(groups(jobs(plan.to_run)))

    def groups(self) -> Iterator[Group]:
        """The jobs that are left, those together that share the time. May be asked again."""
        return self._groups

    def limit_seconds(self, job: Job) -> float:
        """How long the job may take."""
        return timeout_seconds([planned.trial for planned in job])

    def cut(self, job: Job) -> str:
        """Why a job that took too long was ended, where that was not its own limit; else an empty string."""
        return ""

    def tell(self, results: Sequence[Result]) -> None:
        """Take up the results of a job."""


class StatusFile:
    """Writes the file of this run that `bench status` reads: one small write where a job begins, none while it runs.

    A job that has ended stays in it until the next write; its results tell.
    """

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
                # Jobs that share the time may take as long as all of them one after the other.
                limit_seconds=sum(limit for _, _, limit in at_work) if at_work else None,
                budget_seconds=self._budget_seconds,
            ),
        )


def _now() -> str:
    return now().isoformat(timespec="milliseconds")
