"""[tune] + catalogue -> Tune: what is searched for which entry of the grid, each value in the setting's own type."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.base.records import Json
from bench.errors import nearest
from bench.suite.catalogue import Catalogue, Setting
from bench.suite.components import ResolvedComponent, default_of
from bench.suite.document import SETTINGS, TUNE_KEYS, document_schema
from bench.suite.mistakes import Found, Key, Mistake, schema_at
from bench.suite.setting_types import SettingType
from bench.suite.tune import Range, Tune
from bench.suite.tune_checks import is_whole, wrong_values
from bench.suite.tune_grid import too_many


def resolve_tune(
    written: Mapping[str, Json], catalogue: Catalogue, *, models: Sequence[ResolvedComponent], kept: Sequence[int]
) -> Tune:
    """The search that a suite asks for. `models`: the model axis before --only; `kept`: the places of it that are left,
    in the order of the axis. Raises Mistake."""
    found, ranges = Found(), []
    for key, values in written.items():
        if key in TUNE_KEYS:
            continue
        with found.noting():
            each = _of_train(key, values) if key in SETTINGS else _of_model(key, values, catalogue, models, kept)
            ranges += [each] if each is not None else []
    own: dict[str, Any] = {key: value for key, value in written.items() if key in TUNE_KEYS}
    tune = Tune(tuple(ranges), **own | {"seconds": float(own.get("seconds", 0.0))})
    for place in range(len(kept)):
        if not found and tune.sampler == "grid" and (text := too_many(tune, tune.of_model(place))):
            found.append(Mistake(("tune", "sampler"), text))
    if found:
        raise Mistake(found[0].key, found[0].text, others=found[1:])
    return tune


def _of_train(key: str, values: Json) -> Range:
    kind = SettingType(schema_at(document_schema(), tuple(key.split("."))))
    return _range(key, values, kind, models=(), default=None)


def _of_model(
    key: str, values: Json, catalogue: Catalogue, models: Sequence[ResolvedComponent], kept: Sequence[int]
) -> Range | None:
    """What is searched of a model's setting; None where --only has left no entry of it. Raises Mistake."""
    name, _, setting = key.rpartition(".")
    at: Key = ("tune", key)
    if name not in catalogue.models:  # charged to a plugin that failed
        return None
    about = known_setting(name, setting, catalogue, at)
    found = [place for place, model in enumerate(models) if model.component.name == name and setting not in model.given]
    if not found:
        text = f"every {name} of the grid sets {setting} itself, so that nothing is left to search; leave it out there"
        raise Mistake(at, text)
    if wrong := [*wrong_values(about.kind, values, at)]:
        raise Mistake(wrong[0].key, wrong[0].text, others=wrong[1:])
    places = tuple(kept.index(place) for place in found if place in kept)
    if not places:
        return None
    return _range(key, values, about.kind, models=places, default=default_of(about))


def known_setting(name: str, setting: str, catalogue: Catalogue, at: Key) -> Setting:
    """What is known of a setting of a registered model. Raises Mistake: there is no such, or it names a file."""
    known = catalogue.models[name].settings
    if setting not in known:
        takes = f"it takes: {', '.join(known)}" if known else "it takes no settings"
        raise Mistake(at, f"unknown setting of model {name}{nearest(setting[:64], known)} ({takes})")
    if known[setting].file:
        raise Mistake(at, f"{setting} names a data file, which counts by its content; write it in the grid")
    return known[setting]


def _range(key: str, values: Json, kind: SettingType, *, models: tuple[int, ...], default: Json) -> Range:
    if isinstance(values, dict):
        whole = bool(is_whole(kind))
        low, high = (int(values[end]) if whole else float(values[end]) for end in ("low", "high"))
        return Range(key, (), low, high, bool(values.get("log")), whole, models, default)
    checked = [kind.check(value, ("tune", key)) for value in values]
    once = [value for number, value in enumerate(checked) if value not in checked[:number]]
    return Range(key, tuple(once), models=models, default=default)
