"""Merges folders of results. By the format that is copying of files; this file handles what could go wrong.

Nothing is written before everything was looked at, and no line is changed on the way: what is damaged stays so, and
is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from filecmp import cmp
from pathlib import Path

from bench.base import files
from bench.base.records import canonical_json, digest
from bench.errors import BenchError
from bench.results import doctor
from bench.results.store import SUITE_FILE, Store
from bench.suite.plan import Axis, Decide, Suite
from bench.suite.stored import suite_from_json, suite_to_json
from bench.suite.tune import SearchState, Tune

BESIDE = ("artifacts", "logs")
# What may differ between two runs of one plan: how it was called, and which part of it was run.
FREE = frozenset({
    "title", "source", "plugins", "plugins_added", "sets", "baseline", "only", "shard", "keep", "budget", "published",
    "weights", "decide", "decisions", "tune",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class MergedFolder:
    """One folder that was merged, with counts of its files, its results and its damaged lines."""

    folder: Path
    files: int
    results: int
    damaged: int


@dataclass(slots=True)
class Merged:
    """The outcome of a merge. `twice`: results that lay in more than one folder; `copied`: files that were written."""

    out: Path
    parts: list[MergedFolder]
    files: int = 0
    results: int = 0
    damaged: int = 0
    twice: int = 0
    copied: int = 0
    notes: list[str] = field(default_factory=list)


def merge(out: Path, sources: Sequence[Path], *, plan: Path | None = None) -> Merged:
    """Put the results of `sources` into `out`; what lies there already is one of them. Again changes nothing.

    `plan`: the one of the folders whose plan is kept, where they are of two. Raises BenchError for a folder without
    results, two suites, two plans, two different files of one trial, and where `out` cannot be written.
    """
    folders = _folders(out, sources)
    stores = [Store(folder) for folder in folders]
    merged = Merged(out, [])
    for store in stores:
        store.refresh()
        merged.parts.append(MergedFolder(store.folder, len(store.lines_files()), store.count, store.damaged))
    suite = _plan(stores, chosen=plan, notes=merged.notes)
    copies = _lines(stores, out, merged.notes) | _beside(folders, out)
    try:
        for path, source in copies.items():
            merged.copied += _copy(source, path, out=out)
        _doctors(stores, out)
        if suite is not None:
            Store(out).save_suite(suite_to_json(suite))
    except OSError as error:
        raise BenchError(f"{out}: cannot be written ({files.why(error)}); choose another folder") from error
    whole = Store(out)
    whole.refresh()
    merged.files, merged.results = len(whole.lines_files()), whole.count
    merged.damaged, merged.twice = whole.damaged, sum(part.results for part in merged.parts) - whole.count
    return merged


def _folders(out: Path, sources: Sequence[Path]) -> list[Path]:
    """Every folder once; the target itself first, where something lies in it."""
    for folder in sources:
        if not Store(folder).lines_files():
            inner = sorted(path.parent.name for path in folder.glob("*/trials"))
            hint = f" (did you mean one of its folders: {', '.join(inner[:5])}?)" if inner else ""
            raise BenchError(f"{folder}: no results there (no trials/*.jsonl){hint}")
    own = [out] if Store(out).lines_files() else []
    return list({folder.resolve(): folder for folder in [*own, *sources]}.values())


def _plan(stores: Sequence[Store], *, chosen: Path | None, notes: list[str]) -> Suite | None:
    """The plan of the merged folder; None where no folder has one."""
    if chosen is not None:
        store = next((each for each in stores if each.folder.resolve() == chosen.resolve()), None)
        stored = None if store is None else store.load_suite()
        if stored is None:
            raise BenchError(f"--plan {chosen}: not one of the merged folders, or without a plan ({SUITE_FILE})")
        notes.append(f"the plan is that of {chosen}")
        return suite_from_json(stored)
    plans = {str(store.folder): suite_from_json(value) for store in stores if (value := store.load_suite()) is not None}
    if without := len(stores) - len(plans):
        notes.append(f"{without} of {len(stores)} folders without a plan ({SUITE_FILE})")
    if not plans:
        return None
    suite, done = combine(plans)
    notes += done
    return suite


def combine(plans: Mapping[str, Suite]) -> tuple[Suite, list[str]]:
    """The plan that `plans` (folder → plan) are parts of, and notes on what was combined.

    Shards and `--only` of one plan become the whole plan. Values of one axis (the devices of two machines) are joined.
    BenchError for two suites, and for plans that differ in more: their trials together are the grid of neither.
    """
    (first_place, found), *others = plans.items()
    notes: list[str] = []
    for place, plan in others:
        if plan.name != found.name:
            raise BenchError(
                f"two suites: {first_place} is of {found.name}, {place} of {plan.name}; "
                "merge the results of each suite into a folder of its own"
            )
        found = _narrowed(found, plan, notes)
        found = _joined(found, plan, notes, places=(first_place, place))
    return found, list(dict.fromkeys(notes))


def _narrowed(a: Suite, b: Suite, notes: list[str]) -> Suite:
    """`a` without the shard or the --only that made it a part of the plan, where `b` is another part."""
    if a.shard != b.shard:
        notes.append("the folders hold shards of one plan: the merged folder has the whole plan")
        a = replace(a, shard=None)
    if (a.only, a.keep) != (b.only, b.keep):
        notes.append("the folders were run with different --only: the merged folder has the whole plan")
        a = replace(a, only=(), keep=())
    same = a.axis("seed") == b.axis("seed")
    if a.tune is not None and b.tune is not None:
        a = replace(a, tune=replace(a.tune, searches=_searches(a.tune, b.tune)))
    # What was decided by a part of the results is not what was decided by all of them.
    return replace(a, budget=a.budget or b.budget, decide=_decide(a, b) if same else None, decisions=())


def _decide(a: Suite, b: Suite) -> Decide | None:
    """That of either, with the seeds that either planned beyond the grid."""
    if a.decide is None or b.decide is None:
        return a.decide or b.decide
    cells = dict.fromkeys([*a.decide.more, *b.decide.more])
    more = {cell: max(a.decide.more.get(cell, 0), b.decide.more.get(cell, 0)) for cell in cells}
    return replace(a.decide, more=more, why="")


def _searches(a: Tune, b: Tune) -> tuple[SearchState, ...]:
    """The searches of both; of one that both have, that which is at its end, else the one that has come further."""
    found = {state.cell: state for state in a.searches}
    for state in b.searches:
        known = found.get(state.cell)
        if known is None or (known.chosen is None, -len(known.attempts)) > (state.chosen is None, -len(state.attempts)):
            found[state.cell] = state
    return tuple(found.values())


def _joined(a: Suite, b: Suite, notes: list[str], *, places: tuple[str, str]) -> Suite:
    """`a` with the values that `b` has on the one axis in which they differ."""
    if differing := _settings(a, b):
        raise _two_plans(places, differing)
    axes = [axis.name for axis in a.axes if tuple(axis.values) != tuple(b.axis(axis.name).values)]
    if not axes:
        return a
    ruled = {name for rule in (*a.exclude, *a.keep, *(each.rule for each in a.override)) for name in rule.at}
    if len(axes) > 1 or axes[0] in ruled:
        raise _two_plans(places, [f"{name}: {_values(a, name)} against {_values(b, name)}" for name in axes])
    (name,) = axes
    values = [*a.axis(name).values, *(value for value in b.axis(name).values if value not in a.axis(name).values)]
    joined = Axis(name, tuple(values))
    notes.append(f"the values of {name} are joined: {', '.join(joined.labels[:8])}")
    return replace(a, axes=tuple(joined if axis.name == name else axis for axis in a.axes))


def _settings(a: Suite, b: Suite) -> list[str]:
    """The settings in which two plans differ, apart from the values of axes."""
    plain = [suite_to_json(suite) | {"axes": [axis.name for axis in suite.axes]} for suite in (a, b)]
    if a.tune != b.tune:  # what they search, not what they have found
        return ["tune: other settings, or searched in another way"]
    first, second = ({key: canonical_json(part) for key, part in each.items() if key not in FREE} for each in plain)
    return [f"{key}: {_shown(own)} against {_shown(second[key])}" for key, own in first.items() if own != second[key]]


def _shown(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _values(suite: Suite, name: str) -> str:
    labels = suite.axis(name).labels
    return ", ".join(labels[:4]) + (", …" if len(labels) > 4 else "")


def _two_plans(places: tuple[str, str], differing: Sequence[str]) -> BenchError:
    return BenchError(
        f"two plans: {places[0]} and {places[1]} differ in {'; '.join(differing)}; merge them separately, or choose "
        "with --plan DIR the plan that the merged folder keeps (results of the other stay on file)"
    )


def _lines(stores: Sequence[Store], out: Path, notes: list[str]) -> dict[Path, Path]:
    """Target → source of the files of results. Two different ones of one name are kept under two names; of a file and
    its beginning (a copy of a run that went on), the longer one is kept."""
    found: dict[str, Path] = {}
    for path in (path for store in stores for path in store.lines_files()):
        known = found.setdefault(path.name, path)
        if known == path or cmp(known, path, shallow=False):
            continue
        old, new = files.read(known), files.read(path)
        if new.startswith(old) or old.startswith(new):
            found[path.name] = path if len(new) > len(old) else known
            notes.append(f"{path.name}: one copy is the beginning of the other; the longer one is kept")
            continue
        name = f"{path.stem}-{digest(new)[:8]}.jsonl"
        found[name] = path
        notes.append(f"{path.name}: two different files of this name; the second is kept as {name}")
    return {out / "trials" / name: path for name, path in found.items()}


def _beside(folders: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Target → source of artifacts and logs. BenchError where two differ: they are of one trial of one run."""
    found: dict[Path, Path] = {}
    for folder in folders:
        for path in (path for part in BESIDE for path in files.plain_files(folder / part, "**/*", inside=folder)):
            known = found.setdefault(out / path.relative_to(folder), path)
            if not cmp(known, path, shallow=False):
                raise BenchError(f"{path}: differs from {known}, and both are of one trial of one run; remove one")
    return found


def _copy(source: Path, target: Path, *, out: Path) -> bool:
    """Copy aside, then rename: whole or absent. False where it is there."""
    if files.is_plain(target, inside=out) and (target.samefile(source) or cmp(source, target, shallow=False)):
        return False
    files.copy(source, target, inside=out)
    return True


def _doctors(stores: Sequence[Store], out: Path) -> None:
    """What `bench doctor` found on the machines that results are from; the newest of each environment."""
    results = (result for store in stores for result in (*store.results, *store.searches))
    machines = {doctor.machine_id(result.environment) for result in results}
    known = {each.environment_id: each for each in doctor.stored(out)}
    found = (each for store in stores for each in doctor.stored(store.folder))
    newest = {each.environment_id: each for each in sorted(found, key=lambda each: each.finished_at)}
    for environment_id, each in newest.items():
        before = known.get(environment_id)
        newer = before is None or each.finished_at > before.finished_at
        if newer and doctor.machine_id(each.environment) in machines:
            doctor.save(each, out)
