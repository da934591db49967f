"""Plots: that they are there, show something, are legible, and are not made where they would show nothing."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from bench.analysis import plots
from bench.analysis.curves import curve
from bench.analysis.sections import sections_of
from bench.base.records import Component, Result
from bench.plots.draw import draw, looks_of
from bench.present import style
from bench.present.axes import PlainFormatter, label_right
from bench.present.colours import Style, styles_of
from bench.results.frame import latest

HOSTILE = ("$\\frac$", "_x", "<script>alert(1)</script>", "a|b", "=CMD()", "模型 ü", "y" * 90, "\x00\x1b[31m")


class Drawn(NamedTuple):
    name: str
    figure: Any


def chosen(plan: Any, results: list[Result]) -> list[plots.Plot]:
    """The plots of a report, their names without the data set, which is always digits."""
    found = plots.plots_of(sections_of(latest(results, plan).rows, plan))
    return [replace(plot, name=plot.name.replace("-digits", "")) for _, plot in found]


def plots_of(plan: Any, results: list[Result]) -> Iterator[Drawn]:
    found, sections = chosen(plan, results), sections_of(latest(results, plan).rows, plan)
    styles = styles_of(cell.model for section in sections for cell in section.cells)
    with style.setup():
        yield from (Drawn(plot.name, draw(plot, styles)) for plot in found)


def names_of(plan: Any, results: list[Result]) -> list[str]:
    return [plot.name for plot in chosen(plan, results)]


def hostile_plan(make: ModuleType) -> Any:
    """Names that a registry would refuse, and settings that it would not."""
    return make.Plan(models=[Component(name, {"x": name}) for name in HOSTILE], batch_sizes=(64, 256), baseline="")


def plans(make: ModuleType) -> dict[str, Any]:
    many = [Component(name, {"hidden": size}) for name in ("mlp", "cnn") for size in (10, 20, 50, 100, 2000, 30000)]
    return {
        "baseline": make.Plan(batch_sizes=(64, 256)),
        "one batch size": make.Plan(),
        "one seed": make.Plan(seeds=(0,), batch_sizes=(16, 64, 256, 1024, 4096)),
        "sweep": make.Plan(settings={"train.learning_rate": (0.0001, 0.001, 0.01, 0.1, 1.0)}, seeds=(0, 1, 2)),
        "with a zero": make.Plan(settings={"train.weight_decay": (0.0, 0.0001, 0.001, 0.01)}, seeds=(0, 1, 2)),
        "many models": make.Plan(models=many, batch_sizes=(16, 64, 256, 1024), seeds=(0, 1, 2)),
        "hostile": hostile_plan(make),
    }


def marks_of(figure: Any) -> list[str]:
    """`full` or `hollow` of each mark of a mean, the larger ones."""
    lines = [line for ax in figure.axes for line in ax.lines if line.get_markersize() >= 6]
    large = [line for line in lines if line.get_marker() not in ("None", "none", "", "_", "|")]
    large = [line for line in large if line.get_markersize() < 14]  # no rings
    return ["hollow" if line.get_markerfacecolor() == "white" else "full" for line in large]


@pytest.mark.parametrize("spoilt", [2, 3])
def test_means_of_disturbed_timings_are_hollow_and_their_accuracies_are_not(make: ModuleType, spoilt: int) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    results = [
        make.disturbed(each) if each.trial.model.name == "mlp" and each.trial.seed < spoilt else each
        for each in make.run_of(plan)
    ]
    hollow = spoilt > 2
    found = {plot.name: plot for plot in chosen(plan, results)}
    styles = styles_of(cell.model for plot in found.values() for cell in plot.cells)
    for name, timed in {
        "throughput-by-batch-size-cpu": True,
        "accuracy-time-cpu": True,
        "accuracy-cpu": False,
        "accuracy-parameters-cpu": False,
        "memory-by-batch-size-cpu": False,
    }.items():
        assert ("hollow" in marks_of(draw(found[name], styles))) == (timed and hollow), name
        assert any("hollow" in note for note in found[name].notes) == (timed and hollow)
    assert any(note.startswith("ring") for note in found["accuracy-time-cpu"].notes) != hollow
    assert ("seconds of mlp: disturbed" in found["learning-seconds-cpu"].notes[1]) == hollow
    assert "disturbed" not in found["learning-epochs-cpu"].notes[1]


def test_bars_of_disturbed_timings_have_no_colour(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("linear"), Component("mlp")))
    results = [make.disturbed(each) if each.trial.model.name == "mlp" else each for each in make.run_of(plan)]
    found = {plot.name: plot for plot in chosen(plan, results)}
    styles = styles_of(["linear", "mlp"])
    for name, filled in {"throughput-cpu": [True, False], "memory-cpu": [True, True]}.items():
        assert [bar.get_fill() for bar in draw(found[name], styles).axes[0].patches] == filled


def test_the_baseline_has_them_all(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda", "mps"))
    assert names_of(plan, make.run_of(plan)) == [
        "accuracy-cpu",
        "pairs-cpu",
        "accuracy-parameters-cpu",
        "accuracy-time-cpu",
        "throughput-by-batch-size-cpu",
        "memory-by-batch-size-cpu",
        "learning-epochs-cpu",
        "learning-seconds-cpu",
        "accuracy-by-batch-size-cpu",
        "test-loss-by-batch-size-cpu",
    ]


def test_one_batch_size_has_bars(make: ModuleType) -> None:
    plan = make.Plan()
    assert names_of(plan, make.run_of(plan))[4:6] == ["throughput-cpu", "memory-cpu"]


def test_any_numeric_axis_has_lines(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.momentum": (0.0, 0.5, 0.9), "train.optimizer": ("sgd", "adam")})
    results = [make.result_of(each.trial, metrics={**each.metrics, "top5": 0.9}) for each in make.run_of(plan)]
    found = names_of(plan, results)
    assert {"accuracy-by-momentum-cpu", "throughput-by-momentum-cpu", "top5-by-momentum-cpu"} <= set(found)
    assert not any("optimizer" in name for name in found)


def test_several_devices_have_a_plot_together(make: ModuleType) -> None:
    plan = make.Plan(devices=("cpu", "cuda"), batch_sizes=(64, 256))
    assert "devices-cpu" in names_of(plan, [make.result_of(trial) for trial in plan.trials()])
    assert "devices-cpu" not in names_of(plan, make.run_of(plan))


def test_what_would_show_nothing_is_not_made(make: ModuleType) -> None:
    one = make.Plan(models=(Component("mlp"),), seeds=(0,))
    found = names_of(one, make.run_of(one))
    assert "accuracy-cpu" not in found
    assert "accuracy-parameters-cpu" not in found
    bare = [make.result_of(each.trial, metrics={"test_accuracy": 0.5}, curves={}) for each in make.run_of(one)]
    assert names_of(one, bare) == []
    nothing = make.Plan(devices=("cuda",))
    assert names_of(nothing, make.run_of(nothing)) == []


@pytest.mark.parametrize("name", ["baseline", "hostile"])
def test_files_are_images_that_show_something(make: ModuleType, tmp_path: Path, name: str) -> None:
    plan = plans(make)[name]
    for plot in plots_of(plan, make.run_of(plan)):
        style.save(plot.figure, tmp_path / plot.name)
        image = imread(tmp_path / f"{plot.name}.png")
        assert image.shape[1] == 1200
        assert np.all(image[0, 0] == 1)  # white, opaque
        assert image.std() > 0.03, plot.name
        assert len(np.unique((image[::4, ::4, :3] * 15).astype(int).reshape(-1, 3), axis=0)) > 8
        root = ElementTree.parse(tmp_path / f"{plot.name}.svg").getroot()
        assert any(each.tag.endswith("text") for each in root.iter())


def test_the_same_results_give_the_same_bytes(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for plot in plots_of(plan, make.run_of(plan)):
            style.save(plot.figure, tmp_path / folder / plot.name)
    for first in sorted((tmp_path / "a").iterdir()):
        assert first.read_bytes() == (tmp_path / "b" / first.name).read_bytes(), first.name


@pytest.mark.parametrize(
    "name", ["baseline", "one batch size", "one seed", "sweep", "with a zero", "many models", "hostile"]
)
def test_text_is_large_enough_inside_and_apart(make: ModuleType, name: str) -> None:
    plan = plans(make)[name]
    for plot in plots_of(plan, make.run_of(plan)):
        plot.figure.canvas.draw()
        renderer = plot.figure.canvas.get_renderer()
        texts = list(visible_texts(plot.figure))
        boxes = [Text.get_window_extent(text, renderer) for text in texts]  # of an annotation: without its line
        page = plot.figure.bbox
        for text, box in zip(texts, boxes, strict=True):
            shown = (plot.name, text.get_text())
            assert text.get_fontsize() >= 9, shown
            assert box.x0 >= -1, shown
            assert box.y0 >= -1, shown
            assert box.x1 <= page.width + 1, shown
            assert box.y1 <= page.height + 1, shown
        for (a, first), (b, second) in itertools.combinations(zip(texts, boxes, strict=True), 2):
            # Two pixels of 1200: the boxes of letters have a margin.
            overlap = min(first.x1, second.x1) - max(first.x0, second.x0) > 2
            overlap &= min(first.y1, second.y1) - max(first.y0, second.y0) > 2
            assert not overlap, (plot.name, a.get_text(), b.get_text())


def visible_texts(figure: Any) -> Iterator[Any]:
    """Texts that are drawn."""
    hidden = {
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not (label.get_visible() and inside_view(axis, tick))
    }
    for text in figure.findobj(Text):
        if text not in hidden and text.get_visible() and text.get_text().strip():
            yield text


def inside_view(axis: Any, tick: Any) -> bool:
    low, high = sorted(axis.get_view_interval())
    return bool(low - 1e-9 <= tick.get_loc() <= high + 1e-9)


def test_every_seed_is_drawn(make: ModuleType) -> None:
    plan = make.Plan()
    figure = next(iter(plots_of(plan, make.run_of(plan)))).figure
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [len(line.get_xdata()) for line in hollow] == [5, 5, 5]


def test_a_model_looks_the_same_everywhere(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    expected = styles_of(["linear", "mlp", "cnn"])["cnn"]
    for plot in plots_of(plan, make.run_of(plan)):
        if plot.name.startswith("pairs"):  # names stand at its rows and columns
            continue
        used = {(line.get_color(), line.get_marker()) for ax in plot.figure.axes for line in ax.lines}
        assert (expected.colour, expected.marker) in used, plot.name


@pytest.mark.parametrize(("count", "devices"), [(9, 1), (20, 1), (56, 1), (9, 2), (20, 2), (14, 4)])
def test_many_models_are_told_apart_by_colour_and_shape(make: ModuleType, count: int, devices: int) -> None:
    """No two have both in common, whatever else the plot says by shapes."""
    models = [Component("mlp", {"hidden": 1 + at}) for at in range(count)]
    plan = make.Plan(models=models, seeds=(0,), devices=("cpu", "cuda", "cuda:1", "cuda:2")[:devices], baseline="")
    results = [make.result_of(trial) for trial in plan.trials()]
    styles = styles_of(
        cell.model for section in sections_of(latest(results, plan).rows, plan) for cell in section.cells
    )
    for plot in chosen(plan, results):
        looks = looks_of(plot, styles)
        assert len({(style.colour, style.marker) for style in looks.values()}) == len(looks), plot.name
        assert all(looks[plot.called(cell)].colour == styles[cell.model].colour for cell in plot.cells)


def test_axes_are_logarithmic_where_values_span_decades(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(16, 4096), seeds=(0, 1))
    found = {plot.name: plot.figure for plot in plots_of(plan, make.run_of(plan))}
    assert found["throughput-by-batch-size-cpu"].axes[0].get_xscale() == "log"
    assert found["throughput-by-batch-size-cpu"].axes[0].get_yscale() == "log"
    near = make.Plan(batch_sizes=(16, 32), models=(Component("mlp"),), seeds=(0, 1))
    ax = {plot.name: plot.figure for plot in plots_of(near, make.run_of(near))}["throughput-by-batch-size-cpu"].axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_ylim()[0] == 0  # lengths are compared from zero


@pytest.mark.parametrize("stopped", [False, True])
def test_curves_that_end_apart_have_a_legend_and_smoothed_losses_say_so(make: ModuleType, stopped: bool) -> None:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), settings={"train.label_smoothing": (0.1,)})

    def curves(trial: Any) -> dict[str, list[float]]:
        epochs = 4 if stopped and trial.model.name == "mlp" else 9
        return {"epoch": [float(n + 1) for n in range(epochs)], "test_loss": [1.0 / (n + 1) for n in range(epochs)]}

    results = [make.result_of(trial, curves=curves(trial)) for trial in plan.trials()]
    (plot,) = (each for each in plots_of(plan, results) if each.name.startswith("learning-epochs"))
    figure = plot.figure
    assert bool(figure.legends) == stopped
    assert any("training loss: of smoothed labels" in text.get_text() for text in figure.findobj(Text))


def test_curves_are_means_over_seeds_with_their_range(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), seeds=(0, 1))
    curves = ({"epoch": [1.0, 2.0], "test_loss": [2.0, 1.0]}, {"epoch": [1.0, 2.0, 3.0], "test_loss": [3.0, None, 0.5]})
    results = [make.result_of(trial, curves=each) for trial, each in zip(plan.trials(), curves, strict=True)]
    (section,) = sections_of(latest(results, plan).rows, plan)
    found = curve(section.cells[0], "test_loss", x="epoch")
    assert found is not None
    assert (found.x.tolist(), found.mean.tolist()) == ([1, 3], [2.5, 0.5])
    assert (found.low.tolist(), found.high.tolist(), found.counts.tolist()) == ([2, 0.5], [3, 0.5], [2, 1])
    assert curve(section.cells[0], "train_loss", x="epoch") is None


def test_a_missing_glyph_is_no_warning(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(models=(Component("m", {"x": "模型"}), Component("n")), baseline="")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for plot in plots_of(plan, make.run_of(plan)):
            style.save(plot.figure, tmp_path / plot.name)
    assert [str(each.message) for each in warned] == []
    assert any(tmp_path.iterdir())


def test_the_users_settings_of_matplotlib_do_not_matter_and_are_kept(make: ModuleType) -> None:
    import matplotlib as mpl

    plan = make.Plan()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        figure = next(iter(plots_of(plan, make.run_of(plan)))).figure
        assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
        assert mpl.rcParams["font.size"] == 30


def test_a_subtitle_is_wrapped_and_only_a_word_that_is_too_long_is_cut() -> None:
    words = [f"setting{index}=value" for index in range(30)]
    lines = style.wrapped(" ".join(words), size=style.SMALL)
    assert " ".join(lines).split(" ") == words
    (word,) = style.wrapped("x" * 400, size=style.SMALL)
    assert "…" in word
    assert style.text_inches(word, size=style.SMALL) <= style.WIDTH_INCHES - 0.4


def test_shares_are_drawn_within_zero_and_one(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0, 1), settings={"train.learning_rate": (0.1, 0.2)})
    ends = {0: 1.0, 1: 0.9}
    results = [
        make.result_of(each.trial, metrics={**each.metrics, "test_accuracy": ends[each.trial.seed]})
        for each in make.run_of(plan)
    ]
    found = {plot.name: plot.figure for plot in plots_of(plan, results)}
    strip, lines = found["accuracy-cpu"].axes[0], found["accuracy-by-learning-rate-cpu"].axes[0]
    for limits in (strip.get_xlim(), lines.get_ylim(), found["learning-epochs-cpu"].axes[0].get_ylim()):
        assert limits[0] >= -0.03  # room for half a mark
        assert limits[1] <= 1.03
    reach = [path.vertices[:, 0] for each in strip.collections for path in each.get_paths() if len(path.vertices) == 2]
    assert reach
    assert max(float(ends.max()) for ends in reach) == pytest.approx(1.0)
    assert min(float(ends.min()) for ends in reach) == pytest.approx(0.315, abs=0.01)  # 0.95 - 12.7 * 0.05


def test_epochs_are_whole(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.epochs": (3,)}, seeds=(0, 1))
    axis = {plot.name: plot.figure for plot in plots_of(plan, make.run_of(plan))}["learning-epochs-cpu"].axes[-1].xaxis
    assert all(float(place).is_integer() for place in axis.get_majorticklocs())


def test_settings_of_one_model_are_the_rows_of_its_strip(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), settings={"train.optimizer": ("sgd", "adam", "adamw", "rmsprop")})
    plot = next(iter(plots_of(plan, make.run_of(plan))))
    assert plot.name == "accuracy-cpu"
    (ax,) = plot.figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sgd", "adam", "adamw", "rmsprop"]


def test_a_sweep_is_drawn_at_its_best_setting(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.learning_rate": (0.9, 0.1)}, seeds=(0, 1))
    results = [make.with_validation(each, 0.9 - each.trial.train.learning_rate) for each in make.run_of(plan)]
    found = {plot.name: plot.figure for plot in plots_of(plan, results)}
    for name in ("accuracy-cpu", "learning-epochs-cpu"):
        assert {ax.get_title(loc="left") for ax in found[name].axes} - {""} == {"learning rate 0.1"}
        texts = " ".join(" ".join(text.get_text() for text in found[name].texts).split())
        assert "learning rate 0.1: the setting with the highest mean validation accuracy" in texts


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0, 5_000, 10_000], ["0", "5k", "10k"]),
        ([0, 500_000, 1_000_000], ["0", "0.5M", "1M"]),
        ([0, 0.05, 0.1], ["0.00", "0.05", "0.10"]),
        ([0, 2_000, 4_000], ["0", "2000", "4000"]),
    ],
)
def test_ticks_of_an_axis_have_one_unit(values: list[float], texts: list[str]) -> None:
    assert PlainFormatter().format_ticks(values) == texts


def test_a_leader_across_the_plot_does_not_pass_for_data() -> None:
    figure, (ax,) = style.figure_with_axes("t", ["s"], rows=1, columns=1, panel_inches=2.0, frame=style.Frame())
    ax.plot([0, 1], [0, 1])
    figure.canvas.draw()
    looks = dict.fromkeys(("near", "far"), Style("#0072b2", "o"))
    label_right(ax, [("near", 1.0, 1.0), ("far", 0.0, 0.0)], looks)
    found = {text.get_text(): text.arrow_patch for text in ax.texts}
    assert (found["near"].get_linestyle(), found["far"].get_linestyle()) == ("-", ":")
    assert found["near"].get_edgecolor() != found["far"].get_edgecolor()


BLOCKS = [f"block {each} with relu and dropout, wide variant" for each in (1, 2, 3)]


def texts_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]


@pytest.mark.parametrize(
    "tags",
    [
        BLOCKS,
        [f"{each} and a very long description of what it is" for each in "abc"],
        [f"a very long description of what it is: {each}" for each in "abc"],
        [f"{'非常に長い' * 6}{each}{'説明' * 12}" for each in "一二三"],
    ],
    ids=["middle", "first", "last", "CJK"],
)
def test_each_model_has_a_name_of_its_own_in_every_plot(make: ModuleType, tags: list[str]) -> None:
    plan = make.Plan(models=[Component("tagged", {"tag": tag}) for tag in tags], batch_sizes=(64, 256), seeds=(0, 1))
    results = [make.result_of(each.trial, metrics={**each.metrics, "parameters": 100 + 50 * tags.index(
        each.trial.model.settings["tag"])}) for each in make.run_of(plan)]  # fmt: skip
    drawn = list(plots_of(plan, results))
    assert {plot.name.split("-")[0] for plot in drawn} >= {"accuracy", "throughput", "memory", "learning", "test"}
    one_size = make.Plan(models=plan.axis("model").values)  # bars
    for plot in [*drawn, *plots_of(one_size, make.run_of(one_size))]:
        if plot.name.startswith("pairs"):  # narrow columns, wide rows: each has names of its own
            (ax,) = plot.figure.axes
            for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
                assert len({label.get_text() for label in labels}) == len(labels) == 2
        else:
            assert len({text for text in texts_of(plot.figure) if text.startswith("tagged")}) == 3, plot.name


def test_names_tell_what_differs(make: ModuleType) -> None:
    plan = make.Plan(models=[Component("tagged", {"tag": tag}) for tag in BLOCKS[:2]])
    strip = next(plots_of(plan, make.run_of(plan)))
    rows = [label.get_text() for label in strip.figure.axes[0].get_yticklabels()]
    assert rows == ["tagged(tag=block 1 with rel…", "tagged(tag=block 2 with rel…"]


@pytest.mark.parametrize("level", [1.0, 0.0, 0.9999])
def test_a_mark_at_the_end_of_its_axis_is_whole(make: ModuleType, level: float) -> None:
    """A mark of 8 points needs 4 beside it."""
    plan = make.Plan(batch_sizes=(64, 256), seeds=(0, 1, 2))
    results = []
    for each in make.run_of(plan):
        reached = level if each.trial.model.name == "cnn" else 0.5 + 0.01 * each.trial.seed
        own = {"test_accuracy": reached, "parameters": 100 * len(each.trial.model.name)}
        results.append(make.result_of(each.trial, metrics={**each.metrics, **own}))
    plots = {plot.name: plot.figure for plot in plots_of(plan, results)}
    strip = plots["accuracy-cpu"].axes[-1]
    upright = [plots[name].axes[0] for name in ("accuracy-parameters-cpu", "accuracy-by-batch-size-cpu")]
    for ax, side in ((strip, "x"), *((ax, "y") for ax in upright)):
        low, high = sorted(ax.get_xlim() if side == "x" else ax.get_ylim())
        length = (ax.bbox.width if side == "x" else ax.bbox.height) / ax.figure.dpi * 72  # points
        assert min(high - level, level - low) / (high - low) * length >= 4
        assert low >= -0.05
        assert high <= 1.05
        ticks = (ax.xaxis if side == "x" else ax.yaxis).get_majorticklocs()
        assert not [tick for tick in ticks if low <= tick <= high and not 0 <= round(tick, 9) <= 1]
