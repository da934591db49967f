"""The plots of a section, before anybody draws them: which there are, and the title, words and cells of each.

bench.plots draws them as pictures; the page draws its own, with the same words. A plot that could show nothing is not
made.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from bench.analysis.cells import Cell, Section, Variant, axis_label, doubtful, metrics_of, value_text
from bench.analysis.conditions import conditions_short
from bench.analysis.curves import NAMES as CURVE_NAMES
from bench.analysis.curves import PLACES, Curves, curves_of, legend, pooled_as
from bench.analysis.findings import chosen
from bench.analysis.interval_words import SHORT, meanings
from bench.analysis.ladder import Ladder, ladder
from bench.analysis.ladder_words import together, verdict
from bench.analysis.metric_words import is_level
from bench.analysis.pair_tables import FEWEST_MODELS
from bench.analysis.sections import slugs_of
from bench.base.metrics import (
    ACCURACY,
    ACCURACY_AGAINST,
    BUILT_IN,
    MAIN_METRICS,
    PLOTTED_COSTS,
    PLOTTED_LEVELS,
    SPEED,
    Metric,
)
from bench.base.records import Json
from bench.present.format import accuracy, listing, plural, span

MEAN = "mean and 95 % interval"
KEYS = {mark: f"small: one seed · {mark} with line: {MEAN}" for mark in ("large", "bar")}
KEY_ONE = "one seed: no interval"
KEY_FRONT = "ring: no other is both cheaper and more accurate, by the means (Pareto front)"
HOLLOW = "hollow: most of its timings were disturbed"
SMOOTHED = "training loss: of smoothed labels"
MOST_MODELS = 16  # in one plot; the tables have all
MOST_PAIRED = 7  # in a matrix of pairs
MOST_ROWS = 24  # of a strip
Panels = Sequence[tuple[str, Sequence[Cell]]]  # what each is of, and its cells, one a model


def model_name(cell: Cell) -> str:
    return cell.model


@dataclass(frozen=True, eq=False)
class Plot:
    """One plot. `name`: of its file, without the ending. `notes` stand below the title, a line each.

    strip: names from top to bottom, the metric to the right. bars: the same as lengths from zero. against: the metric
    upwards, the cost `x` to the right. lines: the metric upwards, the setting `x` to the right. curves: `x` is epoch or
    train_seconds. pairs: every two models of `ladder`.
    `called`: what a row or a line is called. `devices`: a device has a shape, where there are several.
    """

    kind: Literal["strip", "bars", "against", "lines", "curves", "pairs"]
    name: str
    title: str
    notes: tuple[str, ...]
    panels: Panels
    metric: Metric
    x: str = ""
    called: Callable[[Cell], str] = model_name
    devices: tuple[str, ...] = ()
    curves: Curves = field(default_factory=dict)
    ladder: Ladder | None = None
    alt: str = ""  # what it shows, for those who cannot see it
    what: str = ""  # `accuracy`, `learning-epochs`: the name without that of its section

    @property
    def cells(self) -> list[Cell]:
        return [cell for _, group in self.panels for cell in group]

    def hollow(self, *cells: Cell) -> bool:
        """Whether the mark of a cell is hollow: it stands at timings that are disturbed. Of several: of any."""
        return any(doubtful(metric, *cells) for metric in (self.metric, BUILT_IN.get(self.x)) if metric)


def plots_of(sections: Sequence[Section]) -> Iterator[tuple[Section, Plot]]:
    """Every plot with the section that it belongs to; the name of its file ends in that of the section."""
    slugs = slugs_of(sections)
    found = [(section, plot) for section in sections if section.measured for plot in _plots(section)]
    for section, plot in [*found, *_across_devices(sections)]:
        yield section, replace(plot, name=f"{plot.name}-{slugs[section]}", what=plot.name, alt=plot.alt or plot.title)


def _plots(section: Section) -> Iterator[Plot]:
    numeric = section.numeric_axes
    yield from _accuracy(section)
    if pairs := pairs_plot(section, section.focus):
        yield pairs
    for cost in ACCURACY_AGAINST:
        yield from _accuracy_against(section, cost)
    for metric in (each for each in PLOTTED_COSTS if each not in ACCURACY_AGAINST):
        yield from _along(section, metric, "batch_size") if "batch_size" in numeric else _bars(section, metric)
    yield from _learning(section)
    of_plugins = [metric for metric in metrics_of(section.measured) if not metric.built_in]
    for axis in numeric:
        for metric in (*PLOTTED_LEVELS, *of_plugins, *(PLOTTED_COSTS if axis != "batch_size" else ())):
            yield from _along(section, metric, axis)


def _title(metric: Metric, section: Section, *, by: str, cells: Sequence[Cell]) -> str:
    points = "every seed, mean and 95 % interval" if _several_seeds(cells, metric) else "one seed"
    return f"{metric.title[0].upper()}{metric.title[1:]} on {section.dataset} by {by}: {points}"


def file_word(metric: Metric) -> str:
    """`device-memory`: what the file of its plot is called after."""
    return metric.word.replace(" ", "-")


def _several_seeds(cells: Sequence[Cell], metric: Metric) -> bool:
    return any(cell.n_of(metric.name) > 1 for cell in cells)


def key_of(cells: Sequence[Cell], metric: Metric, *, mark: str = "large", cost: Metric | None = None) -> str:
    """What the marks mean; `cost` is what else they stand at."""
    overs = meanings(cell.estimate(metric.name) for cell in cells)
    shown = f"{KEYS[mark]} ({'; '.join(SHORT[each] for each in overs)})"
    key, hollow = (shown, f"mean {HOLLOW}") if overs else (KEY_ONE, HOLLOW)
    return f"{key} · {hollow}" if doubtful(metric, *cells) or (cost and doubtful(cost, *cells)) else key


def panels_of(section: Section, metric: str, *, most: int) -> Panels:
    """The cells that have `metric`, by setting; where there are more than `most` settings, those of `focus` alone."""
    found = [(name, [cell for cell in cells if cell.estimate(metric)][:MOST_MODELS])
             for name, cells in _settings(section, most)]  # fmt: skip
    return [(name, cells) for name, cells in found if cells]


def _settings(section: Section, most: int) -> Panels:
    """The settings that get a panel. A sweep is drawn along its axis, in lines; in other plots at its focus."""
    few = len(section.variants) <= most and not section.tuned
    variants = section.variants if few else [section.focus]
    return [(section.describe(variant), section.at(variant)) for variant in variants]


def _conditions(
    section: Section, cells: Sequence[Cell], metric: Metric, *, fixed: str | None = None, others: Sequence[Section] = ()
) -> str:
    """The line with conditions and n. Without `fixed` the plot is one of panels: of a sweep, it is said which setting
    they have."""
    if fixed is None:
        at = zip(section.axes, section.focus, strict=True)
        setting = ", ".join(f"{axis_label(name)} {value_text(value)}" for name, value in at if name in section.tuned)
        fixed = f"{setting}: {chosen(section)}" if setting else ""
    parts = [conditions_short(section, *others), fixed, f"n = {span(cell.n_of(metric.name) for cell in cells)}"]
    if len(section.models) > MOST_MODELS:
        parts.append(f"the first {MOST_MODELS} of {len(section.models)} models")
    return " · ".join(part for part in parts if part)


def _flat(panels: Panels) -> list[Cell]:
    return [cell for _, group in panels for cell in group]


def _accuracy(section: Section) -> Iterator[Plot]:
    metric, by, called = section.main, "model", model_name
    panels = panels_of(section, metric.name, most=3)
    if len(section.models) == 1 and (rows := _rows_of_one_model(section)):
        panels, by, called = [("", rows)], f"setting of {section.models[0]}", partial(_setting_name, section)
    if len(_flat(panels)) > MOST_ROWS:
        panels = panels[:1]
    cells = _flat(panels)
    if not cells or (len(cells) == 1 and not _several_seeds(cells, metric)):
        return
    title = _title(metric, section, by=by, cells=cells)
    notes = _conditions(section, cells, metric), key_of(cells, metric)
    yield Plot(
        "strip", file_word(metric), title, notes, panels, metric, called=called, alt=f"{title}. {_levels(panels)}"
    )


def pairs_plot(section: Section, variant: Variant) -> Plot | None:
    """Every pair of the ladder of a setting; None below three models, or where nothing is known of any pair."""
    found = ladder(section, variant)
    if found is None or len(found.cells) < FEWEST_MODELS or not any(pair.bracket for pair in found.pairs):
        return None
    shown, metric = found.cells[:MOST_PAIRED], found.metric
    unit = "points of accuracy" if metric.name == ACCURACY else f"the {metric.title}"
    title = f"Pairs of models on {section.dataset}: {unit} by which the column is ahead of the row"
    first = f" · the first {MOST_PAIRED} of {len(found.cells)} models" if len(found.cells) > MOST_PAIRED else ""
    notes = _conditions(section, shown, metric, fixed=section.describe(variant)) + first, together(found)
    told = "; ".join(f"{pair.lower.model} behind {pair.upper.model}: {verdict(pair)}" for pair in found.pairs[:6])
    return Plot("pairs", "pairs", title, notes, [("", shown)], metric, ladder=found, alt=f"{title}. {told}")


def _rows_of_one_model(section: Section) -> list[Cell]:
    """The cells of the one model that differ in what no line can be drawn along."""
    lines = [index for index, axis in enumerate(section.axes) if axis in section.numeric_axes]
    found = []
    for cell in section.measured:
        variant = section.variant_of(cell)
        if variant not in section.variants:  # another seed of a source of chance
            continue
        if cell.estimate(section.main.name) and all(variant[index] == section.focus[index] for index in lines):
            found.append(cell)
    return found[:MOST_ROWS] if len(found) > 1 else []


def _setting_name(section: Section, cell: Cell) -> str:
    return ", ".join(value_text(cell.setting(axis)) for axis in section.axes if axis not in section.numeric_axes)


def _levels(panels: Panels) -> str:
    """The figures of a plot in words."""
    texts = []
    for name, cells in panels:
        found = [(cell.model, each) for cell in cells[:8] if (each := cell.estimate(cell.main.name))]
        levels = ", ".join(f"{model} {accuracy(each.mean, each.ends)}" for model, each in found)
        texts.append(f"{name}: {levels}" if name else levels)
    return "; ".join(texts)


def _accuracy_against(section: Section, cost: Metric) -> Iterator[Plot]:
    """The main metric against what it costs, with the models that no other beats in both."""
    panels = [(name, [cell for cell in cells if cell.estimate(cost.name)])
              for name, cells in panels_of(section, section.main.name, most=2)]  # fmt: skip
    cells = _flat(panels)
    if len(section.models) < 2 or len({found.mean for cell in cells if (found := cell.estimate(cost.name))}) < 2:
        return
    plot = against(panels, cost, dataset=section.dataset, conditions=_conditions(section, cells, section.main))
    yield replace(plot, alt=f"{plot.title}. {_levels(panels)}")


def against(panels: Panels, cost: Metric, *, dataset: str, conditions: str) -> Plot:
    """The main metric against a cost, of cells that have both."""
    cells = _flat(panels)
    metric = cells[0].main if cells else BUILT_IN[ACCURACY]
    title = f"{metric.title[0].upper()}{metric.title[1:]} on {dataset} against {cost.title}"
    notes = conditions, key_of(cells, metric, cost=cost), *(() if doubtful(cost, *cells) else (KEY_FRONT,))
    return Plot("against", f"{file_word(metric)}-{file_word(cost)}", title, notes, panels, metric, x=cost.name)


def _along(section: Section, metric: Metric, axis: str) -> Iterator[Plot]:
    cells = [cell for cell in section.along(axis) if cell.estimate(metric.name)]
    models = list(dict.fromkeys(cell.model for cell in cells))[:MOST_MODELS]
    cells = [cell for cell in cells if cell.model in models]
    if len({cell.setting(axis) for cell in cells}) < 2:
        return
    by, fixed = axis_label(axis), section.describe(section.focus, but=axis)
    notes = _conditions(section, cells, metric, fixed=fixed), key_of(cells, metric)
    title = _title(metric, section, by=by, cells=cells)
    yield Plot("lines", f"{file_word(metric)}-by-{by.replace(' ', '-')}", title, notes, [("", cells)], metric, x=axis)


def _bars(section: Section, metric: Metric) -> Iterator[Plot]:
    cells = [cell for cell in section.at(section.focus) if cell.estimate(metric.name)][:MOST_MODELS]
    if not cells:
        return
    title, fixed = _title(metric, section, by="model", cells=cells), section.describe(section.focus)
    notes = _conditions(section, cells, metric, fixed=fixed), key_of(cells, metric, mark="bar")
    yield Plot("bars", file_word(metric), title, notes, [("", cells)], metric)


def _learning(section: Section) -> Iterator[Plot]:
    panels = [(name, cells[:MOST_MODELS]) for name, cells in _settings(section, 2)]
    cells = _flat(panels)
    for x, name, words in (("epoch", "epochs", "epochs"), ("train_seconds", "seconds", "training seconds")):
        curves = curves_of([group for _, group in panels], x=x)
        if not curves:
            continue
        metric = BUILT_IN[pooled_as(x)]
        conditions = _conditions(section, cells, metric)
        if any(cell.setting("train.label_smoothing") for cell in cells):
            conditions += f" · {SMOOTHED}"
        key = legend([(part, each) for (_, _, part, _), each in curves.items()], several=_several_seeds(cells, metric))
        if late := [cell.model for cell in cells if x != "epoch" and cell.disturbed]:
            key += f" · seconds of {listing(list(dict.fromkeys(late)))}: disturbed"
        if few := list(_fewer(panels, curves, metric)):
            key += f" · curves of {listing(few)}"
        title = f"Learning curves on {section.dataset} against {words}"
        yield Plot(
            "curves", f"learning-{name}", title, (conditions, key), panels, metric, x=x, curves=curves,
            alt=f"{title}: {section.main.title} and loss on training{_validation(curves)} and test set",
        )  # fmt: skip


def _validation(curves: Curves) -> str:
    return ", validation" if any(part == "validation" for _, _, part, _ in curves) else ""


def _fewer(panels: Panels, curves: Curves, metric: Metric) -> Iterator[str]:
    """Of which models some seeds have no curve: `mlp: 3 of 5 seeds`."""
    counts = {(panel, model): each.n for (panel, _, _, model), each in curves.items()}
    for panel, (name, cells) in enumerate(panels):
        for cell in cells:
            n, all_of_them = counts.get((panel, cell.model)), cell.n_of(metric.name)
            if n is not None and n < all_of_them:
                yield f"{cell.model}{f' ({name})' if name else ''}: {n} of {plural(all_of_them, 'seed')}"


def _across_devices(sections: Sequence[Section]) -> Iterator[tuple[Section, Plot]]:
    """The throughput of one data set on several devices of a machine, in one plot, which belongs to the first of their
    sections. A model keeps its colour; a device has a shape."""
    groups: dict[tuple[str, str, str], list[Section]] = {}
    for section in sections:
        if section.measured:
            groups.setdefault((section.dataset, section.machine, section.together), []).append(section)
    for group in groups.values():
        if len(group) > 1 and (plot := _devices(group)):
            yield group[0], plot


def _devices(group: Sequence[Section]) -> Plot | None:
    first, axis, metric = group[0], "batch_size", BUILT_IN[SPEED]
    lines = all(axis in section.numeric_axes for section in group)
    found = [
        cell
        for section in group
        for cell in (section.along(axis, at=first.focus) if lines else section.at(first.focus))
        if cell.estimate(SPEED)
    ]
    names = list(dict.fromkeys(map(_on_device, found)))[:MOST_MODELS]
    cells = [cell for cell in found if _on_device(cell) in names]
    if len({cell.trial.device for cell in cells}) < 2:
        return None
    fixed = first.describe(first.focus, but=axis if lines else "")
    notes = (
        _conditions(first, cells, metric, fixed=fixed, others=group[1:]),
        key_of(cells, metric, mark="large" if lines else "bar"),
    )
    title = _title(metric, first, by="batch size and device" if lines else "device", cells=cells)
    return Plot(
        "lines" if lines else "bars", "devices", title, notes, [("", cells)], metric, x=axis if lines else "",
        called=_on_device, devices=tuple(section.device for section in group),
    )  # fmt: skip


def _on_device(cell: Cell) -> str:
    return f"{cell.model} · {cell.trial.device}"


def page_plots(metrics: Sequence[Metric], settings: Sequence[str], curves: Collection[str]) -> list[dict[str, Json]]:
    """The plots of the page, which draws them anew for what its filter keeps: title, and the menus above each.

    `metrics`: what was measured. `settings`: those of numbers. `curves`: the names of those that trials have. A plot
    whose menu would be empty is not made.
    """
    costs = [metric.name for metric in metrics if not metric.higher_is_better and not is_level(metric)]
    costs.sort(key=lambda name: name != "fit_seconds")
    levels = [metric for metric in metrics if metric.name in MAIN_METRICS]
    level = " or ".join(metric.title for metric in levels)
    along = [*sorted(settings, key=lambda name: name != "batch_size"), "model"]
    known = [name for name in CURVE_NAMES if name in curves]
    known += sorted(name for name in curves if name not in (*CURVE_NAMES, *PLACES))
    by_unit = {unit: [metric.name for metric in metrics if metric.unit == unit] for unit in ("samples/s", "bytes")}
    found: list[tuple[str, str, str, dict[str, list[str]]]] = [
        ("accuracy", f"{level[:1].upper()}{level[1:]} by cost", "against", {"cost": costs if levels else []}),
        ("throughput", "Throughput", "along", {"metric": by_unit["samples/s"], "by": along}),
        ("curves", "Learning curves", "curves", {"curve": known, "by": list(PLACES)}),
        ("memory", "Memory", "along", {"metric": by_unit["bytes"], "by": along}),
    ]
    keys = ("id", "title", "draw", "choices")
    return [dict(zip(keys, each, strict=True)) for each in found if all(each[-1].values())]
