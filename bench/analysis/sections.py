"""From rows to sections: what is a cell, what pools with what, and which machine a result is from."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from bench.analysis.cells import DOTTED, Cell, Section, hashable, labels_of, short_ids
from bench.base.records import Json, Result, canonical_json, digest
from bench.present.format import slug
from bench.results.frame import Row, age, torch_of
from bench.suite.plan import Suite


def sections_of(rows: Sequence[Row], suite: Suite | None) -> list[Section]:
    """The sections in the order of the plan; those in which nothing is ok come last."""
    cells = _cells(rows, _decided(suite))
    machines = {cell.machine for cell in cells if cell.machine}
    grouped: dict[tuple[str, str, str, str], list[Cell]] = {}
    for cell in cells:
        together = cell.trial.train.engine if cell.trial.together else ""
        grouped.setdefault((cell.dataset, cell.trial.device, cell.machine, together), []).append(cell)
    axes = None if suite is None else {axis.name for axis in suite.axes}
    found = [
        narrowed(Section(*key[:3], several_machines=len(machines) > 1, together=key[3]), group, axes=axes)
        for key, group in grouped.items()
    ]
    return sorted(found, key=lambda section: not section.measured)


def narrowed(section: Section, cells: Sequence[Cell], *, axes: Collection[str] | None) -> Section:
    """`section` with these cells: what differs between them is shown, what they share is a condition. `axes`: those
    of the suite; None where it is not known."""
    shown = tuple(name for name in DOTTED if len({hashable(cell.setting(name)) for cell in cells}) > 1)
    codes: dict[str, set[str]] = {}
    for cell in cells:
        codes.setdefault(cell.trial.cell_id, set()).add(cell.code_id)
    return replace(
        section,
        cells=tuple(cells),
        axes=tuple(name for name in shown if axes is None or name in axes),
        shown=shown,
        several_codes=any(len(found) > 1 for found in codes.values()),
    )


def _decided(suite: Suite | None) -> dict[str, dict[str, str]]:
    """Id of a cell -> id of another -> what a run that chose its seeds by results decided of the two."""
    found: dict[str, dict[str, str]] = {}
    for each in () if suite is None else suite.decisions:
        found.setdefault(each.first, {})[each.second] = each.verdict
        found.setdefault(each.second, {})[each.first] = each.verdict
    return found


def _cells(rows: Iterable[Row], decided: Mapping[str, Mapping[str, str]]) -> list[Cell]:
    """Rows by cell, machine and code. A trial without a result is missing wherever the rest of its cell is."""
    rows, machine_of = list(rows), _Machines()
    keys = [(row.trial.cell_id, machine_of(row.result), _code(row.result)) for row in rows]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    of_cell: dict[str, list[tuple[str, str, str]]] = {}
    for row, key in zip(rows, keys, strict=True):
        if row.result is not None and key not in groups:
            groups[key] = []
            of_cell.setdefault(key[0], []).append(key)
    only = _only_machine(key[1] for key in groups)
    order: dict[tuple[str, str, str], None] = {}
    for row, key in zip(rows, keys, strict=True):
        found = [key] if row.result is not None else of_cell.get(key[0], [(key[0], only, "")])
        for each in found:
            groups.setdefault(each, []).append(row)
            order[each] = None
    trials = {key: groups[key][0].trial for key in order}
    datasets = labels_of(trial.dataset for trial in trials.values())
    models = labels_of(trial.model for trial in trials.values())
    pool_of = _Pools(groups[key] for key in order)
    return [
        Cell(
            trial,
            models[trial.model.canonical],
            datasets[trial.dataset.canonical],
            tuple(groups[key]),
            *key[1:],
            pool=pool_of(groups[key]),
            decided=decided.get(key[0], {}),
        )
        for key, trial in trials.items()
    ]


class _Pools:
    """Which results a cell shares its accuracy with; none where it has but its own."""

    def __init__(self, groups: Iterable[Sequence[Row]]) -> None:
        self._newest: dict[tuple[str, ...], dict[int, Result]] = {}
        self._cells: Counter[tuple[str, ...]] = Counter()
        for results in map(_ok, groups):
            self._cells.update({_pool(result) for result in results})
            for result in results:
                pool = self._newest.setdefault(_pool(result), {})
                known = pool.get(result.trial.seed)
                if known is None or age(known) <= age(result):
                    pool[result.trial.seed] = result

    def __call__(self, rows: Sequence[Row]) -> tuple[Result, ...]:
        key = next(map(_pool, _ok(rows)), ())
        return tuple(self._newest[key].values()) if self._cells[key] > 1 else ()


def _ok(rows: Sequence[Row]) -> list[Result]:
    return [row.result for row in rows if row.result is not None and row.status == "ok"]


def _pool(result: Result) -> tuple[str, ...]:
    return result.trial.cell_id, torch_of(result), str(result.threads), result.code_id


def _code(result: Result | None) -> str:
    return "" if result is None else result.code_id


def _only_machine(machines: Iterable[str]) -> str:
    found = set(machines)
    return found.pop() if len(found) == 1 else ""


class _Machines:
    """Which machine (and software) a result is from: the facts of its environment, without the threads that
    `environment_id` holds too, so that trials with 1 and 2 threads can stand in one table."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, result: Result | None) -> str:
        if result is None:
            return ""
        key = result.environment_id
        if key not in self._known:
            facts: Mapping[str, Json] = result.environment.facts
            self._known[key] = digest(canonical_json(dict(facts))) if facts else key
        return self._known[key]


def slugs_of(sections: Sequence[Section]) -> dict[Section, str]:
    """A file name for each section: letters, digits, `_`, `.` and `-`, whatever it is called; no two alike."""
    found = {}
    for section in sections:
        name = "-".join(filter(None, [slug(section.dataset), slug(section.device), section.together]))
        environment = short_ids(section.environments[:1]) if section.several_machines else ""
        found[section] = f"{name}-{environment}" if environment else name
    return found
