"""Which trials of a suite are to be run: those that are not there yet."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.base.records import NOT_THERE, STATUSES, Result, Trial, canonical_json, digest, non_defaults
from bench.errors import BenchError, nearest
from bench.results.store import newest, to_repeat
from bench.results.timing import DISTURBED
from bench.suite.catalogue import Catalogue, ComponentInfo
from bench.suite.plan import Suite

# Of the settings of a training, those that make no other model and no other batch.
NOT_TRIED = ("learning_rate", "epochs", "steps")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a model that was tried on a data set before anything trained, where it cannot work."""

    status: str  # failed or skipped
    reason: str
    traceback: str = ""


FINE = Verdict("ok", "")


def what_is_tried(trial: Trial) -> str:
    """What such a try depends on: trials that share it are tried once."""
    train = {name: value for name, value in non_defaults(trial.train).items() if name not in NOT_TRIED}
    return canonical_json([trial.dataset.canonical, trial.model.canonical, trial.batch_size, trial.device, train])


@dataclass(frozen=True, slots=True)
class Planned:
    """A trial with the rest of its identity, and why it cannot run where that is known before it starts."""

    trial: Trial
    environment_id: str
    code_id: str
    code: dict[str, str]
    skip: str = ""
    fail: str = ""
    traceback: str = ""  # of `fail`, where its code raised

    @property
    def key(self) -> tuple[str, str, str]:
        return self.trial.trial_id, self.environment_id, self.code_id


@dataclass(slots=True)
class Plan:
    """What is to run, what is there, and what was found on the way."""

    to_run: list[Planned] = field(default_factory=list)
    settled: list[Planned] = field(default_factory=list)  # skipped or failed before they start
    search: list[Planned] = field(default_factory=list)  # trainings of searches that can begin; what is to run follows
    later: list[Trial] = field(default_factory=list)  # like the trainings of searches, and those that follow from them
    there: int = 0
    total: int = 0
    skip_reasons: Counter[str] = field(default_factory=Counter)
    edited: Counter[str] = field(default_factory=Counter)  # source that changed → trials that run again for it
    unmeasured: Counter[str] = field(default_factory=Counter)  # metric of a plugin → trials there without it
    elsewhere: int = 0  # trials with results of other environments only
    environments: set[str] = field(default_factory=set)  # of all trials, there or not
    codes: set[str] = field(default_factory=set)

    @property
    def has_work(self) -> bool:
        """Whether something is going to be trained."""
        return bool(self.to_run or self.search)


class Identifier:
    """Completes the identity of trials on this machine, from the catalogue."""

    def __init__(self, suite: Suite, catalogue: Catalogue, verdicts: Mapping[str, Verdict] = {}) -> None:
        """`verdicts`: `what_is_tried` of trials that cannot work -> why."""
        self.suite, self.catalogue, self.verdicts = suite, catalogue, verdicts
        self._environments: dict[int, str] = {}
        self._codes: dict[tuple[str, str, str], tuple[str, dict[str, str]]] = {}

    def threads(self, trial: Trial) -> int:
        return trial.train.threads or self.catalogue.physical_cores

    def planned(self, trial: Trial) -> Planned:
        threads = self.threads(trial)
        if threads not in self._environments:
            self._environments[threads] = self.catalogue.environment.identity(threads=threads)
        code_id, code = self._code(trial)
        unknown, device = self.suite.unknown, self.catalogue.device(trial.device)
        found = self.verdicts.get(what_is_tried(trial), FINE) if self.verdicts else FINE
        skip = "" if device.available else device.reason
        fail = unknown.get(f"model:{trial.model.name}") or unknown.get(f"dataset:{trial.dataset.name}") or ""
        return Planned(
            trial=trial,
            environment_id=self._environments[threads],
            code_id=code_id,
            code=code,
            skip=skip or (found.reason if found.status == "skipped" else ""),
            fail=fail or (found.reason if found.status == "failed" else ""),
            traceback=found.traceback,
        )

    def _code(self, trial: Trial) -> tuple[str, dict[str, str]]:
        """Returns the digest of the sources that a trial's result comes from, and each of them by name."""
        key = trial.model.name, trial.dataset.name, trial.device
        if key not in self._codes:
            code = {
                "bench/worker": self.catalogue.worker_sha256[:16],
                "model": self._source(self.catalogue.models.get(trial.model.name)),
                "dataset": self._source(self.catalogue.datasets.get(trial.dataset.name)),
                "device": self.catalogue.device(trial.device).source_sha256[:16],
            }
            self._codes[key] = digest(canonical_json(code)), code
        return self._codes[key]

    def _source(self, found: ComponentInfo | None) -> str:
        if found is not None:
            return found.source_sha256[:16]
        # Nobody registered it: it is charged to the plugins that failed, and tried again when one of them changes.
        return digest(canonical_json({spec: plugin.sha256 for spec, plugin in self.catalogue.plugins.items()}))

    def source_name(self, trial: Trial, part: str) -> str:
        """Returns the file that a part of the code stands in, for people."""
        if part == "device":
            return f"device {trial.device}"
        if part == "bench/worker":
            return part
        name = trial.model.name if part == "model" else trial.dataset.name
        found = (self.catalogue.models if part == "model" else self.catalogue.datasets).get(name)
        return found.source if found and found.source else f"{part} {name}"


def parse_retry(retry: str | None) -> frozenset[str]:
    """Returns the words of `--retry failed,disturbed`: statuses, and `disturbed`. Raises BenchError on another one."""
    wanted, known = [word.strip() for word in (retry or "").split(",") if word.strip()], (*STATUSES, DISTURBED)
    for word in wanted:
        if word not in known:
            raise BenchError(f"--retry {word}: unknown status{nearest(word, known)} (there are: {', '.join(known)})")
    return frozenset(wanted)


def make_plan(
    trials: Iterable[Trial],
    identifier: Identifier,
    *,
    results: Sequence[Result],
    fresh: bool = False,
    retry: Collection[str] = (),
) -> Plan:
    """Divide `trials` into those that are there and those that are not; see `Identity` in the documentation."""
    plan, known, again = Plan(), newest(results), to_repeat(results, retry)
    other_code = {(result.trial_id, result.environment_id): result for result in results}
    anywhere = {trial_id for trial_id, _ in other_code}
    for trial in trials:
        plan.total += 1
        planned = identifier.planned(trial)
        plan.environments.add(planned.environment_id)
        plan.codes.add(planned.code_id)
        found = known.get(planned.key)
        if planned.skip:
            plan.skip_reasons[planned.skip] += 1
            if found is None or (found.status, found.reason) != ("skipped", planned.skip):
                plan.settled.append(planned)
        elif found is not None and found.status not in NOT_THERE and not fresh and planned.key not in again:
            plan.there += 1
            if found.status == "ok":
                plan.unmeasured.update(name for name in identifier.catalogue.metrics if name not in found.metrics)
        else:
            (plan.settled if planned.fail else plan.to_run).append(planned)
            if found is None:
                _explain(plan, planned, identifier, other_code=other_code, anywhere=anywhere)
    return plan


def _explain(
    plan: Plan,
    planned: Planned,
    identifier: Identifier,
    *,
    other_code: dict[tuple[str, str], Result],
    anywhere: set[str],
) -> None:
    """Counts why a trial that has results runs again: its code has changed, or they are of another environment."""
    before = other_code.get((planned.trial.trial_id, planned.environment_id))
    if before is not None and before.status not in NOT_THERE:
        changed = [part for part, value in planned.code.items() if before.code.get(part) != value]
        plan.edited.update(identifier.source_name(planned.trial, part) for part in changed)
    elif before is None and planned.trial.trial_id in anywhere:
        plan.elsewhere += 1


def estimate_seconds(to_run: Sequence[Trial], results: Sequence[Result]) -> float | None:
    """Returns how long the trials will take, from what the same cell, else the same model and data, took before.

    None where nothing like one of them has run here.
    """
    by_cell: dict[str, list[float]] = {}
    by_kind: dict[tuple[str, str, str, int], list[float]] = {}
    for result in results:
        seconds = result.metrics.get("total_seconds")
        if seconds is not None and result.status == "ok":
            by_cell.setdefault(result.trial.cell_id, []).append(seconds)
            by_kind.setdefault(_kind(result.trial), []).append(seconds)
    total, cells = 0.0, set[str]()
    for trial in to_run:
        if trial.together and trial.cell_id in cells:
            continue  # its process is counted already
        cells.add(trial.cell_id)
        seen = by_cell.get(trial.cell_id) or by_kind.get(_kind(trial))
        if not seen:
            return None
        total += sum(seen) / len(seen)
    return total


def _kind(trial: Trial) -> tuple[str, str, str, int]:
    return trial.model.canonical, trial.dataset.canonical, trial.device, trial.batch_size
