"""The series of a metric: one for each cell and machine, with a point for each run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.base.answers import Answers
from bench.base.records import TOGETHER, Json, Result, Trial, canonical_json, digest
from bench.present.names import short_names
from bench.results.frame import pools
from bench.results.timing import Timing, timings

# Facts of an environment that an upgrade changes. All others are the machine: a series never goes across them.
SAID = (
    "torch", "cuda", "cudnn", "driver", "blas", "mkl", "onednn", "cpu_capability", "python", "kernel", "os", "switches",
)  # fmt: skip
SOFTWARE = frozenset({*SAID, "torch_git"})
CODE = {"bench/worker": "bench itself", "dataset": "the data set", "model": "the model"}
GIB = 2**30


@dataclass(frozen=True)
class Point:
    """One run of one cell: its results by seed, all with one code in one environment."""

    results: tuple[Result, ...]
    metric: str

    @property
    def first(self) -> Result:
        return self.results[0]

    @cached_property
    def at(self) -> str:
        """The time when its last result was done: UTC, ISO 8601."""
        return max(result.finished_at for result in self.results)

    @cached_property
    def by_seed(self) -> dict[int, float]:
        return {result.trial.seed: result.metrics[self.metric] for result in self.results}

    @cached_property
    def answers_by_seed(self) -> dict[int, Answers | None]:
        return {result.trial.seed: result.answers for result in self.results}

    @cached_property
    def values(self) -> list[float]:
        """One figure a process: of seeds that one process trained at once, a timing is one measurement."""
        together = self.first.trial.train.engine in TOGETHER and not pools(self.metric)
        counted = {result.run_id: result for result in reversed(self.results)}.values() if together else self.results
        return [result.metrics[self.metric] for result in counted]

    @property
    def commit(self) -> str:
        """`3c40aa2c`; `3c40aa2c+` with changes that were not committed; empty where it is not known."""
        notes = self.first.environment.notes
        return f"{str(notes.get('commit') or '')[:8]}{'+' if notes.get('commit') and notes.get('dirty') else ''}"

    @cached_property
    def timings(self) -> list[Timing]:
        """How far the timing of each result is to be trusted."""
        return timings(self.results)


@dataclass(frozen=True)
class Series:
    """The points of one cell on one machine, the oldest first."""

    trial: Trial  # of its first result
    machine: str
    threads: int
    points: tuple[Point, ...]
    left_out: int  # runs in which some seeds do not have the figure: the mean of the others would be another one's

    @property
    def facts(self) -> Mapping[str, Json]:
        return self.points[-1].first.environment.facts


def hardware(result: Result) -> str:
    """Returns an id of the machine that a result is from, whatever software is on it."""
    facts = {name: value for name, value in result.environment.facts.items() if name not in SOFTWARE}
    if isinstance(facts.get("memory_bytes"), int):
        facts["memory_bytes"] = round(facts["memory_bytes"] / GIB)  # a kernel leaves a little more or less of it
    return digest(canonical_json(facts)) if facts else result.environment_id


def series_of(results: Iterable[Result], metric: str) -> list[Series]:
    """Returns the series of every cell that has `metric`, in the order of their first runs. Only `ok` results count,
    and runs of which all of them have it."""
    groups: dict[tuple[str, str, int], dict[tuple[str, str, str], list[Result]]] = {}
    for result in sorted(results, key=lambda each: (each.finished_at, each.run_id)):
        if result.status == "ok":
            runs = groups.setdefault((result.trial.cell_id, hardware(result), result.threads), {})
            runs.setdefault((result.run_id, result.environment_id, result.code_id), []).append(result)
    found = [_series(key[1], key[2], list(runs.values()), metric) for key, runs in groups.items()]
    return [series for series in found if series is not None]


def _series(machine: str, threads: int, runs: Sequence[Sequence[Result]], metric: str) -> Series | None:
    have = [[metric in result.metrics for result in run] for run in runs]
    whole = [Point(tuple(run), metric) for run, found in zip(runs, have, strict=True) if all(found)]
    points = sorted(whole, key=lambda point: point.at)
    left_out = sum(any(found) and not all(found) for found in have)
    return Series(points[0].first.trial, machine, threads, tuple(points), left_out) if points else None


def differences(before: Point, after: Point) -> list[str]:
    """Returns what could explain a change between two runs, in words: versions, source files, commit."""
    a, b = before.first, after.first
    old, new = a.environment.facts, b.environment.facts
    found = [
        f"{name} {' → '.join(_short(old.get(name), new.get(name)))}" for name in SAID if old.get(name) != new.get(name)
    ]
    if old.get("torch") == new.get("torch") and old.get("torch_git") != new.get("torch_git"):
        found.append("another build of torch")
    files = [name for name in dict.fromkeys([*a.code, *b.code]) if a.code.get(name) != b.code.get(name)]
    if files:
        found.append(f"code of {', '.join(CODE.get(name, f'the {name}') for name in files)}")
    elif a.code_id != b.code_id:
        found.append("code")
    if before.commit != after.commit:
        found.append(f"commit {before.commit or 'unknown'} → {after.commit or 'unknown'}")
    return found


def _short(*values: Json) -> list[str]:
    texts = ["unknown" if value is None else str(value) for value in values]
    short = short_names(texts, most=32)
    return [short[text] for text in texts]
