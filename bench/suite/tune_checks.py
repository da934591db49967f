"""What is wrong with [tune], and with settings of models in [[override]], as far as the file alone says it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.base.records import NOT_IDENTITY, Json
from bench.errors import nearest
from bench.suite.document import SECTIONS, SETTINGS, TUNE_KEYS, Tune, document_schema
from bench.suite.mistakes import Key, Mistake, schema_at, show
from bench.suite.setting_types import SettingType, unknown_key

LENGTHS = ("train.epochs", "train.steps")


def model_names(grid: object) -> list[str]:
    """The names of the models of a grid as it was written; what is no entry is left out."""
    entries = grid.get("model") if isinstance(grid, dict) else None
    names = [entry.get("name") if isinstance(entry, dict) else entry for entry in _list(entries)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def unknown_keys(tables: Mapping[str, Any]) -> Iterator[Mistake]:
    """The keys of [tune] and of what overrides set that are neither theirs nor settings of a model of the grid."""
    models = model_names(tables.get("grid"))
    tune = tables.get("tune")
    for key in tune if isinstance(tune, dict) else ():
        if key not in TUNE_KEYS and (text := _unknown(key, models)):
            yield Mistake(("tune", key), text)
    for index, table in enumerate(_list(tables.get("override"))):
        settings = table.get("set") if isinstance(table, dict) else None
        for key in settings if isinstance(settings, dict) else ():
            if key not in SETTINGS and key.rpartition(".")[0] not in models:
                where: Key = ("override", index, "set", key)
                yield Mistake(where, unknown_key(where, document_schema()))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _unknown(key: str, models: Sequence[str]) -> str:
    """Why a key of [tune] is no setting to search, in one line; empty where it may be one."""
    head, _, name = key.rpartition(".")
    if not head:
        keys = list(Tune.model_fields)
        near = nearest(name[:64], keys).replace("did you mean ", "did you mean tune.")
        near = near or nearest(name[:64], _searchable()).replace("did you mean ", "did you mean train.")
        takes = f"it takes: {', '.join(keys)}; and settings to search, as train.learning_rate or MODEL.SETTING"
        return f"unknown key{near} ({takes})"
    if head in models or (not models and head not in SECTIONS):  # without a model the grid itself is refused
        return ""
    if head == "train":
        near = nearest(name[:64], _searchable())
        return "" if key in SETTINGS else f"no setting of [train]{near}"
    if head in SECTIONS:
        return "only settings of [train] and of models are searched: it changes nothing that is learned"
    heads = ["train", *models]
    return f"the grid has no model {show(head)}{nearest(head[:64], heads)} (there are: {', '.join(models)})"


def _searchable() -> list[str]:
    return [key.partition(".")[2] for key in SETTINGS if key.startswith("train.")]


def check_tune(document: Mapping[str, Any], *, written: object) -> Iterator[Mistake]:
    """The mistakes of [tune] that need no catalogue: what is searched, and how. `written`: the table as it stands in
    the file, where what is wrong has not been left out."""
    tune = document.get("tune")
    if tune is None:
        return
    searched = {key: value for key, value in tune.items() if key not in TUNE_KEYS}
    if isinstance(written, dict) and set(written) <= TUNE_KEYS:
        text = 'nothing to search: add settings, as in "train.learning_rate" = { low = 1e-3, high = 1.0, log = true }'
        yield Mistake(("tune",), text)
    if tune.get("seconds") and "trials" in tune:
        yield Mistake(("tune", "seconds"), "give tune.trials or tune.seconds, not both")
    yield from _clashes(document, searched, stops=tune.get("stop_early", True))
    for key, values in searched.items():
        yield from _values(key, values)


def _clashes(document: Mapping[str, Any], searched: Mapping[str, Json], *, stops: bool) -> Iterator[Mistake]:
    """Settings that are searched, and are something else too."""
    for key in searched:
        at: Key = ("tune", key)
        if key in document["grid"]:
            yield Mistake(at, f"it is an axis of the grid too; keep one of the two (grid.{key} trains every value)")
        elif key == "train.validation_split":
            yield Mistake(at, "it is no setting to search; tune.validation says how large the validation part is")
        elif key.startswith("train.") and key.partition(".")[2] in NOT_IDENTITY:
            yield Mistake(at, "it changes nothing that is learned, so there is nothing to choose by")
        elif key in LENGTHS and stops:
            text = "stop_early compares settings at the same share of one length; add stop_early = false"
            yield Mistake(at, f"{text} to search it")
    given = {f"train.{key}" for key in document.get("train", {})} | set(document["grid"]) | set(searched)
    if set(LENGTHS) <= given and set(LENGTHS) & set(searched):
        yield Mistake(("tune",), "give train.epochs or train.steps, not both")


def _values(key: str, values: Json) -> Iterator[Mistake]:
    at: Key = ("tune", key)
    if isinstance(values, dict):
        low, high = values["low"], values["high"]
        if low >= high:
            yield Mistake(at, f"low {low:g} is not below high {high:g}; give a range, or a list of values")
            return
        if values.get("log") and low <= 0:
            yield Mistake((*at, "low"), f"expected a number over 0 with log = true, found {low:g}")
            return
    if key in SETTINGS:
        yield from wrong_values(SettingType(schema_at(document_schema(), tuple(key.split(".")))), values, at)


def wrong_values(kind: SettingType, values: Json, at: Key) -> Iterator[Mistake]:
    """The values of a list, or the ends of a range, that a setting cannot take."""
    if isinstance(values, dict):
        if is_whole(kind) is None:
            yield Mistake(at, "a range is for numbers; give a list of the values to try")
            return
        for end in ("low", "high"):
            yield from _wrong(kind, values[end], (*at, end))
        return
    for index, value in enumerate(values):
        yield from _wrong(kind, value, (*at, index))


def _wrong(kind: SettingType, value: Json, at: Key) -> Iterator[Mistake]:
    try:
        kind.check(value, at)
    except Mistake as found:
        yield found


def is_whole(kind: SettingType) -> bool | None:
    """Whether a setting takes whole numbers alone; None where it takes no number at all."""
    kinds = {name for part in _parts(kind.schema) for name in _kinds(part.get("type"))}
    return None if not kinds & {"number", "integer"} else "number" not in kinds


def _kinds(written: str | list[str] | None) -> list[str]:
    return written if isinstance(written, list) else [written or ""]


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema and its alternatives."""
    yield schema
    for part in schema.get("anyOf", schema.get("oneOf", ())):
        yield from _parts(part)
