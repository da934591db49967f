"""The searches of a suite in words: what they search, how far they are, what they chose."""

from collections.abc import Mapping, Sequence

from bench.base.records import Json
from bench.present.format import listing, plural, printable
from bench.results.searches import Search
from bench.suite.mistakes import setting_text
from bench.suite.plan import Suite, label
from bench.suite.tune import Range, Tune


def search_line(tune: Tune, searches: Sequence[Search]) -> str:
    """`search: 16 settings (tpe) for each of 3, over learning rate and hidden; 20 of 48 tried`."""
    each = f"{tune.seconds:g} s of training" if tune.seconds else plural(tune.trials, "setting")
    of_each = f" for each of {len(searches)}" if len(searches) > 1 else ""
    over = listing([short_key(key.key) for key in tune.ranges])
    return f"search: {each} ({tune.sampler}){of_each}, over {over}; {state_text(tune, searches)}"


def state_text(tune: Tune, searches: Sequence[Search]) -> str:
    """`at its end`, or how much was tried."""
    if searches and all(search.done for search in searches):
        return "at its end"
    tried = sum(each.status != "missing" for search in searches for each in search.tried)
    return f"{tried:,} tried" if tune.seconds else f"{tried:,} of {tune.trials * len(searches):,} tried"


def chosen_line(suite: Suite, search: Search) -> str:
    """`linear: learning rate 0.31, validation accuracy 0.961 (default 0.942), 16 tried in 4.2 s`."""
    chosen = search.chosen
    if chosen is None:
        why = next((each.reason for each in search.tried if each.reason), "nothing was tried")
        return f"{where(suite, search)}: no choice; {why}"
    default = search.tried[0]
    tried = f"{plural(len(search.tried), 'setting')} tried in {search.seconds:.1f} s"
    if chosen.validation_accuracy is None:
        return f"{where(suite, search)}: the default, since nothing could be trained ({default.reason}); {tried}"
    if chosen.is_default:
        return f"{where(suite, search)}: the default, {_score(search, chosen.validation_accuracy)}; {tried}"
    before = "it failed" if default.validation_accuracy is None else f"{default.validation_accuracy:.3f}"
    found = f"{settings_text(chosen.settings)}, {_score(search, chosen.validation_accuracy)}"
    return f"{where(suite, search)}: {found} (default: {before}); {tried}"


def _score(search: Search, value: float) -> str:
    return f"validation {search.score} {value:.3f}"


def where(suite: Suite, search: Search) -> str:
    """`mlp`; with the data set, batch size and other axes of which the suite has several."""
    trial = search.default
    parts = [trial.model.label]
    parts += [trial.dataset.label] if len(suite.axis("dataset")) > 1 else []
    parts += [f"batch {trial.batch_size}"] if len(suite.axis("batch_size")) > 1 else []
    parts += [trial.device] if len(suite.axis("device")) > 1 else []
    axes = [axis for axis in suite.axes if "." in axis.name and len(axis) > 1]
    return printable(" · ".join([*parts, *(f"{setting_text(a.name)} {label(trial.setting(a.name))}" for a in axes)]))


def settings_text(settings: Mapping[str, Json]) -> str:
    """`learning rate 0.31, mlp.hidden 64`."""
    return printable(", ".join(f"{short_key(key)} {label(value)}" for key, value in settings.items()))


def short_key(key: str) -> str:
    """`learning rate`; a model's setting as it is written."""
    return setting_text(key) if key.startswith("train.") else key


def range_text(of: Range) -> str:
    """`train.learning_rate: 0.001 to 1, by factors`; `train.weight_decay: 0, 0.0001`."""
    if of.values:
        return f"{of.key}: {', '.join(map(label, of.values))}"
    return f"{of.key}: {of.low:g} to {of.high:g}{', by factors' if of.log else ''}"
