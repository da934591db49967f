"""Which plots a section gets, and what each is called. A plot that could show nothing is not made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.analysis.cells import Cell, Section, Variant, axis_label, value_text
from bench.analysis.conditions import conditions_short
from bench.analysis.findings import CHOSEN
from bench.base.metrics import BUILT_IN, Metric
from bench.plots import curves as draw_curves
from bench.plots import lines as draw_lines
from bench.plots import points as draw_points
from bench.plots.points import Panels, model_name
from bench.present.format import accuracy, span
from bench.present.style import MARKERS, Style
from bench.results.frame import metric_names

ACCURACY, PARAMETERS, FIT = BUILT_IN["test_accuracy"], BUILT_IN["parameters"], BUILT_IN["fit_seconds"]
SPEED, MEMORY = BUILT_IN["train_samples_per_second"], BUILT_IN["host_peak_bytes"]
DEVICE_MEMORY = BUILT_IN["device_peak_allocated_bytes"]
NAMES = {
    "test_accuracy": "Accuracy",
    "test_loss": "Test loss",
    "train_samples_per_second": "Training throughput",
    "host_peak_bytes": "Host memory",
    "device_peak_allocated_bytes": "Device memory",
    "fit_seconds": "Training time",
}
SMOOTHED = "training loss: of smoothed labels"
FILES = {
    "test_accuracy": "accuracy",
    "parameters": "parameters",
    "fit_seconds": "time",
    "train_samples_per_second": "throughput",
    "host_peak_bytes": "memory",
    "device_peak_allocated_bytes": "device-memory",
}
AGAINST = {"parameters": "number of parameters", "fit_seconds": "training time"}
MOST_MODELS = 16  # in one plot; the tables have all
MOST_ROWS = 24  # of a strip


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure, its file name without ending, its title, and what it shows for those who cannot see it."""

    name: str
    title: str
    alt: str
    figure: Any


def plots_of(section: Section, *, slug: str, styles: dict[str, Style]) -> Iterator[Plot]:
    """The plots of one section, one after another: each can be saved and forgotten before the next is drawn."""
    if not section.measured:
        return
    for plot in _plots(section, styles):
        yield Plot(f"{plot.name}-{slug}", plot.title, plot.alt, plot.figure)


def _plots(section: Section, styles: dict[str, Style]) -> Iterator[Plot]:
    yield from _accuracy(section, styles)
    for cost in (PARAMETERS, FIT):
        yield from _accuracy_against(section, cost, styles)
    numeric = section.numeric_axes
    for metric in (SPEED, MEMORY, DEVICE_MEMORY):
        if "batch_size" in numeric:
            yield from _along(section, metric, "batch_size", styles)
        else:
            yield from _bars(section, metric, styles)
    yield from _learning(section, styles)
    for axis in numeric:
        metrics = [ACCURACY, BUILT_IN["test_loss"], *_plugin_metrics(section)]
        metrics += [] if axis == "batch_size" else [SPEED, BUILT_IN["fit_seconds"], MEMORY, DEVICE_MEMORY]
        for metric in metrics:
            yield from _along(section, metric, axis, styles)


def _plugin_metrics(section: Section) -> list[Metric]:
    names = metric_names(result for cell in section.measured for result in cell.ok)[len(BUILT_IN) :]
    return [Metric(name, "", True, True, "") for name in names]


def panels_of(section: Section, metric: str, *, most: int) -> Panels:
    """The cells that have `metric`, by setting; where there are more than `most` settings, those of `focus` alone."""
    found = [
        (name, [cell for cell in section.at(variant) if cell.estimate(metric)][:MOST_MODELS])
        for name, variant in _panels(section, most)
    ]
    return [(name, cells) for name, cells in found if cells]


def _panels(section: Section, most: int) -> list[tuple[str, Variant]]:
    """Names and settings of panels. A sweep is drawn along its axis, in lines; in other plots at its focus."""
    few = len(section.variants) <= most and not section.tuned
    variants = section.variants if few else [section.focus]
    return [(section.describe(variant), variant) for variant in variants]


def _subtitle(
    section: Section, cells: Sequence[Cell], metric: Metric, *, extra: str | None = None, others: Sequence[Section] = ()
) -> str:
    """Conditions and n. Without `extra` the plot is one of panels: of a sweep, it is said which setting they have."""
    if extra is None:
        at = zip(section.axes, section.focus, strict=True)
        chosen = ", ".join(f"{axis_label(name)} {value_text(value)}" for name, value in at if name in section.tuned)
        extra = f"{chosen}: {CHOSEN}" if chosen else ""
    parts = [conditions_short(section, *others), extra, f"n = {span(cell.n_of(metric.name) for cell in cells)}"]
    if len(section.models) > MOST_MODELS:
        parts.append(f"the first {MOST_MODELS} of {len(section.models)} models")
    return " · ".join(part for part in parts if part)


def _flat(panels: Panels) -> list[Cell]:
    return [cell for _, group in panels for cell in group]


def _points(cells: Sequence[Cell], metric: Metric) -> str:
    return "every seed, mean and 95 % interval" if any(cell.n_of(metric.name) > 1 for cell in cells) else "one seed"


def _accuracy(section: Section, styles: dict[str, Style]) -> Iterator[Plot]:
    panels, name = panels_of(section, ACCURACY.name, most=3), model_name
    if len(section.models) == 1 and (rows := _variants(section)):
        panels, name = [("", rows)], partial(_setting_name, section)
    if len(_flat(panels)) > MOST_ROWS:
        panels = panels[:1]
    cells = _flat(panels)
    if not cells or (len(cells) == 1 and cells[0].n_of(ACCURACY.name) == 1):
        return
    by = "model" if name is model_name else f"setting of {section.models[0]}"
    title = f"Accuracy on {section.dataset} by {by}: {_points(cells, ACCURACY)}"
    subtitle = _subtitle(section, cells, ACCURACY)
    figure = draw_points.strip(panels, ACCURACY, title=title, subtitle=subtitle, styles=styles, name=name)
    yield Plot("accuracy", title, f"{title}. {_levels(panels)}", figure)


def _variants(section: Section) -> list[Cell]:
    """The cells of the one model that differ in what no line can be drawn along: the rows of its plot."""
    lines = [index for index, axis in enumerate(section.axes) if axis in section.numeric_axes]
    found = []
    for cell in section.measured:
        variant = section.variant_of(cell)
        if cell.estimate(ACCURACY.name) and all(variant[index] == section.focus[index] for index in lines):
            found.append(cell)
    return found[:MOST_ROWS] if len(found) > 1 else []


def _setting_name(section: Section, cell: Cell) -> str:
    return ", ".join(value_text(cell.setting(axis)) for axis in section.axes if axis not in section.numeric_axes)


def _levels(panels: Panels) -> str:
    """The figures of a plot in words."""
    texts = []
    for name, cells in panels:
        found = [(cell.model, each) for cell in cells[:8] if (each := cell.estimate(ACCURACY.name))]
        levels = ", ".join(f"{model} {accuracy(each.mean, each.half)}" for model, each in found)
        texts.append(f"{name}: {levels}" if name else levels)
    return "; ".join(texts)


def _accuracy_against(section: Section, cost: Metric, styles: dict[str, Style]) -> Iterator[Plot]:
    """Accuracy against what it costs, with the models that no other beats in both."""
    panels = panels_of(section, ACCURACY.name, most=2)
    panels = [(name, [cell for cell in cells if cell.estimate(cost.name)]) for name, cells in panels]
    cells = _flat(panels)
    if len(section.models) < 2 or len({e.mean for cell in cells if (e := cell.estimate(cost.name))}) < 2:
        return
    title = f"Accuracy on {section.dataset} against {AGAINST[cost.name]}"
    figure = draw_points.against(
        panels, ACCURACY, cost, title=title, subtitle=_subtitle(section, cells, ACCURACY), styles=styles
    )
    yield Plot(f"accuracy-{FILES[cost.name]}", title, f"{title}. {_levels(panels)}", figure)


def _along(section: Section, metric: Metric, axis: str, styles: dict[str, Style]) -> Iterator[Plot]:
    cells = [cell for cell in section.along(axis) if cell.estimate(metric.name)]
    models = list(dict.fromkeys(cell.model for cell in cells))[:MOST_MODELS]
    cells = [cell for cell in cells if cell.model in models]
    if len({cell.setting(axis) for cell in cells}) < 2:
        return
    what = NAMES.get(metric.name, metric.name.replace("_", " "))
    title = f"{what} on {section.dataset} by {axis_label(axis)}: {_points(cells, metric)}"
    fixed = section.describe(section.focus, but=axis)
    figure = draw_lines.lines(
        cells, metric, axis, title=title, subtitle=_subtitle(section, cells, metric, extra=fixed), styles=styles
    )
    stem = FILES.get(metric.name, metric.name.replace("_", "-"))
    yield Plot(f"{stem}-by-{axis_label(axis).replace(' ', '-')}", title, title, figure)


def _bars(section: Section, metric: Metric, styles: dict[str, Style]) -> Iterator[Plot]:
    cells = [cell for cell in section.at(section.focus) if cell.estimate(metric.name)][:MOST_MODELS]
    if not cells:
        return
    title = f"{NAMES[metric.name]} on {section.dataset} by model: {_points(cells, metric)}"
    fixed = section.describe(section.focus)
    figure = draw_points.bars(
        cells, metric, title=title, subtitle=_subtitle(section, cells, metric, extra=fixed), styles=styles
    )
    yield Plot(FILES[metric.name], title, title, figure)


def _learning(section: Section, styles: dict[str, Style]) -> Iterator[Plot]:
    panels = [(name, section.at(variant)[:MOST_MODELS]) for name, variant in _panels(section, 2)]
    for x, name, words, metric in (
        ("epoch", "epochs", "epochs", ACCURACY),
        ("train_seconds", "seconds", "training seconds", BUILT_IN["fit_seconds"]),
    ):
        drawn = draw_curves.curves_of(panels, x=x)
        if not drawn:
            continue
        title = f"Learning curves on {section.dataset} against {words}"
        subtitle = _subtitle(section, _flat(panels), metric)
        if any(cell.setting("train.label_smoothing") for cell in _flat(panels)):
            subtitle += f" · {SMOOTHED}"
        figure = draw_curves.curves(panels, drawn, x=x, title=title, subtitle=subtitle, styles=styles)
        yield Plot(f"learning-{name}", title, f"{title}: accuracy and loss on training and test set", figure)


def across_devices(
    sections: Sequence[Section], *, slugs: Mapping[Section, str], styles: dict[str, Style]
) -> Iterator[tuple[Section, Plot]]:
    """Where one data set was measured on several devices of a machine: their throughput in one plot, which belongs to
    the first of their sections. A model keeps its colour; a device has a shape."""
    groups: dict[tuple[str, str, str], list[Section]] = {}
    for section in sections:
        if section.measured:
            groups.setdefault((section.dataset, section.machine, section.together), []).append(section)
    for group in groups.values():
        if len(group) > 1 and (plot := _devices(group, styles)):
            yield group[0], Plot(f"{plot.name}-{slugs[group[0]]}", plot.title, plot.alt, plot.figure)


def _devices(group: Sequence[Section], styles: dict[str, Style]) -> Plot | None:
    first, axis = group[0], "batch_size"
    lines = all(axis in section.numeric_axes for section in group)
    found = [
        cell
        for section in group
        for cell in (section.along(axis, at=first.focus) if lines else section.at(first.focus))
    ]
    names = list(dict.fromkeys(_on_device(cell) for cell in found if cell.estimate(SPEED.name)))[:MOST_MODELS]
    cells = [cell for cell in found if cell.estimate(SPEED.name) and _on_device(cell) in names]
    if len({cell.trial.device for cell in cells}) < 2:
        return None
    shapes = {section.device: MARKERS[index % len(MARKERS)] for index, section in enumerate(group)}
    own = {_on_device(cell): Style(styles[cell.model].colour, shapes[cell.trial.device]) for cell in cells}
    title = (
        f"Training throughput on {first.dataset} by {'batch size and ' if lines else ''}device: {_points(cells, SPEED)}"
    )
    fixed = first.describe(first.focus, but=axis if lines else "")
    subtitle = _subtitle(first, cells, SPEED, extra=fixed, others=group[1:])
    if lines:
        figure = draw_lines.lines(cells, SPEED, axis, title=title, subtitle=subtitle, styles=own, name=_on_device)
    else:
        figure = draw_points.bars(cells, SPEED, title=title, subtitle=subtitle, styles=own, name=_on_device)
    return Plot("devices", title, title, figure)


def _on_device(cell: Cell) -> str:
    return f"{cell.model} · {cell.trial.device}"
