"""Everything recorded that differs between two sides: settings, machine, software, code, format of the results."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell, axis_label, labels_of, value_text
from bench.base.records import Json, Result
from bench.pairing.matching import Match, Pair, settings_of
from bench.pairing.sides import Side
from bench.present.format import listing, plural, scale_of
from bench.results.frame import Row

KINDS = ("setting", "environment", "software", "code", "format")  # the likeliest cause first
MOST_VALUES = 3
NOT_SHOWN = frozenset({"torch_git"})  # the version of torch says it
CODE = {"bench/worker": "bench's own training and measuring", "model": "the model's file",
        "dataset": "the data set's file", "device": "the device's file"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `what` is `a` on side A and `b` on side B. `kind`: one of KINDS."""

    kind: str
    what: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.what}: {self.a} against {self.b}" if self.b else f"{self.what}: {self.a}"


def differences(a: Side, b: Side, found: Match, pairs: Sequence[Pair]) -> Iterator[Difference]:
    """Yields what differs between the results of `pairs`, the likeliest causes first."""
    asked = list(_settings(a, b, found.apart))
    yield from asked
    sides = [_recorded(pair.a for pair in pairs), _recorded(pair.b for pair in pairs)]
    for kind, name in sorted({**sides[0], **sides[1]}, key=lambda key: KINDS.index(key[0])):
        first, second = (side.get((kind, name), [_text(name, None)]) for side in sides)
        said = _some(first), _some(second)
        if set(first) != set(second) and not (kind == "setting" and said in [(each.a, each.b) for each in asked]):
            yield Difference(kind, _plain(name), *said)
    yield from _code(pairs)
    if a.folder.schemas != b.folder.schemas:
        texts = [", ".join(map(str, sorted(side.folder.schemas))) for side in (a, b)]
        yield Difference("format", "schema of the results", texts[0], texts[1])


def settings_apart(a: Side, b: Side) -> str:
    """Returns the settings of which the two sides have no value in common: `dataset digits against mnist`."""
    rows = [_first_trials(side.rows) for side in (a, b)]
    texts = []
    for name in ("dataset", "model", *settings_of(a.rows[0].trial)):
        values = [_values(name, side) for side in rows]
        if not set(values[0]) & set(values[1]):
            text = f"{axis_label(name)} {_some(values[0])} against {_some(values[1])}"
            texts += [text] if text not in texts else []
    return listing(texts) or "their settings never agree in all"


def _first_trials(rows: Sequence[Row]) -> list[Row]:
    return list({row.trial.cell_id: row for row in rows}.values())


def _values(name: str, rows: Sequence[Row]) -> list[str]:
    """Returns the values of a setting as people read them."""
    if name in ("dataset", "model"):
        labels = labels_of({(part := getattr(row.trial, name)).canonical: part for row in rows}.values())
        return list(dict.fromkeys(labels.values()))
    return list(dict.fromkeys(value_text(settings_of(row.trial)[name]) for row in rows))


def _some(values: Sequence[str]) -> str:
    return listing([*values[:MOST_VALUES], *(["others"] if len(values) > MOST_VALUES else [])])


def _settings(a: Side, b: Side, apart: Sequence[str]) -> Iterator[Difference]:
    rows = [_first_trials(side.rows) for side in (a, b)]
    for name in apart:
        values = [_some(_values(name, side)) for side in rows]
        yield Difference("setting", axis_label(name), *(_as_asked(name, value) for value in values))


def _as_asked(name: str, value: str) -> str:
    return "0 (every core)" if name == "train.threads" and value == "0" else value


def _recorded(cells: Iterable[Cell | None]) -> dict[tuple[str, str], list[str]]:
    """Returns the values of everything recorded on one side, by (kind, name)."""
    results = [result for cell in cells if cell is not None for result in cell.ok]
    # What is read here is the same in all results of one environment and run.
    distinct = {(each.environment_id, each.run_id, each.threads): each for each in results}.values()
    recorded = [dict(_facts(each)) for each in distinct]
    names = dict.fromkeys(name for each in recorded for name in each)
    return {name: list(dict.fromkeys(_text(name[1], each.get(name)) for each in recorded)) for name in names}


def _facts(result: Result) -> Iterator[tuple[tuple[str, str], Json]]:
    """Yields ((kind, name), value) of one result: threads, facts of the environment, packages, commit, governor."""
    yield ("setting", "threads (as they ran)"), result.threads or None
    facts, notes = result.environment.facts, result.environment.notes
    for name, value in facts.items():
        if isinstance(value, Mapping):  # switches, limits of the container
            yield from ((("environment", f"{name}: {key}"), each) for key, each in value.items())
        elif name not in NOT_SHOWN:
            yield ("environment", name), value
    for name, value in dict(notes.get("versions") or {}).items():
        if name not in facts:
            yield ("software", name), value
    if commit := notes.get("commit"):
        yield ("software", "commit"), str(commit)[:12] + (" (with changes)" if notes.get("dirty") else "")
    yield from ((("software", name), notes[name]) for name in ("python", "governor") if notes.get(name))


def _plain(name: str) -> str:
    return name.removesuffix("_bytes").replace("_", " ") if name.islower() else name


def _text(name: str, value: Json) -> str:
    if value in (None, "", {}):
        return "not set" if name.startswith("switches") else "unknown"
    if name.endswith("_bytes") and isinstance(value, int | float):
        scale = scale_of("bytes", [value])
        return f"{value / scale.divisor:.1f} {scale.unit}"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _code(pairs: Sequence[Pair]) -> Iterator[Difference]:
    """Yields the source files that differ, and in how many cells."""
    unlike: dict[str, int] = {}
    for pair in pairs:
        if pair.a is None or pair.b is None or pair.a.code_id == pair.b.code_id:
            continue
        first, second = pair.a.ok[0].code, pair.b.ok[0].code
        parts = [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]
        # Another model or device has another file: that is what is compared.
        asked = {"model": pair.a.model != pair.b.model, "device": pair.a.trial.device != pair.b.trial.device}
        for name in parts or ["code"]:
            if not asked.get(name):
                unlike[name] = unlike.get(name, 0) + 1
    for name, count in unlike.items():
        yield Difference("code", f"{CODE.get(name, name)} differs", f"in {count} of {plural(len(pairs), 'cell')}", "")
