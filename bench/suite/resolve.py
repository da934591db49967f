"""SuiteFile + catalogue -> Suite: names and settings checked, defaults left out, rules turned into places of axes."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.base.metrics import BUILT_IN
from bench.base.records import (
    NOT_IDENTITY,
    Json,
    MeasureSettings,
    SeedSettings,
    TrainSettings,
    canonical_json,
    settings_by_name,
)
from bench.errors import BenchError, nearest
from bench.suite.catalogue import Catalogue
from bench.suite.components import Builder, ResolvedComponent, default_of
from bench.suite.document import BY_CLASS, LISTS
from bench.suite.mistakes import Found, Key, Mistake, published_path, show
from bench.suite.only_option import apply_only
from bench.suite.plan import Axis, Decide, Override, Published, Rule, Suite, check_shard
from bench.suite.read import Refused, SuiteFile, as_written, in_order, read_suite
from bench.suite.tune import Tune
from bench.suite.tune_resolve import known_setting, resolve_tune

_COMPONENTS = ("dataset", "model")
_TIMEOUT = "measure.timeout_seconds"


def resolve(
    file: SuiteFile,
    catalogue: Catalogue,
    *,
    only: Sequence[str] = (),
    shard: str | None = None,
    timeout_seconds: float | None = None,
    data_root: Path | None = None,
) -> Suite:
    """The plan of a suite on a machine. `timeout_seconds` replaces every timeout of it. Data files are looked for
    beside the suite, then under `data_root`. Raises BenchError: one line."""
    if timeout_seconds is not None and not 0 < timeout_seconds < math.inf:
        raise BenchError(f"--timeout {timeout_seconds}: expected a number of seconds over 0")
    suite = _Resolver(file, catalogue, data_root=data_root).suite(only)
    if timeout_seconds is not None:
        suite = _with_timeout(suite, float(timeout_seconds))
    if next(suite.trials(), None) is None:
        what = " and ".join(name for name, used in (("--only", only), ("exclude", suite.exclude)) if used)
        raise BenchError(f"{file.path}: no trial of the grid remains after {what}")
    return replace(suite, shard=check_shard(shard))


def read_whole(
    path: Path, ask: Callable[[Sequence[str]], Catalogue], *, sets: Sequence[str] = (), plugins: Sequence[str] = ()
) -> SuiteFile:
    """`read_suite`, which finds the mistakes of names and their settings too where there are others.

    `ask` gives the catalogue with these plugins. Where all is right `resolve` finds them, which is asked next anyway.
    """
    try:
        return read_suite(path, sets=sets, plugins=plugins)
    except Refused as refused:
        if refused.file is None:
            raise
        more: Sequence[Mistake] = ()
        with suppress(BenchError):  # no catalogue: what was found is said all the same
            more = _Resolver(refused.file, ask(refused.file.asked), data_root=None).mistakes()
        file = refused.file
        found = [*refused.found, *as_written(more, file.gone)]
        raise Refused(path, file.sets, in_order(found, file.tables), None) from None


class _Resolver:
    """Resolves one file. The tables of the grid come first: rules are places on its axes."""

    def __init__(self, file: SuiteFile, catalogue: Catalogue, *, data_root: Path | None) -> None:
        self._file, self._catalogue, self._found = file, catalogue, Found()
        self._axes: dict[str, Sequence[Any]] = {}
        self._built: dict[str, list[ResolvedComponent]] = {}  # of data sets and models: what rules match against
        self._base: dict[str, Json] = {}
        folders = (file.path.parent.resolve(), *([data_root.resolve()] if data_root else []))
        self._later: dict[str, list[Json]] = {}  # what overrides set, by dotted name
        for override in file.override:
            for key, value in override["set"].items():
                self._later.setdefault(key, []).append(value)
        written = dict(zip(file.plugins, file.plugins_written, strict=True))
        self._builder = Builder(catalogue, folders=folders, written=written)

    def mistakes(self) -> Sequence[Mistake]:
        """What is wrong with names, their settings and what matches them."""
        with suppress(Refused):
            self.suite(())
        return self._found

    def suite(self, only: Sequence[str]) -> Suite:
        """Raises Refused, BenchError."""
        file = self._file
        train, measure = TrainSettings(**file.train), MeasureSettings(**file.measure)
        seeds = SeedSettings(**file.seed)
        base = settings_by_name(train, measure, seeds)
        self._base = {name: list(value) if isinstance(value, tuple) else value for name, value in base.items()}
        self._axes = {name: self._values(name, values) for name, values in file.grid.items()}
        self._check_target(measure)
        keep: list[Rule] = []
        models = list(self._built.get("model", []))
        if not self._found:
            # Values that --only does not ask for go first: rules are places on what is left.
            keep = apply_only(self._axes, only, base=self._base, later=self._later)
            for name, items in self._built.items():
                self._built[name] = [item for item in items if item.component in self._axes[name]]
        tune = self._tune(models)
        excludes, overrides, published = tuple(self._excludes()), tuple(self._overrides()), tuple(self._published())
        if self._found:
            raise Refused(file.path, file.sets, in_order(self._found, file.tables), None)
        built = [item for items in self._built.values() for item in items]
        names = {model.name for model in self._axes["model"]}
        return Suite(
            name=file.name,
            title=file.title,
            axes=tuple(Axis(name, values) for name, values in self._axes.items()),
            train=train,
            measure=measure,
            seeds=seeds,
            exclude=excludes,
            override=overrides,
            keep=tuple(keep),
            baseline=file.baseline if file.baseline in names else "",
            sinks=file.sinks,
            published=published,
            weights=file.weights,
            decide=None if file.decide is None else Decide(**file.decide),
            tune=tune,
            only=tuple(only),
            source=published_path(file.path),
            plugins=file.plugins,
            plugins_written=file.plugins_written,
            sets=file.sets_written,
            plugins_added=file.plugins_added,
            locations={f"{it.component.canonical}|{key}": str(path) for it in built for key, path in it.files.items()},
            unknown=self._builder.unknown,
        )

    def _tune(self, models: Sequence[ResolvedComponent]) -> Tune | None:
        """What is searched; `models`: those of the grid before --only. A mistake is noted."""
        found = None
        if self._file.tune is not None and ("grid", "model") not in self._file.gone:
            kept = [models.index(item) for item in self._built.get("model", [])]
            with self._found.noting():
                found = resolve_tune(self._file.tune, self._catalogue, models=models, kept=kept)
        return found

    def _check_target(self, measure: MeasureSettings) -> None:
        """Notes targets of which one would be silently left out."""
        if measure.target_value is not None and measure.target_accuracy is not None:
            text = "stands beside target_accuracy; one training has one target: leave one of the two out"
            self._found.append(Mistake(("measure", "target_value"), text))
        elif measure.target_metric is not None and measure.target_value is None:
            text = "names the metric of a target that is not there: set measure.target_value too"
            self._found.append(Mistake(("measure", "target_metric"), text))

    def _values(self, name: str, values: Sequence[Json]) -> Sequence[Any]:
        key: Key = ("grid", name)
        if name in _COMPONENTS:
            built: list[ResolvedComponent] = []
            for index, entry in enumerate(values):
                with self._found.noting():
                    built.append(self._builder.build(name, entry, key=(*key, index)))
            once = self._built[name] = list({item.component.canonical: item for item in reversed(built)}.values())[::-1]
            return tuple(item.component for item in once)
        if isinstance(values, range):
            return values
        if name == "device":
            devices = [self._device(value, key=(*key, index)) for index, value in enumerate(values)]
            values = [device for device in devices if device]
        kept = tuple({canonical_json(value): value for value in values}.values())
        if len(kept) > 1 and name.partition(".")[2] in NOT_IDENTITY:
            text = "it is not part of a trial's identity, so the trials would be the same; give one value"
            self._found.append(Mistake(key, text))
        return kept

    def _device(self, name: str, *, key: Key) -> str:
        """The device that a name stands for; empty where it is noted as a mistake."""
        known = self._catalogue.devices
        if name == "auto":
            return self._catalogue.best_device
        if self._catalogue.find_device(name) is None:
            choices = ", ".join(["auto", *known])
            text = f"unknown device {show(name)}{nearest(name[:64], known)} (there are: {choices})"
            self._found.append(Mistake(key, text))
            return ""
        return name

    def _overrides(self) -> Iterable[Override]:
        """The overrides. `where` matches the grid before any override, so their order matters only for `set`."""
        for index, override in enumerate(self._file.override):
            rule = self._rule(override["where"], key=("override", index, "where"))
            settings: dict[str, Json] = {}
            for name, value in override["set"].items():
                with self._found.noting():
                    settings[name] = value if name in self._base else self._of_model(name, value, index=index)
            if rule is not None:
                yield Override(rule, settings)

    def _of_model(self, name: str, value: Json, *, index: int) -> Json:
        """A model's setting that an override sets, in its declared type; None where it is the default. Raises
        Mistake."""
        model, _, setting = name.rpartition(".")
        if model not in self._catalogue.models:
            return value  # charged to a plugin that failed
        key: Key = ("override", index, "set", name)
        about = known_setting(model, setting, self._catalogue, key)
        checked = about.kind.check(value, key)
        return None if canonical_json(checked) == canonical_json(default_of(about)) else checked

    def _excludes(self) -> Iterable[Rule]:
        """The exclusions. They match what a trial would run with, after the overrides."""
        for index, match in enumerate(self._file.exclude):
            rule = self._rule(match, key=("exclude", index), late=self._later)
            if rule is not None:
                yield rule

    def _published(self) -> Iterable[Published]:
        """The published figures. They match what a trial runs with, after the overrides."""
        for index, figure in enumerate(self._file.published):
            key: Key = ("report", "published", index)
            metric = self._metric(figure, key=key)
            where = figure.get("where") or {}
            rule = self._rule(where, key=(*key, "where"), late={name for name in where if "." in name})
            if rule is not None:
                low, high = figure["range"] if "range" in figure else (figure.get("value", 0.0),) * 2
                yield Published(rule, metric, float(low), float(high), figure["source"], figure.get("class") or "")

    def _metric(self, figure: Mapping[str, Json], *, key: Key) -> str:
        """The metric of a published figure; a mistake is noted."""
        metric, known = str(figure.get("metric", "test_accuracy")), [*BUILT_IN, *self._catalogue.metrics]
        if metric in BY_CLASS and "class" not in figure:
            text = f'missing; {metric} is a metric of one class: name it, as in class = "8"'
            self._found.append(Mistake((*key, "class"), text))
        if metric not in (*BY_CLASS, *known):
            near = nearest(metric[:64], known)
            self._found.append(
                Mistake((*key, "metric"), f"unknown metric {show(metric)}{near}; see: bench list metrics")
            )
        return metric

    def _rule(self, match: Mapping[str, Json], *, key: Key, late: Collection[str] = ()) -> Rule | None:
        """The places on the axes that match every key; None where nothing in this grid does. Keys of `late` are asked
        of the finished trial."""
        at: dict[str, frozenset[int]] = {}
        for name, value in match.items():
            wanted = _listed(name, value)
            if name in late:
                continue
            if name in _COMPONENTS:
                at[name] = self._matching(name, wanted, key=(*key, name), listed=isinstance(value, list))
            elif name in self._axes:
                if name == "device":
                    wanted = [self._device(item, key=(*key, name)) for item in wanted]
                values = self._axes[name]
                at[name] = frozenset(values.index(item) for item in wanted if item in values)
            elif self._base[name] not in wanted:
                return None
        asked_later = {name: tuple(_listed(name, value)) for name, value in match.items() if name in late}
        return Rule(at, asked_later) if all(at.values()) else None

    def _matching(self, name: str, wanted: Sequence[Json], *, key: Key, listed: bool) -> frozenset[int]:
        places: set[int] = set()
        for index, entry in enumerate(wanted):
            where = (*key, index) if listed else key
            with self._found.noting():
                target = self._builder.build(name, entry, key=where, complete=False)
                places |= {place for place, item in enumerate(self._built[name]) if item.matches(target)}
        return frozenset(places)


def _listed(name: str, value: Json) -> list[Json]:
    """The values that a rule gives for a key. Where a value is a list itself, a single list is one value."""
    several = isinstance(value[0], list) if name in LISTS else isinstance(value, list)
    return value if several else [value]


def _with_timeout(suite: Suite, seconds: float) -> Suite:
    """The suite with `seconds` as every timeout."""
    axes = tuple(Axis(axis.name, (seconds,)) if axis.name == _TIMEOUT else axis for axis in suite.axes)
    override = tuple(
        Override(item.rule, {key: seconds if key == _TIMEOUT else value for key, value in item.set.items()})
        for item in suite.override
    )
    return replace(suite, axes=axes, override=override, measure=replace(suite.measure, timeout_seconds=seconds))
